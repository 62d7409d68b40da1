// A program -> what is wrong with it, all problems at once: names that the tables do not have, operands and buffers out
// of bounds, labels, words, the limits of layout.ts; flow.ts adds what only the paths through it show. Planners' tests
// and hand-written programs go through here; the encoder trusts no one either, but stops at the first problem.

import { constantValue } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';
import { structs } from '../sys/structs.ts';
import { argumentsOf } from '../sys/syscall-arguments.ts';
import { syscallNumbers } from '../sys/syscalls.ts';
import type { Arch } from './encode.ts';
import {
  checkFlow,
  numberOps,
  type Place,
  type RealOp,
  registerSet,
  registersRead,
  targetsOf,
} from './flow.ts';
import * as layout from './layout.ts';
import type { Arg, CallOp, Program } from './op.ts';
import { EXIT_REGISTER, STDERR_REGISTER } from './op.ts';

const utf8 = new TextEncoder();

/** Names of buffers, labels and registers, as the text form can write them (cursor.ts). */
const validName = /^[A-Za-z_](?:[\w./-]*[\w./])?$/;

/** Returns the problems of a program for an architecture, as `host 3 mkdirat: unknown constant O_FOO`; none: it is fine. */
export function checkProgram(program: Program, arch: Arch = 'x64'): string[] {
  return new Checker(program, arch).check();
}

class Checker {
  private readonly problems: string[] = [];
  private readonly program: Program;
  private readonly arch: Arch;
  private readonly buffers = new Map<string, number>();
  private readonly labels = new Set<string>();
  /** What problems are said of. */
  private at = 'program';

  constructor(program: Program, arch: Arch) {
    this.program = program;
    this.arch = arch;
  }

  check(): string[] {
    const { program } = this;
    const places = numberOps(program);
    this.checkBuffers();
    const labelsExist = this.checkLabels(places);
    this.checkSections();
    this.checkRegisters(places);
    if (places.length === 0) this.problem('there are no ops');
    if (places.length > layout.MAX_OPS) this.problem(`${places.length} ops are more than ${layout.MAX_OPS}`);
    for (const fd of [program.trace, program.step])
      if (fd !== undefined && !isCount(fd)) this.problem(`${fd} is no file descriptor`);
    for (const place of places) {
      this.at = where(place);
      this.checkWords(place.op);
      this.checkOp(place.op);
    }
    if (labelsExist)
      checkFlow(program, (place, problem) => {
        this.at = where(place);
        this.problem(problem);
      });
    return this.problems;
  }

  private problem(problem: string): void {
    this.problems.push(`${this.at}: ${problem}`);
  }

  private require(holds: boolean, problem: string): void {
    if (!holds) this.problem(problem);
  }

  // The program around the ops

  private checkBuffers(): void {
    for (const { name, size, init } of this.program.buffers) {
      this.require(
        validName.test(name),
        `buffer name ${JSON.stringify(name)} is not made of letters, digits and _./-`,
      );
      this.require(!this.buffers.has(name), `buffer ${name} is defined twice`);
      this.require(isCount(size) && size > 0, `buffer ${name} has ${size} bytes`);
      const length = typeof init === 'string' ? utf8.encode(init).length : (init?.length ?? 0);
      this.require(length <= size, `buffer ${name} has ${size} bytes and contents of ${length}`);
      this.buffers.set(name, size);
    }
  }

  /** Returns whether all labels exist that something goes to. */
  private checkLabels(places: readonly Place[]): boolean {
    for (const { ops } of this.program.sections) {
      for (const op of ops) {
        if (op.op !== 'label') continue;
        this.require(
          validName.test(op.name),
          `label ${JSON.stringify(op.name)} is not made of letters, digits and _./-`,
        );
        this.require(!this.labels.has(op.name), `label ${op.name} is defined twice`);
        this.labels.add(op.name);
      }
    }
    let exist = true;
    const need = (label: string) => {
      if (this.labels.has(label)) return;
      this.problem(`there is no label ${label}`);
      exist = false;
    };
    for (const { name, onFail } of this.program.sections) {
      this.at = `section ${name}`;
      need(onFail);
    }
    for (const place of places) {
      this.at = where(place);
      for (const { label } of targetsOf(place)) if (label !== place.section.onFail) need(label);
    }
    this.at = 'program';
    return exist;
  }

  private checkSections(): void {
    const names = this.program.sections.map((section) => section.name).join(' ');
    this.require(
      ['host', 'init', 'host init'].includes(names),
      `the sections are ${names || 'none'}, not host and init`,
    );
    for (const { name, exit } of this.program.sections)
      this.require(isExit(exit), `section ${name} exits ${exit}, which is not 0 to 255`);
  }

  private checkRegisters(places: readonly Place[]): void {
    const { reports } = this.program;
    this.require(
      reports.length <= layout.MAX_REPORTS,
      `${reports.length} reports are more than ${layout.MAX_REPORTS}`,
    );
    const set = new Set([EXIT_REGISTER, STDERR_REGISTER]);
    const names = new Set(set);
    for (const { op } of places) {
      for (const register of registersRead(op)) names.add(register);
      const to = registerSet(op);
      if (to === undefined) continue;
      names.add(to);
      set.add(to);
    }
    for (const { reg } of reports) this.require(set.has(reg), `no op sets register ${reg} of a report`);
    for (const name of names)
      this.require(
        validName.test(name),
        `register ${JSON.stringify(name)} is not made of letters, digits and _./-`,
      );
    this.require(
      names.size <= layout.MAX_REGISTERS,
      `${names.size} registers are more than ${layout.MAX_REGISTERS}`,
    );
  }

  // Ops

  private checkWords({ what, why, from }: RealOp): void {
    if (what === '' && why === '' && from === '') return this.problem('it has no words');
    for (const [name, words] of Object.entries({ what, why, from })) {
      this.require(words !== '', `its \`${name}\` is empty`);
      this.require(words.trim() === words, `its \`${name}\` has space around it`);
    }
    const known = from === 'runtime' || from.startsWith('/') || /^--[a-z]/.test(from);
    this.require(known || from === '', `its \`from\` is ${from}, not runtime, a /pointer or a --flag`);
  }

  private checkOp(op: RealOp): void {
    switch (op.op) {
      case 'call':
        return this.checkCall(op);
      case 'branch':
      case 'set':
        return this.checkArg(op.value);
      case 'format': {
        const { width, pad } = op;
        if (width !== undefined) this.require(isCount(width) && width > 0, `its width is ${width}`);
        if (pad !== undefined)
          this.require(/^[ -~]$/.test(pad), `its pad ${JSON.stringify(pad)} is not one ASCII character`);
        return this.checkPlace(op.buf, op.at, width ?? layout.MAX_DECIMAL);
      }
      case 'store':
      case 'load':
        this.require([1, 2, 4, 8].includes(op.bytes), `${op.bytes} bytes are not 1, 2, 4 or 8`);
        return this.checkPlace(op.buf, op.at, op.bytes);
      case 'fail':
        return this.require(op.exit === undefined || isExit(op.exit), `exit code ${op.exit} is not 0 to 255`);
    }
  }

  private checkCall({ call, args, onError = {} }: CallOp): void {
    const known = syscallNumbers[this.arch][call] !== undefined;
    this.require(known, `${this.arch} has no system call ${call}`);
    const expected = argumentsOf(call);
    if (expected !== undefined)
      this.require(
        expected.length === args.length,
        `it has ${args.length} arguments, not ${expected.length}`,
      );
    this.require(args.length <= layout.MAX_ARGS, `${args.length} arguments are more than ${layout.MAX_ARGS}`);
    for (const arg of args) this.checkArg(arg);
    if (expected !== undefined) this.checkSizes(args, expected);
    const { goto = {}, ignore = [], exit } = onError;
    const names = [...Object.keys(goto), ...ignore];
    for (const name of names)
      this.require(name === '*' || errnos[name] !== undefined, `unknown errno ${name}`);
    this.require(
      names.length <= layout.MAX_ERRORS,
      `${names.length} error rules are more than ${layout.MAX_ERRORS}`,
    );
    this.require(exit === undefined || isExit(exit), `exit code ${exit} is not 0 to 255`);
  }

  /** A pointer with its size behind it, as read(2) has them: the kernel must not go over the end of what is there. */
  private checkSizes(
    args: readonly Arg[],
    expected: readonly (readonly [name: string, kind: string])[],
  ): void {
    for (let i = 0; i + 1 < args.length; i++) {
      const size = args[i + 1];
      const [name, kind] = expected[i + 1] ?? [];
      if (typeof size !== 'number' || kind !== 'size' || name === 'maxnode') continue; // that one counts bits
      const room = this.room(args[i]!);
      if (room !== undefined)
        this.require(size <= room, `\`${name}\` is ${size}, and there are ${room} bytes`);
    }
  }

  /** How many bytes there are where an operand points to; undefined: it is no pointer, or one to nothing known. */
  private room(arg: Arg): number | undefined {
    if (typeof arg === 'string') return utf8.encode(arg).length + 1;
    if (typeof arg !== 'object' || 'reg' in arg || 'flags' in arg) return undefined;
    if ('bytes' in arg) return arg.bytes.length;
    if ('vec' in arg) return 8 * (arg.vec.length + 1);
    if ('struct' in arg) return structs[arg.struct]?.size;
    if ('buf' in arg) {
      const size = this.buffers.get(arg.buf);
      return size === undefined ? undefined : size - (arg.at ?? 0);
    }
    const size = structs[arg.structs]?.size;
    return size === undefined ? undefined : size * arg.items.length;
  }

  private checkArg(arg: Arg): void {
    if (typeof arg === 'string') return this.require(!arg.includes('\0'), `${JSON.stringify(arg)} has a NUL`);
    if (typeof arg === 'bigint')
      return this.require(arg >= -(1n << 63n) && arg < 1n << 64n, `${arg} needs more than 64 bits`);
    if (typeof arg === 'number')
      return this.require(Number.isSafeInteger(arg), `${arg} is no integer, or above 2^53`);
    if ('flags' in arg) return this.checkFlags(arg.flags);
    if ('buf' in arg) return this.checkPlace(arg.buf, arg.at ?? 0, 0);
    if ('vec' in arg) for (const item of arg.vec) this.checkConstant(item);
    if ('struct' in arg) this.checkFields(arg.struct, arg.fields);
    if ('structs' in arg) for (const item of arg.items) this.checkFields(arg.structs, item);
  }

  /** What stands in a vector or a struct is put there before the program runs. */
  private checkConstant(arg: Arg): void {
    if (typeof arg === 'object' && 'reg' in arg)
      this.problem(`register ${arg.reg} stands in a constant: store it into a buffer`);
    else this.checkArg(arg);
  }

  private checkFlags(names: readonly string[]): void {
    for (const name of names) {
      const value = constantValue(name, this.arch);
      if (value === undefined) this.problem(`unknown constant ${name}`);
      else this.require(value >= 0 || names.length === 1, `${name} is negative and stands alone`);
    }
  }

  private checkFields(name: string, fields: Readonly<Record<string, Arg>>): void {
    const struct = structs[name];
    if (struct === undefined) return this.problem(`unknown struct ${name}`);
    for (const key in fields) {
      this.require(struct.fields[key] !== undefined, `struct ${name} has no field ${key}`);
      this.checkConstant(fields[key]!);
    }
  }

  private checkPlace(name: string, at: number, bytes: number): void {
    const size = this.buffers.get(name);
    if (size === undefined) return this.problem(`there is no buffer ${name}`);
    this.require(isCount(at) && at + bytes <= size, `byte ${at + bytes} is outside of buffer ${name}`);
  }
}

function where({ op, section, number }: Place): string {
  return `${section.name} ${number} ${op.op === 'call' ? op.call : op.op}`;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isExit(value: number): boolean {
  return isCount(value) && value <= 255;
}
