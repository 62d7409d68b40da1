// Runs programs for the tests of this folder with the real interpreter: dist/init.ARCH.bin if it is built of the
// sources as they are, and one compiled into a temporary folder if it is not.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programHeader } from '../../scripts/program-header.ts';
import { type Arch, type Encoded, encode } from '../../src/program/encode.ts';
import { CODE_ADDRESS, CODE_OFFSET } from '../../src/program/layout.ts';
import { link } from '../../src/program/link.ts';
import type { Op, Program } from '../../src/program/op.ts';

const bindings = join(import.meta.dirname, '../../native-bindings');
export const hostArch: Arch = process.arch === 'arm64' ? 'arm64' : 'x64';

export interface Ran {
  exit: number | null; // null: ended by `signal`
  signal: string | number | undefined;
  stdout: string;
  stderr: string;
}

/** Calls `use` with a folder that is removed afterwards. */
export function withFolder<Result>(use: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'tinyrun-program-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
}

/** The interpreter's code as the linker wants it. */
export function compileInterpreter(arch: Arch): Uint8Array {
  return withFolder((folder) => {
    writeFileSync(join(folder, 'program.h'), programHeader());
    for (const file of ['init.c', 'arch.h', 'init.ld'])
      writeFileSync(join(folder, file), readFileSync(join(bindings, file)));
    const cross = arch === hostArch ? '' : arch === 'arm64' ? 'aarch64-linux-gnu-' : 'x86_64-linux-gnu-';
    const only = arch === 'x64' ? ['-fcf-protection=none'] : [];
    const flags =
      '-Os -std=c11 -nostdlib -static -ffreestanding -fno-builtin -fno-stack-protector -fno-asynchronous-unwind-tables ' +
      '-fno-pic -no-pie -fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -Wl,--build-id=none -Wl,-N';
    const start = `-Wl,--defsym=CODE_START=0x${(CODE_ADDRESS + CODE_OFFSET).toString(16)}`;
    const [elf, flat] = [join(folder, 'init.elf'), join(folder, 'init.bin')];
    const linker = [start, '-T', join(folder, 'init.ld')];
    run([
      cross === '' ? 'cc' : `${cross}gcc`,
      ...flags.split(' '),
      ...only,
      ...linker,
      '-o',
      elf,
      join(folder, 'init.c'),
    ]);
    run([`${cross}objcopy`, '-O', 'binary', elf, flat]);
    return readFileSync(flat);
  });
}

/** Whether a built interpreter is there and newer than what it is made of. */
function isNewer(built: string): boolean {
  const sources = ['init.c', 'arch.h', 'init.ld', '../src/program/layout.ts', '../scripts/program-header.ts'];
  const time = (file: string) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return sources.every((source) => time(join(bindings, source)) < time(built));
}

const interpreters = new Map<Arch, Uint8Array>();

export function interpreter(arch: Arch = hostArch): Uint8Array {
  const known = interpreters.get(arch);
  if (known !== undefined) return known;
  const built = join(import.meta.dirname, `../../dist/init.${arch}.bin`);
  const code = isNewer(built) ? readFileSync(built) : compileInterpreter(arch);
  interpreters.set(arch, code);
  return code;
}

export interface RunOptions {
  arch?: Arch;
  /** What starts the executable: an emulator. */
  wrapper?: string[];
  /** What a trace shows of each op. */
  lines?: readonly string[];
}

/** Links and runs an encoded program. It is given ten seconds. */
export function runEncoded(encoded: Encoded, { arch = hostArch, wrapper = [] }: RunOptions = {}): Ran {
  return withFolder((folder) => {
    const file = join(folder, 'program');
    writeFileSync(file, link(encoded, interpreter(arch), arch), { mode: 0o755 });
    return runFile([...wrapper, file]);
  });
}

export function runFile(command: string[]): Ran {
  const { exitCode, signalCode, stdout, stderr } = Bun.spawnSync(command, {
    stdin: 'ignore',
    timeout: 10_000,
  });
  return { exit: exitCode, signal: signalCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

export function runProgram(program: Program, options: RunOptions = {}): Ran {
  return runEncoded(encode(program, options.arch ?? hostArch, options.lines), options);
}

/** A program of one section that reports to stderr; failures go to `undo`, which leaves with their exit code. */
export function hostProgram(ops: readonly Op[], more: Partial<Program> = {}): Program {
  const leave: Op[] = [
    { op: 'label', name: 'undo' },
    {
      op: 'call',
      call: 'exit_group',
      args: [{ reg: 'exit' }],
      what: 'leave',
      why: 'It failed.',
      from: 'runtime',
    },
  ];
  return {
    sections: [{ name: 'host', ops: [...ops, ...leave], onFail: 'undo', exit: 125 }],
    buffers: [],
    reports: [{ reg: 'stderr', format: 'text', prefix: 'tinyrun: ', suffix: '\n' }],
    ...more,
  };
}
