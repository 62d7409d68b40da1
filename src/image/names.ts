// The names of images: repositories.json, which image each tag and digest means. The form is Docker's:
// {"Repositories":{"bb":{"bb:latest":"sha256:..."}}}.

import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { type Json, parseJsonObject } from '../oci/json.ts';
import { imageFolder } from './folders.ts';
import { isDigest, type Reference, tryReference } from './reference.ts';

/** Familiar name (`bb:latest`, `bb@sha256:...`) -> id (`sha256:...`), sorted by name. */
export type Names = Map<string, string>;

const LIMIT = 64 << 20;
const fileOf = (dataRoot: string): string => `${imageFolder(dataRoot)}/repositories.json`;

/**
 * Reads all names.
 * @throws TinyrunError CONFIG where the file is damaged
 */
export function readNames(dataRoot: string): Names {
  const file = fileOf(dataRoot);
  const text = readSmall(AT_FDCWD, file, LIMIT);
  const names: Names = new Map();
  if (text === undefined) return names;
  const repositories = parseJsonObject(text, file)['Repositories'];
  for (const entries of isObject(repositories) ? Object.values(repositories) : [undefined])
    for (const [name, id] of Object.entries(isObject(entries) ? entries : { '': entries })) {
      if (typeof id !== 'string' || !isDigest(id) || tryReference(name)?.familiar !== name)
        throw new TinyrunError('CONFIG', `${file} is damaged: ${JSON.stringify(name)} names no image`);
      names.set(name, id);
    }
  return names;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Writes all names. The caller has read them while holding the images' lock, and still holds it. */
export function writeNames(dataRoot: string, names: Names): void {
  const sorted = [...names].sort(([a], [b]) => (a < b ? -1 : 1));
  const groups = Map.groupBy(sorted, ([name]) => tryReference(name)!.familiarRepository);
  const repositories = Object.fromEntries(
    [...groups].map(([repository, entries]) => [repository, Object.fromEntries(entries)]),
  );
  writeFileAtomic(fileOf(dataRoot), JSON.stringify({ Repositories: repositories }));
}

/** The names of one image: its tags, and the digests that it came with, each sorted. */
export function namesOf(names: Names, id: string): { tags: string[]; digests: string[] } {
  const own = [...names].filter(([, other]) => other === id).map(([name]) => name);
  return {
    tags: own.filter((name) => !name.includes('@')).sort(),
    digests: own.filter((name) => name.includes('@')).sort(),
  };
}

/** The name that a reference is kept under: with a digest the tag does not count, as in Docker. */
export const keptName = ({ familiar, familiarRepository, digest }: Reference): string =>
  digest === undefined ? familiar : `${familiarRepository}@${digest}`;
