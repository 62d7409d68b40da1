// Finds the interpreter's code. It is part of the tinyrun executable, so that nothing on disk has to be found or
// trusted: scripts/native.ts compiles native-bindings/init.c and writes the bytes as text into dist/interpreter.ts.

import { interpreter } from '../../dist/interpreter.ts';
import { TinyrunError } from '../errors.ts';
import type { Arch } from '../program/encode.ts';

/** The flat code of native-bindings/init.c for an architecture. Throws HOST where the build had no compiler for it. */
export function interpreterCode(arch: Arch): Uint8Array {
  const text: string = interpreter[arch];
  if (text === '')
    throw new TinyrunError('HOST', `this tinyrun has no interpreter for ${arch}`, {
      hint: `install a C compiler for ${arch} (Debian: gcc-aarch64-linux-gnu or gcc-x86-64-linux-gnu) and build again`,
    });
  return Uint8Array.fromBase64(text);
}
