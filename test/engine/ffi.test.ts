// TypeScript through bun:ffi, in a process of its own.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hostArch } from '../../scripts/native.ts';
import { spawnProgram } from '../../src/engine/ffi.ts';
import * as ops from '../../src/program/ops.ts';
import { whoAmI } from './become.ts';
import { spawnOptions, testCases } from './cases.ts';

test('becomeProgram: the process is the JavaScript engine, with its own settings as environment', () => {
  const command = [process.execPath, join(import.meta.dir, 'become.ts'), 'ffi', '/'];
  const { exitCode, stdout } = Bun.spawnSync(command, { env: { SECRET: '1' } });
  assert.match(stdout.toString(), new RegExp(`^${process.execPath}BUN_JSC_`));
  assert.not.match(stdout.toString(), 'SECRET');
  assert.is(exitCode, 3);
});

test('spawnProgram: a child that shares memory is refused before anything runs', async () => {
  const words = { what: 'make a thread', why: '', from: 'test' };
  const section = {
    ...whoAmI.sections[0]!,
    ops: [ops.clone3(['CLONE_VM'], words), ...whoAmI.sections[0]!.ops],
  };
  try {
    await spawnProgram({ ...whoAmI, sections: [section] }, hostArch, spawnOptions({}));
    assert.unreachable();
  } catch (error) {
    assert.is(
      String(error),
      'TinyrunError: make a thread: the ffi engine cannot share memory with a child (CLONE_VM)',
    );
  }
});

testCases('ffi', (program, of) => spawnProgram(program, hostArch, spawnOptions(of)));

test.run();
