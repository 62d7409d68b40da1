// A seccomp profile -> a filter, through libseccomp. Loaded only where no filter of an earlier run fits.

import { FilterBuilder } from '../../native-bindings/seccomp.ts';
import { TinyrunError } from '../errors.ts';
import type { Seccomp } from '../oci/config.ts';
import { enosysStub, wantsEnosys } from '../seccomp/enosys.ts';
import { type Profile, readProfile } from '../seccomp/profile.ts';
import { architectures, INSTRUCTION, MOST_INSTRUCTIONS, NATIVE } from '../seccomp/tables.ts';
import type { Arch } from '../sys/syscalls.ts';
import { readText } from './probe.ts';

export interface Compiled {
  filter: Uint8Array;
  /** Names that no architecture has: rules for them are left out. */
  unknown: readonly string[];
  /** The library's version. */
  about: string;
  /** The library's file, if it can be told. */
  library: string | undefined;
}

/** From here on a tree is faster than a list, and no version of the library gets it wrong. */
const MANY_NAMES = 32;

/**
 * Compiles a profile.
 * @throws TinyrunError
 */
export function compileProfile(seccomp: Seccomp, arch: Arch): Compiled {
  const profile = readProfile(seccomp);
  const builder = new FilterBuilder(profile.defaultAction);
  try {
    for (const name of profile.architectures) builder.addArchitecture(name, architectures[name]!);
    if (profile.names > MANY_NAMES) builder.sortAsTree();
    const unknown = addRules(builder, profile);
    const own = builder.export();
    const stub = wantsEnosys(profile.defaultAction) ? enosysStub(findLargest(builder, seccomp, arch)) : [];
    const filter = new Uint8Array([...stub, ...own]);
    const count = filter.length / INSTRUCTION;
    if (count > MOST_INSTRUCTIONS)
      throw new TinyrunError(
        'CONFIG',
        `/linux/seccomp: the filter has ${count} instructions, and the kernel takes ${MOST_INSTRUCTIONS}`,
      );
    return { filter, unknown: [...unknown], about: builder.about(), library: findLibrary() };
  } finally {
    builder.release();
  }
}

function addRules(builder: FilterBuilder, { rules }: Profile): Set<string> {
  const unknown = new Set<string>();
  for (const { name, action, conditions, from } of rules) {
    const number = builder.resolve(name);
    if (number === undefined) {
      unknown.add(name);
      continue;
    }
    const problem = builder.addRule(action, number, conditions);
    if (problem !== undefined)
      throw new TinyrunError('CONFIG', `${from}: add the seccomp rule for ${name}: ${problem}`);
  }
  return unknown;
}

/** The largest number that the profile names, whatever it says of it, for each architecture. */
function findLargest(
  builder: FilterBuilder,
  { architectures: listed = [], syscalls = [] }: Seccomp,
  arch: Arch,
): Map<string, number> {
  const largest = new Map<string, number>();
  for (const name of new Set([NATIVE[arch], ...listed])) {
    let most = -1;
    for (const { names } of syscalls)
      for (const call of names) most = Math.max(most, builder.resolveFor(architectures[name]!, call));
    if (most >= 0) largest.set(name, most);
  }
  return largest;
}

/** The file that the library was loaded from. */
function findLibrary(): string | undefined {
  const maps = readText('/proc/self/maps', 1 << 20);
  return typeof maps === 'number' ? undefined : /\/\S*\/libseccomp\.so\S*/.exec(maps)?.[0];
}
