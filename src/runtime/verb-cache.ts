// Programs for start, kill, state and delete (plan/verbs.ts): made when such a command first takes JavaScript, and kept for the
// launcher (native-bindings/launch.c), which needs none from then on.
//
//   STATE_ROOT/.programs/VERB.BUILD   a launch file; `kill ID 9` is `kill+9.BUILD`
//
// One file serves all containers of the state root: the id is put in when it is used. What a container's program leaves to
// JavaScript comes by here each time: hence as little as possible is loaded before it is known that a file is missing.

import { AT_FDCWD, exists } from '../disk/files.ts';
import type { Verb } from '../plan/verbs.ts';
import { PROGRAMS } from './launch-file.ts';

/** A digest of all sources, set by scripts/build.ts; the launcher has the same. */
declare const TINYRUN_BUILD: string | undefined;

/**
 * Keeps the program of a verb, unless there is one, or it cannot be kept: then JavaScript does the work.
 * @param root state root, absolute
 * @param words behind the verb, but for the id: as they are typed
 */
export async function keepVerb(root: string, verb: Verb, ...words: readonly string[]): Promise<void> {
  if (typeof TINYRUN_BUILD === 'undefined' || process.geteuid?.() !== 0) return;
  const file = `${[verb.name, ...words].join('+')}.${TINYRUN_BUILD}`;
  if (!/^[\w+.-]{1,159}$/.test(file) || exists(AT_FDCWD, `${root}/${PROGRAMS.folder}/${file}`)) return;
  const { verbFile } = await import('./verb-file.ts');
  const { keepFile } = await import('./kept.ts');
  keepFile(root, PROGRAMS.folder, file, [verbFile(root, verb)], PROGRAMS.most);
}
