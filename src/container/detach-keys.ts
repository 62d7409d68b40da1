// The keys that let go of a terminal, as `attach` reads them; the client of `run` and `start` does it by ops
// (plan/detach-keys.ts). Pure.

import { TinyrunError } from '../errors.ts';

/** Docker's. */
export const DETACH_KEYS = 'ctrl-p,ctrl-q';

/**
 * Reads `--detach-keys`: characters, or ctrl- and one of a-z, @, [, \, ], ^, _; with commas between them.
 * @returns bytes; none for an empty text
 * @throws TinyrunError USAGE in Docker's words
 */
export function parseDetachKeys(text: string): number[] {
  if (text === '') return [];
  return text.split(',').map((key) => {
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[ -~]$/.test(key)) return key.charCodeAt(0);
    throw new TinyrunError('USAGE', `invalid detach keys (${text}): Unknown character: '${key}'`, {
      hint: 'like ctrl-p,ctrl-q',
    });
  });
}

/**
 * Returns a function that is given what was typed, piece by piece, and gives what is for the container: keys that may be the
 * first of those are held back. `left` once all of them were typed.
 */
export function detachFilter(
  keys: readonly number[],
): (typed: Uint8Array) => { bytes: Uint8Array; left: boolean } {
  let held = 0;
  return (typed) => {
    const bytes: number[] = [];
    for (const key of typed) {
      if (keys.length > 0 && key === keys[held]) {
        held += 1;
        if (held === keys.length) return { bytes: Uint8Array.from(bytes), left: true };
        continue;
      }
      bytes.push(...keys.slice(0, held));
      held = key === keys[0] ? 1 : 0;
      if (held === 0) bytes.push(key);
    }
    return { bytes: Uint8Array.from(bytes), left: false };
  };
}
