// `ps` and `inspect` on a host with a thousand containers, beside the same on a host with one: what a list takes more for
// each. The containers have records and have ended; none of them was made, which would take minutes.

import { join } from 'node:path';
import { makeUp } from '../test/support/records.ts';
import type { Place } from './bundle.ts';
import { type Bounds, compare } from './measure.ts';
import { tinyrun } from './runtimes.ts';

export const MANY = 1000;

export interface ListTime {
  command: string;
  /** Milliseconds. */
  many: number;
  one: number;
}

/** Measures each of the commands on both hosts, in turns. */
export async function measureLists(place: Place, bounds: Bounds): Promise<ListTime[]> {
  const hosts = [MANY, 1].map((count) => makeHost(place, count));
  const names = Array.from({ length: MANY }, (_, i) => `c${i}`);
  const commands: [string, string[], string[]?][] = [
    ['ps', ['ps']],
    ['ps -a', ['ps', '-a']],
    ["ps -a --format '{{json .}}'", ['ps', '-a', '--format', '{{json .}}']],
    ['inspect NAME', ['inspect', 'c0']],
    [`inspect of all ${MANY}`, ['inspect', ...names], ['inspect', 'c0']],
  ];
  const times: ListTime[] = [];
  for (const [command, words, alone = words] of commands) {
    const { a, b } = await compare([...hosts[0]!, ...words], [...hosts[1]!, ...alone], bounds);
    times.push({ command, many: a, one: b });
  }
  return times;
}

/** Makes the data root, and gives the command that looks into it. */
function makeHost({ dir }: Place, count: number): string[] {
  const dataRoot = join(dir, `data-${count}`);
  for (let i = 0; i < count; i++)
    makeUp(dataRoot, {
      ...{ digits: i.toString(16).padStart(4, '0'), name: `c${i}`, created: 100 + i, started: 90 },
      exit: { code: i % 3, ago: 80 },
    });
  return [tinyrun, '--root', join(dir, `root-${count}`), '--data-root', dataRoot];
}
