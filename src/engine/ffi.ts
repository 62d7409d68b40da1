// The engine to read: TypeScript runs the same encoded program as the C interpreter, op by op (interpret.ts), and asks
// the kernel through libc's syscall(2) by bun:ffi: unshare, mount, pivot_root, chroot, called from TypeScript.
//
// A program needs a process with one thread: unshare(CLONE_NEWUSER) is refused to others, signals may reach any thread,
// and a child of clone3 has only the thread that called it (fork(2)). The JavaScript engine starts helper threads for
// its compiler and its garbage collector, so this engine executes itself once more with these switched off, asks the
// kernel whether that worked, and hands the program over in memory. From then on clone3 is an ordinary call.
//
// What is different from the native engine:
//
//   subject           here                                       what follows
//   memory            some 30 MB a process until its execve      a waiting host program stays that large
//   /proc/self/exe    is tinyrun itself, on disk                 no shield from CVE-2019-5736: only for trusted images
//   clone3            not with CLONE_VM: two JavaScript          refused before the program starts; vfork(2) likewise
//                     heaps can't share memory
//   file descriptors  the event loop's two are open as well      close-on-exec; numbers of new ones are higher
//   seccomp, rlimits  hold for the JavaScript engine too:        a filter that forbids madvise, or a small RLIMIT_AS,
//                     it asks for memory at any time             may end it between loading and execve
//   traces            an op costs microseconds, not              compare times among one engine's ops only
//                     nanoseconds
//   madvise           not made: the program's addresses are    nothing is given back before it waits
//                     not where the native engine has it
//   start             a second start of the JavaScript engine    some 15 ms later

import { ptr } from 'bun:ffi';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  close,
  execve,
  memfdCreate,
  rawSyscall,
  rawSyscallNumber,
  SystemError,
  writeAll,
} from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { decode } from '../program/decode.ts';
import { type Arch, type Encoded, encode } from '../program/encode.ts';
import { ARENA_ADDRESS, PROGRAM_ADDRESS } from '../program/layout.ts';
import type { CallOp, Program } from '../program/op.ts';
import { constants } from '../sys/constants.ts';
import { errnos } from '../sys/errno.ts';
import { syscallNumber } from '../sys/syscalls.ts';
import type { EngineOptions, Finished, SpawnOptions } from './engine.ts';
import { type Kernel, type Machine, runOp, startMachine } from './interpret.ts';
import { finished } from './spawn.ts';

/** `tinyrun --ffi-program FD` runs a program that was handed over: the command line calls runHandedOver(FD). */
const HANDED_OVER = '--ffi-program';

/** Keeps the JavaScript engine to one thread. The executable's prelude lets exactly these settings through. */
const oneThread: Readonly<Record<string, string>> = {
  BUN_JSC_useConcurrentGC: '0',
  BUN_JSC_numberOfGCMarkers: '1',
  BUN_JSC_useConcurrentJIT: '0',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
  BUN_FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER: '1', // of sources that run as they are
  MIMALLOC_PURGE_DELAY: '-1',
};

/** Replaces this process by one that runs the program. Returns never; throws HOST or PROGRAM. */
export function becomeProgram(program: Program, arch: Arch, options: EngineOptions): never {
  const fd = handOver(program, arch, options.lines);
  const [file, ...args] = ownCommand(fd);
  const environment = Object.entries(oneThread).map(([name, value]) => `${name}=${value}`);
  const errno = -execve(file, [options.name, ...args], environment);
  throw new TinyrunError('HOST', new SystemError(`execute ${file}`, errno).message);
}

/** Runs the program in a child, and waits for its end. Throws HOST or PROGRAM. */
export async function spawnProgram(program: Program, arch: Arch, options: SpawnOptions): Promise<Finished> {
  const fd = handOver(program, arch, options.lines);
  try {
    return await finished(ownCommand(3), options, { ...oneThread }, [fd]);
  } finally {
    close(fd);
  }
}

/** The command that starts this engine again: the compiled executable, or Bun with the sources. */
function ownCommand(fd: number): [string, ...string[]] {
  const sources = Bun.main.startsWith('/$bunfs/') ? [] : [join(import.meta.dir, 'ffi-main.ts')];
  return [process.execPath, ...sources, HANDED_OVER, `${fd}`];
}

// Handing over: {bytes of program, bytes of arena, size of arena, number of pointers}, the pointers, program, arena.

const HEAD = 16;

/** Puts the encoded program into a file in memory that a next executable inherits; returns its fd. */
function handOver(program: Program, arch: Arch, lines: readonly string[] | undefined): number {
  assertRunnable(program);
  const { program: bytes, arena, arenaSize, pointers } = encode(program, arch, lines);
  const head = new Uint32Array([bytes.length, arena.length, arenaSize, pointers.length, ...pointers]);
  const fd = memfdCreate('program', 0);
  if (fd < 0)
    throw new TinyrunError('HOST', new SystemError('make a file in memory for the program', -fd).message);
  for (const part of [new Uint8Array(head.buffer), bytes, arena]) writeAll(fd, part);
  return fd;
}

function takeOver(fd: number): Encoded {
  const file = new Uint8Array(readFileSync(`/proc/self/fd/${fd}`));
  close(fd);
  const [programLength, arenaLength, arenaSize, pointerCount] = new Uint32Array(file.buffer, 0, HEAD / 4);
  const programAt = HEAD + 4 * pointerCount!;
  const arenaAt = programAt + programLength!;
  return {
    program: file.slice(programAt, arenaAt),
    arena: file.slice(arenaAt, arenaAt + arenaLength!),
    arenaSize: arenaSize!,
    pointers: Array.from(new Uint32Array(file.buffer, HEAD, pointerCount)),
  };
}

/** Refuses what the head of this file says cannot be done. */
function assertRunnable(program: Program): void {
  const sharesMemory = ({ call, args: [first] }: CallOp) => {
    if (call === 'vfork') return true;
    const flags = typeof first === 'object' && 'fields' in first ? first.fields['flags'] : first;
    return typeof flags === 'object' && 'flags' in flags && flags.flags.includes('CLONE_VM');
  };
  for (const { ops } of program.sections)
    for (const op of ops)
      if (op.op === 'call' && sharesMemory(op))
        throw new TinyrunError(
          'UNSUPPORTED',
          `${op.what}: the ffi engine cannot share memory with a child (CLONE_VM)`,
          {
            hint: 'use the native engine',
          },
        );
}

// Running

/** Runs a program that was handed over, to its end. Throws HOST where this process has threads. */
export function runHandedOver(fd: number): never {
  const encoded = takeOver(fd);
  assertOneThread();
  copyAllOnFork();
  const machine = place(encoded);
  while (machine.exit === undefined) runOp(machine, realKernel);
  for (;;) rawSyscall('exit_group', machine.exit);
}

/** The addresses are those of a linked program, where here something else may be: nothing is at them, says this engine. */
const NOT_MAPPED = -BigInt(errnos['ENOMEM']!);
const MADVISE = syscallNumber('madvise', process.arch === 'arm64' ? 'arm64' : 'x64');

const realKernel: Kernel = {
  call: (op, args) => (op.number === MADVISE ? NOT_MAPPED : BigInt(rawSyscallNumber(op.number, args))),
  print: (fd, line) => {
    const bytes = new TextEncoder().encode(line);
    rawSyscall('write', fd, bytes, bytes.length); // as in init.c, a report that nobody reads is no failure
  },
  readByte: (fd) => void rawSyscall('read', fd, new Uint8Array(1), 1),
  now: () => Bun.nanoseconds(),
};

/** Gives the program and its arena memory of this process, and lets the pointers point there. */
function place({ program, arena, arenaSize, pointers }: Encoded): Machine {
  const memory = new Uint8Array(arenaSize);
  memory.set(arena);
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  const [programAddress, arenaAddress] = [BigInt(ptr(program)), BigInt(ptr(memory))];
  for (const at of pointers) {
    const linked = view.getBigUint64(at, true);
    const moved =
      linked >= BigInt(ARENA_ADDRESS)
        ? linked - BigInt(ARENA_ADDRESS) + arenaAddress
        : linked - BigInt(PROGRAM_ADDRESS) + programAddress;
    view.setBigUint64(at, moved, true);
  }
  kept.push(program);
  return startMachine(decode({ program, arenaSize }), memory, programAddress, arenaAddress);
}

/** The kernel knows the program's memory by address only: it must not be collected. */
const kept: Uint8Array[] = [];

/** unshare(2): CLONE_THREAD changes nothing, and is refused to a process with threads. */
function assertOneThread(): void {
  const result = rawSyscall('unshare', constants['CLONE_THREAD']!);
  if (result < 0)
    throw new TinyrunError(
      'HOST',
      'start the ffi engine: the JavaScript engine has started threads of its own',
      {
        hint: 'use the native engine',
      },
    );
}

/**
 * Lets children have a copy of all memory: the JavaScript engine excludes its compiled code from that, without which
 * a child crashes at its first instruction (madvise(2), MADV_DONTFORK; `dc` in proc_pid_smaps(5)).
 */
function copyAllOnFork(): void {
  let [start, end] = [0, 0];
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range !== null) [start, end] = [Number.parseInt(range[1]!, 16), Number.parseInt(range[2]!, 16)];
    else if (line.startsWith('VmFlags:') && line.includes(' dc'))
      rawSyscall('madvise', start, end - start, constants['MADV_DOFORK']!);
  }
}
