// What the `prune` commands say, as Docker does: what they have removed, and how much room that gives.

import { print } from '../runtime/log.ts';
import { humanSize } from './format/human.ts';

/** What a prune has done. */
export interface Pruned {
  /** `Deleted Volumes`; of a dry run another word. */
  heading: string;
  /** What was removed. */
  lines: readonly string[];
  /** Bytes. */
  reclaimed: number;
  /** Exit code: what could not be removed was told. */
  code: number;
}

/** Prints what was done, kind by kind. Returns the exit code. */
export function printPruned(...kinds: readonly Pruned[]): number {
  const lists = kinds
    .filter(({ lines }) => lines.length > 0)
    .map(({ heading, lines }) => `${heading}:\n${lines.join('\n')}\n\n`);
  const reclaimed = kinds.reduce((sum, kind) => sum + kind.reclaimed, 0);
  print(1, `${lists.join('')}Total reclaimed space: ${humanSize(reclaimed)}\n`);
  return Math.max(...kinds.map(({ code }) => code));
}
