// --volumes-from NAME[:MODE]: the mounts of another container, as mounts of this one. Docker's rules: a mount is writable
// if it is there and here; nothing is copied up; propagation and nocopy are no business of this flag.

import { TinyrunError } from '../errors.ts';
import type { VolumeMount } from './mount.ts';
import type { Use, Uses } from './uses.ts';

export interface VolumesFrom {
  container: string;
  readOnly: boolean;
  flag: string;
}

/** Of --volume's, those that say nothing of how it was mounted first. */
const MODES: Readonly<Record<string, readonly string[]>> = {
  access: ['ro', 'rw'],
  label: ['z', 'Z'], // SELinux; without it, there is nothing to relabel
  consistency: ['consistent', 'cached', 'delegated'],
};

/**
 * Parses the value of --volumes-from.
 * @throws TinyrunError USAGE, in Docker's words
 * @example parseVolumesFrom('db:ro')
 */
export function parseVolumesFrom(text: string): VolumesFrom {
  if (text === '')
    throw new TinyrunError('USAGE', 'volumes-from specification cannot be an empty string', {
      hint: 'write --volumes-from CONTAINER, or CONTAINER:ro',
    });
  const colon = text.indexOf(':');
  const container = colon < 0 ? text : text.slice(0, colon);
  const modes = colon < 0 ? '' : text.slice(colon + 1);
  if (container === '')
    throw new TinyrunError('USAGE', `invalid volumes-from specification: '${text}'`, {
      hint: 'write --volumes-from CONTAINER, or CONTAINER:ro',
    });
  const options = modes === '' ? [] : modes.split(',');
  const groups = options.map((option) => Object.keys(MODES).find((name) => MODES[name]!.includes(option)));
  if (groups.includes(undefined) || new Set(groups).size < groups.length)
    throw new TinyrunError('USAGE', `invalid mode: ${modes}`, {
      hint: `of --volumes-from ${text} there are ro or rw, z or Z; propagation and nocopy are as the other container has them`,
    });
  return { container, readOnly: options.includes('ro'), flag: `--volumes-from ${text}` };
}

/** The mounts of a container, as mounts of another. */
export function inheritUses({ mounts }: Uses, { readOnly, flag }: VolumesFrom): Use[] {
  return mounts
    .filter(({ request, attached }) => attached === undefined && !request.flag.startsWith('--tmpfs'))
    .map(({ point, request, anonymous }) => ({
      point: { ...point, RW: point.RW && !readOnly },
      request: inherited(request, point, readOnly || !point.RW, flag),
      ...(anonymous && { anonymous }),
    }));
}

function inherited(request: VolumeMount, point: Use['point'], readOnly: boolean, flag: string): VolumeMount {
  return {
    ...request,
    readOnly,
    flag,
    ...(request.type === 'volume' && {
      source: point.Name ?? '',
      volume: { ...request.volume, nocopy: true },
    }),
  };
}
