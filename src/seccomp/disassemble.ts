// A compiled filter -> lines that a person reads, one for each instruction: `  12  if nr > 450 -> 17`.

import { actions, architectures, INSTRUCTION } from './tables.ts';

/** Struct sock_filter. */
export interface Instruction {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

export function readInstruction(filter: Uint8Array, index: number): Instruction {
  const view = new DataView(filter.buffer, filter.byteOffset + INSTRUCTION * index, INSTRUCTION);
  return {
    code: view.getUint16(0, true),
    jt: view.getUint8(2),
    jf: view.getUint8(3),
    k: view.getUint32(4, true),
  };
}

/** How many instructions a filter has. */
const instructionCount = (filter: Uint8Array): number => filter.length / INSTRUCTION;

const COMPARISONS: Readonly<Record<number, string>> = { 16: '==', 32: '>', 48: '>=', 64: '&' };
const ALU: Readonly<Record<number, string>> = {
  ...{ 0: '+', 16: '-', 32: '*', 48: '/', 64: '|', 80: '&', 96: '<<', 112: '>>', 160: '^' },
};

/** A field of struct seccomp_data. */
function fieldName(offset: number): string {
  if (offset === 0) return 'nr';
  if (offset === 4) return 'arch';
  if (offset < 16) return `ip.${offset === 8 ? 'low' : 'high'}`;
  return `args[${(offset - 16) >> 3}].${(offset & 4) === 0 ? 'low' : 'high'}`;
}

/** What is loaded: a field, a word of memory, a number; BPF_LEN is the size of struct seccomp_data. */
function sourceName(code: number, k: number): string {
  const mode = code & 0xe0;
  if (mode === 0x20) return fieldName(k);
  if (mode === 0x60) return `M[${k}]`;
  return mode === 0x80 ? '64' : `${k}`;
}

/** `ERRNO(1)`, `ALLOW`. */
export function formatResult(result: number): string {
  const action = (result & 0xffff0000) >>> 0;
  const entry = Object.entries(actions).findLast(([, { value }]) => value === action);
  if (entry === undefined) return `0x${result.toString(16)}`;
  const [name, { takesErrno }] = entry;
  return name.slice('SCMP_ACT_'.length) + (takesErrno ? `(${result & 0xffff})` : '');
}

function formatValue(field: string, value: number): string {
  const arch = field === 'arch' && Object.keys(architectures).find((name) => architectures[name] === value);
  if (arch) return arch.slice('SCMP_ARCH_'.length);
  return field === 'nr' && value < 4096 ? `${value}` : `0x${value.toString(16)}`;
}

function formatInstruction({ code, jt, jf, k }: Instruction, at: number, field: string): string {
  switch (code & 0x07) {
    case 0x00:
      return `load ${sourceName(code, k)}`;
    case 0x01:
      return `x = ${sourceName(code, k)}`;
    case 0x02:
      return `M[${k}] = it`;
    case 0x03:
      return `M[${k}] = x`;
    case 0x04: {
      const operand = (code & 0x08) === 0 ? `0x${k.toString(16)}` : 'x';
      return (code & 0xf0) === 0x80 ? 'it = -it' : `it = it ${ALU[code & 0xf0] ?? '?'} ${operand}`;
    }
    case 0x05: {
      if ((code & 0xf0) === 0) return `jump ${at + 1 + k}`;
      const operand = (code & 0x08) === 0 ? formatValue(field, k) : 'x';
      const other = jf === 0 ? '' : `, else ${at + 1 + jf}`;
      return `if ${field} ${COMPARISONS[code & 0xf0] ?? '?'} ${operand} -> ${at + 1 + jt}${other}`;
    }
    case 0x06:
      return `return ${(code & 0x18) === 0x10 ? 'it' : formatResult(k)}`;
    default:
      return (code & 0xf8) === 0 ? 'x = it' : 'it = x';
  }
}

/** The lines of a filter; a comparison names what was loaded last, in the order of the lines. */
export function disassemble(filter: Uint8Array): string[] {
  let field = 'it';
  return Array.from({ length: instructionCount(filter) }, (_, at) => {
    const instruction = readInstruction(filter, at);
    if ((instruction.code & 0x07) === 0)
      field = (instruction.code & 0xe0) === 0x20 ? fieldName(instruction.k) : 'it';
    return `${String(at).padStart(4)}  ${formatInstruction(instruction, at, field)}`;
  });
}
