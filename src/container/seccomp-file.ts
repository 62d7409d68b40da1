// A seccomp profile of the user, `--security-opt seccomp=FILE`: Docker's form, whose rules may depend on capabilities, the
// machine and the kernel, or the OCI's, which is a part of it.

import { TinyrunError } from '../errors.ts';
import type { Seccomp, SeccompRule } from '../oci/config.ts';
import { type Json, parseJsonObject } from '../oci/json.ts';
import type { HostFacts } from '../plan/host.ts';

/** When a rule counts. */
interface Filter {
  caps?: string[];
  arches?: string[];
  /** `4.8` */
  minKernel?: string;
}

interface DockerRule extends SeccompRule {
  /** Of older profiles: one name. */
  name?: string;
  includes?: Filter;
  excludes?: Filter;
}

interface DockerProfile extends Omit<Seccomp, 'syscalls'> {
  archMap?: { architecture: string; subArchitectures?: string[] | null }[];
  syscalls?: DockerRule[];
}

/** How Docker's profiles call the machines. */
const MACHINES = {
  x64: { arches: ['amd64'], native: 'SCMP_ARCH_X86_64' },
  arm64: { arches: ['arm64'], native: 'SCMP_ARCH_AARCH64' },
} as const;

/**
 * Checks that a text is a profile; what else is wrong with it, the check of config.json tells.
 * @param from how messages call it
 * @throws TinyrunError CONFIG
 */
export function assertSeccompProfile(text: string, from: string): void {
  parseProfile(text, from);
}

function parseProfile(text: string, from: string): DockerProfile {
  const json = parseJsonObject(text, from);
  if (!isProfile(json))
    throw new TinyrunError('CONFIG', `${from}: the profile has no list of rules as Docker has them`);
  if (json.archMap !== undefined && json.architectures !== undefined)
    throw new TinyrunError('CONFIG', `${from}: use either 'architectures' or 'archMap'`);
  return json;
}

/**
 * Reads a profile for a container.
 * @param text JSON
 * @param granted the container's capabilities
 * @throws TinyrunError CONFIG
 */
export function readSeccompProfile(
  text: string,
  granted: readonly string[],
  { arch, kernel }: Pick<HostFacts, 'arch' | 'kernel'>,
): Seccomp {
  const { archMap, syscalls = [], ...rest } = parseProfile(text, 'the profile of --security-opt seccomp');
  const { native, arches } = MACHINES[arch];
  const mapped = archMap?.find(({ architecture }) => architecture === native);
  const meets = ({ caps = [], arches: only = [], minKernel }: Filter): boolean =>
    caps.every((name) => granted.includes(name)) &&
    (only.length === 0 || only.some((name) => arches.some((one) => one === name))) &&
    (minKernel === undefined || isAtLeast(kernel, minKernel));
  const isExcluded = ({ caps = [], arches: not = [], minKernel }: Filter): boolean =>
    caps.some((name) => granted.includes(name)) ||
    not.some((name) => arches.some((one) => one === name)) ||
    (minKernel !== undefined && isAtLeast(kernel, minKernel));
  return {
    ...rest,
    ...(mapped === undefined ? {} : { architectures: [native, ...(mapped.subArchitectures ?? [])] }),
    syscalls: syscalls
      .filter(({ includes = {}, excludes = {} }) => meets(includes) && !isExcluded(excludes))
      .map(toRule),
  };
}

function toRule({ name, names = [], action, errnoRet, args }: DockerRule): SeccompRule {
  return {
    names: name === undefined ? names : [name, ...names],
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args === null ? {} : { args }),
  };
}

/** As much as is looked at here; the rest is checked with config.json. */
function isProfile(json: Json | DockerProfile): json is DockerProfile {
  const { syscalls, archMap } = json;
  const isListOfObjects = (value: unknown): boolean =>
    value === undefined ||
    (Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null));
  return isListOfObjects(syscalls) && isListOfObjects(archMap) && typeof json.defaultAction === 'string';
}

function isAtLeast([major, minor]: readonly [number, number], wanted: string): boolean {
  const [least = 0, minorLeast = 0] = wanted.split('.').map(Number);
  return major > least || (major === least && minor >= minorLeast);
}
