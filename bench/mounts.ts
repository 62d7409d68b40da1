// What mounts cost: each volume or bind of a `run`, beside what crun and bwrap take for a bind; the way of data through a
// volume, beside the host's own; and filling a new volume, beside cp(1).

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../src/oci/config.ts';
import type { Place } from './bundle.ts';
import { withNewDisk } from './disk.ts';
import { type Bounds, isOver, median, runTimed } from './measure.ts';
import { findRuntimes, findSandboxes, tinyrunCommand } from './runtimes.ts';
import { formatTable, milliseconds, target } from './table.ts';

const COUNTS = [1, 10, 100] as const;
const FILES = 20_000;
const GIB = 1024;
const BUSYBOX = '/usr/bin/busybox';
/** A filled volume may take so many times what `cp -a` does. */
const MOST = 1.3;

/** A disk that others use as well may need minutes for a gigabyte. */
const PATIENCE_MS = 300_000;

/** Measures all three; `say` is given Markdown. */
export async function measureMounts(
  place: Place,
  bounds: Bounds,
  say: (text: string) => void,
): Promise<void> {
  say(await measureSlopes(place, bounds));
  if (Bun.which(BUSYBOX) !== null) say(await measureThroughput(place, bounds));
  say(await measureFilling(place, bounds));
}

/** Milliseconds of each command, the medians of turns that all of them take. */
async function inTurns(commands: readonly (readonly string[])[], bounds: Bounds): Promise<number[]> {
  const times = commands.map((): number[] => []);
  for (let done = -1; !(await isOver(bounds, done)); done++)
    for (const [i, command] of commands.entries()) {
      const ms = timeOf(command);
      if (done >= 0) times[i]!.push(ms);
    }
  return times.map(median);
}

function timeOf(command: readonly string[]): number {
  const { exitCode, ms } = runTimed(command, PATIENCE_MS);
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: exit code ${exitCode}`);
  return ms;
}

// The cost of each

async function measureSlopes(place: Place, bounds: Bounds): Promise<string> {
  const sources = Array.from({ length: COUNTS[2] }, (_, i) => join(place.dir, 'sources', `${i}`));
  for (const [i, source] of sources.entries()) {
    mkdirSync(source, { recursive: true });
    mkdirSync(join(place.rootfs, `m${i}`), { recursive: true });
  }
  const rows: string[][] = [];
  for (const [name, command] of commandsOf(place, sources)) {
    const times = await inTurns(COUNTS.map(command), bounds);
    const each = (1000 * (times[2]! - times[0]!)) / (COUNTS[2] - COUNTS[0]);
    rows.push([name, ...times.map(milliseconds), each.toFixed(0)]);
  }
  return formatTable(['running `true` with mounts, ms', ...COUNTS.map(String), 'each, µs'], rows);
}

type Command = (count: number) => string[];

function commandsOf(place: Place, sources: readonly string[]): [string, Command][] {
  const own = tinyrunCommand(place);
  const flags = (count: number, source: (i: number) => string): string[] =>
    Array.from({ length: count }, (_, i) => ['-v', `${source(i)}:/m${i}`]).flat();
  const bwrap = findSandboxes(place).find(({ name }) => name.includes('bwrap'));
  const crun = findRuntimes(place, false).find(({ name }) => name === 'crun');
  return [
    ['`tinyrun run`, volumes', (n) => [...own, 'run', ...flags(n, (i) => `volume-${i}`), place.bundles.true]],
    ['`tinyrun run`, binds', (n) => [...own, 'run', ...flags(n, (i) => sources[i]!), place.bundles.true]],
    [
      '`tinyrun run`, binds, planned',
      (n) => [...own, '--debug', 'run', ...flags(n, (i) => sources[i]!), place.bundles.true],
    ],
    ...(crun === undefined
      ? []
      : [
          ['`crun run`, binds', (n: number) => crun.run(bundleWith(place, sources.slice(0, n)), 'bench')] as [
            string,
            Command,
          ],
        ]),
    ...(bwrap === undefined
      ? []
      : [
          ['`bwrap`, binds', (n: number) => withBinds(bwrap.command, sources.slice(0, n))] as [
            string,
            Command,
          ],
        ]),
  ];
}

/** In front of the program's own two words. */
const withBinds = (command: readonly string[], sources: readonly string[]): string[] => [
  ...command.slice(0, -2),
  ...sources.flatMap((source, i) => ['--bind', source, `/m${i}`]),
  ...command.slice(-2),
];

function bundleWith({ dir, bundles }: Place, sources: readonly string[]): string {
  const path = join(dir, `binds-${sources.length}`);
  mkdirSync(path, { recursive: true });
  const config: Config = JSON.parse(readFileSync(join(bundles.true, 'config.json'), 'utf8'));
  for (const [i, source] of sources.entries())
    config.mounts?.push({ destination: `/m${i}`, type: 'bind', source, options: ['rbind', 'rprivate'] });
  writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  return path;
}

// Data

/** The same dd(1) in a volume and in its directory on the host. */
async function measureThroughput(place: Place, bounds: Bounds): Promise<string> {
  copyFileSync(BUSYBOX, join(place.rootfs, 'busybox'));
  const own = tinyrunCommand(place);
  const data = join(place.dir, 'tinyrun-data/volumes/speed/_data');
  const inside = (...words: string[]) => [
    ...own,
    'run',
    '-v',
    'speed:/m0',
    place.bundles.true,
    '--',
    '/busybox',
    ...words,
  ];
  timeOf(inside('true'));
  const few = { ...bounds, runs: Math.min(bounds.runs, 5) };
  const rows: string[][] = [];
  for (const [name, words] of [
    ['writing 512 MiB', (path: string) => ['dd', 'if=/dev/zero', `of=${path}/file`, 'bs=1M', 'count=512']],
    ['reading them', (path: string) => ['dd', `if=${path}/file`, 'of=/dev/null', 'bs=1M']],
  ] as const) {
    const [start = 0, there = 0, here = 0] = await inTurns(
      [inside('true'), inside(...words('/m0')), [BUSYBOX, ...words(data)]],
      few,
    );
    rows.push([name, milliseconds(here), milliseconds(there - start), ((there - start) / here).toFixed(2)]);
  }
  rmSync(join(data, 'file'));
  return formatTable(['data of a volume', 'on the host, ms', 'in a container, ms', 'ratio'], rows);
}

// Filling

async function measureFilling(place: Place, bounds: Bounds): Promise<string> {
  const rows: string[][] = [];
  const few = { ...bounds, runs: Math.min(bounds.runs, 3) };
  for (const [name, make] of [
    [`${FILES} files`, makeFiles],
    ['one file of 1 GiB', makeGiant],
  ] as const) {
    const source = join(place.rootfs, 'filled');
    mkdirSync(source);
    make(source);
    const { fill, copy, ratio } = await withNewDisk(place.dir, 'ext4', (disk) =>
      fillInTurns({ ...place, dir: disk }, source, few),
    );
    rmSync(source, { recursive: true });
    rows.push([name, milliseconds(copy), milliseconds(fill), ratio.toFixed(2), target(ratio, MOST)]);
  }
  return formatTable(['filling a new volume', '`cp -a`, ms', '`run -v`, ms', 'ratio', 'target'], rows);
}

function makeFiles(directory: string): void {
  for (let i = 0; i < FILES; i++) {
    if (i % 200 === 0) mkdirSync(join(directory, `d${i}`));
    writeFileSync(join(directory, `d${i - (i % 200)}`, `file-${i}`), `${i}\n`.repeat(i % 300));
  }
}

function makeGiant(directory: string): void {
  timeOf(['dd', 'if=/dev/urandom', `of=${directory}/giant`, 'bs=1M', `count=${GIB}`, 'status=none']);
}

/** The volumes and the copies are on the same filesystem, and new each time; what a run takes besides is taken off. */
async function fillInTurns(
  place: Place,
  source: string,
  bounds: Bounds,
): Promise<{ fill: number; copy: number; ratio: number }> {
  const own = tinyrunCommand(place);
  const run = (...flags: string[]) => [...own, 'run', ...flags, place.bundles.true];
  const turns: { fill: number; copy: number }[] = [];
  timeOf(run('-v', 'empty:/m0'));
  for (let done = -1; !(await isOver(bounds, done)); done++) {
    const start = timeOf(run('-v', 'empty:/m0'));
    const fill = timeOf(run('-v', `filled-${done}:/filled`)) - start;
    Bun.spawnSync(['sync', '-f', place.dir]); // what the one has left to write is not the other's to wait for
    const copy = timeOf(['cp', '-a', source, join(place.dir, `copied-${done}`)]);
    Bun.spawnSync(['sync', '-f', place.dir]);
    if (done >= 0) turns.push({ fill, copy });
  }
  return {
    fill: median(turns.map(({ fill }) => fill)),
    copy: median(turns.map(({ copy }) => copy)),
    ratio: median(turns.map(({ fill, copy }) => fill / copy)),
  };
}
