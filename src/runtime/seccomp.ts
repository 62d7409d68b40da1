// The filter of a container: one of an earlier run where the profile is the same, else compiled. Compiling takes
// milliseconds and a library; looking up takes neither.
//
//   STATE_ROOT/.seccomp/KEY     how it was made (JSON), the profile, the filter
//   KEY                         a hash of this build, the architecture, the kernel and all of the profile that makes the filter
//
// Whether a filter is the one for a profile is not left to a hash of 64 bits: the profile is in the file, and compared. That
// is also faster than a hash that nobody can forge, of which the first one in a process takes a tenth of a millisecond.

import { TinyrunError } from '../errors.ts';
import type { Seccomp } from '../oci/config.ts';
import type { HostFacts } from '../plan/host.ts';
import type { SeccompInput } from '../plan/input.ts';
import { canonicalProfile, readFlags, wantsListener } from '../seccomp/profile.ts';
import { findKept, keep } from './kept.ts';
import type { Log } from './log.ts';
import { stampOf } from './probe.ts';
import type { Compiled } from './seccomp-compile.ts';

/** A digest of all sources, set by scripts/build.ts: filters of another build are never used. */
declare const TINYRUN_BUILD: string | undefined;

/** What is kept beside a filter. */
interface Header {
  /** Hash of the profile and the filter: a flipped bit in it would be a hole. */
  sum: string;
  /** Bytes of the profile. */
  profile: number;
  /** The library that made it: another one may know more calls. */
  library: { path: string; stamp: string };
  /** Names in the profile that no architecture has. */
  unknown: string[];
}

const FOLDER = '.seccomp';
const MOST_FILTERS = 100;
/** The kernel takes no longer path of a socket: unix(7). */
const LONGEST_SOCKET_PATH = 107;

const utf8 = new TextEncoder();
const decoder = new TextDecoder();
const hash = (value: string | Uint8Array): string => Bun.hash(value).toString(16);

/**
 * The filter for a profile whose types are checked.
 * @param root of the state, where filters are kept; undefined: nothing is written
 * @throws TinyrunError where the profile says something invalid, or the library is missing
 */
export async function gatherSeccomp(
  seccomp: Seccomp,
  host: HostFacts,
  root: string | undefined,
  log: Log,
): Promise<SeccompInput> {
  const flags = readFlags(seccomp);
  const { filter, unknown } = await findOrCompile(seccomp, host, root, log);
  if (unknown.length > 0)
    log.debug(`seccomp: no architecture here has ${unknown.join(', ')}: rules for them are left out`);
  log.debug(`seccomp filter: ${filter.length / 8} instructions, flags ${flags.join('|') || 'none'}`);
  return { filter, flags, ...(wantsListener(seccomp) ? { listener: listenerOf(seccomp) } : {}) };
}

function listenerOf({ listenerPath = '', listenerMetadata = '' }: Seccomp): SeccompInput['listener'] {
  const at = '/linux/seccomp/listenerPath';
  if (!listenerPath.startsWith('/'))
    throw new TinyrunError('CONFIG', `${at}: ${JSON.stringify(listenerPath)} is not an absolute path`);
  if (utf8.encode(listenerPath).length > LONGEST_SOCKET_PATH)
    throw new TinyrunError('CONFIG', `${at}: a path of a socket has at most ${LONGEST_SOCKET_PATH} bytes`);
  return { path: listenerPath, metadata: listenerMetadata };
}

async function findOrCompile(
  seccomp: Seccomp,
  host: HostFacts,
  root: string | undefined,
  log: Log,
): Promise<{ filter: Uint8Array; unknown: readonly string[] }> {
  const profile = root === undefined ? undefined : keyProfile(seccomp, host);
  const kept = root === undefined || profile === undefined ? undefined : findFilter(root, profile);
  if (kept !== undefined) return kept;
  const { compileProfile } = await import('./seccomp-compile.ts');
  const compiled = compileProfile(seccomp, host.arch);
  log.debug(`seccomp: compiled by ${compiled.about}`);
  if (root !== undefined && profile !== undefined) keepFilter(root, profile, compiled, log);
  return compiled;
}

/** All that a filter depends on, but for the library; undefined outside of a build, where sources change. */
function keyProfile(seccomp: Seccomp, { arch, kernel }: HostFacts): string | undefined {
  if (typeof TINYRUN_BUILD === 'undefined') return undefined;
  return `${TINYRUN_BUILD} ${arch} ${kernel.join('.')} ${canonicalProfile(seccomp)}`;
}

function findFilter(root: string, profile: string): { filter: Uint8Array; unknown: string[] } | undefined {
  const kept = findKept(root, FOLDER, hash(profile));
  if (kept === undefined) return undefined;
  const header = kept.header as Header | null;
  if (header?.sum !== hash(kept.body)) return undefined;
  if (decoder.decode(kept.body.subarray(0, header.profile)) !== profile) return undefined;
  if (stampOf(header.library.path) !== header.library.stamp) return undefined;
  return { filter: kept.body.subarray(header.profile), unknown: header.unknown };
}

function keepFilter(root: string, profile: string, compiled: Compiled, log: Log): void {
  const { filter, library, unknown } = compiled;
  if (library === undefined) return;
  const text = utf8.encode(profile);
  const body = new Uint8Array([...text, ...filter]);
  const header: Header = {
    ...{ sum: hash(body), profile: text.length, unknown: [...unknown] },
    library: { path: library, stamp: stampOf(library) },
  };
  const problem = keep(root, FOLDER, hash(profile), header, body, MOST_FILTERS);
  if (problem !== undefined) log.debug(`the seccomp filter is not kept: ${problem}`);
}
