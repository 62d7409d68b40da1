// What a filter answers to a call: a classic BPF machine as the kernel's seccomp has it. For tests, which so ask a filter
// without making the call. seccomp(2), "Filters"; Documentation/networking/filter.rst of Linux.

import { readInstruction } from './disassemble.ts';
import { actions, INSTRUCTION } from './tables.ts';

/** A call as a filter sees it: struct seccomp_data. */
export interface Call {
  nr: number;
  /** AUDIT_ARCH_* of <linux/audit.h>. */
  arch: number;
  instructionPointer?: bigint;
  args?: readonly bigint[];
}

/** The filter's answer: a name of the table, and the lower 16 bits: an errno, say. */
export interface Answer {
  action: string;
  data: number;
}

function seccompData({ nr, arch, instructionPointer = 0n, args = [] }: Call): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setInt32(0, nr | 0, true);
  view.setUint32(4, arch, true);
  view.setBigUint64(8, instructionPointer, true);
  args.forEach((arg, i) => {
    view.setBigUint64(16 + 8 * i, arg, true);
  });
  return view;
}

const ALU: Readonly<Record<number, (a: number, b: number) => number>> = {
  0: (a, b) => a + b,
  16: (a, b) => a - b,
  32: (a, b) => Math.imul(a, b),
  48: (a, b) => Math.floor(a / b),
  64: (a, b) => a | b,
  80: (a, b) => a & b,
  96: (a, b) => (b < 32 ? a << b : 0),
  112: (a, b) => (b < 32 ? a >>> b : 0),
  128: (a) => -a,
  160: (a, b) => a ^ b,
};

const JUMP: Readonly<Record<number, (a: number, b: number) => boolean>> = {
  16: (a, b) => a === b,
  32: (a, b) => a > b,
  48: (a, b) => a >= b,
  64: (a, b) => (a & b) !== 0,
};

/**
 * Runs a filter on a call, to its 32-bit result.
 * @throws Error where the filter is none that the kernel would take
 */
export function runFilter(filter: Uint8Array, call: Call): number {
  const data = seccompData(call);
  const memory = new Uint32Array(16);
  let [a, x] = [0, 0];
  for (let at = 0; at < filter.length / INSTRUCTION; at++) {
    const { code, jt, jf, k } = readInstruction(filter, at);
    const operand = (code & 0x08) === 0 ? k : x; // BPF_K or BPF_X
    switch (code & 0x07) {
      case 0x00: // load into A
        a = load(code, k, data, memory);
        break;
      case 0x01: // load into X
        x = load(code, k, data, memory);
        break;
      case 0x02:
        memory[k] = a;
        break;
      case 0x03:
        memory[k] = x;
        break;
      case 0x04:
        if ((code & 0xf0) === 0x30 && operand === 0) return 0; // dividing by zero ends the program
        a = ALU[code & 0xf0]!(a, operand) >>> 0;
        break;
      case 0x05:
        at += (code & 0xf0) === 0 ? k : JUMP[code & 0xf0]!(a, operand) ? jt : jf;
        break;
      case 0x06:
        return (code & 0x18) === 0x10 ? a : k; // BPF_A
      default:
        if ((code & 0xf8) === 0) x = a;
        else a = x;
    }
  }
  throw new Error('the filter runs off its end');
}

function load(code: number, k: number, data: DataView, memory: Uint32Array): number {
  const mode = code & 0xe0;
  if (mode === 0x20) return data.getUint32(k, true); // BPF_ABS
  if (mode === 0x60) return memory[k]!; // BPF_MEM
  return mode === 0x80 ? data.byteLength : k; // BPF_LEN, BPF_IMM
}

const names = new Map(
  Object.entries(actions)
    .filter(([name]) => name !== 'SCMP_ACT_KILL') // the older name of another one
    .map(([name, { value }]) => [value, name]),
);

/** The name of a filter's result. */
function answerOf(result: number): Answer {
  return { action: names.get((result & 0xffff0000) >>> 0) ?? 'unknown', data: result & 0xffff };
}

/** Runs a filter on a call. */
export const simulate = (filter: Uint8Array, call: Call): Answer => answerOf(runFilter(filter, call));
