// `tinyrun run BUNDLE` -> where its time goes, from the fork of the caller to the end that it sees. Measured on a
// twin of dist/tinyrun with a clock in it (bench/stages.ts): the program it plans reads the clock, too, by ops.

import { join } from 'node:path';
import { buildExecutable } from '../scripts/build.ts';
import type { Place } from './bundle.ts';
import { monotonicOffset } from './clock.ts';
import { assertNotInterrupted, type Bounds, isOver, LONGEST, median } from './measure.ts';

/** A part of the way; `ms` is a median, so that they add up only roughly. */
export interface Stage {
  name: string;
  ms: number;
}

/** In their order: a stage's name, the moment it begins and the one it ends with. */
const stages: readonly [string, string, string][] = [
  ['fork, the kernel loads the executable', 'fork', 'started'],
  ['the dynamic loader, the JavaScript engine starts and loads the main module', 'started', 'main'],
  ['the command line, loading what `run` takes', 'main', 'loaded'],
  ['reading and validating config.json, looking at the host', 'loaded', 'gathered'],
  ['planning', 'gathered', 'planned'],
  ['encoding and linking', 'encoding', 'linked'],
  ['the kernel replaces the process by the program', 'linked', 'program'],
  ['host ops before clone3: state directory, rootfs', 'program', 'clone'],
  ['clone3: the namespaces', 'clone', 'child'],
  ['init ops: mounts, pivot_root, credentials', 'child', 'execve'],
  ['execve of the container process, until its end is seen', 'execve', 'ended'],
  ['clean-up, until the caller sees the end', 'ended', 'end'],
];

/** Builds the twin; returns its path. Takes seconds. */
export function buildTwin(place: Place): string {
  const file = join(place.dir, 'stages');
  buildExecutable(join(import.meta.dir, 'stages.ts'), file);
  return file;
}

/**
 * Runs the twin, and takes the stages apart.
 * @param command the twin's, as dist/tinyrun is called
 */
export async function measureBudget(command: readonly string[], bounds: Bounds): Promise<Stage[]> {
  const runs: Map<string, number>[] = [];
  for (let done = -1; !(await isOver(bounds, done)); done++) {
    const moments = await runOnce(command, monotonicOffset(), bounds.signal);
    if (done >= 0) runs.push(moments);
  }
  return [...stages, ['all', 'fork', 'end'] as const].map(([name, from, to]) => ({
    name,
    ms: median(runs.map((run) => (run.get(to)! - run.get(from)!) / 1e6)),
  }));
}

/** Moments by name, nanoseconds of CLOCK_MONOTONIC. */
async function runOnce(
  command: readonly string[],
  offset: number,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const fork = Bun.nanoseconds() + offset;
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST,
    killSignal: 'SIGKILL',
  });
  const end = Bun.nanoseconds() + offset;
  if (exitCode !== 0) await assertNotInterrupted(signal);
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: exit code ${exitCode}; ${stderr}`);
  const newline = stdout.indexOf('\n');
  const moments = new Map<string, number>(Object.entries(JSON.parse(stdout.toString('utf8', 0, newline))));
  for (let at = newline + 1; at < stdout.length; at += 24) {
    const name = stdout.toString('latin1', at, at + 8).replaceAll('\0', '');
    moments.set(name, Number(stdout.readBigInt64LE(at + 8)) * 1e9 + Number(stdout.readBigInt64LE(at + 16)));
  }
  return moments.set('fork', fork).set('end', end);
}
