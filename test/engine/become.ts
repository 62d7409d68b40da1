// A process that becomes a program, for tests: bun become.ts ENGINE FALLBACK-DIRECTORY

import { hostArch } from '../../scripts/native.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Program } from '../../src/program/op.ts';
import * as ops from '../../src/program/ops.ts';

const words = { what: 'do something', why: '', from: 'test' };

/** Writes the name of its executable and its environment, and ends with 3. */
export const whoAmI: Program = {
  sections: [
    {
      name: 'host',
      ops: [
        ops.call('readlinkat', [ops.AT_FDCWD, '/proc/self/exe', ops.buf('text'), 200], {
          ...words,
          to: 'length',
        }),
        ops.write(1, ops.buf('text'), ops.reg('length'), words),
        ops.openat(ops.AT_FDCWD, '/proc/self/environ', [], { ...words, to: 'environ' }),
        ops.read(ops.reg('environ'), ops.buf('text'), 200, { ...words, to: 'length' }),
        ops.write(1, ops.buf('text'), ops.reg('length'), words),
        ops.exit(3, words),
        ops.label('failed'),
        ops.exit(1, words),
      ],
      onFail: 'failed',
      exit: 1,
    },
  ],
  buffers: [{ name: 'text', size: 200 }],
  reports: [],
};

if (import.meta.main) {
  const [name, fallbackDirectory] = process.argv.slice(2);
  const engine: Engine =
    name === 'ffi' ? await import('../../src/engine/ffi.ts') : await import('../../src/engine/native.ts');
  engine.becomeProgram(whoAmI, hostArch, {
    name: 'whoami',
    fallbackDirectory: fallbackDirectory!,
    debug: (text) => console.error(text),
  });
}
