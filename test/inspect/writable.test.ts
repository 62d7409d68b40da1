import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Seen } from '../../src/inspect/look.ts';
import type { MountEntry } from '../../src/inspect/mount-tree.ts';
import { writableBy } from '../../src/inspect/writable.ts';
import type { Config } from '../../src/oci/config.ts';
import { defaultConfig } from '../../src/oci/defaults.ts';
import { seenFile as file } from '../support/seen.ts';

const mount = (more: Partial<MountEntry> = {}): MountEntry => ({
  ...{ id: 1, parent: 1, target: '/d', type: 'ext4', source: '/x', options: ['rw'], superOptions: ['rw'] },
  ...{
    propagation: {},
    role: 'bind',
    by: '--volume /x:/d',
    hostPath: '/x',
    point: undefined,
    layered: false,
  },
  ...more,
});

function config(change: (config: Config) => void = () => {}): Config {
  const made = defaultConfig();
  made.root.readonly = false;
  change(made);
  return made;
}

const asUser = (uid: number, gid: number, additionalGids: number[] = []) =>
  config(({ process }) => {
    process.user = { uid, gid, additionalGids };
    process.capabilities = {};
  });
const DAC = config(({ process }) => {
  process.user = { uid: 5, gid: 5 };
  process.capabilities = { effective: ['CAP_DAC_OVERRIDE'] };
});

test('writable: by owner, group, others, as the kernel takes the first that fits', () => {
  const may = (user: Config, seen: Partial<Seen>) => writableBy(user, file(seen), '/d/f', mount()).writable;
  assert.is(may(asUser(0, 0), {}), true);
  assert.is(may(asUser(7, 7), {}), false);
  assert.is(may(asUser(7, 7), { uid: 7 }), true);
  assert.is(may(asUser(7, 7), { uid: 7, mode: 0o477 }), false, 'the owner has no other rights');
  assert.is(may(asUser(7, 7), { gid: 7, mode: 0o664 }), true);
  assert.is(may(asUser(7, 8, [9]), { gid: 9, mode: 0o664 }), true);
  assert.is(may(asUser(7, 8, [9]), { gid: 9, mode: 0o646 }), false);
  assert.is(may(asUser(7, 7), { mode: 0o646 }), true);
  assert.is(may(DAC, { mode: 0 }), true);
});

test('writable: the reason names mode, owner, user and capability', () => {
  assert.equal(writableBy(asUser(7, 7), file(), '/d/f', mount()).reasons, [
    'mode 0644, owner 0:0 of /d/f: user 7:7 is neither its owner nor in its group, and may not write; ' +
      'the process has no CAP_DAC_OVERRIDE',
  ]);
});

test('writable: ids of a user namespace are those of the host behind the mappings', () => {
  const inside = config(({ process, linux }) => {
    process.user = { uid: 0, gid: 0 };
    process.capabilities = { effective: ['CAP_DAC_OVERRIDE'] };
    linux!.namespaces!.push({ type: 'user' });
    linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 10 }];
    linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 10 }];
  });
  assert.is(writableBy(inside, file({ uid: 100003, gid: 100003 }), '/d/f', mount()).writable, true);
  const { writable, reasons } = writableBy(inside, file(), '/d/f', mount());
  assert.is(writable, false);
  assert.match(reasons[0]!, /owner 0:0 on the host .* the user namespace does not have these ids/);
});

test('writable: mounts, masks, locked paths, a read-only root, attributes', () => {
  const reasons = (one: Partial<MountEntry>, seen: Partial<Seen> = {}, of: Config = config()) =>
    writableBy(of, file(seen), '/d/f', mount(one)).reasons;
  assert.equal(reasons({ options: ['ro'] }), ['the mount on /d is read-only (ro): --volume /x:/d']);
  assert.equal(reasons({ superOptions: ['ro'] }), [
    'the filesystem mounted on /d is read-only: --volume /x:/d',
  ]);
  assert.equal(reasons({ role: 'mask', by: 'config.json /linux/maskedPaths/0' }), [
    'masked: config.json /linux/maskedPaths/0',
  ]);
  assert.equal(
    reasons({ role: 'readonly-path', target: '/proc/sys', by: 'config.json /linux/readonlyPaths/3' }),
    ['/proc/sys is mounted on itself read-only: config.json /linux/readonlyPaths/3'],
  );
  const readonlyRoot = config(({ root }) => {
    root.readonly = true;
  });
  assert.equal(reasons({ role: 'rootfs', target: '/' }, {}, readonlyRoot), [
    'the root is read-only: config.json /root/readonly',
  ]);
  assert.equal(reasons({}, { immutable: true }), ['/d/f is immutable (chattr +i)']);
  assert.equal(reasons({}, { appendOnly: true }), ['/d/f can only grow (chattr +a)']);
});

test('writable: of what is yet to be mounted only the mount is known', () => {
  assert.equal(writableBy(config(), undefined, '/s/f', mount()), { writable: undefined, reasons: [] });
  assert.is(writableBy(config(), undefined, '/s/f', mount({ options: ['ro'] })).writable, false);
});

test.run();
