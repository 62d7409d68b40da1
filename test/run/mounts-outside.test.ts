// A container without a mount namespace that has mounts all the same: they are its caller's, and go when it does. In a mount
// namespace of the test's own, so that the machine never has them.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { inMountNamespace, output, runCommand } from '../support/container.ts';

const withoutMounts = ({ linux }: Config): void => {
  linux!.namespaces = linux!.namespaces!.filter(({ type }) => type !== 'mount');
};

/** Runs a shell script, in which `tinyrun` is the command with the bundle's roots. */
function say(bundle: Bundle, script: string): string {
  const roots = `--root ${bundle.root} --data-root ${bundle.dataRoot}`;
  const words = `tinyrun() { ${tinyrun} ${roots} "$@"; }; cd ${bundle.dir}; ${script}`;
  return output(runCommand([...inMountNamespace(), 'sh', '-ec', words]));
}

const COUNT = 'grep -c " $PWD/rootfs" /proc/self/mountinfo || true';

test('the mounts are there in the container, seen by its caller meanwhile, and gone with it', () =>
  withBundle(
    (bundle) => {
      bundle.config.process.args = [
        '/payload',
        'cat',
        '/proc/self/stat',
        '--',
        'ls',
        '/dev/shm',
        '--',
        'ls',
        '/dev',
      ];
      bundle.config.linux!.maskedPaths = ['/proc/kcore'];
      writeConfig(bundle);
      const text = say(bundle, `tinyrun run -b . ${bundle.id}; echo left; ${COUNT}`);
      assert.match(text, /^1 \(payload\)/);
      assert.match(text, /\nnull\n/);
      assert.match(text, /left\n0\n$/);
    },
    { config: withoutMounts },
  ));

test('created, and deleted with its mounts, and not with those that were there before', () =>
  withBundle(
    (bundle) => {
      bundle.config.process.args = ['/payload', 'trap'];
      writeConfig(bundle);
      const text = say(
        bundle,
        `mount --bind rootfs rootfs; before=$(${COUNT});
         tinyrun create -b . ${bundle.id} </dev/null >/dev/null 2>&1; during=$(${COUNT});
         tinyrun delete --force ${bundle.id}; echo $((during > before)) $(( $(${COUNT}) - before ))`,
      );
      assert.is(text, '1 0\n');
    },
    { config: withoutMounts },
  ));

test("the host's mounts propagate as they did: nothing of the host becomes private (as runc 1.5.3 mended)", () =>
  withBundle(
    (bundle) => {
      const root = "grep ' / / ' /proc/self/mountinfo";
      const text = say(bundle, `mount --make-shared /; ${root}; tinyrun run -b . ${bundle.id}; ${root}`);
      const [before, after, ...more] = text.trim().split('\n');
      assert.match(before!, / shared:\d/);
      assert.equal([after, more], [before, []]);
    },
    {
      config: (config) => {
        withoutMounts(config);
        config.process.args = ['/payload', 'true'];
      },
    },
  ));

test('a container that cannot be set up leaves no mount', () =>
  withBundle(
    (bundle) => {
      mkdirSync(join(bundle.dir, 'source'));
      bundle.config.process.args = ['/nothere'];
      writeConfig(bundle);
      const text = say(
        bundle,
        `tinyrun create -b . ${bundle.id} 2>/dev/null || echo failed; ${COUNT}; tinyrun run . 2>/dev/null || echo failed; ${COUNT}`,
      );
      assert.is(text, 'failed\n0\nfailed\n0\n');
    },
    { config: withoutMounts },
  ));

test.run();
