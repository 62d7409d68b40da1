// The verbs that an engine calls, one by one, on a bundle as engines write it: a seccomp profile of Docker's shape, 14
// capabilities, limits of a cgroup. Each runtime takes its turn with a container of its own, and the ratio of a verb is
// taken within a turn, as in measure.ts.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../src/oci/config.ts';
import { dockerShaped } from '../test/support/seccomp.ts';
import type { Stage } from './budget.ts';
import type { Place } from './bundle.ts';
import { type Bounds, isOver, median, runTimed } from './measure.ts';
import { pssOf } from './memory.ts';
import type { Runtime } from './runtimes.ts';

export const VERBS = ['create', 'state', 'start', 'exec', 'kill', 'delete'] as const;
export type Verb = (typeof VERBS)[number];

/** The turns of one runtime: milliseconds of each verb. */
export interface VerbTurns {
  runtime: string;
  turns: readonly Record<Verb, number>[];
}

/** The median of a verb's times. */
export const medianOf = ({ turns }: VerbTurns, verb: Verb): number => median(turns.map((turn) => turn[verb]));

/** The median of one runtime's time divided by the other's of the same turn. */
export const ratioOf = (a: VerbTurns, b: VerbTurns, verb: Verb): number =>
  median(a.turns.map((turn, n) => turn[verb] / b.turns[n]![verb]));

const CAPABILITIES =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/** Makes the bundle out of that of `true`; its container waits for a signal. */
export function makeEngineBundle(place: Place): string {
  const config: Config = JSON.parse(readFileSync(join(place.bundles.true, 'config.json'), 'utf8'));
  config.process.args = ['/payload', 'trap'];
  config.process.capabilities = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES };
  config.linux!.seccomp = dockerShaped();
  config.linux!.resources = {
    devices: [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    ],
    memory: { limit: 256 << 20 },
    cpu: { shares: 512, quota: 50_000, period: 100_000 },
    pids: { limit: 200 },
  };
  const bundle = join(place.dir, 'engine');
  mkdirSync(bundle);
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config, null, 2));
  return bundle;
}

/** Runs all verbs of all runtimes in turns. */
export async function measureVerbs(
  runtimes: readonly Runtime[],
  bundle: string,
  bounds: Bounds,
): Promise<VerbTurns[]> {
  const turns: Record<Verb, number>[][] = runtimes.map(() => []);
  for (let done = -1; !(await isOver(bounds, done)); done++)
    for (const [i, runtime] of runtimes.entries()) {
      const times = await oneLife(runtime, bundle, `bench-${done + 1}`);
      if (done >= 0) turns[i]!.push(times);
    }
  return runtimes.map(({ name }, i) => ({ runtime: name, turns: turns[i]! }));
}

/** tinyrun that plans each time: what is to be said again is not kept, nor run without JavaScript. */
export const planning = (ours: Runtime): Runtime => ({
  ...ours,
  command: (words) => ours.command(['--debug', ...words]),
});

/** What each verb is called with. */
const wordsOf = (bundle: string, id: string): Record<Verb, string[]> => ({
  create: ['--bundle', bundle, id],
  state: [id],
  start: [id],
  exec: [id, '/payload', 'true'],
  kill: [id, 'KILL'],
  delete: [id],
});

async function oneLife(runtime: Runtime, bundle: string, id: string): Promise<Record<Verb, number>> {
  const words = wordsOf(bundle, id);
  const times: Partial<Record<Verb, number>> = {};
  try {
    for (const verb of VERBS) {
      if (verb === 'delete') await isStopped(runtime, id);
      times[verb] = time(runtime.command([verb, ...words[verb]]));
    }
  } finally {
    if (times.delete === undefined) Bun.spawnSync(runtime.remove(id));
  }
  return times as Record<Verb, number>;
}

async function isStopped(runtime: Runtime, id: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const { stdout } = Bun.spawnSync(runtime.command(['state', id]));
    if (stdout.toString().includes('"stopped"')) return;
    await Bun.sleep(2);
  }
  throw new Error(`${runtime.name}: ${id} does not stop`);
}

/** Milliseconds of a command, which ends with the exit code `expected`. */
function time(command: readonly string[], expected = 0): number {
  const { exitCode, ms } = runTimed(command);
  if (exitCode !== expected) throw new Error(`${command.join(' ')}: exit code ${exitCode}`);
  return ms;
}

/** The verbs that JavaScript plans, once; the others are programs that are planned by `create`. */
export const PLANNED = ['create', 'exec'] as const;
/** The exit code of one that finds no bundle, or no container. */
const FAILED = { create: 1, exec: 255 };

/**
 * Where the time of a verb goes when it is planned: what an empty program takes, what `--version` adds to it, what the verb
 * adds that finds nothing to work on, what it adds when it does.
 * @param planned tinyrun that plans each time
 * @param empty an executable of an empty program, compiled as tinyrun is
 */
export async function measureVerbBudgets(
  planned: Runtime,
  empty: string,
  bundle: string,
  bounds: Bounds,
): Promise<Record<(typeof PLANNED)[number], Stage[]>> {
  const nothing = wordsOf(join(bundle, 'nothing'), 'bench-nothing');
  const something = wordsOf(bundle, 'bench-budget');
  const turns: Record<string, number>[] = [];
  for (let done = -1; !(await isOver(bounds, done)); done++) {
    const turn: Record<string, number> = {
      engine: time([empty]),
      main: time(planned.command(['--version'])),
    };
    for (const verb of PLANNED)
      turn[`${verb} nothing`] = time(planned.command([verb, ...nothing[verb]]), FAILED[verb]);
    turn['create'] = time(planned.command(['create', ...something.create]));
    try {
      time(planned.command(['start', ...something.start]));
      turn['exec'] = time(planned.command(['exec', ...something.exec]));
    } finally {
      Bun.spawnSync(planned.remove('bench-budget'));
    }
    if (done >= 0) turns.push(turn);
  }
  const over = (figure: (turn: Record<string, number>) => number): number => median(turns.map(figure));
  const stagesOf = (verb: (typeof PLANNED)[number]): Stage[] => [
    { name: 'the JavaScript engine starts', ms: over((turn) => turn['engine']!) },
    { name: 'loading the main module', ms: over((turn) => turn['main']! - turn['engine']!) },
    { name: 'loading what the verb takes', ms: over((turn) => turn[`${verb} nothing`]! - turn['main']!) },
    { name: 'own work', ms: over((turn) => turn[verb]! - turn[`${verb} nothing`]!) },
    { name: 'all', ms: over((turn) => turn[verb]!) },
  ];
  return { create: stagesOf('create'), exec: stagesOf('exec') };
}

/** Seconds of `count` containers from create to delete, four at once. */
export async function measureMany(runtime: Runtime, bundle: string, count: number): Promise<number> {
  const begin = Bun.nanoseconds();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const id = `bench-many-${i}`;
      const run = async (...words: string[]): Promise<void> => {
        const child = Bun.spawn(runtime.command(words), { stdio: ['ignore', 'ignore', 'ignore'] });
        if ((await child.exited) !== 0) throw new Error(`${runtime.name} ${words.join(' ')} failed`);
      };
      await run('create', '--bundle', bundle, id);
      await run('start', id);
      await run('delete', '--force', id);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return (Bun.nanoseconds() - begin) / 1e9;
}

/** Kilobytes of the process that a created container is. */
export function measureCreated(runtime: Runtime, bundle: string): number {
  const id = 'bench-created';
  time(runtime.command(['create', '--bundle', bundle, id]));
  try {
    const { stdout } = Bun.spawnSync(runtime.command(['state', id]));
    return pssOf(JSON.parse(stdout.toString()).pid);
  } finally {
    Bun.spawnSync(runtime.remove(id));
  }
}
