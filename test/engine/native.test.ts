// The C interpreter, in a sealed file in memory.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildNative, hostArch, top } from '../../scripts/native.ts';
import { skip } from '../support/skip.ts';
import { whoAmI } from './become.ts';
import { spawnOptions, testCases } from './cases.ts';

if (!existsSync(join(top, 'dist/interpreter.ts'))) buildNative();
const { linkProgram, spawnProgram } = await import('../../src/engine/native.ts');

const become = (folder: string) => [process.execPath, join(import.meta.dir, 'become.ts'), 'native', folder];

function run(command: string[]): { code: number; stdout: string; stderr: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { env: { PATH: process.env['PATH'] } });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

function withFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'tinyrun-engine-'));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('linkProgram: the bytes are an executable, also on disk', () => {
  withFolder((folder) => {
    const file = join(folder, 'whoami');
    writeFileSync(file, linkProgram(whoAmI, hostArch), { mode: 0o755 });
    assert.equal(run(['/usr/bin/env', '-i', file]), { code: 3, stdout: file, stderr: '' });
  });
});

test('becomeProgram: the process is a file in memory, without an environment', () => {
  withFolder((folder) => {
    assert.equal(run(become(folder)), { code: 3, stdout: '/memfd:whoami (deleted)', stderr: '' });
    assert.equal(readdirSync(folder), []);
  });
});

test('becomeProgram: where memory is not executed, an unlinked file is, and --debug says so', () => {
  const sysctl = '/proc/sys/vm/memfd_noexec'; // of a pid namespace
  if (process.getuid?.() !== 0 || !existsSync(sysctl))
    return skip('becomeProgram in an unlinked file', 'needs root and vm.memfd_noexec (Linux 6.3)');
  withFolder((folder) => {
    const inNamespace = [
      'unshare',
      '--pid',
      '--fork',
      '--mount-proc',
      'sh',
      '-c',
      `echo 2 > ${sysctl} && exec "$@"`,
      'sh',
    ];
    const { code, stdout, stderr } = run([...inNamespace, ...become(folder)]);
    assert.match(stdout, new RegExp(`^${folder}/.* \\(deleted\\)$`), stderr);
    assert.match(stderr, `unlinked file in ${folder}`);
    assert.is(code, 3);
    assert.equal(readdirSync(folder), []);
  });
});

test('becomeProgram: says what could not be done where nothing is executable', () => {
  if (process.getuid?.() !== 0) return skip('becomeProgram without a place', 'needs root');
  const script = 'echo 2 > /proc/sys/vm/memfd_noexec; mount -t tmpfs -o noexec none /mnt && exec "$@"';
  const { code, stderr } = run([
    'unshare',
    '--pid',
    '--fork',
    '--mount-proc',
    'sh',
    '-c',
    script,
    'sh',
    ...become('/mnt'),
  ]);
  assert.match(stderr, 'execute the program: EACCES permission denied');
  assert.is(code, 1);
});

testCases('native', (program, of) => spawnProgram(program, hostArch, spawnOptions(of)));

test.run();
