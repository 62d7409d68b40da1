// native-bindings/program.h: the numbers of src/program/layout.ts for the C side.

import * as layout from '../src/program/layout.ts';

/** The text of program.h. */
export function programHeader(): string {
  const defines: Record<string, number> = {
    MAGIC: layout.MAGIC,
    VERSION: layout.VERSION,
    PROGRAM_ADDRESS: layout.PROGRAM_ADDRESS,
    ARENA_ADDRESS: layout.ARENA_ADDRESS,
    HEADER_SIZE: layout.HEADER_SIZE,
    OP_SIZE: layout.OP_SIZE,
    MAX_ARGS: layout.MAX_ARGS,
    MAX_ERRORS: layout.MAX_ERRORS,
    MAX_REGISTERS: layout.MAX_REGISTERS,
    MAX_OPS: layout.MAX_OPS,
    MAX_REPORTS: layout.MAX_REPORTS,
    NO_REGISTER: layout.NO_REGISTER,
    NO_TARGET: layout.NO_TARGET,
    ANY_ERRNO: layout.ANY_ERRNO,
    NO_RETURN: layout.NO_RETURN,
    EXIT_INDEX: layout.EXIT_INDEX,
    STDERR_INDEX: layout.STDERR_INDEX,
    MALFORMED_EXIT: layout.MALFORMED_EXIT,
  };
  for (const [name, value] of Object.entries(layout.kinds)) defines[`KIND_${name.toUpperCase()}`] = value;
  for (const [name, value] of Object.entries(layout.argKinds)) defines[`ARG_${name.toUpperCase()}`] = value;
  const signs = { '==': 'EQ', '!=': 'NE', '<': 'LT', '>=': 'GE', '&': 'AND' } as const;
  for (const [sign, value] of Object.entries(layout.comparisons))
    defines[`COMPARE_${signs[sign as keyof typeof signs]}`] = value;
  const lines = Object.entries(defines).map(([name, value]) => `#define ${name} 0x${value.toString(16)}`);
  return `// Generated from src/program/layout.ts by scripts/build.ts: do not edit.\n${lines.join('\n')}\n`;
}
