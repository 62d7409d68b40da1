// Names of volumes: Docker's rules for the local driver, which hold for all drivers here, since a name is a directory's.
// One character is enough.

import { syscall } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';

/** NAME_MAX of <linux/limits.h>. */
const LONGEST = 255;

/** Docker's label of a volume that nobody named: what `prune` and `run --rm` take away. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

/** Whether a text may be a volume's name. */
export const isVolumeName = (text: string): boolean =>
  text.length <= LONGEST && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);

/**
 * Refuses what cannot be a volume's name.
 * @param what is being done, the beginning of the message
 * @throws TinyrunError USAGE in Docker's words
 */
export function assertVolumeName(name: string, what = `create ${name}`): void {
  if (isVolumeName(name)) return;
  const quoted = JSON.stringify(name);
  if (name.length > LONGEST)
    throw new TinyrunError(
      'USAGE',
      `${what}: volume name is too long, at most ${LONGEST} characters are allowed`,
    );
  throw new TinyrunError(
    'USAGE',
    `${what}: ${quoted} includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    { data: { volume: name } },
  );
}

/** A name for a volume that is given none: 64 hexadecimal digits, random, so that no two callers get the same. */
export function newVolumeName(): string {
  const bytes = new Uint8Array(32);
  syscall('make a volume name', 'getrandom', bytes, bytes.length, 0);
  return bytes.toHex();
}
