// Volumes that a bundle names itself: in config.json a mount of type `volume`, whose source is the volume's name, or is
// missing, and whose options are those of -v. Only who names a bundle by its path has written its config: an engine's
// config speaks of mounts that are there, and an image's words in it must not choose what of the host is mounted.

import { TinyrunError } from '../errors.ts';
import type { Mount } from '../oci/config.ts';
import { parseVolumeFlag } from './flag.ts';
import type { VolumeMount } from './mount.ts';

/** Whether an entry of config.json's mounts is a volume of ours. */
export const isVolume = ({ type }: Mount): boolean => type === 'volume';

/**
 * Reads a mount of type volume.
 * @param from its JSON pointer
 * @throws TinyrunError CONFIG for what cannot be a volume
 */
export function parseConfigVolume(
  { destination, source = '', options = [] }: Mount,
  from: string,
): VolumeMount {
  if (/[/:]/.test(source))
    throw new TinyrunError('CONFIG', `${from}/source: ${JSON.stringify(source)} is no name of a volume`, {
      hint: 'a directory of the host is bound by the option rbind, without a type',
    });
  if (destination.includes(':'))
    throw new TinyrunError('CONFIG', `${from}/destination: a volume's destination has no colon`);
  const access = options.length === 0 ? 'rw' : options.join(',');
  // An anonymous one has no room for options in this grammar: it is parsed under a name that is dropped again.
  const text = `${source === '' ? 'anonymous' : source}:${destination}:${access}`;
  try {
    const { source: name, mode: _, ...mount } = parseVolumeFlag(text, '/');
    return { ...mount, ...(source !== '' && name !== undefined && { source: name }), mode: '', flag: from };
  } catch (error) {
    if (!(error instanceof TinyrunError)) throw error;
    throw new TinyrunError('CONFIG', `${from}: ${error.message}`, { cause: error });
  }
}
