import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { printable, TinyrunError } from '../../src/errors.ts';
import { type DecodedOp, type DecodedProgram, decode } from '../../src/program/decode.ts';
import { type Encoded, encode, failureOf, flagsValue } from '../../src/program/encode.ts';
import {
  numberLabels,
  numberOps,
  type Place,
  type RealOp,
  registerSet,
  registersRead,
} from '../../src/program/flow.ts';
import * as layout from '../../src/program/layout.ts';
import type { Arg, Program } from '../../src/program/op.ts';
import { errnos } from '../../src/sys/errno.ts';
import { syscallNumber } from '../../src/sys/syscalls.ts';
import { randomNumbers, randomProgram } from './generator.ts';
import { hostProgram } from './interpreter.ts';

/** What a register's index in the decoded program must be: the same name always the same one, no two names one. */
class Registers {
  private readonly indexes = new Map<string, number>([
    ['exit', layout.EXIT_INDEX],
    ['stderr', layout.STDERR_INDEX],
  ]);

  check(name: string, index: number | undefined): void {
    const known = this.indexes.get(name);
    if (known === undefined) {
      assert.not.ok([...this.indexes.values()].includes(index!), `${name} shares register ${index}`);
      this.indexes.set(name, index!);
    } else assert.is(index, known, name);
  }
}

const bits = (value: number | bigint | { flags: readonly string[] }): bigint =>
  BigInt(typeof value === 'object' ? flagsValue(value.flags, 'x64') : value);

/** What of a decoded op can be said without knowing where things were put: not of registers and places. */
function comparable(op: DecodedOp): unknown[] {
  switch (op.kind) {
    case 'call': {
      const args = op.args.map((arg) => (arg.kind === 'immediate' ? arg.value : arg.kind));
      return [
        op.kind,
        op.number,
        op.rules,
        op.noReturn,
        op.failure.text,
        op.failure.target,
        op.failure.exit,
        ...args,
      ];
    }
    case 'jump':
      return [op.kind, op.target];
    case 'branch':
      return [op.kind, op.is, op.value, op.target];
    case 'set':
      return [op.kind, op.value];
    case 'format':
      return [op.kind, op.width, op.pad];
    case 'store':
    case 'load':
      return [op.kind, op.bytes];
    case 'exitcode':
      return [op.kind];
    case 'fail':
      return [op.kind, op.failure.text, op.failure.target, op.failure.exit];
  }
}

function comparableArg(arg: Arg): unknown {
  if (typeof arg === 'string') return 'data';
  if (typeof arg !== 'object' || 'flags' in arg) return BigInt.asUintN(64, bits(arg));
  if ('reg' in arg) return 'register';
  return 'buf' in arg ? 'arena' : 'data';
}

/** The same of the op that it was encoded from. */
function expected({ op, section, number }: Place, labels: ReadonlyMap<string, number>): unknown[] {
  switch (op.op) {
    case 'call': {
      const { goto = {}, ignore = [], fail = section.onFail, exit = section.exit } = op.onError ?? {};
      const rules = [
        ...Object.entries(goto).map(([errno, label]) => ({
          errno: errnos[errno],
          target: labels.get(label),
        })),
        ...ignore.map((errno) => ({ errno: errnos[errno], target: number + 1 })),
      ];
      const failure = [printable(failureOf(op), false), labels.get(fail), exit];
      const noReturn = op.call === 'execve';
      return [
        op.op,
        syscallNumber(op.call, 'x64'),
        rules,
        noReturn,
        ...failure,
        ...op.args.map(comparableArg),
      ];
    }
    case 'jump':
      return [op.op, labels.get(op.to)];
    case 'branch':
      return [op.op, op.is, bits(op.value), labels.get(op.to)];
    case 'set':
      return [op.op, bits(op.value)];
    case 'format':
      return [op.op, op.width ?? 0, (op.pad ?? ' ').charCodeAt(0)];
    case 'store':
    case 'load':
      return [op.op, op.bytes];
    case 'exitcode':
      return [op.op];
    case 'fail':
      return [
        op.op,
        printable(failureOf(op), false),
        labels.get(op.fail ?? section.onFail),
        op.exit ?? section.exit,
      ];
  }
}

/** The registers of both in the same order: the one that receives the result, then those that are read. */
function checkRegisters(decoded: DecodedOp, op: RealOp, registers: Registers): void {
  const names = registersRead(op);
  const indexes: number[] = 'reg' in decoded ? [decoded.reg] : [];
  if (decoded.kind === 'call')
    for (const arg of decoded.args) if (arg.kind === 'register') indexes.push(arg.index);
  const to = registerSet(op);
  if (to !== undefined) names.push(to);
  if ('to' in decoded && decoded.to !== undefined) indexes.push(decoded.to);
  assert.is(indexes.length, names.length);
  for (const [i, name] of names.entries()) registers.check(name, indexes[i]);
}

function assertSameProgram(decoded: DecodedProgram, program: Program, lines: readonly string[]): void {
  const places = numberOps(program);
  const labels = numberLabels(program);
  const registers = new Registers();
  assert.is(decoded.ops.length, places.length);
  places.forEach((place, i) => {
    assert.equal(comparable(decoded.ops[i]!), expected(place, labels));
    checkRegisters(decoded.ops[i]!, place.op, registers);
    assert.is(decoded.ops[i]!.line, lines[i]);
  });
  assert.is(decoded.header.traceFd, program.trace ?? -1);
  assert.is(decoded.header.stepFd, program.step ?? -1);
  assert.equal(
    decoded.reports.map(({ json, prefix, suffix }) => ({ json, prefix, suffix })),
    program.reports.map(({ format, prefix, suffix }) => ({ json: format === 'json', prefix, suffix })),
  );
}

test('decode says of three hundred random programs what they said before they were encoded', () => {
  for (let seed = 0; seed < 300; seed++) {
    const program = randomProgram(seed);
    const lines = numberOps(program).map(({ op, number }) => `${number} ${op.op}`);
    assertSameProgram(decode(encode(program, 'x64', lines)), program, lines);
  }
});

test('decode gives the words of errnos', () => {
  const { errnoWords } = decode(encode(hostProgram([]), 'x64'));
  assert.match(errnoWords(2), /^ENOENT [a-z ]+$/);
  assert.match(errnoWords(95), /^EOPNOTSUPP [a-z ]+$/);
  assert.is(errnoWords(0), '');
  assert.is(errnoWords(9999), '');
});

test('decode gives failures their words in JSON if a report wants them', () => {
  const quoted = { op: 'fail' as const, what: 'say "no"', why: 'It is a test.', from: 'runtime' };
  const plain = hostProgram([quoted]);
  const json = { ...plain, reports: [{ reg: 'stderr', format: 'json' as const, prefix: '', suffix: '' }] };
  const failure = (program: Program) => {
    const op = decode(encode(program, 'x64')).ops[0]!;
    return op.kind === 'fail' ? op.failure : assert.unreachable(op.kind);
  };
  assert.is(failure(plain)?.json, '');
  assert.is(failure(json)?.json, 'say \\"no\\"');
  assert.is(failure(json)?.text, 'say "no"');
});

const words = { what: 'do it', why: 'It is a test.', from: 'runtime' };
const sample = hostProgram(
  [
    {
      op: 'call',
      call: 'write',
      args: [{ reg: 'stderr' }, { buf: 'b' }, 3],
      to: 'n',
      onError: { goto: { EINTR: 'undo' } },
      ...words,
    },
    { op: 'branch', reg: 'n', is: '<', value: 0, to: 'undo', ...words },
    { op: 'format', reg: 'n', buf: 'b', at: 0, ...words },
    { op: 'load', buf: 'b', at: 0, bytes: 4, to: 'n', ...words },
  ],
  { buffers: [{ name: 'b', size: 32 }] },
);

/** The sample with some of its bytes changed: [offset, byte], counted from an op if one is given. */
function broken(changes: [at: number, byte: number][], op?: number): Encoded {
  const encoded = encode(sample, 'x64');
  const start = op === undefined ? 0 : layout.HEADER_SIZE + op * layout.OP_SIZE;
  for (const [at, byte] of changes) encoded.program[start + at] = byte;
  return encoded;
}

const field = (name: layout.HeaderField): number => 4 * layout.headerFields.indexOf(name);
const malformed: [Encoded, string][] = [
  [broken([[0, 0]]), 'header of a binary program is malformed: it does not start with TRYN'],
  [broken([[field('version'), 9]]), 'header of a binary program is malformed: version 9 is not 1'],
  [broken([[field('opCount') + 1, 200]]), 'ops'],
  [broken([[field('opCount') + 3, 255]]), 'ops'],
  [broken([[field('size'), 1]]), 'bytes and has'],
  [broken([[field('arenaSize'), 1]]), 'bytes of arena, not'],
  [broken([[field('registerCount'), 1]]), '1 registers'],
  [broken([[field('errnosAt') + 3, 1]]), 'errnos at'],
  [broken([[field('reportCount'), 3]]), '3 reports'],
  [broken([[field('report0Register') + 3, 255]]), 'register -'],
  [broken([[field('report0PrefixLength') + 2, 255]]), 'words at'],
  [broken([[0, 9]], 0), 'op 0 of a binary program is malformed: kind 9'],
  [broken([[1, 77]], 0), 'register 77 of 3'],
  [broken([[2, 7]], 0), '7 arguments'],
  [broken([[3, 5]], 0), '5 error rules'],
  [broken([[layout.OP_ARGS, 99]], 0), 'register 99 of 3'],
  [broken([[layout.OP_ARGS + 9, 99]], 0), 'of an arena of'],
  [broken([[layout.OP_ERRORS + 2, 99]], 0), 'it goes to op 99 of 5'],
  [broken([[layout.OP_FAIL, 99]], 0), 'it goes to op 99 of 5'],
  [broken([[layout.OP_ARGS + 8, 9]], 1), 'comparison 9'],
  [broken([[layout.OP_ARGS + 24, 99]], 1), 'it goes to op 99 of 5'],
  [broken([[layout.OP_ARGS + 16, 60]], 2), 'of an arena of'],
  [broken([[layout.OP_ARGS + 16, 3]], 3), '3 bytes'],
];

test('decode says what is malformed and in which op', () => {
  for (const [encoded, message] of malformed) {
    assert.throws(
      () => decode(encoded),
      (error: unknown) =>
        error instanceof TinyrunError && error.code === 'PROGRAM' && error.message.includes(message),
      message,
    );
  }
});

test('decode either decodes a program with random changes or throws PROGRAM', () => {
  const below = randomNumbers(7);
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    const changes = Array.from({ length: 1 + below(3) }, (): [number, number] => [
      below(layout.HEADER_SIZE + 5 * layout.OP_SIZE),
      below(256),
    ]);
    try {
      decode(broken(changes));
    } catch (error) {
      assert.instance(error, TinyrunError);
      refused += 1;
    }
  }
  assert.ok(refused > 500);
});

test.run();
