// `tinyrun run` and `create`: into a container. That no program of an earlier run fits is certain by now: the launcher
// would have become it, and no JavaScript would run (program-cache.ts). Everything before the program only reads.

import type { TraceLines } from './become.ts';
import { configPath, readConfig } from './config-file.ts';
import { createLog } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { inheritFds } from './outputs.ts';
import { planAndRun } from './plan-run.ts';
import { probeHost } from './probe.ts';

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
  inheritFds(options.preserveFds);
  const text = readConfig(configPath(options));
  return await planAndRun(global, options, host, log, text, traceLines);
}
