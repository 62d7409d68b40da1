// How an image came to be, the newest step first: `image history`.

import type { HistoryEntry } from './config.ts';
import type { Image } from './store.ts';

export interface HistoryStep extends HistoryEntry {
  /** Chain id of the layer that the step made; undefined: none. */
  layer: string | undefined;
}

/**
 * The steps of an image, each with its layer. Entries say themselves whether they have one; layers that no entry is left for
 * get steps of their own, since nobody is obliged to write a history.
 */
export function historyOf({ config, layers }: Image): HistoryStep[] {
  const left = [...layers];
  const steps: HistoryStep[] = (config.history ?? []).map((entry) => ({
    ...entry,
    layer: entry.empty_layer ? undefined : left.shift(),
  }));
  return [...steps, ...left.map((layer) => ({ layer }))].reverse();
}
