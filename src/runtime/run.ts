// `tinyrun run`: into a container. A program of an earlier run is used again where it still fits (program-cache.ts); the
// planner and all it takes are loaded only where there is none. Everything before the program only reads.

import { rawSyscall } from '../../native-bindings/libc.ts';
import { becomeImage } from '../engine/image.ts';
import { TinyrunError } from '../errors.ts';
import type { Program } from '../program/op.ts';
import { constants } from '../sys/constants.ts';
import { readConfig } from './config-file.ts';
import { createLog } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { probeHost } from './probe.ts';
import { findProgram, programKey } from './program-cache.ts';

/** The lines that a trace shows, which explain/ makes. */
export type TraceLines = (program: Program) => Promise<string[]>;

/**
 * Runs a container in the foreground: this process becomes its host program and ends with its exit code.
 * @throws TinyrunError where it cannot even begin
 */
export async function runContainer(
  global: GlobalOptions,
  options: RunOptions,
  traceLines: TraceLines,
): Promise<never> {
  const log = createLog(global);
  const host = probeHost();
  if (host.euid !== 0)
    throw new TinyrunError('HOST', 'run a container: you are not root', {
      hint: 'use sudo; `tinyrun explain` needs no root',
    });
  // A descriptor that the caller promised but did not open is tolerated, as by runc.
  for (let fd = 3; fd < 3 + options.preserveFds; fd++) rawSyscall('fcntl', fd, constants['F_SETFD']!, 0);
  const text = readConfig(options.bundle);
  const key = programKey(global, options, host, text);
  if (key !== undefined) {
    const image = findProgram(global.root, key, options.id, new Date(host.now).toISOString());
    if (image !== undefined)
      return becomeImage(image, { name: 'tinyrun', fallbackDirectory: global.root, debug: log.debug });
  }
  const { planAndRun } = await import('./plan-run.ts');
  return await planAndRun(global, options, host, log, text, key, traceLines);
}
