// What the system's own headers say, for every architecture that a compiler is installed for. C expressions become
// immediate operands in assembly text, which is read and never run (as the kernel's build makes its asm-offsets.h).

import { spawnSync } from 'node:child_process';
import { skip } from '../support/skip.ts';

export type Arch = 'x64' | 'arm64';
export const ARCHITECTURES: readonly Arch[] = ['x64', 'arm64'];
const COMPILERS: Readonly<Record<Arch, string>> = {
  x64: 'x86_64-linux-gnu-gcc',
  arm64: 'aarch64-linux-gnu-gcc',
};

/** The kernel's headers and the C library's define some things twice: they are read in turn. */
const SETS = [
  `asm/errno asm/ioctls asm/poll asm/resource asm/siginfo asm/signal asm/socket asm/statfs asm/termbits asm/unistd
  linux/bpf linux/capability linux/close_range linux/eventpoll linux/fcntl linux/filter linux/fs linux/ioprio linux/keyctl linux/loop
  linux/magic linux/memfd linux/mempolicy linux/mman linux/mount linux/nsfs linux/openat2 linux/personality linux/pidfd
  linux/poll linux/prctl linux/random linux/resource linux/sched linux/sched/types linux/seccomp linux/securebits
  linux/signal linux/signalfd linux/stat linux/termios linux/time linux/timerfd linux/uio linux/un linux/wait linux/xattr`,
  'dirent sys/eventfd sys/socket unistd',
  'sys/mount',
].map((names) => names.split(/\s+/));

export interface Expression {
  key: string;
  c: string;
  /** Identifiers that the headers must know, else the expression is left out. */
  needs: readonly string[];
}

export interface Headers {
  /** The names that these headers mention in code or define; of structs, `struct NAME` where it is defined. */
  known: ReadonlySet<string>;
  /** The values by key; of those expressions only whose needs are known. */
  values(expressions: readonly Expression[]): Map<string, number>;
}

/** The header sets of an architecture; none, after a line that says why, where it has no compiler or no headers. */
export function headersOf(arch: Arch): Headers[] {
  const compiler = arch === process.arch ? 'gcc' : COMPILERS[arch];
  if (Bun.which(compiler) === null) skip(`headers of ${arch}`, `${compiler} is not installed`);
  else if (run(compiler, ['-E'], includes(['asm/unistd', 'unistd'], 'always')).status !== 0)
    skip(`headers of ${arch}`, `${compiler} finds no headers`);
  else return SETS.map((names) => readHeaders(compiler, includes(names)));
  return [];
}

function readHeaders(compiler: string, source: string): Headers {
  const text = compile(compiler, ['-E', '-dD'], source);
  const macros = text.matchAll(/^#define (\w+) \S/gm);
  const code = text.replace(/^#.*$/gm, '');
  const words = code.matchAll(/(\b[A-Za-z_]\w*)/g);
  const types = code.matchAll(/\b(struct \w+)\s*\{/g);
  const known = new Set([...macros, ...words, ...types].map(([, name]) => name!));
  return {
    known,
    values(expressions) {
      const usable = expressions.filter(({ needs }) => needs.every((name) => known.has(name)));
      const lines = usable.map(({ key, c }) => `asm volatile("\\n-> ${key} %0" :: "i"((long long)(${c})));`);
      const assembly = compile(compiler, ['-S'], `${source}void f(void) {\n${lines.join('\n')}\n}\n`);
      const values = assembly.matchAll(/^-> (\S+) [#$]?(-?\d+)$/gm);
      return new Map([...values].map(([, key, value]) => [key!, Number(value)]));
    },
  };
}

function includes(names: readonly string[], when?: 'always'): string {
  const lines = names.map((name) => {
    const line = `#include <${name}.h>\n`;
    return when === 'always' ? line : `#if __has_include(<${name}.h>)\n${line}#endif\n`;
  });
  return `#define _GNU_SOURCE\n#include <stddef.h>\n${lines.join('')}`;
}

const run = (compiler: string, flags: readonly string[], source: string) =>
  spawnSync(compiler, [...flags, '-o', '-', '-xc', '-'], {
    input: source,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });

function compile(compiler: string, flags: readonly string[], source: string): string {
  const { status, stdout, stderr } = run(compiler, flags, source);
  if (status !== 0) throw new Error(/^.*error:.*$/m.exec(stderr)?.[0] ?? `${compiler} failed`);
  return stdout;
}
