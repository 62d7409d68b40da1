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
//   anything       a device, a fifo    refused: nobody wants a file in the place of /dev/null

import { TinyrunError } from '../errors.ts';

export type Kind = 'missing' | 'directory' | 'file' | 'device' | 'fifo' | 'socket';

/** What a path of a copy is, as it was written: it may end in `/` or `/.`. */
export interface End {
  path: string;
  /** As the caller wrote it, for messages: `web:/etc`. */
  written: string;
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
  const isTree = source.kind === 'directory';
  const refuse = (message: string): TinyrunError => new TinyrunError('USAGE', message);
  if (!isTree && isDirectoryPath(source.path))
    throw refuse(`cp ${source.written}: it is a file, not a directory`);
  const { kind, path, written } = destination;
  if (kind === 'directory')
    return { into: 'destination', name: isContents(source.path) ? undefined : baseOf(source.path) };
  if (kind === 'missing') {
    if (!isTree && isDirectoryPath(path))
      throw new TinyrunError('NOT_FOUND', `cp to ${written}: no such directory`, {
        hint: 'the destination directory must be there: cp makes no parents',
      });
  } else if (kind !== 'file')
    throw refuse(`destination "${written}" must be a directory or a regular file: got a ${kind}`);
  else if (isTree) throw refuse(`cannot copy directory ${source.written} to ${written}: it is a file`);
  else if (isDirectoryPath(path)) throw refuse(`cp to ${written}: it is a file, not a directory`);
  return { into: 'parent', name: baseOf(path) };
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
