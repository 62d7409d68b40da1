// What a log costs: the program of one and the same container as it is, and with a monitor beside it that keeps its output
// and notes its end. The programs alone, without the planning in front of them.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseFast } from '../src/cli/fast.ts';
import { toRunOptions } from '../src/cli/run-options.ts';
import { linkProgram } from '../src/engine/native.ts';
import type { PlanInput } from '../src/plan/input.ts';
import { planContainer } from '../src/plan/plan.ts';
import { gatherInput } from '../src/runtime/gather.ts';
import { createLog } from '../src/runtime/log.ts';
import type { GlobalOptions } from '../src/runtime/options.ts';
import { probeHost } from '../src/runtime/probe.ts';
import type { Place } from './bundle.ts';

/** Writes the two programs; returns them as commands. */
export async function buildLogged(place: Place): Promise<{ plain: string[]; logged: string[] }> {
  const global: GlobalOptions = {
    ...{ root: join(place.dir, 'log-root'), dataRoot: place.dir, log: undefined, logFormat: 'text' },
    ...{ debug: false, rootless: 'auto', cgroupManager: 'disabled' },
  };
  const line = parseFast(['run', place.bundles.true]);
  if (line === undefined) throw new Error('the options of run are not understood');
  const host = probeHost();
  const input = await gatherInput(global, toRunOptions(line, place.dir, 'bundle'), host, createLog(global));
  const directory = join(place.dir, 'logged');
  mkdirSync(directory);
  const monitor: PlanInput['monitor'] = {
    directory,
    log: { maxSize: undefined, maxFiles: 1 },
    attach: { stdin: false, stdout: true, stderr: true, sigProxy: true, detachKeys: [] },
    ...{ openStdin: false, stdinOnce: false, say: '' },
  };
  const build = (name: string, planned: PlanInput): string[] => {
    const file = join(place.dir, name);
    writeFileSync(file, linkProgram(planContainer(planned), host.arch));
    chmodSync(file, 0o755);
    return [file];
  };
  return { plain: build('plain', input), logged: build('with-log', { ...input, monitor }) };
}
