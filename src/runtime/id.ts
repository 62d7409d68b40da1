// Container ids: what may be one, and new ones.

import { syscall } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';

/** An id is the name of a directory: NAME_MAX of <linux/limits.h>. */
const LONGEST = 255;

/**
 * Whether a text may be an id: letters, digits, `_`, `+`, `-`, `.`, as in runc. Other than there, it does not start
 * with a dot, so that what is hidden in the state root is no container.
 */
export const isId = (text: string): boolean => text.length <= LONGEST && /^[\w+-][\w+.-]*$/.test(text);

/** @throws TinyrunError USAGE in runc's words */
export function assertId(id: string): void {
  if (id === '') throw new TinyrunError('USAGE', 'container id cannot be empty');
  if (isId(id)) return;
  throw new TinyrunError('USAGE', `invalid container ID format: ${JSON.stringify(id)}`, {
    hint: `an id has letters, digits, _, +, - and ., starts with no dot, and has at most ${LONGEST} characters`,
    data: { id },
  });
}

/** A new id: 12 hexadecimal digits, the form in which Docker shows its ids. Random, so no two callers get the same. */
export function newId(): string {
  const bytes = new Uint8Array(6);
  syscall('make an id', 'getrandom', bytes, bytes.length, 0); // `crypto` would load half a millisecond of code
  let id = '';
  for (const byte of bytes) id += byte.toString(16).padStart(2, '0');
  return id;
}
