// What can be asked of unpackTar, and what it says at its end.

import type { Attributes } from './attributes.ts';
import type { Limits } from './limits.ts';
import type { ByteString } from './names.ts';
import type { Region } from './sparse.ts';

export interface UnpackOptions {
  /** Names `.wh.*`: made overlayfs's, or ordinary names. */
  whiteouts: 'overlay' | 'plain';
  limits?: Partial<Limits> | undefined;
  /** It may lack the blocks at its end: see entries.ts. */
  unterminated?: boolean | undefined;
  /** The owner that a file gets, of the one in the archive. */
  mapOwner?: ((uid: number, gid: number) => { uid: number; gid: number }) | undefined;
  /** Another path below the root for an entry's (empty: the root itself); undefined leaves it out. Also of hard links' targets. */
  rename?: ((path: ByteString) => ByteString | undefined) | undefined;
  /** A directory is not replaced by something else, nor the other way round (`cp`); without it, the later one wins. */
  keepKinds?: boolean | undefined;
  /**
   * Nothing gets rights out of the archive: no setuid and setgid bits, no file capabilities, and no devices, each of which is
   * told. For what strangers have made, and goes where every user may reach it.
   */
  withoutRights?: ((device: string) => void) | undefined;
  /** The root is new and empty, and nobody else's: what files get there is tried out once. */
  fresh?: boolean | undefined;
  /** Attributes of directories that no entry describes; the root's are the one of the empty path. */
  inherited?: ((path: ByteString) => Attributes | undefined) | undefined;
  /** Is told each entry before it is unpacked. `size`: bytes of the file. */
  onEntry?: ((name: string, size: number) => void) | undefined;
  recorder?: Recorder | undefined;
}

/** Is told what is needed to make the same archive again from the tree (image/frame.ts). */
export interface Recorder {
  /** The next bytes of the archive. */
  frame(bytes: Uint8Array): void;
  /** The next bytes are what this file has in these places. */
  content(path: ByteString, regions: readonly Region[]): void;
  /** What had this path goes away. Returns where it is moved to, on the same filesystem. */
  replaced(path: ByteString): { directory: number; name: string };
}

export interface UnpackResult {
  /** Of all files' contents. */
  bytes: number;
  entries: number;
  /** The root itself is opaque, which overlayfs does not know. */
  opaqueRoot: boolean;
}
