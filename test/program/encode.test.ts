import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { type Encoded, encode, flagsValue } from '../../src/program/encode.ts';
import * as layout from '../../src/program/layout.ts';
import type { Arg, Buffer, Op } from '../../src/program/op.ts';
import { hostProgram } from './interpreter.ts';

const words = { what: 'do it', why: 'It is a test.', from: 'runtime' };
const write = (...args: Arg[]): Op => ({ op: 'call', call: 'write', args, ...words });

/** The operands of op 0, as they stand in the image. */
function operands(encoded: Encoded): bigint[] {
  const view = new DataView(encoded.program.buffer, encoded.program.byteOffset);
  return Array.from({ length: 6 }, (_, i) =>
    view.getBigUint64(layout.HEADER_SIZE + layout.OP_ARGS + 8 * i, true),
  );
}

function stringAt(encoded: Encoded, at: bigint): string {
  const end = encoded.program.indexOf(0, Number(at));
  return new TextDecoder().decode(encoded.program.subarray(Number(at), end));
}

test('encode writes numbers as 64 bits in two’s complement', () => {
  const values = [0, -1, 2 ** 40 + 3, -(2 ** 40), 2n ** 64n - 1n, -(2n ** 63n)] as const;
  const expected = [0n, 2n ** 64n - 1n, 2n ** 40n + 3n, 2n ** 64n - 2n ** 40n, 2n ** 64n - 1n, 2n ** 63n];
  assert.equal(operands(encode(hostProgram([write(...values)]), 'x64')), expected);
});

test('flagsValue ors constants of more than 32 bits and leaves negative ones alone', () => {
  assert.is(flagsValue(['O_PATH', 'O_CLOEXEC'], 'x64'), 0o12000000);
  assert.is(flagsValue(['CLONE_INTO_CGROUP', 'CLONE_NEWNS'], 'x64'), 0x200020000);
  assert.is(flagsValue(['CLONE_IO'], 'x64'), 0x80000000);
  assert.is(flagsValue(['AT_FDCWD'], 'x64'), -100);
  assert.is(flagsValue([], 'x64'), 0);
});

test('encode keeps a string once, with a NUL behind it', () => {
  const encoded = encode(hostProgram([write('naïve 日本', 'other', 'naïve 日本')]), 'x64');
  const [first, second, third] = operands(encoded);
  assert.is(first, third);
  assert.is(stringAt(encoded, first!), 'naïve 日本');
  assert.is(stringAt(encoded, second!), 'other');
});

test('encode puts buffers with contents before the zeroed ones, each at a multiple of 16 bytes', () => {
  const buffers: Buffer[] = [
    { name: 'zero', size: 5000 },
    { name: 'text', size: 5, init: 'abc' },
    { name: 'bytes', size: 20, init: Uint8Array.of(1, 2, 3) },
  ];
  const encoded = encode(
    hostProgram([write({ buf: 'zero' }, { buf: 'text', at: 1 }, { buf: 'bytes' })], { buffers }),
    'x64',
  );
  assert.equal(operands(encoded).slice(0, 3), [64n, 17n, 32n]);
  assert.equal([...encoded.arena.subarray(16, 22)], [97, 98, 99, 0, 0, 0]);
  assert.equal([...encoded.arena.subarray(32, 36)], [1, 2, 3, 0]);
  assert.is(encoded.arena.length, 64);
  assert.is(encoded.arenaSize, 64 + 5008);
});

test('encode lists the pointers in structs and vectors, which are absolute', () => {
  const vector: Arg = { vec: ['sh', { buf: 'b', at: 4 }] };
  const iovec: Arg = { structs: 'iovec', items: [{ iov_base: 'ab', iov_len: 2 }] };
  const encoded = encode(hostProgram([write(vector, iovec)], { buffers: [{ name: 'b', size: 8 }] }), 'x64');
  const view = new DataView(encoded.program.buffer, encoded.program.byteOffset);
  const [vectorAt, iovecAt] = operands(encoded).map(Number) as [number, number];
  assert.equal(encoded.pointers, [vectorAt, vectorAt + 8, iovecAt]);
  const target = (at: number) => view.getBigUint64(at, true);
  assert.is(stringAt(encoded, target(vectorAt) - BigInt(layout.PROGRAM_ADDRESS)), 'sh');
  assert.is(target(vectorAt + 8), BigInt(layout.ARENA_ADDRESS + 16 + 4));
  assert.is(target(vectorAt + 16), 0n);
  assert.is(stringAt(encoded, target(iovecAt) - BigInt(layout.PROGRAM_ADDRESS)), 'ab');
  assert.is(target(iovecAt + 8), 2n);
});

test('encode writes the same program the same way, with the numbers of each architecture', () => {
  const program = hostProgram([write(1, 'a', 1)]);
  assert.equal(encode(program, 'x64'), encode(program, 'x64'));
  const number = ({ program: bytes }: Encoded) => bytes[layout.HEADER_SIZE + 4];
  assert.is(number(encode(program, 'x64')), 1);
  assert.is(number(encode(program, 'arm64')), 64);
});

test('encode grows with the program', () => {
  const ops = Array.from({ length: 3000 }, (_, i) => write(1, `string ${i}`, 8));
  const encoded = encode(hostProgram(ops), 'x64');
  assert.ok(encoded.program.length > 3000 * layout.OP_SIZE);
  assert.is(stringAt(encoded, operands(encoded)[1]!), 'string 0');
});

const many = (count: number): Op[] =>
  Array.from({ length: count }, (_, i) => ({ op: 'set', to: `r${i}`, value: 0, ...words }));
const invalid: Record<string, Parameters<typeof hostProgram>> = {
  'no system call frobnicate on x64': [[{ op: 'call', call: 'frobnicate', args: [], ...words }]],
  'unknown constant O_FOO': [[write({ flags: ['O_FOO'] })]],
  'unknown errno EFOO': [[{ op: 'call', call: 'close', args: [0], onError: { ignore: ['EFOO'] }, ...words }]],
  'unknown label nowhere': [[{ op: 'jump', to: 'nowhere', ...words }]],
  'unknown buffer b': [[write({ buf: 'b' })]],
  'byte 9 is outside of buffer b': [
    [{ op: 'load', buf: 'b', at: 1, bytes: 8, to: 'x', ...words }],
    { buffers: [{ name: 'b', size: 8 }] },
  ],
  'the contents of buffer b do not fit': [[], { buffers: [{ name: 'b', size: 2, init: 'abc' }] }],
  'unknown struct open_who': [[write({ struct: 'open_who', fields: {} })]],
  'struct open_how has no field flag': [[write({ struct: 'open_how', fields: { flag: 0 } })]],
  'register r stands in a constant': [[write({ vec: [{ reg: 'r' }] })]],
  'too many arguments of write': [[write(0, 0, 0, 0, 0, 0, 0)]],
  'more than 255 registers': [many(254)],
  'too many reports': [
    [],
    { reports: [0, 1, 2].map(() => ({ reg: 'stderr', format: 'text', prefix: '', suffix: '' })) },
  ],
};

test('encode refuses what it does not know and what goes over a limit', () => {
  for (const [message, args] of Object.entries(invalid)) {
    assert.throws(
      () => encode(hostProgram(...args), 'x64'),
      (error: unknown) =>
        error instanceof TinyrunError && error.code === 'PROGRAM' && error.message.includes(message),
      message,
    );
  }
  assert.not.throws(() => encode(hostProgram(many(253)), 'x64'));
});

test.run();
