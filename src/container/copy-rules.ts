// Where `cp` puts what: Docker's eight rules, from the two paths as they were written and what is at them.
//
//   source         destination is      what comes of it
//   file           missing             a file of that name; its directory must be there
//   file           missing, ends in /  refused: the directory must be there
//   file           a file              it is overwritten
//   file           a directory         a file in it, of the source's name
//   directory      missing             a directory of that name, with what is in the source
//   directory      a file              refused
//   directory      a directory         a directory in it, of the source's name
//   directory/.    a directory         what is in the source

import { TinyrunError } from '../errors.ts';

export type Kind = 'missing' | 'directory' | 'file';

/** What a path of a copy is, as it was written: it may end in `/` or `/.`. */
export interface End {
  path: string;
  /** Whose path it is, as it was called; undefined: the host's. */
  container: string | undefined;
  kind: Kind;
  /** Where it leads to, if it is a symlink that is followed. */
  ledTo?: string | undefined;
}

export interface Placement {
  /** The directory that gets it: the destination itself, or the one that it is in. */
  into: 'destination' | 'parent';
  /** Its name there; undefined: only what is in it, without itself. */
  name: string | undefined;
}

/**
 * Decides where a copy goes.
 * @throws TinyrunError USAGE, NOT_FOUND
 */
export function placeCopy(source: End, destination: End): Placement {
  if (source.kind === 'missing') throw missing(source);
  if (source.kind === 'file' && isDirectoryPath(source.path))
    throw new TinyrunError('USAGE', `cp ${source.path}: it is a file, not a directory`);
  const base = baseOf(destination.path);
  if (destination.kind === 'missing') {
    if (source.kind === 'file' && isDirectoryPath(destination.path))
      throw new TinyrunError('NOT_FOUND', `cp to ${destination.path}: no such directory`, {
        hint: 'the destination directory must be there: cp makes no parents',
      });
    return { into: 'parent', name: base };
  }
  if (destination.kind === 'file') {
    if (source.kind === 'directory')
      throw new TinyrunError(
        'USAGE',
        `cannot copy directory ${source.path} to ${destination.path}: it is a file`,
      );
    if (isDirectoryPath(destination.path))
      throw new TinyrunError('USAGE', `cp to ${destination.path}: it is a file, not a directory`);
    return { into: 'parent', name: base };
  }
  return { into: 'destination', name: isContents(source.path) ? undefined : baseOf(source.path) };
}

/**
 * Where a container has what the runtime mounts: nothing of it is copied, as by Docker. What the kernel shows there changes
 * while it is read, and is no file of the container; nor are its devices.
 */
export const isOfTheRuntime = (path: string): boolean => /^\/+(proc|sys|dev)(\/|$)/.test(path);

/** In Docker's words, which name what a symlink led to. */
function missing({ path: written, container, ledTo }: End): TinyrunError {
  const path = ledTo ?? written;
  const where = container === undefined ? 'the host' : `container ${container}`;
  const isLeftOut = container !== undefined && isOfTheRuntime(path);
  return new TinyrunError('NOT_FOUND', `Could not find the file ${path} in ${where}`, {
    data: { path },
    ...(isLeftOut
      ? { hint: `cp sees nothing of /proc, /sys and /dev: tinyrun exec ${container} cat ${path}` }
      : {}),
  });
}

/** Whether a path says that a directory is meant. */
const isDirectoryPath = (path: string): boolean => path.endsWith('/') || isContents(path);

/** Whether what is in a directory is meant, without itself: `dir/.`, and the root, which has no name. */
export const isContents = (path: string): boolean =>
  path === '.' || path.endsWith('/.') || /^\/+$/.test(path);

/** The last name in a path; empty: it has none. */
export const baseOf = (path: string): string => /([^/]*)(\/+\.?)*$/.exec(path)?.[1] ?? '';

/** The path of the directory that the last name is in. */
export const parentOf = (path: string): string => {
  const parent = path.replace(/[^/]*(\/+\.?)*$/, '');
  if (parent !== '') return parent;
  return path.startsWith('/') ? '/' : '.';
};
