// Commands that take seconds, as shell scripts: each in turn with what it is measured by, with its time and memory.

import { mkdirSync } from 'node:fs';
import { assertNotInterrupted, type Bounds, median } from './measure.ts';
import { target } from './table.ts';

const ROUNDS = 3;
/** Milliseconds after which a command is killed. */
const LONGEST = 120_000;

export interface Contestant {
  name: string;
  /** `$OUT` is a folder of its own, which goes afterwards. */
  script: string;
  /** Times the one that it is measured by; undefined: it is measured by none. */
  by?: { name: string; most?: number };
}

/**
 * In turns; one that does not run here is left out, with its reason.
 * @param dir a folder on a disk, which takes what the scripts make
 * @returns rows: name, seconds, MB, ratio, target
 */
export async function measureGroup(
  dir: string,
  group: readonly Contestant[],
  bounds: Bounds,
): Promise<string[][]> {
  const results = new Map<string, { seconds: number[]; memory: number }>();
  const left: string[][] = [];
  for (let round = 0; round < ROUNDS; round++)
    for (const { name, script, by } of group) {
      await assertNotInterrupted(bounds.signal);
      if (left.some(([other]) => other === name)) continue;
      const result = timeScript(dir, script);
      if (typeof result === 'string') {
        if (by?.most !== undefined || by === undefined) throw new Error(`${script}: ${result}`);
        left.push([name, 'does not run here', '', '', result]);
        continue;
      }
      const all = results.get(name) ?? { seconds: [], memory: 0 };
      all.seconds.push(result.seconds);
      all.memory = Math.max(all.memory, result.memory);
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

/** From fork to wait, and the largest process of it; or why it failed. */
function timeScript(dir: string, script: string): { seconds: number; memory: number } | string {
  const out = `${dir}/out`;
  mkdirSync(out);
  // What the last one has left to write is not this one's to wait for.
  Bun.spawnSync(['sync', '-f', out]);
  const begin = Bun.nanoseconds();
  const child = Bun.spawnSync(['sh', '-c', script], {
    env: { ...process.env, OUT: out },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST,
  });
  const seconds = (Bun.nanoseconds() - begin) / 1e9;
  Bun.spawnSync(['rm', '-rf', out]);
  if (child.exitCode !== 0)
    return child.stderr.toString().trim().split('\n').at(-1) || `exit code ${child.exitCode}`;
  return { seconds, memory: child.resourceUsage?.maxRSS ?? 0 };
}

/** A script that only prepares. @throws where it fails */
export function runScript(script: string): void {
  const { exitCode, stderr } = Bun.spawnSync(['sh', '-c', script], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
}
