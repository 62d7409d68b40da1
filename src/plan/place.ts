// Where in the container's tree something is mounted or made, and how much is known of that place beforehand. The
// rootfs is hostile; but a proc, sysfs or tmpfs that this very plan mounts is not: nobody else has been in it.
//
//   trusted   inside of a filesystem of our own: reached by that mount's descriptor and a plain path
//   present   it was there when we planned, and no part of the way was a symlink: opened once, inside the root, as such
//   unknown   opened, and made where it is missing
//
// What was present and has vanished meanwhile is an error of the op, never a mount in another place.

import type { PlannedMount } from './mount-list.ts';

export type Place =
  | { known: 'trusted'; reg: string; path: string; type: 'kernel' | 'tmpfs' }
  | { known: 'present' }
  | { known: 'unknown'; readOnly?: ReadOnlyMount };

/** A mount that nothing can be written to, around a place. */
export interface ReadOnlyMount {
  /** Clean path, relative to the root. */
  target: string;
  /** MOUNT_ATTR_ names. */
  attributes: readonly string[];
}

/** Whether the kernel makes all the names in a filesystem of this type. */
export const isKernelFilesystem = (type: string | undefined): boolean => type === 'proc' || type === 'sysfs';

/** Each costs a register and a descriptor until the end; mounts beyond are handled as if nothing were known of them. */
const MOST_TRUSTED = 64;

/** The mounts that are attached so far, as far as a later place depends on them. */
export class Places {
  private readonly present: ReadonlySet<string>;
  private readonly trusted = new Map<string, { reg: string; type: 'kernel' | 'tmpfs' }>();
  /** Mounts whose contents nobody knows: binds and other filesystems. */
  private readonly opaque: (ReadOnlyMount & { readOnly: boolean })[] = [];

  /** @param present clean paths that are in the rootfs itself */
  constructor(present: ReadonlySet<string>) {
    this.present = present;
  }

  /** Where `path` (clean, relative to the root) stands, after the mounts told of so far. */
  find(path: string): Place {
    let best = '';
    for (const mount of this.trusted.keys())
      if (mount.length > best.length && isBelow(path, mount)) best = mount;
    const covers = this.opaque.filter(
      ({ target }) => target.length > best.length && (target === path || isBelow(path, target)),
    );
    if (covers.length > 0) return unknownBelow(covers, path);
    const found = this.trusted.get(best);
    if (found !== undefined) return { known: 'trusted', ...found, path: path.slice(best.length + 1) };
    return { known: this.present.has(path) ? 'present' : 'unknown' };
  }

  /**
   * Tells of a mount that is attached now. Returns the register that keeps it open, if it is worth it. Where its place
   * is unknown, a symlink of the image may have led it onto any of those before: nothing is known of them any more.
   */
  mounted({ mount, options, target, index }: PlannedMount): string | undefined {
    if (this.find(target).known === 'unknown') this.trusted.clear();
    for (const known of this.trusted.keys())
      if (known === target || isBelow(known, target)) this.trusted.delete(known);
    const kernel = isKernelFilesystem(mount.type);
    const own = options.bind === false && !options.tmpcopyup && (kernel || mount.type === 'tmpfs');
    if (!own || this.trusted.size >= MOST_TRUSTED) {
      const attributes = [...options.set, ...options.recSet].filter((name) => !name.includes('ATIME'));
      this.opaque.push({ target, attributes, readOnly: attributes.includes('MOUNT_ATTR_RDONLY') });
      return undefined;
    }
    const reg = `tree-${index}`;
    this.trusted.set(target, { reg, type: kernel ? 'kernel' : 'tmpfs' });
    return reg;
  }
}

/** The last of the innermost mounts is the one that is seen. */
function unknownBelow(covers: readonly (ReadOnlyMount & { readOnly: boolean })[], path: string): Place {
  const around = covers.reduce((a, b) => (b.target.length >= a.target.length ? b : a));
  return around.readOnly && around.target !== path
    ? { known: 'unknown', readOnly: around }
    : { known: 'unknown' };
}

const isBelow = (path: string, directory: string): boolean => path.startsWith(`${directory}/`);
