// What the options `type`, `o` and `device` of the driver `local` mount: as mount(8), without its helpers. Names of
// servers are looked up here, for the kernel takes addresses only; a regular file becomes a loop device.

import { isIP } from 'node:net';
import { close, flag, rawSyscall } from '../../../native-bindings/libc.ts';
import { AT_FDCWD } from '../../disk/files.ts';
import { S_IFREG, statInode } from '../../disk/inode.ts';
import { TinyrunError } from '../../errors.ts';
import type { VolumePlace } from '../driver.ts';
import { type FilesystemMount, mountFilesystem } from './filesystem.ts';
import { attachLoop } from './loop.ts';

/**
 * Mounts what a volume's options say.
 * @param options checked by assertLocalOptions
 * @param target absolute
 * @throws TinyrunError HOST
 */
export async function mountLocal(
  place: VolumePlace,
  options: Readonly<Record<string, string>>,
  target: string,
): Promise<void> {
  const { type = '', device = '', o = '', size } = options;
  const words = o.split(',').filter((word) => word !== '');
  const mount: FilesystemMount = {
    ...{ volume: place.name, type, device, target },
    options: size === undefined ? words : [...words, `size=${size}`],
  };
  if (/^(nfs4?|cifs|smb3)$/.test(type)) mountFilesystem(await withAddresses(mount));
  else if (isFile(device) && !words.includes('bind') && !words.includes('rbind')) mountFile(mount);
  else mountFilesystem(mount);
}

function isFile(path: string): boolean {
  if (!path.startsWith('/')) return false;
  const fd = rawSyscall('openat', AT_FDCWD, path, flag('O_PATH', 'O_CLOEXEC'), 0);
  if (fd < 0) return false;
  try {
    return statInode(fd, path).type === S_IFREG;
  } finally {
    close(fd);
  }
}

function mountFile(mount: FilesystemMount): void {
  const loop = attachLoop(mount.device, mount.options.includes('ro'));
  try {
    mountFilesystem({
      ...mount,
      device: loop.path,
      options: mount.options.filter((word) => word !== 'loop'),
    });
  } finally {
    close(loop.fd);
  }
}

/** The same with addresses in place of the names of servers. */
async function withAddresses(mount: FilesystemMount): Promise<FilesystemMount> {
  const options = await Promise.all(
    mount.options.map(async (word) =>
      word.startsWith('addr=') ? `addr=${await addressOf(mount, word.slice('addr='.length))}` : word,
    ),
  );
  const server = /^\/\/([^/]+)(.*)$/.exec(mount.device);
  if (server === null || mount.type.startsWith('nfs')) return { ...mount, options };
  const [, host = '', rest = ''] = server;
  return { ...mount, options, device: `//${await addressOf(mount, host)}${rest}` };
}

async function addressOf({ volume }: FilesystemMount, host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  const { lookup } = await import('node:dns/promises');
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TinyrunError('HOST', `mount volume ${volume}: resolve address of ${host}: ${why}`, {
      hint: 'give the address itself, or see /etc/resolv.conf and /etc/hosts',
      cause: error,
    });
  }
}
