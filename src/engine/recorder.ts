// An engine without a kernel: it goes through a program with the same loop as the ffi engine, notes every system call,
// and answers as a well-meaning kernel would, or as a test says. So the order and the arguments of what a plan does
// are seen without root, and every error path can be taken.

import { TinyrunError } from '../errors.ts';
import { type DecodedCall, decode } from '../program/decode.ts';
import { type Arch, encode } from '../program/encode.ts';
import { numberOps, type RealOp } from '../program/flow.ts';
import { ARENA_ADDRESS, PROGRAM_ADDRESS } from '../program/layout.ts';
import type { Arg, CallOp, Program } from '../program/op.ts';
import { printCall, printOp } from '../program/text.ts';
import { errnos } from '../sys/errno.ts';
import type { OpResult } from './engine.ts';
import { type Kernel, type Machine, runOp, startMachine } from './interpret.ts';

/** A system call that was made. */
export interface RecordedCall {
  /** Who made it: 0 is the host process, 1 its first child, and so on in the order of their clone3. */
  process: number;
  /** The op's number. */
  number: number;
  call: string;
  /** As the program has them, with registers replaced by what they held. */
  args: readonly Arg[];
  /** `mkdirat(3, "proc", 0755)` */
  text: string;
  /** What it returned. */
  value: number;
}

/** A call that waits for its answer. */
export interface AskedCall extends Omit<RecordedCall, 'value'> {
  op: CallOp;
  /** The memory that argument `i` points at, up to the end of its segment; writing to a buffer's is seen by the program. */
  memory(i: number): Uint8Array;
  /** The NUL-terminated string that argument `i` points at. */
  string(i: number): string;
}

export interface Recording {
  calls: RecordedCall[];
  /** Every op, calls or not, in the order they ran, of all processes. */
  ops: (OpResult & { process: number })[];
  /** The exit code of the host process; a process that became another one (execve) has 0. */
  exit: number;
  /** The lines that reports and traces wrote. */
  printed: { fd: number; line: string }[];
}

/** Says what a call returns, a value or a negative errno; undefined: what a kernel that can do everything would. */
export type Answers = (call: AskedCall) => number | undefined;

/**
 * Runs a program on an imaginary kernel. A child of clone3 runs to its end before its parent goes on.
 * @throws TinyrunError PROGRAM if the program cannot be encoded or does not end
 */
export function record(program: Program, answers: Answers = () => undefined, arch: Arch = 'x64'): Recording {
  return new Recorder(program, answers, arch).run();
}

const MOST_OPS = 100_000;
const FIRST_PID = 1000;
const FIRST_FD = 3;
const SIGCHLD = 17n;

interface Process {
  index: number;
  pid: number;
  machine: Machine;
  nextFd: number;
  parent: Process | undefined;
  /** Children that ended and were not waited for. */
  ended: { pid: number; exit: number }[];
}

class Recorder {
  private readonly ops: RealOp[];
  private readonly answers: Answers;
  private readonly data: Uint8Array;
  private readonly host: Process;
  private readonly recording: Recording = { calls: [], ops: [], exit: 0, printed: [] };
  private processes = 1;

  constructor(program: Program, answers: Answers, arch: Arch) {
    const ops = numberOps(program).map(({ op }) => op);
    const lines = ops.map((op) => printOp(op));
    const encoded = encode(program, arch, lines);
    const arena = new Uint8Array(encoded.arenaSize);
    arena.set(encoded.arena);
    this.ops = ops;
    this.answers = answers;
    this.data = encoded.program;
    const machine = startMachine(decode(encoded), arena, BigInt(PROGRAM_ADDRESS), BigInt(ARENA_ADDRESS));
    this.host = { index: 0, pid: FIRST_PID, machine, nextFd: FIRST_FD, parent: undefined, ended: [] };
  }

  run(): Recording {
    this.recording.exit = this.runProcess(this.host);
    return this.recording;
  }

  private runProcess(process: Process): number {
    const { machine } = process;
    const kernel: Kernel = {
      call: (op, args) => this.call(process, op, args),
      print: (fd, line) => void this.recording.printed.push({ fd, line }),
      readByte: () => {},
      now: () => 0,
    };
    while (machine.exit === undefined) {
      if (this.recording.ops.length === MOST_OPS)
        throw new TinyrunError('PROGRAM', `record a program: it has not ended after ${MOST_OPS} ops`);
      this.recording.ops.push({ process: process.index, ...runOp(machine, kernel) });
    }
    return machine.exit;
  }

  private call(process: Process, decoded: DecodedCall, values: bigint[]): bigint {
    const number = process.machine.next - 1;
    const asked = this.ask(process, number, decoded, values);
    const answer = this.answers(asked);
    const { memory: _, string: __, op, ...plain } = asked;
    const recorded = { ...plain, value: answer ?? 0 };
    // Before the answer is acted on: a child's calls come behind its parent's clone3.
    this.recording.calls.push(recorded);
    const value = answer === undefined ? this.succeed(process, op, asked, values) : BigInt(answer);
    recorded.value = Number(value);
    if (decoded.noReturn && value >= 0n)
      process.machine.exit = op.call.startsWith('exec') ? 0 : Number(values[0]! & 0xffn);
    return value;
  }

  private ask(process: Process, number: number, decoded: DecodedCall, values: bigint[]): AskedCall {
    const op = this.ops[number] as CallOp;
    const args = op.args.map((arg, i) => (typeof arg === 'object' && 'reg' in arg ? Number(values[i]) : arg));
    const memory = (i: number) => {
      const arg = decoded.args[i];
      if (arg?.kind === 'arena') return process.machine.arena.subarray(arg.at);
      if (arg?.kind === 'data') return this.data.slice(arg.at);
      throw new TinyrunError('PROGRAM', `argument ${i} of ${op.call} points at nothing`);
    };
    const string = (i: number) => {
      const bytes = memory(i);
      return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    };
    return {
      process: process.index,
      number,
      call: op.call,
      args,
      text: printCall({ ...op, args }),
      op,
      memory,
      string,
    };
  }

  /** What a kernel that can do everything answers. */
  private succeed(process: Process, op: CallOp, asked: AskedCall, values: bigint[]): bigint {
    switch (op.call) {
      case 'clone':
      case 'clone3':
        return this.fork(process, asked.text.includes('CLONE_PARENT'));
      case 'wait4':
        return this.wait(process, asked, values[0]!);
      case 'getpid':
        return BigInt(process.pid);
      case 'read':
      case 'write':
      case 'pread64':
      case 'pwrite64':
        return values[2]!;
      case 'rt_sigtimedwait':
        return SIGCHLD;
      case 'pipe2':
      case 'socketpair':
        asked.memory(op.call === 'pipe2' ? 0 : 3).set(int32(process.nextFd++, process.nextFd++));
        return 0n;
    }
    return op.to === undefined ? 0n : BigInt(process.nextFd++);
  }

  /** The child has a copy of everything, gets 0 from clone3, and runs to its end. Returns its pid. */
  private fork(process: Process, sibling: boolean): bigint {
    const { machine } = process;
    const index = this.processes++;
    const copy = { ...machine, registers: machine.registers.slice(), arena: machine.arena.slice() };
    const op = machine.program.ops[machine.next - 1]!;
    if ('to' in op && op.to !== undefined) copy.registers[op.to] = 0n;
    const pid = FIRST_PID + index;
    const parent = sibling ? (process.parent ?? process) : process;
    const child: Process = { ...process, index, pid, machine: copy, parent, ended: [] };
    parent.ended.push({ pid, exit: this.runProcess(child) });
    return BigInt(pid);
  }

  /** wait4(2): the child that is waited for, or any, has ended by now; ECHILD where there is none. */
  private wait(process: Process, asked: AskedCall, pid: bigint): bigint {
    const at = process.ended.findIndex((child) => pid === -1n || BigInt(child.pid) === pid);
    const child = process.ended[at];
    if (child === undefined) return BigInt(-errnos['ECHILD']!);
    process.ended.splice(at, 1);
    const status = asked.args[1];
    if (typeof status === 'object') asked.memory(1).set(int32(child.exit << 8));
    return BigInt(child.pid);
  }
}

/** Numbers as a C program keeps them. */
function int32(...values: number[]): Uint8Array {
  return new Uint8Array(new Int32Array(values).buffer);
}
