// The options of the driver `local`, and what they mean together: Docker's rules and words.

import { TinyrunError } from '../../errors.ts';
import { parseSize } from '../size.ts';

type Options = Readonly<Record<string, string>>;

/** Option -> those that it cannot do without. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['device', 'type'],
  size: [],
};

const invalid = (name: string, message: string, hint?: string): TinyrunError =>
  new TinyrunError('USAGE', `create ${name}: ${message}`, { hint });

/**
 * Refuses options that mean nothing.
 * @param name of the volume, for messages
 * @throws TinyrunError USAGE in Docker's words
 */
export function assertLocalOptions(name: string, options: Options): void {
  for (const option of Object.keys(options))
    if (!Object.hasOwn(KNOWN, option))
      throw invalid(name, `invalid option: ${JSON.stringify(option)}`, 'local has type, o, device and size');
  for (const option of Object.keys(options))
    for (const needed of KNOWN[option]!)
      if (options[needed] === undefined)
        throw invalid(name, `missing required option: ${JSON.stringify(needed)}`);
  const { size, type, device = '' } = options;
  if (type === 'cifs' && /^\/\/[^/]+:\d+(\/|$)/.test(device))
    throw invalid(name, "port not allowed in CIFS device URL, include 'port' in 'o='");
  if (size === undefined) return;
  volumeSize(name, size);
  if (type !== undefined && type !== 'tmpfs')
    throw invalid(
      name,
      `option "size" is for type=tmpfs, or for no type at all, not for type=${type}`,
      `a filesystem of type ${type} has the size of its device`,
    );
}

/** What ext4 takes at least. */
const LEAST_SIZE = 1 << 20;

/**
 * The bytes of a volume's size.
 * @throws TinyrunError USAGE
 */
export function volumeSize(name: string, text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw invalid(name, `invalid size: '${text}'`, 'write it as 10m or 1g');
  if (bytes < LEAST_SIZE) throw invalid(name, `size ${text} is out of range`, 'it must be at least 1m');
  return bytes;
}
