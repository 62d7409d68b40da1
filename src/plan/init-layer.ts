// The init layer: the layer between an image and a container's own, with the mount points that every container needs,
// so that mounting on them leaves no trace in the container's layer (and so none in a commit). The list is Docker's.
// Paths are those of the container.

export type InitLayerEntry =
  | { path: string; type: 'directory'; mode: number }
  | { path: string; type: 'file'; mode: number } // empty: something is mounted over it
  | { path: string; type: 'link'; target: string };

/** Parents come before children. A symbolic link that stands in the way is to be replaced, not followed. */
export const INIT_LAYER: readonly InitLayerEntry[] = [
  { path: '/.dockerenv', type: 'file', mode: 0o755 }, // nothing is mounted there: programs look for it, to know that they are contained
  { path: '/dev', type: 'directory', mode: 0o755 },
  { path: '/dev/console', type: 'file', mode: 0o644 },
  { path: '/dev/pts', type: 'directory', mode: 0o755 },
  { path: '/dev/shm', type: 'directory', mode: 0o755 },
  { path: '/etc', type: 'directory', mode: 0o755 },
  { path: '/etc/hostname', type: 'file', mode: 0o644 },
  { path: '/etc/hosts', type: 'file', mode: 0o644 },
  { path: '/etc/mtab', type: 'link', target: '/proc/mounts' },
  { path: '/etc/resolv.conf', type: 'file', mode: 0o644 },
  { path: '/proc', type: 'directory', mode: 0o755 },
  { path: '/sys', type: 'directory', mode: 0o755 },
];
