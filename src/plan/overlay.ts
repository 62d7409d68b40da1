// An overlay rootfs -> how to mount it: overlayfs.rst of the kernel's documentation, fsconfig(2), mount(2).
//
// Three ways, by kernel and by length of the paths:
//   Linux 6.8    fsconfig FSCONFIG_SET_STRING `lowerdir+` PATH, one call a layer, a value has at most 255 bytes
//   Linux 6.13   fsconfig FSCONFIG_SET_FD `lowerdir+` FD, for paths longer than that
//   before       mount(2) with all of it in one string of at most a page; what is longer the kernel cuts silently
//
// Seen on Linux 6.18: 128, 300 and 500 layers mount with either fsconfig, the 501st is EINVAL (`too many lower
// directories, limit is 500`); a value of 256 bytes is EINVAL; a layer alone, without an upper, is EINVAL. O_PATH and
// O_CLOEXEC fds do, and may be closed before FSCONFIG_CMD_CREATE. /proc/self/mountinfo shows the path either way.
// `lowerdir+` takes its string as it is, with colons, commas, backslashes; `upperdir` and `workdir` undo a backslash in
// theirs, also in fsconfig's; none does so with an fd. The same inside of a user namespace.

import { TinyrunError } from '../errors.ts';

/** What an overlay rootfs is made of. All paths are absolute, on the host. */
export interface OverlayRootfs {
  /** Lowest first: the image's layers from its base on, then the init layer. */
  layers: readonly string[];
  upper: string;
  /** Empty, on the filesystem of `upper`; the kernel's own. */
  work: string;
  /** Where it is mounted. */
  merged: string;
}

/** One fsconfig(2) on the context of fsopen("overlay"), in order. `path`: open it (O_PATH), then FSCONFIG_SET_FD. */
export type OverlaySetting =
  | { as: 'string'; key: string; value: string }
  | { as: 'flag'; key: string }
  | { as: 'path'; key: string; path: string };

export type OverlayMount =
  | { api: 'fsconfig'; settings: readonly OverlaySetting[] }
  | { api: 'mount'; data: string };

const MAX_LAYERS = 500; // OVL_MAX_STACK, fs/overlayfs/params.h
const MAX_VALUE = 255; // bytes of fsconfig(2)'s string, fs/fsopen.c
const MAX_DATA = 4095; // bytes of mount(2)'s data: a page with its NUL

/**
 * Set by name, since a host may have other defaults (/sys/module/overlay/parameters):
 * - redirect_dir=nofollow: a renamed directory is copied (rename gives EXDEV, mv copes), so that a layer is whole
 *   without the others, and no layer of a foreign image leads to another place by trusted.overlay.redirect. `off` would
 *   still follow where the kernel was built with REDIRECT_ALWAYS_FOLLOW, and then contradicts userxattr (EINVAL).
 * - metacopy=off: a file in the upper has its data, so that a commit or a backup of the upper is complete.
 * - index=off: an upper is not tied to the inodes of its lowers: both can be copied and moved.
 * xino and uuid change inode numbers and ids only: the host's choice.
 */
const OPTIONS = ['redirect_dir=nofollow', 'metacopy=off', 'index=off'] as const;

/**
 * Reads the annotation that names a bundle's layers: `base:app:/srv/layers/debug`.
 *
 * @param value colon-separated paths of directories, lowest first, relative to the bundle; there is no way to write a
 *   path with a colon
 * @param bundle absolute
 * @returns absolute paths, lowest first
 * @throws TinyrunError CONFIG if a part is empty
 */
export function parseLayersAnnotation(value: string, bundle: string): string[] {
  return value.split(':').map((part, index) => {
    if (part === '' || part.includes('\0')) {
      throw new TinyrunError(
        'CONFIG',
        `read the layers annotation ${JSON.stringify(value)}: part ${index + 1} is ${part === '' ? 'empty' : 'no path'}`,
        { hint: 'write paths of directories, separated by one colon each, the lowest layer first' },
      );
    }
    return part.startsWith('/') ? part : `${bundle}/${part}`;
  });
}

/**
 * Chooses how to mount an overlay rootfs.
 *
 * @param kernel [major, minor]
 * @param userNamespace it is mounted inside of a new user namespace: marks are kept in user.overlay.* attributes, as
 *   trusted.* ones cannot be set there
 * @throws TinyrunError CONFIG for no layer or too many; HOST if the kernel has no way to take such long paths
 */
export function overlayMount(
  rootfs: OverlayRootfs,
  kernel: readonly [number, number],
  userNamespace: boolean,
): OverlayMount {
  const count = rootfs.layers.length;
  if (count < 1 || count > MAX_LAYERS) {
    throw new TinyrunError(
      'CONFIG',
      `mount the overlay rootfs on ${rootfs.merged}: ${count} layers, overlayfs takes 1 to ${MAX_LAYERS}`,
      { hint: 'merge some layers into one' },
    );
  }
  const settings = overlaySettings(rootfs, userNamespace);
  const byPath = settings.some((setting) => setting.as === 'path');
  if (isAtLeast(kernel, byPath ? [6, 13] : [6, 8])) return { api: 'fsconfig', settings };
  const data = mountData(rootfs, userNamespace);
  const bytes = byteLength(data);
  if (bytes <= MAX_DATA) return { api: 'mount', data };
  throw new TinyrunError(
    'HOST',
    `mount the overlay rootfs on ${rootfs.merged}: ${count} layers, whose paths need ${bytes} bytes, ` +
      `and Linux ${kernel.join('.')} takes ${MAX_DATA} at once`,
    { hint: `use shorter paths, fewer layers, or Linux ${byPath ? '6.13' : '6.8'}` },
  );
}

function overlaySettings(rootfs: OverlayRootfs, userNamespace: boolean): OverlaySetting[] {
  return [
    // The kernel wants the topmost first.
    ...rootfs.layers.toReversed().map((path) => pathSetting('lowerdir+', path, path)),
    pathSetting('upperdir', rootfs.upper, escapeBackslash(rootfs.upper)),
    pathSetting('workdir', rootfs.work, escapeBackslash(rootfs.work)),
    ...OPTIONS.map((option): OverlaySetting => {
      const [key, value] = option.split('=') as [string, string];
      return { as: 'string', key, value };
    }),
    ...(userNamespace ? [{ as: 'flag', key: 'userxattr' } as const] : []),
  ];
}

/** A string is one system call, an fd three: so a string wherever it fits. */
function pathSetting(key: string, path: string, value: string): OverlaySetting {
  return byteLength(value) <= MAX_VALUE ? { as: 'string', key, value } : { as: 'path', key, path };
}

function mountData(rootfs: OverlayRootfs, userNamespace: boolean): string {
  return [
    `lowerdir=${rootfs.layers.toReversed().map(escapePath).join(':')}`,
    `upperdir=${escapePath(rootfs.upper)}`,
    `workdir=${escapePath(rootfs.work)}`,
    ...OPTIONS,
    ...(userNamespace ? ['userxattr'] : []),
  ].join(',');
}

/** A path as a part of overlayfs's mount(2) string: `,` ends an option there, `:` a layer, `\` keeps both from it. */
export function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&');
}

function escapeBackslash(path: string): string {
  return path.replaceAll('\\', '\\\\');
}

function isAtLeast(kernel: readonly [number, number], wanted: readonly [number, number]): boolean {
  return kernel[0] > wanted[0] || (kernel[0] === wanted[0] && kernel[1] >= wanted[1]);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
