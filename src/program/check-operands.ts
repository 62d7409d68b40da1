// The operands of an op -> what is wrong with them: names that the tables do not have, values and places out of bounds.
// A part of check.ts, which says of which op a problem is.

import { constantValue } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';
import { structs } from '../sys/structs.ts';
import { argumentsOf } from '../sys/syscall-arguments.ts';
import { syscallNumber } from '../sys/syscalls.ts';
import type { Arch } from './encode.ts';
import * as layout from './layout.ts';
import type { Arg, CallOp } from './op.ts';

/** What operands refer to. */
export interface Surroundings {
  arch: Arch;
  /** The size of each buffer, in bytes. */
  buffers: ReadonlyMap<string, number>;
}

const utf8 = new TextEncoder();

/** The problem as a list, or none if it `holds` that there is none. */
export function unless(holds: boolean, problem: string): string[] {
  return holds ? [] : [problem];
}

/** Whether it is an integer from 0 up. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The problems of an exit code; undefined is fine. */
export function checkExit(exit: number | undefined): string[] {
  return unless(exit === undefined || (isCount(exit) && exit <= 255), `exit code ${exit} is not 0 to 255`);
}

/** The problems of `bytes` bytes at byte `at` of a buffer. */
export function checkPlace(name: string, at: number, bytes: number, { buffers }: Surroundings): string[] {
  const size = buffers.get(name);
  if (size === undefined) return [`there is no buffer ${name}`];
  return unless(isCount(at) && at + bytes <= size, `byte ${at + bytes} is outside of buffer ${name}`);
}

/** The problems of a system call: its name, its operands, its error policy. */
export function checkCall({ call, args, onError = {} }: CallOp, around: Surroundings): string[] {
  const expected = argumentsOf(call);
  const count = args.length;
  const { goto = {}, ignore = [] } = onError;
  const rules = [...Object.keys(goto), ...ignore];
  return [
    ...unless(syscallNumber(call, around.arch) !== undefined, `${around.arch} has no system call ${call}`),
    ...(expected === undefined
      ? []
      : unless(expected.length === count, `it has ${count} arguments, not ${expected.length}`)),
    ...unless(count <= layout.MAX_ARGS, `${count} arguments are more than ${layout.MAX_ARGS}`),
    ...args.flatMap((arg) => checkArg(arg, around)),
    ...(expected === undefined ? [] : checkSizes(args, expected, around)),
    ...rules.flatMap((name) => unless(name === '*' || errnos[name] !== undefined, `unknown errno ${name}`)),
    ...unless(
      rules.length <= layout.MAX_ERRORS,
      `${rules.length} error rules are more than ${layout.MAX_ERRORS}`,
    ),
    ...checkExit(onError.exit),
  ];
}

/** The problems of one operand. */
export function checkArg(arg: Arg, around: Surroundings): string[] {
  if (typeof arg === 'string')
    return unless(
      !arg.includes('\0') && arg.isWellFormed(),
      `${JSON.stringify(arg)} has a NUL or is no UTF-8`,
    );
  if (typeof arg === 'bigint')
    return unless(arg >= -(1n << 63n) && arg < 1n << 64n, `${arg} needs more than 64 bits`);
  if (typeof arg === 'number')
    return unless(Number.isSafeInteger(arg), `${arg} is no integer, or above 2^53`);
  if ('flags' in arg) return checkFlags(arg.flags, around.arch);
  if ('buf' in arg) return checkPlace(arg.buf, arg.at ?? 0, 0, around);
  if ('vec' in arg) return arg.vec.flatMap((item) => checkConstant(item, around));
  if ('struct' in arg) return checkFields(arg.struct, arg.fields, around);
  if ('structs' in arg) return arg.items.flatMap((item) => checkFields(arg.structs, item, around));
  return [];
}

/** What stands in a vector or a struct is put there before the program runs. */
function checkConstant(arg: Arg, around: Surroundings): string[] {
  if (typeof arg === 'object' && 'reg' in arg)
    return [`register ${arg.reg} stands in a constant: store it into a buffer`];
  return checkArg(arg, around);
}

function checkFlags(names: readonly string[], arch: Arch): string[] {
  return names.flatMap((name) => {
    const value = constantValue(name, arch);
    if (value === undefined) return [`unknown constant ${name}`];
    return unless(value >= 0 || names.length === 1, `${name} is negative and stands alone`);
  });
}

function checkFields(name: string, fields: Readonly<Record<string, Arg>>, around: Surroundings): string[] {
  const struct = structs[name];
  if (struct === undefined) return [`unknown struct ${name}`];
  return Object.entries(fields).flatMap(([key, arg]) => [
    ...unless(struct.fields[key] !== undefined, `struct ${name} has no field ${key}`),
    ...checkConstant(arg, around),
  ]);
}

/** A pointer with its size behind it, as read(2) has them: the kernel must not go over the end of what is there. */
function checkSizes(
  args: readonly Arg[],
  expected: readonly (readonly [name: string, kind: string])[],
  around: Surroundings,
): string[] {
  return args.flatMap((arg, i) => {
    const size = args[i + 1];
    const [name, kind] = expected[i + 1] ?? [];
    if (typeof size !== 'number' || kind !== 'size' || name === 'maxnode') return []; // that one counts bits
    const room = roomOf(arg, around);
    return room === undefined
      ? []
      : unless(size <= room, `\`${name}\` is ${size}, and there are ${room} bytes`);
  });
}

/** How many bytes there are where an operand points to; undefined: it is no pointer, or one to nothing known. */
function roomOf(arg: Arg, { buffers }: Surroundings): number | undefined {
  if (typeof arg === 'string') return utf8.encode(arg).length + 1;
  if (typeof arg !== 'object' || 'reg' in arg || 'flags' in arg) return undefined;
  if ('bytes' in arg) return arg.bytes.length;
  if ('vec' in arg) return 8 * (arg.vec.length + 1);
  if ('struct' in arg) return structs[arg.struct]?.size;
  if ('buf' in arg) {
    const size = buffers.get(arg.buf);
    return size === undefined ? undefined : size - (arg.at ?? 0);
  }
  const size = structs[arg.structs]?.size;
  return size === undefined ? undefined : size * arg.items.length;
}
