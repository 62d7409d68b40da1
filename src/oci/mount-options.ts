// The fstab-style options of config.json's mounts -> what the new mount API wants: attributes for fsmount(2) and
// mount_setattr(2), flags for fsconfig(2), propagation, data strings. OCI config.md, "Linux mount options".
//
// A later option wins over an earlier contrary one (`ro,rw` is rw). Recursive attributes (`rro`) are kept apart: they are
// a second mount_setattr with AT_RECURSIVE, after the plain ones.
//
// The access-time modes are one value in the mask MOUNT_ATTR__ATIME, not bits, and mount_setattr(2) demands the whole
// mask in attr_clr whenever a mode is set. relatime is the value 0 and the kernel's own default (mount(8)), hence:
//   noatime, relatime, strictatime      set that mode, clear MOUNT_ATTR__ATIME
//   atime, nostrictatime                take back noatime / strictatime: the mode is relatime again
//   norelatime                          takes back an earlier relatime; alone it changes nothing

export type PropagationType = 'private' | 'slave' | 'shared' | 'unbindable';

export interface Propagation {
  type: PropagationType;
  recursive: boolean;
}

export interface MountOptions {
  bind: false | 'bind' | 'rbind';
  remount: boolean;
  /** MOUNT_ATTR_ names for attr_set (a new mount: fsmount's attributes) and attr_clr. */
  set: string[];
  clear: string[];
  /** The same, to be applied with AT_RECURSIVE. */
  recSet: string[];
  recClear: string[];
  /**
   * Flags of the superblock, for a mount that makes one: sync, dirsync, lazytime, mand, ro are fsconfig's
   * FSCONFIG_SET_FLAG keys; silent and iversion exist in mount(2) only, fsconfig answers EINVAL (Linux 6.18).
   */
  superblock: string[];
  /** In the order given: slave and then shared is a mount that is both. */
  propagation: Propagation[];
  tmpcopyup: boolean;
  idmap: false | 'idmap' | 'ridmap';
  /** Everything else, for the filesystem itself: `mode=755`. A bind has no use for it. */
  data: string[];
}

type Row =
  | { attr: string; on: boolean; rec?: true }
  | { atime: string; on: boolean; rec?: true }
  | { superblock: string; on: boolean }
  | { propagation: PropagationType; rec?: true }
  | { bind: 'bind' | 'rbind' }
  | { idmap: 'idmap' | 'ridmap' }
  | { flag: 'remount' | 'tmpcopyup' | 'defaults' };

/** Every option that is not handed to the filesystem. */
const ROWS: Readonly<Record<string, Row>> = {
  ro: { attr: 'MOUNT_ATTR_RDONLY', on: true },
  rw: { attr: 'MOUNT_ATTR_RDONLY', on: false },
  nosuid: { attr: 'MOUNT_ATTR_NOSUID', on: true },
  suid: { attr: 'MOUNT_ATTR_NOSUID', on: false },
  nodev: { attr: 'MOUNT_ATTR_NODEV', on: true },
  dev: { attr: 'MOUNT_ATTR_NODEV', on: false },
  noexec: { attr: 'MOUNT_ATTR_NOEXEC', on: true },
  exec: { attr: 'MOUNT_ATTR_NOEXEC', on: false },
  nodiratime: { attr: 'MOUNT_ATTR_NODIRATIME', on: true },
  diratime: { attr: 'MOUNT_ATTR_NODIRATIME', on: false },
  nosymfollow: { attr: 'MOUNT_ATTR_NOSYMFOLLOW', on: true },
  symfollow: { attr: 'MOUNT_ATTR_NOSYMFOLLOW', on: false },

  noatime: { atime: 'MOUNT_ATTR_NOATIME', on: true },
  atime: { atime: 'MOUNT_ATTR_NOATIME', on: false },
  relatime: { atime: 'MOUNT_ATTR_RELATIME', on: true },
  norelatime: { atime: 'MOUNT_ATTR_RELATIME', on: false },
  strictatime: { atime: 'MOUNT_ATTR_STRICTATIME', on: true },
  nostrictatime: { atime: 'MOUNT_ATTR_STRICTATIME', on: false },

  rro: { attr: 'MOUNT_ATTR_RDONLY', on: true, rec: true },
  rrw: { attr: 'MOUNT_ATTR_RDONLY', on: false, rec: true },
  rnosuid: { attr: 'MOUNT_ATTR_NOSUID', on: true, rec: true },
  rsuid: { attr: 'MOUNT_ATTR_NOSUID', on: false, rec: true },
  rnodev: { attr: 'MOUNT_ATTR_NODEV', on: true, rec: true },
  rdev: { attr: 'MOUNT_ATTR_NODEV', on: false, rec: true },
  rnoexec: { attr: 'MOUNT_ATTR_NOEXEC', on: true, rec: true },
  rexec: { attr: 'MOUNT_ATTR_NOEXEC', on: false, rec: true },
  rnodiratime: { attr: 'MOUNT_ATTR_NODIRATIME', on: true, rec: true },
  rdiratime: { attr: 'MOUNT_ATTR_NODIRATIME', on: false, rec: true },
  rnosymfollow: { attr: 'MOUNT_ATTR_NOSYMFOLLOW', on: true, rec: true },
  rsymfollow: { attr: 'MOUNT_ATTR_NOSYMFOLLOW', on: false, rec: true },

  rnoatime: { atime: 'MOUNT_ATTR_NOATIME', on: true, rec: true },
  ratime: { atime: 'MOUNT_ATTR_NOATIME', on: false, rec: true },
  rrelatime: { atime: 'MOUNT_ATTR_RELATIME', on: true, rec: true },
  rnorelatime: { atime: 'MOUNT_ATTR_RELATIME', on: false, rec: true },
  rstrictatime: { atime: 'MOUNT_ATTR_STRICTATIME', on: true, rec: true },
  rnostrictatime: { atime: 'MOUNT_ATTR_STRICTATIME', on: false, rec: true },

  sync: { superblock: 'sync', on: true },
  async: { superblock: 'sync', on: false },
  dirsync: { superblock: 'dirsync', on: true },
  lazytime: { superblock: 'lazytime', on: true },
  nolazytime: { superblock: 'lazytime', on: false },
  mand: { superblock: 'mand', on: true },
  nomand: { superblock: 'mand', on: false },
  silent: { superblock: 'silent', on: true },
  loud: { superblock: 'silent', on: false },
  iversion: { superblock: 'iversion', on: true },
  noiversion: { superblock: 'iversion', on: false },

  private: { propagation: 'private' },
  rprivate: { propagation: 'private', rec: true },
  slave: { propagation: 'slave' },
  rslave: { propagation: 'slave', rec: true },
  shared: { propagation: 'shared' },
  rshared: { propagation: 'shared', rec: true },
  unbindable: { propagation: 'unbindable' },
  runbindable: { propagation: 'unbindable', rec: true },

  bind: { bind: 'bind' },
  rbind: { bind: 'rbind' },
  idmap: { idmap: 'idmap' },
  ridmap: { idmap: 'ridmap' },
  remount: { flag: 'remount' },
  tmpcopyup: { flag: 'tmpcopyup' },
  defaults: { flag: 'defaults' },
};

/** The names of all options that tinyrun itself understands, for `tinyrun features`. */
export function mountOptionNames(): string[] {
  return Object.keys(ROWS).sort();
}

/** What the options of one application, plain or recursive, have added up to. */
interface Attributes {
  bits: Map<string, boolean>;
  /** undefined: no option spoke of access times. */
  atime: string | undefined;
}

function applyAtime(attributes: Attributes, mode: string, on: boolean): void {
  if (on) {
    attributes.atime = mode;
  } else if (mode === 'MOUNT_ATTR_RELATIME') {
    if (attributes.atime === mode) attributes.atime = undefined;
  } else if (attributes.atime === undefined || attributes.atime === mode) {
    attributes.atime = 'MOUNT_ATTR_RELATIME';
  }
}

function attributeLists(attributes: Attributes): { set: string[]; clear: string[] } {
  const set: string[] = [];
  const clear: string[] = [];
  for (const [name, on] of attributes.bits) (on ? set : clear).push(name);
  if (attributes.atime !== undefined) {
    set.push(attributes.atime);
    clear.push('MOUNT_ATTR__ATIME');
  }
  return { set, clear };
}

/** Sorts a mount's `options` into what each system call wants. Unknown ones are data; nothing is an error here. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const own: Attributes = { bits: new Map(), atime: undefined };
  const recursive: Attributes = { bits: new Map(), atime: undefined };
  const superblock = new Set<string>();
  const parsed: MountOptions = {
    bind: false,
    remount: false,
    set: [],
    clear: [],
    recSet: [],
    recClear: [],
    superblock: [],
    propagation: [],
    tmpcopyup: false,
    idmap: false,
    data: [],
  };
  for (const option of options) {
    const row = Object.hasOwn(ROWS, option) ? ROWS[option]! : undefined;
    if (row === undefined) parsed.data.push(option);
    else if ('attr' in row) (row.rec ? recursive : own).bits.set(row.attr, row.on);
    else if ('atime' in row) applyAtime(row.rec ? recursive : own, row.atime, row.on);
    else if ('superblock' in row) row.on ? superblock.add(row.superblock) : superblock.delete(row.superblock);
    else if ('propagation' in row)
      parsed.propagation.push({ type: row.propagation, recursive: row.rec === true });
    // bind and rbind together are rbind, in either order, as runc and crun or the two flags; so are the idmaps.
    else if ('bind' in row) parsed.bind = parsed.bind === 'rbind' ? 'rbind' : row.bind;
    else if ('idmap' in row) parsed.idmap = parsed.idmap === 'ridmap' ? 'ridmap' : row.idmap;
    else if (row.flag === 'remount') parsed.remount = true;
    else if (row.flag === 'tmpcopyup') parsed.tmpcopyup = true;
  }
  // mount(2) with MS_RDONLY makes both the mount and the new filesystem read-only: so do we.
  if (own.bits.get('MOUNT_ATTR_RDONLY')) superblock.add('ro');
  ({ set: parsed.set, clear: parsed.clear } = attributeLists(own));
  ({ set: parsed.recSet, clear: parsed.recClear } = attributeLists(recursive));
  parsed.superblock = [...superblock];
  return parsed;
}

/** MOUNT_ATTR_ name -> the option that sets it, the option that clears it. */
const ATTRIBUTE_NAMES: Readonly<Record<string, readonly [string, string]>> = {
  MOUNT_ATTR_RDONLY: ['ro', 'rw'],
  MOUNT_ATTR_NOSUID: ['nosuid', 'suid'],
  MOUNT_ATTR_NODEV: ['nodev', 'dev'],
  MOUNT_ATTR_NOEXEC: ['noexec', 'exec'],
  MOUNT_ATTR_NODIRATIME: ['nodiratime', 'diratime'],
  MOUNT_ATTR_NOSYMFOLLOW: ['nosymfollow', 'symfollow'],
  MOUNT_ATTR_NOATIME: ['noatime', 'atime'],
  MOUNT_ATTR_RELATIME: ['relatime', 'norelatime'],
  MOUNT_ATTR_STRICTATIME: ['strictatime', 'nostrictatime'],
};

/** The options in effect, by name, for messages: `rbind|nosuid|nodev|ro|rprivate`. Data is not among them. */
export function formatMountFlags(options: MountOptions): string {
  const names: string[] = [];
  if (options.remount) names.push('remount');
  if (options.bind !== false) names.push(options.bind);
  for (const name of options.set) names.push(ATTRIBUTE_NAMES[name]![0]);
  for (const name of options.clear) if (name !== 'MOUNT_ATTR__ATIME') names.push(ATTRIBUTE_NAMES[name]![1]);
  for (const name of options.recSet) names.push('r' + ATTRIBUTE_NAMES[name]![0]);
  for (const name of options.recClear)
    if (name !== 'MOUNT_ATTR__ATIME') names.push('r' + ATTRIBUTE_NAMES[name]![1]);
  for (const name of options.superblock) if (name !== 'ro') names.push(name);
  for (const { type, recursive } of options.propagation) names.push(recursive ? 'r' + type : type);
  if (options.idmap !== false) names.push(options.idmap);
  if (options.tmpcopyup) names.push('tmpcopyup');
  return names.join('|');
}
