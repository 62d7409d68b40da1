// Where the filesystem of resource control is mounted, and whether a class of service is there. Loaded only for configs
// with linux.intelRdt.

import type { Config } from '../oci/config.ts';
import type { ResctrlInput } from '../plan/input.ts';
import { readText, statPath } from './probe.ts';

/** undefined where it is not mounted. */
export function probeResctrl({ linux }: Config): ResctrlInput | undefined {
  const mounts = readText('/proc/self/mountinfo', 1 << 26);
  if (typeof mounts === 'number') return undefined;
  const line = mounts.split('\n').find((line) => line.includes(' - resctrl '));
  const mountPoint = line?.split(' ')[4];
  if (mountPoint === undefined) return undefined;
  const closID = linux?.intelRdt?.closID;
  return { mountPoint, exists: Boolean(closID) && typeof statPath(`${mountPoint}/${closID}`) !== 'number' };
}
