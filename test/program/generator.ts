// Random programs for round trips: all ops, operands and error policies, always the same ones for a seed. They name
// only what the tables have and keep their bounds, but make no sense and must not be run.

import type { Arg, Buffer, CallOp, ErrorPolicy, Op, Program, Section, Words } from '../../src/program/op.ts';
import { call as makeCall } from '../../src/program/ops.ts';

/** Returns numbers from 0 up to `below` (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const calls = [
  'openat',
  'read',
  'write',
  'close',
  'mkdirat',
  'clone3',
  'execve',
  'wait4',
  'kill',
  'fchownat',
  'mknodat',
];
const constants = [
  'O_PATH',
  'O_CLOEXEC',
  'O_NOFOLLOW',
  'CLONE_NEWNS',
  'CLONE_NEWPID',
  'MS_PRIVATE',
  'SIGKILL',
];
const errnoNames = ['ENOENT', 'EEXIST', 'EPERM', 'EINTR', 'EBUSY'];
const registers = ['a', 'b', 'init-pid', 'root_fd', 'state.dir', 'exit', 'stderr'];
const texts = [
  '',
  '/run/tinyrun/x',
  'two\nlines\t"quoted" \\',
  'naïve 日本 🙂',
  '| ; # -> : $x &y',
  '\u202ehidden\u007f\u0001\u{e0041}',
];
const sentences = [
  'make it',
  'a | b \\ c',
  'first\nsecond',
  'naïve 日本',
  'bell \u0007 and more',
  'x: "y" -> z',
];
const froms = ['runtime', '/mounts/0', '/process/args', '--volume', '/linux/a~1b'];

export function randomProgram(seed: number): Program {
  const below = randomNumbers(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)]!;
  const some = <Item>(most: number, make: (i: number) => Item): Item[] =>
    Array.from({ length: below(most + 1) }, (_, i) => make(i));
  const flags = () => ({ flags: some(3, () => pick(constants)) });
  const words = (): Words => ({ what: pick(sentences), why: pick(sentences), from: pick(froms) });
  const integer = () =>
    pick([0, 1, -1, 7, 8, 0o755, 4096, -100, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER, -(2 ** 40)]);
  const bytes = () => Uint8Array.from(some(20, () => below(256)));

  const buffers: Buffer[] = ['state', 'msg', 'fds.2'].map((name) => {
    const buffer: Buffer = { name, size: 64 + below(64) };
    const contents = below(3);
    if (contents > 0) buffer.init = contents === 1 ? pick(texts) : bytes();
    return buffer;
  });
  const place = () => ({ buf: pick(buffers).name, at: below(40) });

  const arg = (depth: number): Arg => {
    switch (below(depth > 0 ? 10 : 7)) {
      case 0:
        return integer();
      case 1:
        return pick([0n, -1n, 2n ** 63n, 2n ** 64n - 1n]);
      case 2:
        return pick(texts);
      case 3:
        return flags();
      case 4:
        return place();
      case 5:
        return { buf: pick(buffers).name };
      case 6:
        return { bytes: bytes() };
      case 7:
        return { vec: some(3, () => arg(0)) };
      case 8:
        return { struct: 'open_how', fields: below(2) ? { flags: flags(), resolve: integer() } : {} };
      default:
        return { structs: 'iovec', items: some(2, () => ({ iov_base: pick(texts), iov_len: below(9) })) };
    }
  };

  const policy = (labels: readonly string[]): ErrorPolicy => {
    const result: ErrorPolicy = {};
    if (below(2)) result.ignore = [pick(errnoNames)];
    if (below(2))
      result.goto = below(2) ? { '*': pick(labels) } : { ENOSYS: pick(labels), EXDEV: pick(labels) };
    if (below(2)) result.fail = pick(labels);
    if (below(2)) result.exit = below(256);
    return result;
  };

  const call = (labels: readonly string[]): CallOp => {
    const operand = (): Arg => (below(4) === 0 ? { reg: pick(registers) } : arg(2));
    const name = pick(calls);
    const args = some(6, operand);
    const said = words();
    const to = below(2) ? pick(registers) : undefined;
    const onError = policy(labels);
    return makeCall(name, args, {
      to,
      onError: Object.keys(onError).length > 0 ? onError : undefined,
      ...said,
    });
  };

  const op = (labels: readonly string[]): Op => {
    const reg = pick(registers);
    const to = pick(registers);
    const size = pick([1, 2, 4, 8] as const);
    switch (below(12)) {
      case 0:
        return { op: 'jump', to: pick(labels), ...words() };
      case 1: {
        const value = pick([integer(), 2n ** 63n - 1n, flags()]);
        return {
          op: 'branch',
          reg,
          is: pick(['==', '!=', '<', '>=', '&'] as const),
          value,
          to: pick(labels),
          ...words(),
        };
      }
      case 2:
        return { op: 'set', to, value: below(2) ? integer() : flags(), ...words() };
      case 3:
        return {
          op: 'format',
          reg,
          ...place(),
          ...(below(2) ? { width: 1 + below(20), pad: pick(['/', ' ', '"']) } : { to }),
          ...words(),
        };
      case 4:
        return { op: 'store', reg, ...place(), bytes: size, ...words() };
      case 5:
        return { op: 'load', ...place(), bytes: size, to, ...words() };
      case 6:
        return { op: 'exitcode', reg, to, ...words() };
      case 7:
        return {
          op: 'fail',
          ...(below(2) ? { fail: pick(labels) } : {}),
          ...(below(2) ? { exit: below(256) } : {}),
          ...words(),
        };
      default:
        return call(labels);
    }
  };

  const labels = ['undo', 'init', 'loop-1', 'a/b'];
  const section = (name: Section['name'], own: readonly string[]): Section => ({
    name,
    ops: own.flatMap((label) => [
      { op: 'label' as const, name: label },
      ...some(5, () => op(labels)),
      { op: 'jump', to: pick(labels), ...words() },
    ]),
    onFail: pick(own),
    exit: below(256),
  });
  const program: Program = {
    sections: [section('host', ['undo', 'loop-1']), section('init', ['init', 'a/b'])],
    buffers,
    reports: some(2, () => ({
      reg: pick(registers),
      format: pick(['text', 'json'] as const),
      prefix: pick(texts),
      suffix: pick(texts),
    })),
  };
  if (below(2)) program.trace = below(10);
  if (below(2)) program.step = below(10);
  return program;
}
