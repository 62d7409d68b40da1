// Mount options: every row of the table, what wins over what, and how they are printed.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatMountFlags,
  type MountOptions,
  mountOptionNames,
  parseMountOptions,
} from '../../src/oci/mount-options.ts';
import { allConstants } from '../../src/sys/constants.ts';

const NOTHING = parseMountOptions([]);

function changed(options: string): Partial<MountOptions> {
  const parsed = parseMountOptions(options.split(','));
  const differs = Object.entries(parsed).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(NOTHING[key as keyof MountOptions]),
  );
  return Object.fromEntries(differs);
}

const attr = (name: string) => 'MOUNT_ATTR_' + name;
const MASK = 'MOUNT_ATTR__ATIME';
const mode = (name: string) => ({ set: [attr(name)], clear: [MASK] });
const recMode = (name: string) => ({ recSet: [attr(name)], recClear: [MASK] });
const propagation = (type: 'private' | 'slave' | 'shared' | 'unbindable', recursive: boolean) => ({
  propagation: [{ type, recursive }],
});

/** Options -> what differs from no options; one row for each option, then combinations. */
const TABLE: Record<string, Partial<MountOptions>> = {
  ro: { set: [attr('RDONLY')], superblock: ['ro'] },
  rw: { clear: [attr('RDONLY')] },
  nosuid: { set: [attr('NOSUID')] },
  suid: { clear: [attr('NOSUID')] },
  nodev: { set: [attr('NODEV')] },
  dev: { clear: [attr('NODEV')] },
  noexec: { set: [attr('NOEXEC')] },
  exec: { clear: [attr('NOEXEC')] },
  nodiratime: { set: [attr('NODIRATIME')] },
  diratime: { clear: [attr('NODIRATIME')] },
  nosymfollow: { set: [attr('NOSYMFOLLOW')] },
  symfollow: { clear: [attr('NOSYMFOLLOW')] },
  rro: { recSet: [attr('RDONLY')] },
  rrw: { recClear: [attr('RDONLY')] },
  rnosuid: { recSet: [attr('NOSUID')] },
  rsuid: { recClear: [attr('NOSUID')] },
  rnodev: { recSet: [attr('NODEV')] },
  rdev: { recClear: [attr('NODEV')] },
  rnoexec: { recSet: [attr('NOEXEC')] },
  rexec: { recClear: [attr('NOEXEC')] },
  rnodiratime: { recSet: [attr('NODIRATIME')] },
  rdiratime: { recClear: [attr('NODIRATIME')] },
  rnosymfollow: { recSet: [attr('NOSYMFOLLOW')] },
  rsymfollow: { recClear: [attr('NOSYMFOLLOW')] },
  noatime: mode('NOATIME'),
  atime: mode('RELATIME'),
  relatime: mode('RELATIME'),
  norelatime: {},
  strictatime: mode('STRICTATIME'),
  nostrictatime: mode('RELATIME'),
  rnoatime: recMode('NOATIME'),
  ratime: recMode('RELATIME'),
  rrelatime: recMode('RELATIME'),
  rnorelatime: {},
  rstrictatime: recMode('STRICTATIME'),
  rnostrictatime: recMode('RELATIME'),
  sync: { superblock: ['sync'] },
  async: {},
  dirsync: { superblock: ['dirsync'] },
  lazytime: { superblock: ['lazytime'] },
  nolazytime: {},
  mand: { superblock: ['mand'] },
  nomand: {},
  silent: { superblock: ['silent'] },
  loud: {},
  iversion: { superblock: ['iversion'] },
  noiversion: {},
  private: propagation('private', false),
  rprivate: propagation('private', true),
  slave: propagation('slave', false),
  rslave: propagation('slave', true),
  shared: propagation('shared', false),
  rshared: propagation('shared', true),
  unbindable: propagation('unbindable', false),
  runbindable: propagation('unbindable', true),
  bind: { bind: 'bind' },
  rbind: { bind: 'rbind' },
  idmap: { idmap: 'idmap' },
  ridmap: { idmap: 'ridmap' },
  remount: { remount: true },
  tmpcopyup: { tmpcopyup: true },
  defaults: {},

  'ro,rw': { clear: [attr('RDONLY')] },
  'rw,ro': { set: [attr('RDONLY')], superblock: ['ro'] },
  'rro,rrw': { recClear: [attr('RDONLY')] },
  'rw,rro': { clear: [attr('RDONLY')], recSet: [attr('RDONLY')] },
  'nosuid,suid,nosuid': { set: [attr('NOSUID')] },
  'sync,async': {},
  'async,sync': { superblock: ['sync'] },
  'silent,loud,mand,nomand,iversion,noiversion,lazytime,nolazytime': {},
  'noatime,strictatime': mode('STRICTATIME'),
  'strictatime,noatime': mode('NOATIME'),
  'noatime,atime': mode('RELATIME'),
  'strictatime,atime': mode('STRICTATIME'),
  'strictatime,nostrictatime': mode('RELATIME'),
  'noatime,nostrictatime': mode('NOATIME'),
  'relatime,norelatime': {},
  'strictatime,norelatime': mode('STRICTATIME'),
  'noatime,nodiratime': { set: [attr('NODIRATIME'), attr('NOATIME')], clear: [MASK] },
  'bind,rbind': { bind: 'rbind' },
  'rbind,bind': { bind: 'rbind' },
  'ridmap,idmap': { idmap: 'ridmap' },
  'bind,bind,rprivate': { bind: 'bind', ...propagation('private', true) },
  'slave,rshared': {
    propagation: [
      { type: 'slave', recursive: false },
      { type: 'shared', recursive: true },
    ],
  },
  'mode=755,nosuid,size=65536k': { set: [attr('NOSUID')], data: ['mode=755', 'size=65536k'] },
  'RO,no,constructor,__proto__': { data: ['RO', 'no', 'constructor', '__proto__'] },
};

for (const [options, expected] of Object.entries(TABLE)) {
  test(`parseMountOptions: ${options}`, () => {
    assert.equal(changed(options), expected);
  });
}

test('every option that tinyrun understands has its row in this test', () => {
  assert.equal(
    mountOptionNames().filter((name) => !(name in TABLE)),
    [],
  );
});

test('every attribute is a constant of the kernel', () => {
  for (const option of mountOptionNames()) {
    const { set, clear, recSet, recClear } = parseMountOptions([option]);
    for (const name of [...set, ...clear, ...recSet, ...recClear])
      assert.type(allConstants()[name], 'number', name);
  }
});

test('an access-time mode is never set without the whole mask being cleared, as mount_setattr(2) demands', () => {
  const modes = [attr('NOATIME'), attr('RELATIME'), attr('STRICTATIME')];
  for (const first of mountOptionNames()) {
    for (const second of mountOptionNames()) {
      const { set, clear, recSet, recClear } = parseMountOptions([first, second]);
      for (const [on, off] of [
        [set, clear],
        [recSet, recClear],
      ] as const) {
        const count = on.filter((name) => modes.includes(name)).length;
        assert.ok(count <= 1, `${first},${second} sets one mode`);
        assert.is(count === 1, off.includes(MASK), `${first},${second} clears the mask`);
        assert.not.ok(
          off.some((name) => modes.includes(name)),
          `${first},${second} clears no part of it`,
        );
      }
    }
  }
});

const PRINTED: Record<string, string> = {
  '': '',
  'mode=755': '',
  'nosuid,nodev,ro': 'nosuid|nodev|ro',
  'rbind,ro,rprivate': 'rbind|ro|rprivate',
  'rw,noatime': 'noatime|rw',
  'bind,rro,rnosuid,rsuid,ridmap': 'bind|rro|rsuid|ridmap',
  'sync,relatime,tmpcopyup,slave': 'relatime|sync|slave|tmpcopyup',
  'remount,bind,rstrictatime,defaults': 'remount|bind|rstrictatime',
};

for (const [options, expected] of Object.entries(PRINTED)) {
  test(`formatMountFlags: \`${options}\` is printed as \`${expected}\``, () => {
    assert.is(formatMountFlags(parseMountOptions(options.split(','))), expected);
  });
}

test('formatMountFlags names an attribute by the very option that gives it', () => {
  for (const name of mountOptionNames()) {
    const printed = formatMountFlags(parseMountOptions([name]));
    if (printed === '' || /^r?(atime|nostrictatime)$/.test(name)) continue; // these are said as relatime
    assert.is(printed, name);
  }
});

test.run();
