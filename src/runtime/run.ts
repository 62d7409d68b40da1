// `tinyrun run`: from the bundle to a program, and into it. Everything before `become` only reads; everything after is
// an op. What few containers need (volume flags, overlays, traces) is loaded only for those.

import { rawSyscall } from '../../native-bindings/libc.ts';
import { becomeProgram } from '../engine/native.ts';
import { TinyrunError } from '../errors.ts';
import { ungrantableCapabilities } from '../plan/credentials.ts';
import type { HostFacts } from '../plan/host.ts';
import { planContainer } from '../plan/plan.ts';
import type { Program } from '../program/op.ts';
import { constants } from '../sys/constants.ts';
import { gatherInput } from './gather.ts';
import { createLog, type Log } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { probeHost, statPath } from './probe.ts';

/**
 * Runs a container in the foreground: this process becomes its host program and ends with its exit code.
 * @throws TinyrunError where it cannot even begin
 */
export async function runContainer(global: GlobalOptions, options: RunOptions): Promise<never> {
  const log = createLog(global);
  const host = probeHost();
  if (host.euid !== 0)
    throw new TinyrunError('HOST', 'run a container: you are not root', {
      hint: 'use sudo; `tinyrun explain` needs no root',
    });
  const input = await gatherInput(global, options, host, log);
  // A descriptor that the caller promised but did not open is tolerated, as by runc.
  for (let fd = 3; fd < 3 + options.preserveFds; fd++) rawSyscall('fcntl', fd, constants['F_SETFD']!, 0);
  const ungrantable = ungrantableCapabilities(input);
  if (ungrantable.length > 0) log.warn(`capabilities that this host cannot grant: ${ungrantable.join(', ')}`);
  await clearWay(global, options.id, input.rootfs.kind === 'overlay');
  return await become(planContainer(input), global, options, host, log);
}

/** What a killed tinyrun has left of a container with this id; what is alive or kept stays, and the id is taken. */
async function clearWay({ root, dataRoot }: GlobalOptions, id: string, overlay: boolean): Promise<void> {
  const left =
    typeof statPath(`${root}/${id}`) !== 'number' ||
    (overlay && typeof statPath(`${dataRoot}/containers/${id}`) !== 'number');
  if (left) (await import('./store.ts')).removeStale(root, id, dataRoot);
}

async function become(
  program: Program,
  global: GlobalOptions,
  options: RunOptions,
  host: HostFacts,
  log: Log,
): Promise<never> {
  const lines =
    options.trace === undefined ? undefined : (await import('../explain/listing.ts')).traceLines(program);
  const engineOptions = {
    name: 'tinyrun',
    fallbackDirectory: global.root,
    debug: log.debug,
    ...(lines === undefined ? {} : { lines }),
  };
  if (options.engine === 'ffi') {
    const engine = await import('../engine/ffi.ts');
    return engine.becomeProgram(program, host.arch, engineOptions);
  }
  return becomeProgram(program, host.arch, engineOptions);
}

/** The program that `run` would become: nothing is changed, and no root is needed. */
export async function explainContainer(global: GlobalOptions, options: RunOptions): Promise<Program> {
  return planContainer(
    await gatherInput(global, { ...options, trace: undefined }, probeHost(), createLog(global)),
  );
}

