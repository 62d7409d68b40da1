// `tinyrun checkpoint`: the facts of a running container that criu has to be told, and the program that runs it.

import { readlinkSync, statSync } from 'node:fs';
import { close } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { planCheckpoint } from '../plan/checkpoint.ts';
import { type DumpFacts, type DumpOptions, externalMounts } from '../plan/criu.ts';
import { becomeProgram, type TraceLines } from './become.ts';
import { assertPortable, findCriu, maskedFiles, ownWords } from './criu.ts';
import { createLog } from './log.ts';
import type { GlobalOptions } from './options.ts';
import { keepOpen, openLog, openTrace, reports } from './outputs.ts';
import { probeHost, readText } from './probe.ts';
import { probeCgroups } from './probe-cgroups.ts';
import { lockContainer } from './removal.ts';
import { readSavedConfig } from './saved-config.ts';
import { assertLegal } from './status.ts';
import { type Container, readAttached, readContainer } from './store.ts';

/**
 * Writes a container to files: this process becomes the program that does.
 * @throws TinyrunError NOT_FOUND, STATE if it does not run, UNSUPPORTED, HOST
 */
export async function checkpointContainer(
  global: GlobalOptions,
  id: string,
  options: DumpOptions,
  trace: string | undefined,
  traceLines: TraceLines,
): Promise<never> {
  const container = readContainer(global.root, id);
  assertLegal('checkpoint', id, container.state.status);
  const host = probeHost();
  if (host.euid !== 0)
    throw new TinyrunError('HOST', `checkpoint container ${id}: you are not root`, { hint: 'use sudo' });
  const criu = findCriu('checkpoint', id);
  const logFd = openLog(global);
  const facts = gatherFacts(global, container);
  const program = planCheckpoint({
    ...{ id, criu, options, facts, host, logFd, stateRoot: global.root, self: ownWords(global) },
    note: { stdio: facts.stdio.map((name) => name ?? null), foreground: isForeground(global, id) },
    reports: reports(global, host, logFd),
    trace: trace === undefined ? undefined : openTrace(trace),
  });
  if (options.statusFd !== undefined) keepOpen(options.statusFd);
  return becomeProgram(global, { engine: 'native', trace }, host, createLog(global), program, traceLines);
}

function gatherFacts({ root }: GlobalOptions, container: Container): DumpFacts {
  const { state, init, cgroups, dataDirectory } = container;
  const { id } = state;
  const config = readSavedConfig(root, id);
  assertPortable('checkpoint', id, config);
  if (dataDirectory !== undefined)
    throw new TinyrunError('UNSUPPORTED', `checkpoint container ${id}: its overlay would go with it`, {
      hint: 'only containers that write to their rootfs, or not at all, can be made again from it',
    });
  if (readAttached(root, id) !== undefined)
    throw new TinyrunError(
      'UNSUPPORTED',
      `checkpoint container ${id}: it has mounts that came while it ran`,
      {
        hint: 'take them away before: tinyrun volume detach',
      },
    );
  const network = config.linux?.namespaces?.find(({ type, path: given }) => type === 'network' && given);
  const freezer =
    cgroups.find(({ controllers }) => controllers.split(',').includes('freezer')) ??
    cgroups.find(({ controllers }) => controllers === '');
  const places = cgroups.map((place) => ({ ...place, mountPoint: '' }));
  const cgroup = places.length === 0 ? undefined : { places, available: [], existing: false };
  return {
    pid: init.pid,
    rootfs: state.rootfs,
    external: externalMounts(
      { config, bundle: state.bundle, cgroups: probeCgroups(), cgroup },
      maskedFiles(config),
    ),
    stdio: [0, 1, 2].map((fd) => nameOf(init.pid, fd)),
    freezer: freezer?.path,
    networkInode: network === undefined ? undefined : inodeIn(linkTarget(`/proc/${init.pid}/ns/net`)),
  };
}

/** `net:[4026531840]` -> its number. */
const inodeIn = (text: string | undefined): string | undefined => /\[(\d+)\]/.exec(text ?? '')?.[1];

/**
 * How criu calls a file that the container has from outside: `file[MOUNT:INODE]` in hexadecimal, `pipe[INODE]`. It makes
 * neither again: a restore hands it another one in its place. What is in one of the container's own mounts has no such name.
 */
function nameOf(pid: number, fd: number): string | undefined {
  const target = linkTarget(`/proc/${pid}/fd/${fd}`);
  const pipe = /^pipe:\[(\d+)\]$/.exec(target ?? '')?.[1];
  if (pipe !== undefined) return `pipe[${pipe}]`;
  const info = readText(`/proc/${pid}/fdinfo/${fd}`, 4096);
  const mounts = readText(`/proc/${pid}/mountinfo`, 1 << 24);
  if (!target?.startsWith('/') || typeof info !== 'string' || typeof mounts !== 'string') return undefined;
  const mount = /^mnt_id:\s*(\d+)$/m.exec(info)?.[1];
  if (mount === undefined || mounts.split('\n').some((line) => line.startsWith(`${mount} `)))
    return undefined;
  const { ino } = statSync(`/proc/${pid}/fd/${fd}`, { bigint: true });
  return `file[${Number(mount).toString(16)}:${ino.toString(16)}]`;
}

/** What a magic link of proc says; undefined where there is none. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Whether a host program waits for it. */
function isForeground({ root }: GlobalOptions, id: string): boolean {
  const lock = lockContainer(root, id);
  if (typeof lock === 'object') close(lock.fd);
  return lock === 'held';
}
