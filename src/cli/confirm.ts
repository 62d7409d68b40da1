// The question before something is lost.

import { readInto } from '../../native-bindings/libc.ts';
import { print } from '../runtime/log.ts';

/** Asks on stdout and reads a line of stdin: only `y` and `yes` are a yes, nothing at all is a no. */
export function confirm(warning: string): boolean {
  print(1, `${warning}\nAre you sure you want to continue? [y/N] `);
  const byte = new Uint8Array(1);
  let answer = '';
  while (answer.length < 16 && readInto(0, byte) === 1 && byte[0] !== 0x0a)
    answer += String.fromCharCode(byte[0]!);
  return /^y(es)?$/i.test(answer.trim());
}
