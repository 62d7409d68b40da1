// The seccomp filter of a program as a listing: `tinyrun explain --filter`.

import type { Arg, Program } from '../program/op.ts';
import { disassemble } from '../seccomp/disassemble.ts';

/** The instructions of the filter that the program loads, one a line. */
export function formatFilter(program: Program): string {
  for (const { ops } of program.sections)
    for (const op of ops) {
      const bytes = op.op === 'call' && op.call === 'seccomp' ? filterOf(op.args[2]) : undefined;
      if (bytes !== undefined) return `${disassemble(bytes).join('\n')}\n`;
    }
  return 'no seccomp filter\n';
}

/** The bytes in a struct sock_fprog. */
function filterOf(arg: Arg | undefined): Uint8Array | undefined {
  const filter = typeof arg === 'object' && 'struct' in arg ? arg.fields['filter'] : undefined;
  return typeof filter === 'object' && 'bytes' in filter ? filter.bytes : undefined;
}
