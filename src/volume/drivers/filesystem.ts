// Mounting what is behind a volume, on the host: fsopen(2), fsconfig(2), fsmount(2), open_tree(2), move_mount(2). Their
// errors carry the kernel's own words, where it has some.

import { close, flag, rawSyscall, readInto, SystemError } from '../../../native-bindings/libc.ts';
import { AT_FDCWD } from '../../disk/files.ts';
import { TinyrunError } from '../../errors.ts';
import { type MountOptions, parseMountOptions } from '../../oci/mount-options.ts';
import { errnos } from '../../sys/errno.ts';

export interface FilesystemMount {
  /** The volume's name, for messages. */
  volume: string;
  type: string;
  device: string;
  options: readonly string[];
  /** Absolute; a directory. */
  target: string;
}

/**
 * Mounts a filesystem or, with the option `bind` or `rbind`, a directory.
 * @throws TinyrunError HOST with type, device and options, a password among them masked
 */
export function mountFilesystem(mount: FilesystemMount): void {
  const options = parseMountOptions(mount.options);
  const tree = options.bind === false ? newFilesystem(mount, options) : bindOf(mount, options);
  try {
    const flags = flag('MOVE_MOUNT_F_EMPTY_PATH');
    attempt(mount, `put it on ${mount.target}`, 'move_mount', tree, '', AT_FDCWD, mount.target, flags);
  } finally {
    close(tree);
  }
}

const attributes = (names: readonly string[]): number => (names.length === 0 ? 0 : flag(...names));

/** A detached mount of a filesystem. */
function newFilesystem(mount: FilesystemMount, options: MountOptions): number {
  const context = rawSyscall('fsopen', mount.type, flag('FSOPEN_CLOEXEC'));
  if (context === -errnos['ENODEV']!)
    throw new TinyrunError(
      'HOST',
      `mount volume ${mount.volume}: the kernel has no filesystem ${mount.type}`,
      {
        hint: `load its module (modprobe ${mount.type}), or run a kernel that has it: /proc/filesystems lists those that are there`,
        data: { volume: mount.volume, type: mount.type },
      },
    );
  if (context < 0) throw failed(mount, `open filesystem ${mount.type}`, -context);
  try {
    const configure = (command: string, key: string | null, value: string | null): void => {
      const result = rawSyscall('fsconfig', context, flag(command), key, value, 0);
      const what = key === null ? 'make the filesystem' : `set ${key}`;
      if (result < 0) throw failed(mount, what, -result, readMessages(context));
    };
    configure('FSCONFIG_SET_STRING', 'source', mount.device);
    for (const name of options.superblock) configure('FSCONFIG_SET_FLAG', name, null);
    for (const [key, value] of options.data.flatMap(toParameters))
      configure(value === undefined ? 'FSCONFIG_SET_FLAG' : 'FSCONFIG_SET_STRING', key, value ?? null);
    configure('FSCONFIG_CMD_CREATE', null, null);
    const result = rawSyscall('fsmount', context, flag('FSMOUNT_CLOEXEC'), attributes(options.set));
    if (result < 0) throw failed(mount, 'mount it', -result, readMessages(context));
    return result;
  } finally {
    close(context);
  }
}

/** `key=value`; of overlay's lowerdir one for each directory, since a value has at most 255 bytes. */
function toParameters(option: string): [string, string | undefined][] {
  const equals = option.indexOf('=');
  if (equals < 0) return [[option, undefined]];
  const [key, value] = [option.slice(0, equals), option.slice(equals + 1)];
  if (key !== 'lowerdir') return [[key, value]];
  return value.split(/(?<!\\):/).map((directory) => ['lowerdir+', directory.replaceAll('\\:', ':')]);
}

/** What the kernel has to say of a failure: each message stands behind `e `, `w ` or `i `. */
function readMessages(context: number): string {
  const messages: string[] = [];
  const buffer = new Uint8Array(1024);
  for (let size = readInto(context, buffer); size > 0; size = readInto(context, buffer))
    messages.push(new TextDecoder().decode(buffer.subarray(0, size)).replace(/^\w /, '').trim());
  return messages.join('; ');
}

/** A detached bind of a directory of the host. */
function bindOf(mount: FilesystemMount, options: MountOptions): number {
  const recursive = options.bind === 'rbind' ? flag('AT_RECURSIVE') : 0;
  const how = flag('OPEN_TREE_CLONE', 'OPEN_TREE_CLOEXEC') | recursive;
  const tree = rawSyscall('open_tree', AT_FDCWD, mount.device, how);
  if (tree < 0) throw failed(mount, `open ${mount.device}`, -tree);
  try {
    for (const [set, clear, all] of [
      [options.set, options.clear, 0],
      [options.recSet, options.recClear, flag('AT_RECURSIVE')],
    ] as const) {
      if (set.length + clear.length === 0) continue;
      // struct mount_attr of <linux/mount.h>: attr_set, attr_clr, propagation, userns_fd
      const change = new BigUint64Array([BigInt(attributes(set)), BigInt(attributes(clear)), 0n, 0n]);
      const bytes = new Uint8Array(change.buffer);
      const where = flag('AT_EMPTY_PATH') | all;
      attempt(mount, 'set its options', 'mount_setattr', tree, '', where, bytes, bytes.length);
    }
    return tree;
  } catch (error) {
    close(tree);
    throw error;
  }
}

function attempt(mount: FilesystemMount, what: string, ...call: Parameters<typeof rawSyscall>): void {
  const result = rawSyscall(...call);
  if (result < 0) throw failed(mount, what, -result);
}

function failed(mount: FilesystemMount, what: string, number: number, words = ''): TinyrunError {
  const { type, device, options, volume } = mount;
  const told = options.length === 0 ? '' : `, options ${maskPassword(options.join(','))}`;
  const error = new SystemError(
    `mount volume ${volume}: ${what} (type ${type}, device ${device}${told})`,
    number,
  );
  const message = words === '' ? error.message : `${error.message}: ${maskPassword(words)}`;
  return new TinyrunError('HOST', message, {
    hint: hintFor(mount, error.errno),
    data: { volume, errno: error.errno },
    cause: error,
  });
}

/** What is in the way most often. */
function hintFor({ device, type }: FilesystemMount, errno: string): string {
  if (errno === 'ENOENT') return `make ${device} first, or name what is there`;
  if (errno === 'EINVAL')
    return `see what ${type} takes: its options are those of mount(8), the kernel's log says more`;
  if (['EHOSTUNREACH', 'ETIMEDOUT', 'ECONNREFUSED', 'ENETUNREACH'].includes(errno))
    return 'see whether the server is there and lets this host in';
  return "the volume's options are to be seen by volume inspect; the kernel's log may say more";
}

/** Options as text without the passwords of cifs. */
const maskPassword = (text: string): string => text.replace(/\b(pass(?:word)?2?)=[^,]*/g, '$1=********');
