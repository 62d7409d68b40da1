// The filters of `volume ls` and `volume prune`. Of one key several: any of them holds; of labels, all.

import type { Volume } from '../volume/volume.ts';
import { anyHolds, type Filters, isTrue, labelsMatch } from './filters.ts';

/** What a filter may ask for; `all` is for `prune` alone, which looks at it itself. */
export type VolumeFilter = 'all' | 'anonymous' | 'dangling' | 'driver' | 'label' | 'label!' | 'name';

/**
 * Whether a volume is one of those asked for.
 * @param isUsed tells whether a container uses it; only called where that is asked for
 */
export const matches = (
  volume: Pick<Volume, 'name' | 'driver' | 'labels' | 'anonymous'>,
  filters: Filters<VolumeFilter>,
  isUsed: (name: string) => boolean,
): boolean =>
  anyHolds(filters, 'dangling', (value) => isUsed(volume.name) !== isTrue(value)) &&
  anyHolds(filters, 'anonymous', (value) => volume.anonymous === isTrue(value)) &&
  anyHolds(filters, 'driver', (value) => volume.driver === value) &&
  anyHolds(filters, 'name', (value) => matchesName(volume.name, value)) &&
  labelsMatch(volume.labels ?? {}, filters);

/** A part of the name, or a regular expression for one. */
function matchesName(name: string, pattern: string): boolean {
  if (name.includes(pattern)) return true;
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false; // no expression, and no part of the name
  }
}
