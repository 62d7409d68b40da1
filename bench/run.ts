// npm run bench [-- --runs N]: speed and memory of tinyrun beside what else this machine has. Prints Markdown; README.md
// shows it. It never fails on a figure, and leaves nothing behind, however it ends.

import { writeFileSync } from 'node:fs';
import { constants, cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { buildExecutable } from '../scripts/build.ts';
import { buildTwin, measureBudget } from './budget.ts';
import { type Place, withPlace } from './bundle.ts';
import { MANY, measureLists } from './containers.ts';
import { measureImport } from './import.ts';
import { measureLayers } from './layers.ts';
import { buildLogged } from './log.ts';
import { type Bounds, compare, tryOnce } from './measure.ts';
import { measureMemory } from './memory.ts';
import { measureMounts } from './mounts.ts';
import {
  findRuntimes,
  findSandboxes,
  hideUnifiedCgroups,
  type Runtime,
  tinyrun,
  tinyrunCommand,
  versions,
} from './runtimes.ts';
import { formatTable, milliseconds, target } from './table.ts';
import {
  makeEngineBundle,
  measureCreated,
  measureMany,
  measureVerbBudgets,
  measureVerbs,
  medianOf,
  PLANNED,
  planning,
  ratioOf,
  VERBS,
  type Verb,
  type VerbTurns,
} from './verbs.ts';
import { measureClones, measureVolumes } from './volumes.ts';

/** Seconds after which no measurement begins any more. */
const LONGEST = 90;
const RUNS = 40;
const AT_ONCE = 100;

const say = (text: string): void => console.log(text);

/** What `tinyrun run` is compared with, and how slow it may be, times the other. */
const targets: Readonly<Record<string, number>> = { '`crun run`': 1.5, '`runc run`': 0.45 };

/** A command to compare with. */
interface Other {
  name: string;
  command: readonly string[];
}

async function measureSpeed(place: Place, bounds: Bounds): Promise<void> {
  const own = tinyrunCommand(place);
  const runtimes = findRuntimes(place, false)
    .slice(1)
    .map(({ name, run }) => ({ name: `\`${name} run\``, command: run(place.bundles.true, 'bench') }));
  const planned = [...own, '--debug', 'run', place.bundles.true]; // what is to be said again is not kept
  const overlay = [...own, 'run', '--overlay', place.bundles.true];
  await compareWith(
    { name: '`tinyrun run`', command: [...own, 'run', place.bundles.true] },
    [
      ...findSandboxes(place),
      ...runtimes,
      { name: '`tinyrun run` that is planned', command: planned },
      { name: '`tinyrun run --overlay`', command: overlay },
    ],
    targets,
    bounds,
  );
  await compareWith({ name: '`tinyrun run` that is planned', command: planned }, runtimes, {}, bounds);
}

/** A line for each of the others that runs here. */
async function compareWith(
  ours: Other,
  others: readonly Other[],
  most: Readonly<Record<string, number>>,
  bounds: Bounds,
): Promise<void> {
  const problem = tryOnce(ours.command);
  if (problem !== undefined) throw new Error(`${ours.command.join(' ')}: ${problem}`);
  const rows: string[][] = [];
  const left: string[] = [];
  for (const { name, command } of others) {
    const reason = tryOnce(command);
    if (reason === undefined) {
      const { a, b, ratio, pairs } = await compare(ours.command, command, bounds);
      if (pairs < bounds.runs) left.push(`${name}: time ran out after ${pairs} turns`);
      rows.push([
        name,
        milliseconds(b),
        milliseconds(a),
        ratio.toFixed(2),
        most[name] === undefined ? '' : target(ratio, most[name]),
      ]);
    } else left.push(`${name} does not run here: ${reason}`);
  }
  say(formatTable(['running `true` with', 'ms', `${ours.name}, ms`, 'ratio', 'target'], rows));
  for (const line of left) say(`${line}\n`);
}

/** An executable of a program that does nothing: what JavaScript costs at least. */
function buildEmpty(place: Place): string {
  const source = join(place.dir, 'empty.ts');
  const empty = join(place.dir, 'empty');
  writeFileSync(source, '');
  buildExecutable(source, empty);
  return empty;
}

async function measureStart(empty: string, bounds: Bounds): Promise<void> {
  const { a, b, ratio } = await compare([tinyrun, '--version'], [empty], bounds);
  const row = [
    'an empty program, compiled alike',
    milliseconds(b),
    milliseconds(a),
    ratio.toFixed(2),
    target(ratio, 1.3),
  ];
  say(formatTable(['starting', 'ms', '`tinyrun --version`, ms', 'ratio', 'target'], [row]));
}

/** The same program with a monitor, and without. */
async function measureLog(place: Place, bounds: Bounds): Promise<void> {
  const { plain, logged } = await buildLogged(place);
  const { a, b, ratio } = await compare(logged, plain, bounds);
  const row = ['a monitor that keeps the output', milliseconds(b), milliseconds(a), ratio.toFixed(2)];
  say(formatTable(['the program alone, with', 'ms without', 'ms', 'ratio'], [row]));
}

async function measureStages(place: Place, bounds: Bounds): Promise<void> {
  const [, ...words] = [...tinyrunCommand(place), '--debug', 'run', place.bundles.true];
  const twin = buildTwin(place);
  const stages = await measureBudget([twin, ...words], bounds);
  const { a, b } = await compare([tinyrun, ...words], [twin, ...words], bounds);
  const all = stages.at(-1)!.ms;
  const rows = stages.map(({ name, ms }) => [name, ms.toFixed(2), `${Math.round((100 * ms) / all)} %`]);
  say(formatTable(['where the time goes when it is planned', 'ms', 'share'], rows));
  say(
    `Taken from a twin of tinyrun with a clock in it: ${milliseconds(b)} ms, where tinyrun takes ${milliseconds(a)}.\n`,
  );
}

async function measureMemories(place: Place, bounds: Bounds): Promise<void> {
  const rows: string[][] = [];
  let executable = 0;
  for (const runtime of findRuntimes(place, false)) {
    if (tryOnce(runtime.run(place.bundles.true, 'bench')) !== undefined) continue;
    const one = await measureMemory(runtime, place.bundles.wait, 1, bounds);
    const many = await measureMemory(runtime, place.bundles.wait, AT_ONCE, bounds);
    const each = many.pss / many.containers;
    executable = Math.max(executable, one.executable);
    rows.push([
      `\`${runtime.name} run\``,
      String(one.pss),
      `${many.containers}: ${many.pss}`,
      each.toFixed(each < 100 ? 1 : 0),
      runtime.name === 'tinyrun' ? target(Math.max(one.pss, each), 64, ' KB') : '',
    ]);
  }
  say(formatTable(['memory beside containers, KB', 'one', 'many at once', 'each of many', 'target'], rows));
  say(
    `PSS of the waiting process. tinyrun's is a program in memory, a file of ${executable} KB, of which PSS counts what is mapped.\n`,
  );
}

/** How much slower than the other runtime a verb may be. */
const VERB_TARGETS: Readonly<Record<string, number>> = { crun: 1.5, runc: 0.5 };

/** A line: our time, then each other's and the ratio. */
function verbRow(
  name: string,
  verb: Verb,
  own: VerbTurns,
  others: readonly VerbTurns[],
  most: Readonly<Record<string, number>>,
): string[] {
  const cells = others.flatMap((other) => {
    const ratio = ratioOf(own, other, verb);
    const limit = most[other.runtime];
    const met = limit === undefined ? '' : ` (${target(ratio, limit)})`;
    return [milliseconds(medianOf(other, verb)), ratio.toFixed(2) + met];
  });
  return [name, milliseconds(medianOf(own, verb)), ...cells];
}

async function measureEngine(place: Place, empty: string, bounds: Bounds): Promise<void> {
  const bundle = makeEngineBundle(place);
  const runtimes = findRuntimes(place, true).filter((runtime) => {
    const problem = tryOnce(runtime.command(['create', '--bundle', bundle, 'bench-try']));
    if (problem !== undefined) say(`${runtime.name} does not run here: ${problem}\n`);
    else Bun.spawnSync(runtime.remove('bench-try'));
    return problem === undefined;
  });
  const until = Bun.nanoseconds() + LONGEST * 1e9;
  const plans = planning(runtimes[0]!);
  const [ours, planned, ...others] = await measureVerbs([runtimes[0]!, plans, ...runtimes.slice(1)], bundle, {
    ...bounds,
    until,
  });
  const rows = [
    ...VERBS.map((verb) => verbRow(`\`${verb}\``, verb, ours!, others, VERB_TARGETS)),
    ...PLANNED.map((verb) => verbRow(`\`${verb}\` that is planned`, verb, planned!, others, {})),
  ];
  const many: number[] = [];
  for (const runtime of runtimes) many.push(await measureMany(runtime, bundle, AT_ONCE));
  rows.push([
    `${AT_ONCE} × create, start, delete --force`,
    milliseconds(1000 * many[0]!),
    ...many.slice(1).flatMap((seconds) => [milliseconds(1000 * seconds), (many[0]! / seconds).toFixed(2)]),
  ]);
  const head = others.flatMap(({ runtime }) => [`\`${runtime}\`, ms`, 'ratio']);
  say(formatTable(['what an engine calls', '`tinyrun`, ms', ...head], rows));
  say(`The bundle is as engines write it: a seccomp profile of 350 names, 14 capabilities, limits of memory, processor and
pids.
`);
  await sayVerbBudgets(plans, empty, bundle, { ...bounds, until: Bun.nanoseconds() + LONGEST * 1e9 });
  const memory = runtimes.map((runtime) => {
    const pss = measureCreated(runtime, bundle);
    return [
      `\`${runtime.name} create\``,
      String(pss),
      runtime.name === 'tinyrun' ? target(pss, 64, ' KB') : '',
    ];
  });
  say(formatTable(['memory of a created container, KB', 'PSS', 'target'], memory));
}

async function measureContainers(place: Place, bounds: Bounds): Promise<void> {
  const until = Bun.nanoseconds() + LONGEST * 1e9;
  const times = await measureLists(place, { ...bounds, until });
  const rows = times.map(({ command, many, one }) => [
    `\`${command}\``,
    milliseconds(many),
    milliseconds(one),
    ((1000 * (many - one)) / MANY).toFixed(0),
  ]);
  say(formatTable([`with ${MANY} containers`, 'ms', 'with one, ms', 'each, µs'], rows));
}

async function sayVerbBudgets(
  planned: Runtime,
  empty: string,
  bundle: string,
  bounds: Bounds,
): Promise<void> {
  const budgets = await measureVerbBudgets(planned, empty, bundle, bounds);
  const rows = budgets.create.map(({ name }, i) => [
    name,
    ...PLANNED.map((verb) => budgets[verb][i]!.ms.toFixed(2)),
  ]);
  say(
    formatTable(
      ['where the time of a verb goes that is planned', ...PLANNED.map((verb) => `\`${verb}\`, ms`)],
      rows,
    ),
  );
}

async function main(): Promise<void> {
  const runs = readRuns(process.argv.slice(2));
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      process.exitCode = 128 + constants.signals[name];
      stop.abort(new Error(`interrupted by ${name}`));
    });
  const bounds: Bounds = { runs, signal: stop.signal, until: Bun.nanoseconds() + LONGEST * 1e9 };

  const hidden = hideUnifiedCgroups();
  const load = loadavg()[0]!.toFixed(1);
  say(`Linux ${release()}, ${cpus().length} processors, load ${load}; ${versions()}

Each line is two commands run in turns, A B A B ..., ${runs} times each. Times are medians, from fork to wait; the ratio is
the median of tinyrun's time divided by the other's of the same turn, so that a busy machine slows both and leaves it
alone: compare ratios between machines, not times. Below 1, tinyrun is faster. tinyrun uses the programs of earlier
calls, which take no JavaScript, but where it says that it plans. crun runs without cgroups${
    hidden
      ? ', and\ncgroup version 2 is hidden from all, since crun refuses machines that have both versions'
      : ''
  }.
`);
  await withPlace(async (place) => {
    await measureSpeed(place, bounds);
    const empty = buildEmpty(place);
    await measureEngine(place, empty, bounds);
    await measureLog(place, bounds);
    await measureStages(place, bounds);
    await measureMemories(place, bounds);
    await measureContainers(place, bounds);
    await measureMounts(place, { ...bounds, until: Bun.nanoseconds() + LONGEST * 1e9 }, say);
    await measureStart(empty, bounds);
    say(await measureLayers(place, { ...bounds, until: Bun.nanoseconds() + LONGEST * 1e9 }));
    say(await measureVolumes(place.dir, empty, { ...bounds, until: Bun.nanoseconds() + LONGEST * 1e9 }));
    say(await measureClones(place.dir, bounds));
    say(await measureImport(place.dir, bounds));
  });
}

/** `--runs N`. */
function readRuns(words: readonly string[]): number {
  if (words.length === 0) return RUNS;
  const [name, value = ''] = words[0]!.includes('=') ? words[0]!.split('=') : words;
  if (name !== '--runs' || !/^[1-9]\d*$/.test(value)) {
    console.error(`bench: ${words.join(' ')}: not understood; try: npm run bench -- --runs ${RUNS}`);
    process.exit(2);
  }
  return Number(value);
}

await main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode ??= 1;
});
