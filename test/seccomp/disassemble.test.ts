// Filters as people read them, and the machine that runs them, on instructions that libseccomp does not make.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { disassemble, formatResult } from '../../src/seccomp/disassemble.ts';
import { runFilter } from '../../src/seccomp/simulate.ts';

type Line = [code: number, jt: number, jf: number, k: number];

function assemble(...lines: Line[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * lines.length));
  lines.forEach(([code, jt, jf, k], i) => {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jt);
    view.setUint8(8 * i + 3, jf);
    view.setUint32(8 * i + 4, k, true);
  });
  return new Uint8Array(view.buffer);
}

const RETURN_A: Line = [0x16, 0, 0, 0];
const load = (offset: number): Line => [0x20, 0, 0, offset];
const call = { nr: 7, arch: 0xc000003e, args: [0x1_0000_0002n, 0n, 0n, 0n, 0n, 0xffff_ffff_0000_0000n] };

test('each field of a call is loaded from its place', () => {
  const fields: [number, number][] = [
    [0, 7],
    [4, 0xc000003e],
    [16, 2],
    [20, 1],
    [56, 0],
    [60, 0xffffffff],
  ];
  for (const [offset, value] of fields) assert.is(runFilter(assemble(load(offset), RETURN_A), call), value);
});

test('arithmetic has 32 bits without a sign', () => {
  const results: [code: number, k: number, result: number][] = [
    [0x04, 0xffffffff, 6],
    [0x14, 8, 0xffffffff],
    [0x24, 0x80000001, 0x80000007],
    [0x34, 2, 3],
    [0x44, 0x80000000, 0x80000007],
    [0x54, 5, 5],
    [0x64, 31, 0x80000000],
    [0x74, 1, 3],
    [0x84, 0, 0xfffffff9],
    [0xa4, 0xffffffff, 0xfffffff8],
  ];
  for (const [code, k, result] of results)
    assert.is(runFilter(assemble(load(0), [code, 0, 0, k], RETURN_A), call), result, code.toString(16));
  assert.is(runFilter(assemble(load(0), [0x34, 0, 0, 0], RETURN_A), call), 0, 'dividing by zero ends it');
});

test('memory, X and the length of the data', () => {
  const program = assemble(
    load(0),
    [0x02, 0, 0, 3], // M[3] = A
    [0x61, 0, 0, 3], // X = M[3]
    [0x00, 0, 0, 100], // A = 100
    [0x0c, 0, 0, 0], // A += X
    [0x07, 0, 0, 0], // X = A
    [0x80, 0, 0, 0], // A = length
    [0x03, 0, 0, 0], // M[0] = X
    [0x60, 0, 0, 0], // A = M[0]
    RETURN_A,
  );
  assert.is(runFilter(program, call), 107);
  assert.is(runFilter(assemble([0x80, 0, 0, 0], RETURN_A), call), 64);
  assert.equal(disassemble(program), [
    '   0  load nr',
    '   1  M[3] = it',
    '   2  x = M[3]',
    '   3  load 100',
    '   4  it = it + x',
    '   5  x = it',
    '   6  load 64',
    '   7  M[0] = x',
    '   8  load M[0]',
    '   9  return it',
  ]);
});

test('comparisons jump both ways, and a listing says where to', () => {
  const program = assemble(
    load(4),
    [0x15, 0, 4, 0xc000003e],
    load(20),
    [0x45, 0, 1, 1],
    [0x06, 0, 0, 0x00050016],
    [0x05, 0, 0, 0],
    [0x06, 0, 0, 0x7fff0000],
  );
  assert.is(runFilter(program, call), 0x00050016);
  assert.is(runFilter(program, { ...call, args: [2n] }), 0x7fff0000);
  assert.is(runFilter(program, { ...call, arch: 1 }), 0x7fff0000);
  assert.equal(disassemble(program), [
    '   0  load arch',
    '   1  if arch == X86_64 -> 2, else 6',
    '   2  load args[0].high',
    '   3  if args[0].high & 0x1 -> 4, else 5',
    '   4  return ERRNO(22)',
    '   5  jump 6',
    '   6  return ALLOW',
  ]);
  assert.throws(() => runFilter(assemble(load(0)), call), /runs off its end/);
});

test('results have names', () => {
  assert.equal([0, 0x80000000, 0x30000, 0x7ff00005, 0x7fc00000, 0x7ffc0000, 0x12345678].map(formatResult), [
    'KILL_THREAD',
    'KILL_PROCESS',
    'TRAP',
    'TRACE(5)',
    'NOTIFY',
    'LOG',
    '0x12345678',
  ]);
});

test.run();
