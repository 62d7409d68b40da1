// --cap-add, --cap-drop and --privileged -> the capabilities of a container, by Docker's rules.

import { TinyrunError } from '../errors.ts';
import { capabilities } from '../sys/capabilities.ts';
import { DEFAULT_CAPABILITIES } from './defaults.ts';

const ALL = 'ALL';

/**
 * A capability as it was given, in its full form: `net_admin` -> `CAP_NET_ADMIN`; `all` -> `ALL`.
 * @param flag `CapAdd` or `CapDrop`, for the message
 * @throws TinyrunError USAGE in Docker's words
 */
export function normalizeCapability(text: string, flag: 'CapAdd' | 'CapDrop'): string {
  const upper = text.trim().toUpperCase();
  if (upper === ALL || upper === 'CAP_ALL') return ALL;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (Object.hasOwn(capabilities, name)) return name;
  throw new TinyrunError('USAGE', `invalid ${flag}: unknown capability: "${name}"`, {
    hint: 'capabilities(7) has their names',
  });
}

/**
 * @param added and `dropped`: as normalizeCapability gives them
 * @param known those that the host can grant: what `ALL` is
 */
export function grantedCapabilities(
  added: readonly string[],
  dropped: readonly string[],
  privileged: boolean,
  known: readonly string[],
): string[] {
  if (privileged) return [...known];
  if (added.includes(ALL)) return known.filter((name) => !dropped.includes(name));
  if (dropped.includes(ALL)) return [...new Set(added)];
  return [...new Set([...DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name)), ...added])];
}

/** The capabilities of a bounding set. */
export const capabilitiesOf = (bounding: bigint): string[] =>
  Object.entries(capabilities)
    .filter(([, bit]) => ((bounding >> BigInt(bit)) & 1n) === 1n)
    .map(([name]) => name);
