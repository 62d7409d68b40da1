// The interpreter's loop in TypeScript: what native-bindings/init.c does, for engines that need to be read or pretended.
// What happens at a system call is the matter of a kernel: ffi.ts asks the real one, recorder.ts an imaginary one.
// The format has been checked by decode.ts before the first op runs.

import type { DecodedArg, DecodedCall, DecodedOp, DecodedProgram, Failure } from '../program/decode.ts';
import { EXIT_INDEX, MALFORMED_EXIT, MAX_REGISTERS, STDERR_INDEX } from '../program/layout.ts';
import type { Comparison } from '../program/op.ts';
import { errnoName } from '../sys/errno.ts';
import type { OpResult } from './engine.ts';

/** All that a running program is. A child of clone3 has a copy. */
export interface Machine {
  readonly program: DecodedProgram;
  readonly registers: BigInt64Array;
  readonly arena: Uint8Array;
  /** Where system calls find the program segment and the arena. */
  readonly programAddress: bigint;
  readonly arenaAddress: bigint;
  /** The number of the next op. */
  next: number;
  /** The exit code, once the program has ended. */
  exit?: number;
}

/** What the machine asks for. */
export interface Kernel {
  /** Makes a system call; returns its result or the negative errno. */
  call(op: DecodedCall, args: bigint[], machine: Machine): bigint;
  /** Writes a line of a report or a trace at once. */
  print(fd: number, line: string): void;
  /** Waits for a byte (step mode). */
  readByte(fd: number): void;
  /** Nanoseconds of a clock that only goes forward. */
  now(): number;
}

/** A machine before its first op. */
export function startMachine(
  program: DecodedProgram,
  arena: Uint8Array,
  programAddress: bigint,
  arenaAddress: bigint,
): Machine {
  const registers = new BigInt64Array(MAX_REGISTERS).fill(-1n);
  registers[EXIT_INDEX] = 0n;
  registers[STDERR_INDEX] = 2n;
  return { program, registers, arena, programAddress, arenaAddress, next: 0 };
}

/** Runs one op; afterwards `machine.exit` says whether that was the last one. */
export function runOp(machine: Machine, kernel: Kernel): OpResult {
  const { program, registers } = machine;
  const { traceFd, stepFd } = program.header;
  const number = machine.next;
  const op = program.ops[number];
  if (op === undefined) {
    machine.exit = MALFORMED_EXIT; // it ran off its end
    return { number, text: '', value: 0 };
  }
  if (stepFd >= 0) kernel.readByte(stepFd);
  const started = kernel.now();
  if (traceFd >= 0 && op.kind === 'call' && op.noReturn) trace(machine, kernel, op, 0n, 0);

  machine.next = number + 1;
  const result = perform(op, machine, kernel);
  if (traceFd >= 0) trace(machine, kernel, op, result, kernel.now() - started);

  const errno = errnoOf(op, result);
  const rule =
    op.kind === 'call' && op.rules.find((rule) => rule.errno === undefined || rule.errno === errno);
  if (op.kind === 'fail' || (op.kind === 'call' && errno !== 0 && !rule))
    fail(machine, kernel, op.failure, errno);
  else {
    if (errno !== 0 && rule) machine.next = rule.target;
    if ('to' in op && op.to !== undefined) registers[op.to] = result;
  }
  const value = Number(result);
  return errno === 0
    ? { number, text: op.line, value }
    : { number, text: op.line, value, errno: errnoName(errno) };
}

/** The errno of a failed system call, 0 otherwise: the kernel returns -4095 to -1 (syscall(2)). */
function errnoOf(op: DecodedOp, result: bigint): number {
  return op.kind === 'call' && result < 0n && result > -4096n ? -Number(result) : 0;
}

/** What a register would receive of an op; jumps are taken here. */
function perform(op: DecodedOp, machine: Machine, kernel: Kernel): bigint {
  const { registers, arena } = machine;
  switch (op.kind) {
    case 'call':
      return kernel.call(
        op,
        op.args.map((arg) => operand(arg, machine)),
        machine,
      );
    case 'jump':
      machine.next = op.target;
      return 0n;
    case 'branch': {
      const value = registers[op.reg]!;
      if (holds[op.is](value, op.value)) machine.next = op.target;
      return value;
    }
    case 'set':
      return op.value;
    case 'format':
      return format(machine, op.at, registers[op.reg]!, op.width, op.pad);
    case 'store':
      for (let i = 0; i < op.bytes; i++)
        arena[op.at + i] = Number((registers[op.reg]! >> BigInt(8 * i)) & 0xffn);
      return registers[op.reg]!;
    case 'load': {
      let value = 0n;
      for (let i = 0; i < op.bytes; i++) value |= BigInt(arena[op.at + i]!) << BigInt(8 * i);
      return BigInt.asIntN(64, value);
    }
    case 'exitcode':
      return exitCode(registers[op.reg]!);
    case 'fail':
      return 0n;
  }
}

/** The 64 bits of an operand: pointers point at where this machine keeps its memory. */
function operand(arg: DecodedArg, machine: Machine): bigint {
  switch (arg.kind) {
    case 'immediate':
      return BigInt.asIntN(64, arg.value);
    case 'register':
      return machine.registers[arg.index]!;
    case 'arena':
      return machine.arenaAddress + BigInt(arg.at);
    case 'data':
      return machine.programAddress + BigInt(arg.at);
  }
}

const holds: Readonly<Record<Comparison, (a: bigint, b: bigint) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>=': (a, b) => a >= b,
  '&': (a, b) => (a & b) !== 0n,
};

/** Writes a number as decimal; returns how many bytes that took. */
function format(machine: Machine, at: number, value: bigint, width: number, pad: number): bigint {
  const digits = value.toString();
  if (width !== 0 && digits.length > width) {
    machine.exit = MALFORMED_EXIT;
    return 0n;
  }
  const text = digits.padStart(width, String.fromCharCode(pad));
  for (let i = 0; i < text.length; i++) machine.arena[at + i] = text.charCodeAt(i);
  return BigInt(text.length);
}

/** wait4(2): the low seven bits are the signal that ended it; a shell adds 128. */
function exitCode(status: bigint): bigint {
  const signal = status & 0x7fn;
  return signal !== 0n ? 128n + signal : (status >> 8n) & 0xffn;
}

/** Prints the words of a failure, and goes where failures go. */
function fail(machine: Machine, kernel: Kernel, failure: Failure, errno: number): void {
  const { program, registers } = machine;
  const errnoWords = errno === 0 ? '' : `: ${program.errnoWords(errno)}`;
  for (const report of program.reports) {
    const fd = Number(registers[report.reg]!);
    const words = report.json ? failure.json : failure.text;
    if (fd >= 0) kernel.print(fd, report.prefix + words + errnoWords + report.suffix);
  }
  registers[EXIT_INDEX] = BigInt(failure.exit);
  if (failure.target === undefined) machine.exit = failure.exit;
  else machine.next = failure.target;
}

/** `LINE = RESULT ERRNO-WORDS NANOSECONDS ns` */
function trace(machine: Machine, kernel: Kernel, op: DecodedOp, result: bigint, nanoseconds: number): void {
  const errno = errnoOf(op, result);
  const errnoWords = errno === 0 ? '' : `${machine.program.errnoWords(errno)} `;
  kernel.print(machine.program.header.traceFd, `${op.line} = ${result} ${errnoWords}${nanoseconds} ns\n`);
}
