// A container that runs while a test looks at it, and what it has printed so far.

import { type Bundle, type RunOptions, startTinyrun } from './bundle.ts';
import { until } from './container.ts';
import { childrenOf } from './steps.ts';

export interface Running {
  /** The host program. */
  pid: number;
  /** The container's process, as the host sees it. */
  init: () => number;
  /** What it has printed. */
  stdout: () => string;
  /** Waits until it has printed this. */
  shows: (text: string) => Promise<void>;
  /** Sends a signal to the host program. */
  kill: (signal: NodeJS.Signals) => void;
  /** 128 + signal where one ended it. */
  exited: Promise<number>;
  stderr: Promise<string>;
}

/** Starts `tinyrun ARGS` on the bundle's own state and calls `use` meanwhile; its end is waited for, if need be by force. */
export async function whileRunning(
  bundle: Bundle,
  args: readonly string[],
  use: (running: Running) => Promise<void>,
  options: RunOptions = {},
): Promise<void> {
  const child = startTinyrun(bundle, args, options);
  const { pid, exited } = child;
  let stdout = '';
  const collect = async () => {
    const utf8 = new TextDecoder();
    for await (const bytes of child.stdout) stdout += utf8.decode(bytes, { stream: true });
  };
  const collected = collect();
  try {
    await use({
      pid,
      exited: exited.then(async (code) => {
        await collected;
        return code;
      }),
      stderr: new Response(child.stderr).text(),
      init: () => childrenOf(pid)[0] ?? 0,
      stdout: () => stdout,
      shows: (text) => until(`\`${text}\` is printed`, () => stdout.includes(text)),
      kill: (signal) => child.kill(signal),
    });
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}
