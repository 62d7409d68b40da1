// `tinyrun run`: into a container. A program of an earlier run is used again where it still fits (program-cache.ts); the
// planner and all it takes are loaded only where there is none. Everything before the program only reads.

import { rawSyscall } from '../../native-bindings/libc.ts';
import { becomeImage } from '../engine/image.ts';
import type { Program } from '../program/op.ts';
import { constants } from '../sys/constants.ts';
import { configPath, readConfig } from './config-file.ts';
import { createLog } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { readPrelude } from './prelude.ts';
import { probeHost } from './probe.ts';
import { findProgram, programKey } from './program-cache.ts';

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
  rawSyscall('close_range', 3 + options.preserveFds, 0xffffffff, constants['CLOSE_RANGE_CLOEXEC']!);
  if (options.preserveFds > 0) preserve(options.preserveFds);
  const text = readConfig(configPath(options));
  const key = programKey(global, options, host, text);
  if (key !== undefined) {
    const image = findProgram(global.root, key, options.id, new Date(host.now).toISOString());
    if (image !== undefined)
      return becomeImage(image, { name: 'tinyrun', fallbackDirectory: global.root, debug: log.debug });
  }
  const { planAndRun } = await import('./plan-run.ts');
  return await planAndRun(global, options, host, log, text, key, traceLines);
}

/**
 * Lets the first `count` descriptors from 3 on pass, all of which the JavaScript engine marked close-on-exec. One that
 * the caller promised but did not open is tolerated; the engine may have opened a file of its own under that number,
 * which stays out.
 */
function preserve(count: number): void {
  const open = readPrelude()?.openFds ?? [-1, -1];
  for (let fd = 3; fd < 3 + count; fd++)
    if (fd >= 64 || ((open[fd >> 5]! >>> (fd & 31)) & 1) === 1)
      rawSyscall('fcntl', fd, constants['F_SETFD']!, 0);
}
