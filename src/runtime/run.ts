// `tinyrun run` and `create`: into a container. That no program of an earlier run fits is certain by now: the launcher
// would have become it, and no JavaScript would run (program-cache.ts). Everything before the program only reads.

import { flag, rawSyscall } from '../../native-bindings/libc.ts';
import type { Program } from '../program/op.ts';
import { configPath, readConfig } from './config-file.ts';
import { createLog } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { planAndRun } from './plan-run.ts';
import { readPrelude } from './prelude.ts';
import { probeHost } from './probe.ts';

/** The lines that a trace shows, which explain/ makes. */
export type TraceLines = (program: Program) => Promise<string[]>;

/**
 * Runs or creates a container: this process becomes its host program. In the foreground it ends with the container's
 * exit code, else as soon as the container stands by itself.
 * @throws TinyrunError where it cannot even begin
 */
export async function runContainer(
  global: GlobalOptions,
  options: RunOptions,
  traceLines: TraceLines,
): Promise<never> {
  const log = createLog(global);
  const host = probeHost();
  // What the caller has open besides is no business of the container, which could reach it while init has it open.
  rawSyscall('close_range', 3 + options.preserveFds, 0xffffffff, flag('CLOSE_RANGE_CLOEXEC'));
  if (options.preserveFds > 0) preserve(options.preserveFds);
  const text = readConfig(configPath(options));
  return await planAndRun(global, options, host, log, text, traceLines);
}

/**
 * Lets the first `count` descriptors from 3 on pass, all of which the JavaScript engine marked close-on-exec. One that
 * the caller promised but did not open is tolerated; the engine may have opened a file of its own under that number,
 * which stays out.
 */
export function preserve(count: number): void {
  const open = readPrelude()?.openFds ?? [-1, -1];
  for (let fd = 3; fd < 3 + count; fd++)
    if (fd >= 64 || ((open[fd >> 5]! >>> (fd & 31)) & 1) === 1) rawSyscall('fcntl', fd, flag('F_SETFD'), 0);
}
