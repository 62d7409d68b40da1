// A run that is held at each op: `--step-fd` makes the interpreter read a byte before each, in the host program and in
// the init program alike, and a test decides how many bytes there are.

import { closeSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { close, open, syscall } from '../../native-bindings/libc.ts';
import { constants } from '../../src/sys/constants.ts';
import { type Bundle, tinyrun } from './bundle.ts';
import { parseTrace, type TracedOp } from './traced.ts';

const FIONREAD = 0x541b; // <asm-generic/ioctls.h>: how many bytes can be read

/** A terminal such as a caller has: pty(7). */
export interface Terminal {
  slave: number;
  /** Its settings, struct termios. */
  settings: () => string;
  close: () => void;
}

export function openTerminal(): Terminal {
  const flags = constants['O_RDWR']! | constants['O_NOCTTY']! | constants['O_CLOEXEC']!;
  const master = open('/dev/ptmx', flags);
  syscall('unlock a terminal', 'ioctl', master, constants['TIOCSPTLCK']!, new Uint8Array(4));
  const slave = syscall('open the slave', 'ioctl', master, constants['TIOCGPTPEER']!, flags);
  return {
    slave,
    settings: () => {
      const termios = new Uint8Array(36);
      syscall('read the settings', 'ioctl', slave, constants['TCGETS']!, termios);
      return termios.toHex();
    },
    close: () => {
      close(slave);
      close(master);
    },
  };
}

export interface Stepped {
  /** The host program, once it runs. */
  pid: number;
  /** Waits until the last byte is taken: the op that it is for has begun. */
  taken: () => Promise<void>;
  /** Kills the host program, unless it has ended. */
  kill: () => void;
  /** Lets it go on without further steps. */
  release: () => void;
  /** The exit code; 128 + signal. */
  exited: Promise<number>;
  stderr: () => Promise<string>;
}

/** Starts `tinyrun VERB ARGS`, which does `steps` ops and then waits. */
export function startStepped(
  bundle: Bundle,
  args: readonly string[],
  steps: number,
  terminal?: Terminal,
  verb = 'run',
): Stepped {
  const pipe = new Int32Array(2);
  syscall('make a pipe', 'pipe2', new Uint8Array(pipe.buffer), constants['O_CLOEXEC']!);
  const [reader = -1, writer = -1] = pipe;
  writeSync(writer, new Uint8Array(steps));
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  const own = terminal?.slave;
  const child = Bun.spawn([tinyrun, ...roots, verb, '--step-fd', '3', ...args], {
    cwd: '/',
    stdio: [own ?? 'ignore', own ?? 'ignore', own ?? 'pipe', reader],
  });
  let held = true;
  const release = () => {
    if (held) closeSync(writer);
    if (held) closeSync(reader);
    held = false;
  };
  return {
    pid: child.pid,
    exited: child.exited,
    kill: () => child.kill('SIGKILL'),
    release,
    stderr: async () =>
      child.stderr instanceof ReadableStream ? await new Response(child.stderr).text() : '',
    taken: async () => {
      const left = new Int32Array([-1]);
      while (left[0] !== 0 && child.exitCode === null) {
        syscall('ask what is left', 'ioctl', reader, FIONREAD, new Uint8Array(left.buffer));
        await Bun.sleep(1);
      }
    },
  };
}

/** How many ops a whole run takes, both programs together. */
export const countOps = (
  bundle: Bundle,
  args: readonly string[],
  terminal?: Terminal,
  verb?: string,
): number => traceOps(bundle, args, terminal, verb).length;

/** What the state directory and the locks are made by, or what makes and tells init: each such op is worth a look. */
const WEIGHTY =
  /state\.json|state\.text|init\.|config\.json|cgroup\.paths|\.fifo|flock|clone3|pwrite64|\$stateroot/;

/**
 * Behind how many ops of a run something is tried: in both programs behind the first of each kind of op (call and
 * section), and behind each that the state depends on. With `all`, behind each op.
 */
export function sampleOps(
  traced: readonly TracedOp[],
  { all, section }: { all: boolean; section?: string },
): number[] {
  const seen = new Set<string>();
  const isFirst = (kind: string): boolean => seen.size < seen.add(kind).size;
  return traced.flatMap((op, i) => {
    const first = isFirst(`${op.section} ${/^(?:\$\S+ = )?(\w+)/.exec(op.text)?.[1]}`);
    const weighty = op.section === 'host' && WEIGHTY.test(op.text);
    if (section !== undefined && op.section !== section) return [];
    return all || first || weighty || i === traced.length - 1 ? [i + 1] : [];
  });
}

/** The ops of a whole run, both programs together, in the order in which they happened. */
export function traceOps(
  bundle: Bundle,
  args: readonly string[],
  terminal?: Terminal,
  verb = 'run',
): TracedOp[] {
  const trace = join(bundle.dir, 'trace');
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  const fd = terminal?.slave ?? 'ignore';
  const done = Bun.spawnSync([tinyrun, ...roots, verb, '--trace', trace, ...args], { stdio: [fd, fd, fd] });
  if (done.exitCode !== 0) throw new Error(`the run failed: ${done.exitCode}`);
  const ops = parseTrace(readFileSync(trace, 'utf8'));
  rmSync(trace);
  return ops;
}

/** The children of a process, oldest first. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // it has ended
  }
}

/** Whether a process has ended, reaped or not. */
export function hasEnded(pid: number): boolean {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH'].includes(String(error.code)))
      return true;
    throw error;
  }
}
