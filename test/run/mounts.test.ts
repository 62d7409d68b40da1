// `tinyrun mounts`: the mounts of a container beside those of the host.

import { mkdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { inMountNamespace, output, runCommand } from '../support/container.ts';
import { end, whileDetached } from '../support/detached.ts';

interface Mounts {
  live: boolean;
  mounts: {
    target: string;
    type?: string;
    by: string;
    role: string;
    propagation: object;
    hostPath?: string;
  }[];
  host: {
    seen: object[];
    namespaces?: { container: string; host: string };
    groups: Record<string, unknown>[];
  };
}

const mountsOf = (bundle: Bundle): Mounts =>
  JSON.parse(output(runTinyrun(bundle, ['mounts', '--json', bundle.id])));
const at = ({ mounts }: Mounts, target: string) => mounts.findLast((mount) => mount.target === target);

test('L1: mounts shows the overlay, and who asked for each mount', () =>
  withBundle((bundle) =>
    whileDetached(bundle, ['--overlay'], () => {
      const text = output(runTinyrun(bundle, ['mounts', bundle.id]));
      assert.match(text, /^MOUNT +PROPAGATION +ASKED FOR BY\n/);
      assert.match(text, / on \/ type overlay \(rw,relatime\) +private +config\.json \/root\n/);
      assert.match(text, /├─ proc on \/proc type proc \(.*\) +private +config\.json \/mounts\/0\n/);
      assert.match(text, new RegExp(`upper layer +${bundle.dataRoot}/containers/${bundle.id}/upper\n`));
      const mounts = mountsOf(bundle);
      bundle.config.mounts!.forEach(({ destination }, i) => {
        assert.is(at(mounts, destination)?.by, `config.json /mounts/${i}`, destination);
      });
      assert.is(at(mounts, '/etc/hosts')?.by, 'the runtime');
      for (const { target, by } of mounts.mounts) assert.not.match(by, /no line/, target);
    }),
  ));

test('B10: the host sees none of the mounts of a container', () =>
  withBundle((bundle) => {
    mkdirSync(`${bundle.dir}/h`);
    bundle.config.mounts!.push({ destination: '/d', type: 'bind', source: 'h', options: ['rbind'] });
    return whileDetached(bundle, ['--overlay'], () => {
      const mounts = mountsOf(bundle);
      assert.is(at(mounts, '/d')?.hostPath, `${bundle.dir}/h`);
      assert.equal(mounts.host.seen, []);
      assert.is.not(mounts.host.namespaces?.container, mounts.host.namespaces?.host);
      assert.match(
        output(runTinyrun(bundle, ['mounts', bundle.id])),
        /none of these, which are in mnt:\[\d+\]/,
      );
    });
  }));

test('mounts tells how mounts spread: peers and slaves of the host', () =>
  withBundle((bundle) => {
    mkdirSync(`${bundle.dir}/h`);
    const add = (destination: string, propagation: string) =>
      bundle.config.mounts!.push({ destination, type: 'bind', source: 'h', options: ['rbind', propagation] });
    add('/slave', 'rslave');
    add('/shared', 'rshared');
    bundle.config.process.args = ['/payload', 'trap'];
    writeConfig(bundle);
    const command = `${tinyrun} --root ${bundle.root} --data-root ${bundle.dataRoot}`;
    const script = [
      `mount --bind ${bundle.dir}/h ${bundle.dir}/h`,
      `mount --make-private ${bundle.dir}/h && mount --make-shared ${bundle.dir}/h`,
      `${command} run -d --name ${bundle.id} ${bundle.dir} >/dev/null 2>&1`,
      `${command} mounts --json ${bundle.id}`,
      `${command} delete -f ${bundle.id}`,
    ].join('\n');
    const mounts: Mounts = JSON.parse(output(runCommand([...inMountNamespace(script), 'true'])));
    const group = (target: string) =>
      mounts.host.groups.find(({ container }) => (container as string[]).includes(target));
    assert.match(String(group('/slave')?.['group']), /^master:\d+$/);
    assert.equal(group('/slave')?.['host'], [`${bundle.dir}/h`]);
    assert.match(String(group('/shared')?.['group']), /^shared:\d+$/);
    assert.match(String(group('/shared')?.['meaning']), /appears on the host .* and the other way round/);
    assert.match(String(group('/slave')?.['meaning']), /and nothing the other way/);
  }));

test('mounts of a container that has ended are those that are planned', () =>
  withBundle((bundle) =>
    whileDetached(bundle, ['--overlay'], async () => {
      const targets = ({ mounts }: Mounts) => mounts.map(({ target }) => target);
      const live = targets(mountsOf(bundle)).filter((target) => !target.startsWith('/sys/fs/cgroup/'));
      await end(bundle);
      const planned = mountsOf(bundle);
      assert.is(planned.live, false);
      for (const target of live) assert.ok(targets(planned).includes(target), target);
      assert.match(
        output(runTinyrun(bundle, ['mounts', bundle.id])),
        /^MOUNT \(PLANNED\).*\n.*on \/ type overlay/,
      );
    }),
  ));

test.run();
