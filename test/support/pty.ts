// A terminal with a person at it: a command on the slave of a new pseudoterminal, started by a shell that leads the
// session, as at a prompt; keys, screen and window are the test's. pty(7), credentials(7) "Sessions".

import { readFileSync } from 'node:fs';
import { childrenOf } from './steps.ts';

export interface Pty {
  /** All that was printed so far, with plain newlines. */
  screen: () => string;
  /** Waits until something is on the screen. */
  shows: (text: string | RegExp) => Promise<void>;
  type: (keys: string) => void;
  resize: (columns: number, rows: number) => void;
  /** The four words of flags of struct termios: raw or not. */
  settings: () => string;
  /** The command that the shell has started. */
  pid: () => number;
  /** Waits for the command's end, as the shell sees it; what was printed is on the screen then. */
  exitCode: () => Promise<number>;
}

export interface PtyOptions {
  columns?: number;
  rows?: number;
  /** Redirections of the shell: `</dev/null`, `| cat`. */
  redirect?: string;
}

/** Calls `use` while a command runs on a terminal of its own; then the terminal is gone. */
export async function withPty(
  command: readonly string[],
  use: (pty: Pty) => Promise<void>,
  { columns = 80, rows = 24, redirect = '' }: PtyOptions = {},
): Promise<void> {
  let printed = '';
  const utf8 = new TextDecoder();
  const data = (_terminal: Bun.Terminal, bytes: Uint8Array) => {
    printed += utf8.decode(bytes, { stream: true });
  };
  // The shell shares the foreground with the command, and survives what is typed to end that.
  const script = `trap : INT QUIT; "$@" ${redirect}; echo "[exit code $?]"`;
  const shell = Bun.spawn(['sh', '-c', script, 'sh', ...command], {
    cwd: '/',
    terminal: { cols: columns, rows, data }, // made here, and not before, it controls the shell's session
  });
  const { terminal } = shell;
  if (terminal === undefined) throw new Error('the shell has no terminal');
  const screen = () => printed.replaceAll('\r\n', '\n');
  const code = () => /\[exit code (\d+)\]\n$/.exec(screen())?.[1];
  const until = async (what: string, holds: () => boolean) => {
    for (let tries = 0; !holds(); tries++) {
      if (tries === 2000) throw new Error(`waited for ten seconds: ${what}; the screen: ${screen()}`);
      await Bun.sleep(5);
    }
  };
  try {
    await use({
      screen,
      shows: (text) =>
        until(`${text}`, () => (typeof text === 'string' ? screen().includes(text) : text.test(screen()))),
      type: (keys) => void terminal.write(keys),
      resize: (columns, rows) => terminal.resize(columns, rows),
      settings: () =>
        [terminal.inputFlags, terminal.outputFlags, terminal.controlFlags, terminal.localFlags].join(' '),
      pid: () => {
        const [pid] = childrenOf(shell.pid);
        if (pid === undefined) throw new Error(`the command has ended; the screen: ${screen()}`);
        return pid;
      },
      exitCode: async () => {
        await until('its end', () => code() !== undefined);
        return Number(code());
      },
    });
  } finally {
    shell.kill('SIGKILL');
    await shell.exited;
    terminal.close();
  }
}

/** `comm` of a process, proc_pid_comm(5); empty where it has ended. */
export function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && /ENOENT|ESRCH/.test(String(error.code))) return '';
    throw error;
  }
}
