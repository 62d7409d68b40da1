// The session keyring of a container. keyrings(7).

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { outputOf, payload, runCommand } from '../support/container.ts';
import { skip } from '../support/skip.ts';

/** The caller's session keyring; undefined: this kernel has no keys, or a filter keeps us from them. */
const callers = ((): string | undefined => {
  const { stdout, code } = runCommand([payload, 'keyring']);
  return code === 0 ? stdout : undefined;
})();

function keyTest(name: string, run: (callers: string) => Promise<void>): void {
  test(name, async () => (callers === undefined ? skip(name, 'no keyctl here') : await run(callers)));
}

keyTest('the session keyring is _ses.ID, and its user may search it', async () => {
  const printed = await outputOf(['keyring'], { flags: ['--name', 'keyed', '--rm'] });
  assert.is(printed, 'keyring;0;0;3f1b0000;_ses.keyed\n');
});

keyTest('in a user namespace it belongs to the root of that', async () => {
  const config = ({ linux }: Config): void => {
    linux!.namespaces!.push({ type: 'user' });
    linux!.uidMappings = linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  };
  const printed = await outputOf(['keyring'], { flags: ['--name', 'keyed-user', '--rm'], config });
  assert.is(printed, 'keyring;0;0;3f1b0000;_ses.keyed-user\n');
});

keyTest("with --no-new-keyring it is the caller's", async (callers) => {
  assert.is(await outputOf(['keyring'], { flags: ['--no-new-keyring'] }), callers);
});

test.run();
