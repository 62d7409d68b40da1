// Commands that take seconds, as shell scripts: each in turn with what it is measured by, with its time and memory.

import { mkdtempSync, readFileSync } from 'node:fs';
import { childrenOf } from '../test/support/steps.ts';
import { assertNotInterrupted, type Bounds, median } from './measure.ts';
import { target } from './table.ts';

const ROUNDS = 3;
/** Milliseconds after which a command is killed. */
const LONGEST = 120_000;

export interface Contestant {
  name: string;
  /** `$OUT` is a folder of its own, which stays. */
  script: string;
  /** Times the one that it is measured by; undefined: it is measured by none. */
  by?: { name: string; most?: number };
}

/**
 * In turns; one that does not run here is left out, with its reason.
 * @param disk takes what the scripts make (disk.ts)
 * @returns rows: name, seconds, MB, ratio, target
 */
export async function measureGroup(
  disk: string,
  group: readonly Contestant[],
  bounds: Bounds,
): Promise<string[][]> {
  const results = new Map<string, { seconds: number[]; memory: number }>();
  const left: string[][] = [];
  // Memory in a round of its own: to look for it takes time on a machine of few processors.
  for (let round = 0; round <= ROUNDS; round++)
    for (const { name, script, by } of group) {
      await assertNotInterrupted(bounds.signal);
      if (left.some(([other]) => other === name)) continue;
      const result = await timeScript(mkdtempSync(`${disk}/o-`), script, round === ROUNDS);
      if (typeof result === 'string') {
        if (by?.most !== undefined || by === undefined) throw new Error(`${script}: ${result}`);
        left.push([name, 'does not run here', '', '', result]);
        continue;
      }
      const all = results.get(name) ?? { seconds: [], memory: 0 };
      if (result.memory === undefined) all.seconds.push(result.seconds);
      else all.memory = result.memory;
      results.set(name, all);
    }
  const rows = group.flatMap(({ name, by }) => {
    const own = results.get(name);
    if (own === undefined) return [];
    const other = by && results.get(by.name);
    const ratio = other && median(own.seconds.map((seconds, i) => seconds / other.seconds[i]!));
    return [
      [
        name,
        median(own.seconds).toFixed(2),
        String(Math.round(own.memory / 1e6)),
        ratio?.toFixed(2) ?? '',
        ratio !== undefined && by?.most !== undefined ? target(ratio, by.most) : '',
      ],
    ];
  });
  return [...rows, ...left];
}

/** From fork to wait, and where `look` says so the largest process of it; or why it failed. */
async function timeScript(
  out: string,
  script: string,
  look: boolean,
): Promise<{ seconds: number; memory: number | undefined } | string> {
  // What the last one has left to write is not this one's to wait for.
  Bun.spawnSync(['sync', '-f', out]);
  touchMemory();
  const begin = Bun.nanoseconds();
  const child = Bun.spawn(['sh', '-c', script], {
    env: { ...process.env, OUT: out },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST,
  });
  const memory = look ? await largestOf(child) : undefined;
  await child.exited;
  const seconds = (Bun.nanoseconds() - begin) / 1e9;
  const said = await new Response(child.stderr).text();
  if (child.exitCode !== 0) return said.trim().split('\n').at(-1) || `exit code ${child.exitCode}`;
  return { seconds, memory };
}

/** Bytes that a script will have in memory, its files in the page cache included. */
const MEMORY = 1.5e9;

/**
 * The host of a virtual machine takes back memory that is free, and gives it again page by page, which takes longer than what is
 * measured. What was in use a moment ago it has not taken back yet.
 */
function touchMemory(): void {
  Bun.spawnSync([process.execPath, '-e', `new Uint8Array(${MEMORY}).fill(1)`]);
}

/** Between two looks at processes that run; milliseconds. */
const LOOK_MS = 20;

/**
 * Waits for the end of a process; bytes that the largest of it and its children ever had in memory. Looked up while they run:
 * what wait4(2) says counts what this process had when it made them.
 */
async function largestOf(child: { pid: number; exited: Promise<unknown> }): Promise<number> {
  let largest = 0;
  let running = true;
  void child.exited.then(() => {
    running = false;
  });
  while (running) {
    for (const pid of familyOf(child.pid)) largest = Math.max(largest, peakOf(pid));
    await Promise.race([child.exited, Bun.sleep(LOOK_MS)]);
  }
  return largest;
}

const familyOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(familyOf)];

/** VmHWM of proc_pid_status(5); 0 where the process has ended. */
function peakOf(pid: number): number {
  try {
    const [, kilobytes = 0] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return 1024 * Number(kilobytes);
  } catch {
    return 0;
  }
}

/** A script that only prepares. @throws where it fails */
export function runScript(script: string): void {
  const { exitCode, stderr } = Bun.spawnSync(['sh', '-c', script], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
}
