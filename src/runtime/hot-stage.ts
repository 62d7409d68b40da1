// A container that runs and whose mounts are changed: found, locked, and what a program needs that works in it
// (plan/hot-stage.ts). The program is a child of ours, so that we can take back what was written down if it fails.

import { close } from '../../native-bindings/libc.ts';
import { receiveFd, socketPair } from '../../native-bindings/passing.ts';
import { spawnProgram } from '../engine/native.ts';
import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { planHotRoot } from '../plan/hot-root.ts';
import type { HotInput } from '../plan/hot-stage.ts';
import type { Program } from '../program/op.ts';
import { forgetUnlessAttached } from './attached.ts';
import type { TraceLines } from './become.ts';
import { createLog } from './log.ts';
import type { GlobalOptions } from './options.ts';
import { openLog, openTrace, reports } from './outputs.ts';
import { probeHost } from './probe.ts';
import { openProcess } from './process.ts';
import { readSavedConfig } from './saved-config.ts';
import { assertLegal, refusal } from './status.ts';
import { type Container, readContainer } from './store.ts';
import { lockMounts } from './uses.ts';

export interface HotOptions {
  id: string;
  trace: string | undefined;
  traceLines: TraceLines;
}

/** A container that runs, while nobody else changes what it mounts. */
export interface HotContainer {
  container: Container;
  config: Config;
  /** A pidfd of its init. */
  init: number;
  /** The directory that says what it mounts, locked. */
  lock: number;
}

/**
 * Does something with a container that runs. Where it has ended meanwhile, that is why it failed.
 * @throws TinyrunError NOT_FOUND, STATE, UNSUPPORTED; what `work` throws
 */
export async function withMounts(
  global: GlobalOptions,
  { id }: HotOptions,
  work: (hot: HotContainer) => Promise<number>,
): Promise<number> {
  const { root, dataRoot } = global;
  readRunning(root, id); // before anything is made for it
  const lock = lockMounts(dataRoot, id);
  try {
    const container = readRunning(root, id);
    const config = readSavedConfig(root, id);
    if (!config.linux?.namespaces?.some(({ type }) => type === 'mount'))
      throw new TinyrunError(
        'UNSUPPORTED',
        `container ${id} has no mount namespace: its mounts are the host's`,
      );
    const init = openProcess(container.init);
    if (init === undefined) throw refusal('mount', id, 'stopped');
    try {
      return await work({ container, config, init, lock });
    } catch (error) {
      readRunning(root, id);
      throw error;
    } finally {
      close(init);
    }
  } finally {
    forgetUnlessAttached(global, id, lock);
    close(lock);
  }
}

/**
 * A container whose mounts may be changed.
 * @throws TinyrunError NOT_FOUND, STATE
 */
export function readRunning(root: string, id: string): Container {
  const container = readContainer(root, id);
  assertLegal('mount', id, container.state.status);
  return container;
}

/** What a program is told of the container, and the descriptors that it finds from 3 on. */
export interface Staging {
  input: Omit<HotInput, 'sources'>;
  inherit: number[];
}

/** Where a program that we start finds the first descriptor of ours. */
const FIRST = 3;

/** Returns the number under which the program finds a descriptor of ours. */
export const handOver = (fd: number, { inherit }: Pick<Staging, 'inherit'>): number =>
  FIRST + inherit.push(fd) - 1;

/** What a program that works in the container starts from. */
export function stage(global: GlobalOptions, { id, trace }: HotOptions, hot: HotContainer): Staging {
  const { container, config } = hot;
  const { state, init, noPivot } = container;
  const inherit: number[] = [];
  const own = (fd: number | undefined): number | undefined => fd && handOver(fd, { inherit });
  const pidfd = handOver(hot.init, { inherit });
  handOver(hot.lock, { inherit }); // if we are killed, others wait for the program as well
  const logFd = openLog(global);
  const input = {
    ...{ id, config, bundle: state.bundle, chroot: noPivot, init: { pid: init.pid, fd: pidfd } },
    ...{ logFd: own(logFd), trace: own(trace === undefined ? undefined : openTrace(trace)) },
    reports: reports(global, probeHost(), logFd),
  };
  return { input, inherit };
}

/** Runs such a program; returns its exit code. */
export async function runStaged(
  global: GlobalOptions,
  { trace, traceLines }: HotOptions,
  program: Program,
  { inherit }: Pick<Staging, 'inherit'>,
): Promise<number> {
  const { exitCode } = await spawnProgram(program, probeHost().arch, {
    ...{ name: 'tinyrun', fallbackDirectory: global.root, debug: createLog(global).debug },
    ...{ stdin: 0, stdout: 1, stderr: 2, inherit },
    ...(trace !== undefined && { lines: await traceLines(program) }),
  });
  return exitCode;
}

/**
 * Opens the root of the container as it is seen in its mount namespace.
 * @param alone the root mount without what is mounted in it
 * @returns the exit code of the program that opens it; not 0: it has said why it could not, and `use` was not called
 * @throws SystemError, and what `use` throws
 */
export async function withHotRoot(
  global: GlobalOptions,
  options: HotOptions,
  hot: HotContainer,
  alone: boolean,
  use: (root: number) => void | Promise<void>,
): Promise<number> {
  const [ours, theirs] = socketPair();
  try {
    const quiet = { ...options, trace: undefined };
    const staging = stage(global, quiet, hot);
    const input = { ...staging.input, sources: new Map() };
    const program = planHotRoot(input, alone, handOver(theirs, staging));
    const code = await runStaged(global, quiet, program, staging);
    close(theirs);
    const root = code === 0 ? receiveFd(ours)?.fd : undefined;
    if (root === undefined) return code;
    try {
      await use(root);
    } finally {
      close(root);
    }
    return code;
  } finally {
    close(ours);
  }
}
