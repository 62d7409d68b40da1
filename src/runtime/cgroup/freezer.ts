// The freezer: stops all processes of a cgroup where they are, and lets them go on. cgroups(7); v1: freezer.state, v2:
// cgroup.freeze.
//
// v1 has no notice of the moment when all are frozen, and may stay in FREEZING for ever: a process that is made while its
// cgroup freezes can hold up the others. Thawing and freezing once more resolves that. v2 knows neither problem.

import { close, flag, open, readInto, SystemError } from '../../../native-bindings/libc.ts';
import { TinyrunError } from '../../errors.ts';
import { waitFor } from '../poll.ts';
import {
  type Cgroups,
  directoryV1,
  directoryV2,
  lacksController,
  readCgroupFile,
  rewind,
  writeCgroupFile,
} from './files.ts';

/** How long all processes may take to stop; one in an uninterruptible sleep may wait for a disk. */
const PATIENCE_MS = 10_000;
/** v1: how often the state is looked at, a millisecond apart, before it is thawed and tried again. */
const LOOKS = 25;

/** Whether the container is frozen by its own cgroup; that one above it is frozen does not count, as in runc. */
export function isPaused(cgroups: Cgroups): boolean {
  const v1 = directoryV1(cgroups, 'freezer');
  if (v1 !== undefined) return readCgroupFile(`${v1}/freezer.self_freezing`)?.startsWith('1') === true;
  const v2 = directoryV2(cgroups);
  return v2 !== undefined && readCgroupFile(`${v2}/cgroup.freeze`)?.startsWith('1') === true;
}

/**
 * Freezes all processes of the container, and waits until they are; where that fails they go on.
 * @throws TinyrunError STATE where there is no freezer, or a process does not stop
 */
export function freeze(id: string, cgroups: Cgroups): void {
  const v1 = directoryV1(cgroups, 'freezer');
  if (v1 !== undefined) {
    if (!freezeV1(`${v1}/freezer.state`)) throw tooLate(id);
    return;
  }
  const v2 = freezerV2(`pause container ${id}`, cgroups);
  writeCgroupFile(`${v2}/cgroup.freeze`, '1');
  if (isFrozenV2(v2)) return;
  writeCgroupFile(`${v2}/cgroup.freeze`, '0');
  throw tooLate(id);
}

/**
 * Lets all processes of the container go on.
 * @throws TinyrunError STATE where there is no freezer
 */
export function thaw(id: string, cgroups: Cgroups): void {
  const v1 = directoryV1(cgroups, 'freezer');
  if (v1 !== undefined) writeCgroupFile(`${v1}/freezer.state`, 'THAWED');
  else writeCgroupFile(`${freezerV2(`resume container ${id}`, cgroups)}/cgroup.freeze`, '0');
}

function freezerV2(what: string, cgroups: Cgroups): string {
  const directory = directoryV2(cgroups);
  if (directory === undefined) throw lacksController(what, 'freezer', cgroups);
  return directory;
}

/** Returns whether it was frozen in time; else it is thawed. */
function freezeV1(file: string): boolean {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    writeCgroupFile(file, 'FROZEN');
    for (let look = 0; look < LOOKS; look++) {
      if (readCgroupFile(file)?.startsWith('FROZEN')) return true;
      Bun.sleepSync(1);
    }
    writeCgroupFile(file, 'THAWED');
    Bun.sleepSync(1);
  }
  return false;
}

/** Waits for `frozen 1` in cgroup.events, whose changes poll(2) sees. */
function isFrozenV2(directory: string): boolean {
  const path = `${directory}/cgroup.events`;
  const fd = open(path, flag('O_RDONLY'));
  if (fd < 0) throw new SystemError(`open ${path}`, -fd);
  try {
    const end = performance.now() + PATIENCE_MS;
    for (const bytes = new Uint8Array(256); ; ) {
      const got = readInto(fd, bytes);
      if (got < 0) throw new SystemError(`read ${path}`, -got);
      if (/^frozen 1$/m.test(new TextDecoder().decode(bytes.subarray(0, got)))) return true;
      if (performance.now() >= end) return false;
      waitFor([{ fd, events: flag('POLLPRI') }], end - performance.now());
      rewind(fd, path);
    }
  } finally {
    close(fd);
  }
}

function tooLate(id: string): TinyrunError {
  return new TinyrunError('STATE', `unable to freeze container ${id}: not all of its processes stop`, {
    hint: 'they run on; a process that waits for a disk or for FUSE cannot be stopped: try again later',
    data: { id },
  });
}
