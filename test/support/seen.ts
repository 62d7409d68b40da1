// A file that was looked at, for tests of what is made of it.

import type { Seen } from '../../src/inspect/look.ts';

/** A regular file of root, of mode 0644, and what of it is otherwise. */
export const seenFile = (more: Partial<Seen> = {}): Seen => ({
  ...{ type: 0o100000, mode: 0o644, uid: 0, gid: 0, size: 0, links: 1, device: 0, identity: '' },
  ...{ allocated: 0, stored: 0, mtime: { seconds: 0, nanoseconds: 0 }, times: new Uint8Array() },
  ...{ link: undefined, mountId: 1, opaque: false, immutable: false, appendOnly: false },
  ...more,
});
