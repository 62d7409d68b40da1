// `tinyrun update`: new limits for a container that was created and has not ended. What is not named stays as it is; so
// does the access to devices. The state directory's config.json has the new limits afterwards.

import { close, flag, open, readInto, SystemError, syscall, writeAll } from '../../native-bindings/libc.ts';
import { isUnified } from '../cgroup/path.ts';
import { resourceWarnings, resourceWrites } from '../cgroup/resources.ts';
import type { CgroupWrite } from '../cgroup/row.ts';
import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { Checker } from '../oci/checker.ts';
import type { Config, Resources } from '../oci/config.ts';
import { exactJson, parseJsonObject } from '../oci/json.ts';
import { parseConfig } from '../oci/parse.ts';
import { ASIDE } from '../oci/state.ts';
import { formatProblems } from '../oci/validate.ts';
import { checkResources } from '../oci/validate-resources.ts';
import { merged, usageProblem, withCurrent, withoutZeros } from './cgroup/changes.ts';
import {
  type Cgroups,
  directoryV2,
  lacksController,
  readCgroupFile,
  writeCgroupFile,
} from './cgroup/files.ts';
import { applyLimits } from './cgroup/limits.ts';
import { CONFIG_LIMIT } from './config-file.ts';
import type { Log } from './log.ts';
import { withChanges } from './removal.ts';
import { savedConfigPath } from './saved-config.ts';

/** Schemata of Intel RDT, which linux.resources has no field for. */
export interface RdtChange {
  l3CacheSchema?: string | undefined;
  memBwSchema?: string | undefined;
}

/**
 * Changes a container's limits, all of them or none.
 * @returns what systemd must be told of, so that it does not write the old limits again; undefined: nothing
 * @throws TinyrunError NOT_FOUND; STATE if it has ended; CONFIG for a limit that this host does not have; HOST for one
 *   that the kernel refuses
 */
export function updateContainer(
  root: string,
  id: string,
  asked: Resources,
  rdt: RdtChange,
  log: Log,
): { unit: string; resources: Resources } | undefined {
  assertResources(asked);
  return withChanges(root, id, 'update', ({ cgroups, unit }) => {
    for (const warning of resourceWarnings(asked)) log.warn(warning);
    const file = savedConfigPath(root, id);
    const config = readConfigFile(file);
    const schemata = schemataFile(id, rdt, config);
    const changes = withoutZeros(asked);
    let told: { unit: string; resources: Resources } | undefined;
    if (Object.keys(changes).length > 0) {
      if (cgroups.length === 0) throw lacksController(`update container ${id}`, 'memory', cgroups);
      const resources = merged(config?.linux?.resources ?? {}, changes);
      checkUsage(id, changes, resources, cgroups);
      const after = config && prepareFile(file, { ...config, linux: { ...config.linux, resources } });
      try {
        applyLimits(id, writesFor(changes, cgroups), cgroups);
      } catch (error) {
        after?.drop();
        throw error;
      }
      after?.keep();
      if (unit !== undefined) told = { unit, resources };
    }
    if (schemata !== undefined)
      for (const schema of [rdt.l3CacheSchema, rdt.memBwSchema])
        if (schema) writeCgroupFile(schemata, `${schema}\n`);
    return told;
  });
}

/** The checks of config.json; an error names the field without the way to linux.resources. */
function assertResources(asked: Resources): void {
  const checker = new Checker();
  checkResources(checker, { resources: asked }, '');
  if (checker.problems.length > 0)
    throw new TinyrunError('CONFIG', formatProblems(checker.problems, 'update'), {
      data: { problems: checker.problems },
    });
}

/** Only a kernel with v2 would end processes for a limit below what they use; v1 refuses it by itself. */
function checkUsage(id: string, changes: Resources, { memory }: Resources, cgroups: Cgroups): void {
  if (!isUnified(cgroups) || changes.memory?.limit === undefined) return;
  const usage = Number(readCgroupFile(`${directoryV2(cgroups)}/memory.current`) ?? 0);
  const problem = usageProblem(memory ?? {}, usage);
  if (problem !== undefined)
    throw new TinyrunError('STATE', `update container ${id}: ${problem}`, { data: { id, usage } });
}

function writesFor(changes: Resources, cgroups: Cgroups): CgroupWrite[] {
  if (!isUnified(cgroups)) return resourceWrites(changes, cgroups, []);
  const read = (file: string): string | undefined => readCgroupFile(`${directoryV2(cgroups)}/${file}`);
  const available = (read('cgroup.controllers') ?? '').trim().split(' ');
  return resourceWrites(withCurrent(changes, read), cgroups, available);
}

/**
 * The file of the container's class of service, if schemata are asked for.
 * @throws TinyrunError CONFIG in runc's words if it was made without one
 */
function schemataFile(id: string, rdt: RdtChange, config: Config | undefined): string | undefined {
  if (!rdt.l3CacheSchema && !rdt.memBwSchema) return undefined;
  const { intelRdt } = config?.linux ?? {};
  if (intelRdt !== undefined) return `/sys/fs/resctrl/${intelRdt.closID || id}/schemata`;
  const what = rdt.l3CacheSchema ? 'Intel RDT/CAT: l3 cache' : 'Intel RDT/MBA: memory bandwidth';
  throw new TinyrunError('CONFIG', `${what} schema is not enabled`, {
    hint: 'the container was made without linux.intelRdt',
  });
}

// Files

/** The config that the container was made of; undefined: it is not kept. */
function readConfigFile(file: string): Config | undefined {
  const text = readSmall(AT_FDCWD, file, CONFIG_LIMIT);
  return text === undefined ? undefined : parseConfig(text, file);
}

/** Writes a file aside: `keep` puts it in the place of the old one at once, `drop` removes it. */
function prepareFile(file: string, config: Config): { keep: () => void; drop: () => void } {
  const aside = file.replace(/[^/]*$/, ASIDE);
  const flags = flag('O_WRONLY', 'O_CREAT', 'O_TRUNC', 'O_NOFOLLOW');
  const fd = open(aside, flags, 0o600);
  if (fd < 0) throw new SystemError(`create ${aside}`, -fd);
  try {
    writeAll(fd, new TextEncoder().encode(exactJson(config)));
  } finally {
    close(fd);
  }
  return {
    keep: () => {
      syscall(`replace ${file}`, 'renameat2', AT_FDCWD, aside, AT_FDCWD, file, 0);
    },
    drop: () => {
      syscall(`remove ${aside}`, 'unlinkat', AT_FDCWD, aside, 0);
    },
  };
}

/**
 * The text of `--resources`.
 * @param file absolute; `-` is stdin
 * @throws TinyrunError CONFIG where it cannot be read
 */
export function readResourcesFile(file: string): string {
  const fd = file === '-' ? 0 : open(file, flag('O_RDONLY'));
  const what = `read resources from ${file === '-' ? 'stdin' : file}`;
  if (fd < 0) throw new TinyrunError('CONFIG', new SystemError(what, -fd).message);
  const parts: Uint8Array[] = [];
  for (let size = 0; ; ) {
    const bytes = new Uint8Array(65536);
    const got = readInto(fd, bytes);
    if (got < 0) throw new TinyrunError('CONFIG', new SystemError(what, -got).message);
    if (got === 0) break;
    parts.push(bytes.subarray(0, got));
    size += got;
    if (size > CONFIG_LIMIT) throw new TinyrunError('CONFIG', `${what}: more than ${CONFIG_LIMIT >> 20} MiB`);
  }
  if (fd !== 0) close(fd);
  return Buffer.concat(parts).toString();
}

/** @throws TinyrunError CONFIG with line and column of a syntax error */
export const parseResources = (text: string, file: string): Resources =>
  parseJsonObject(text, file === '-' ? 'stdin' : file);
