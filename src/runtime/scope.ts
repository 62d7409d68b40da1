// The scope of systemd that a container's cgroup is: asked for before the program, held by a placeholder until init is in
// it (plan/scope.ts), changed by `update`, ended by `delete`.

import { close, fcntl, flag } from '../../native-bindings/libc.ts';
import { deviceRules } from '../cgroup/devices.ts';
import { type CgroupPlace, isUnified } from '../cgroup/path.ts';
import { type ScopeName, scopeName } from '../cgroup/scope.ts';
import {
  annotatedProperties,
  deviceProperties,
  type Property,
  resourceProperties,
  scopeProperties,
} from '../cgroup/unit-properties.ts';
import { executable } from '../engine/image.ts';
import { linkProgram } from '../engine/native.ts';
import { finished } from '../engine/spawn.ts';
import { TinyrunError } from '../errors.ts';
import type { Resources } from '../oci/config.ts';
import type { CgroupInput, PlanInput } from '../plan/input.ts';
import { planPlaceholder } from '../plan/scope.ts';
import type { SavedCgroup } from './cgroup-remove.ts';
import { openPipe } from './outputs.ts';
import { readText } from './probe.ts';
import { probeCgroups } from './probe-cgroups.ts';
import { isTaken, type Systemd, withSystemd } from './systemd.ts';

/** How long a scope whose container has ended may take to go. */
const PATIENCE_MS = 5000;

/**
 * Asks systemd for the scope of a container that has none yet. Should the program fail, or not be reached, the scope goes
 * with the placeholder, whose pipe closes with this process.
 * @returns the input with the cgroups that systemd made, and the pipe
 * @throws TinyrunError HOST where systemd refuses, EXISTS where the scope is another container's
 */
export async function makeScope(input: PlanInput, debug: (text: string) => void): Promise<PlanInput> {
  const { config, id, host, stateRoot } = input;
  const cgroup = input.cgroup!;
  const version = isUnified(cgroup.places) ? 2 : 1;
  const name = scopeName(config.linux?.cgroupsPath, id);
  const limits = limitProperties(config.linux?.resources ?? {}, version);
  const annotated = annotatedProperties(config.annotations);
  const [reader, writer] = openPipe();
  const image = executable(linkProgram(planPlaceholder(), host.arch), {
    ...{ name: 'tinyrun', fallbackDirectory: stateRoot, debug },
  });
  const started = await finished(
    [`/proc/self/fd/${image}`],
    { name: 'tinyrun', fallbackDirectory: '', debug },
    {},
    [reader],
  );
  close(image);
  close(reader);
  const pid = Number(started.stdout);
  if (started.exitCode !== 0 || !Number.isInteger(pid) || pid <= 0)
    throw new TinyrunError('HOST', `start a placeholder in ${name.unit}: ${started.stderr.trim()}`);
  const properties = [...scopeProperties(id, name.slice, pid, version), ...annotated, ...limits];
  await withSystemd((systemd) => startAnew(systemd, name, properties, cgroup));
  fcntl(writer, flag('F_SETFD'), 0); // the program has it
  return {
    ...input,
    cgroup: { ...cgroup, places: placesOf(pid, cgroup), scope: { unit: name.unit, holder: writer } },
  };
}

const limitProperties = (resources: Resources, version: 1 | 2): Property[] => [
  ...resourceProperties(resources, version),
  ...(version === 1 ? deviceProperties(deviceRules(resources.devices), deviceGroups()) : []),
];

/** A scope that is empty, or has failed, is of a container that is no more: it is ended first. */
async function startAnew(
  systemd: Systemd,
  { unit }: ScopeName,
  properties: readonly Property[],
  cgroup: CgroupInput,
): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    try {
      return await systemd.startScope(unit, properties);
    } catch (error) {
      if (!isTaken(error)) throw error;
      const own = ownPlace(cgroup.places);
      const path = await systemd.cgroupOf(unit);
      const inUse = path !== undefined && own !== undefined && isPopulated(`${own.mountPoint}${path}`);
      if (inUse || Date.now() > end)
        throw new TinyrunError('EXISTS', `make ${unit}: there is such a scope, and something runs in it`, {
          hint: 'give another id, or another cgroupsPath',
          cause: error,
        });
    }
    await systemd.stop(unit);
  }
}

/** Whether there is a process in a cgroup; below it only where v2 tells. */
function isPopulated(directory: string): boolean {
  const events = readText(`${directory}/cgroup.events`, 4096);
  if (typeof events === 'string') return events.includes('populated 1');
  const processes = readText(`${directory}/cgroup.procs`, 1 << 20);
  return typeof processes === 'string' && processes !== '';
}

/** The hierarchy that systemd itself goes by. */
const ownPlace = <T extends Pick<CgroupPlace, 'controllers'>>(places: readonly T[]): T | undefined =>
  places.find(({ controllers }) => controllers === 'name=systemd') ??
  places.find(({ controllers }) => controllers === '');

/** Where systemd has put the placeholder is where the container's cgroup is, in every hierarchy. */
function placesOf(pid: number, { places }: CgroupInput): CgroupInput['places'] {
  const text = readText(`/proc/${pid}/cgroup`, 1 << 20);
  const own = ownPlace(places);
  if (own === undefined || typeof text === 'number') return places;
  const line = text.split('\n').find((one) => one.split(':')[1] === own.controllers);
  const path = line?.slice(line.indexOf(':', line.indexOf(':') + 1) + 1);
  if (path === undefined) return places;
  return places.map((place) => ({ ...place, path: `${place.mountPoint}${path}` }));
}

/** /proc/devices: `c136` -> `pts`. */
function deviceGroups(): Map<string, string> {
  const text = readText('/proc/devices', 1 << 20);
  const groups = new Map<string, string>();
  let type = 'c';
  for (const line of typeof text === 'string' ? text.split('\n') : []) {
    if (line.startsWith('Block')) type = 'b';
    const [, major, name] = /^\s*(\d+) (.+)$/.exec(line) ?? [];
    if (major !== undefined && name !== undefined && !groups.has(type + major))
      groups.set(type + major, name);
  }
  return groups;
}

/** `update`: what systemd must know of new limits, so that it does not write the old ones again. */
export async function setUnitProperties(unit: string, resources: Resources): Promise<void> {
  const properties = limitProperties(resources, isUnified(probeCgroups()) ? 2 : 1);
  if (properties.length === 0) return;
  await withSystemd((systemd) => systemd.setProperties(unit, properties));
}

/** `delete`: a scope goes when it is empty; this waits for one that has not noticed yet. One with processes is another's. */
export async function endScope(unit: string, cgroups: readonly SavedCgroup[]): Promise<void> {
  const own = ownPlace(cgroups);
  if (own === undefined || isPopulated(own.path)) return;
  await withSystemd((systemd) => systemd.stop(unit));
}
