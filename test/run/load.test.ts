// Many containers at once, through their whole life, by many callers; and many commands in a row. No error, no word on
// stderr, nothing left: processes, zombies, cgroups, mounts, state, files.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, withBundle } from '../support/bundle.ts';
import { children, reap, takingOrphans } from '../support/orphans.ts';
import { leftovers, processesOf } from '../support/refusal.ts';
import { dockerShaped } from '../support/seccomp.ts';
import { say, share, stateOf, succeeds } from '../support/verbs.ts';

const CONTAINERS = 200;
const WORKERS = 16;
const EXECS = process.env['TINYRUN_TEST_ALL'] === '1' ? 1000 : 300;

/** As an engine writes it: limits, and a filter of hundreds of names. */
function asByAnEngine(config: Config): void {
  config.process.args = ['/payload', 'trap'];
  config.linux!.seccomp = dockerShaped();
  config.linux!.resources = {
    memory: { limit: 256 << 20 },
    cpu: { shares: 512, quota: 50_000, period: 100_000 },
    pids: { limit: 64 },
    devices: [{ allow: false, access: 'rwm' }],
  };
}

/** The same in another file of the bundle: with hooks, and a user namespace. */
function writeOther(bundle: Bundle): string {
  const { config } = bundle;
  const hook = (path: string) => [{ path, args: ['payload', 'true'] }];
  const program = join(bundle.rootfs, 'payload');
  const hooks = { createRuntime: hook(program), poststart: hook(program), poststop: hook(program) };
  const namespaces = [...config.linux!.namespaces!, { type: 'user' as const }];
  const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const linux = { ...config.linux, namespaces, uidMappings: ids, gidMappings: ids };
  const file = join(bundle.dir, 'other.json');
  writeFileSync(file, JSON.stringify({ ...config, linux, hooks }));
  return file;
}

/** One container from its creation to its end, in one of some ways; a process is executed in it. */
async function live(bundle: Bundle, way: number, other: string): Promise<void> {
  const id = `${bundle.id}-${way}`;
  const flags = [[], ['--overlay'], ['--config', other], []][way % 4]!;
  await succeeds(bundle, 'create', ...flags, '--bundle', bundle.dir, id);
  const created = await stateOf(bundle, id);
  assert.is(created?.status, 'created');
  await succeeds(bundle, 'start', id);
  assert.equal(await stateOf(bundle, id), { ...created, status: 'running' });
  await succeeds(bundle, 'exec', id, '/payload', 'true');
  if (way % 10 === 0) assert.match(await succeeds(bundle, 'list', '--quiet'), id);
  const { pid } = created!;
  if (way % 3 === 0) {
    await succeeds(bundle, 'delete', '--force', id);
    await reap(pid);
  } else {
    await succeeds(bundle, 'kill', id, 'KILL');
    await reap(pid);
    assert.equal(await stateOf(bundle, id), { ...created, pid: 0, status: 'stopped' });
    await succeeds(bundle, 'delete', id);
  }
  assert.is(await stateOf(bundle, id), undefined);
}

test(`${CONTAINERS} containers by ${WORKERS} callers at once, from their creation to their end`, () =>
  withBundle(
    (bundle) =>
      takingOrphans(async () => {
        const other = writeOther(bundle);
        await share(CONTAINERS, WORKERS, (way) => live(bundle, way, other));
        assert.is(await succeeds(bundle, 'list', '--quiet'), '');
        assert.equal(leftovers(bundle), []);
        assert.equal(children(), []);
      }),
    { config: asByAnEngine },
  ));

test('hundreds of processes are executed in a container, by some callers at once, and none stays', () =>
  withBundle(
    (bundle) =>
      takingOrphans(async () => {
        const { id } = bundle;
        await succeeds(bundle, 'run', '--detach', '--bundle', bundle.dir, id);
        const { pid = 0 } = (await stateOf(bundle)) ?? {};
        await share(EXECS, 8, async (job) => {
          const { code, stderr } = await say(bundle, 'exec', id, '/payload', 'exit', `${job % 250}`);
          assert.equal([code, stderr], [job % 250, '']);
        });
        assert.equal(processesOf(bundle), [pid]);
        await succeeds(bundle, 'delete', '--force', id);
        await reap(pid);
        assert.equal(leftovers(bundle), []);
        assert.equal(children(), []);
      }),
    { config: asByAnEngine },
  ));

test.run();
