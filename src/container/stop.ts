// `stop`: a container is asked to end by its stop signal, and killed if it has not in time.

import { TinyrunError } from '../errors.ts';
import { killContainer } from '../runtime/kill.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { parseSignal } from '../sys/signals.ts';
import { DEFAULT_STOP_SIGNAL, DEFAULT_STOP_TIMEOUT } from './defaults.ts';
import type { ContainerRecord } from './record.ts';
import { hasProcess, statusOf } from './status.ts';
import { waitForContainer } from './wait.ts';

const SIGKILL = 9;
/** How long the end of a killed container may take; milliseconds. */
const PATIENCE_MS = 30_000;

export interface StopOptions {
  /** undefined: the container's own. */
  signal: string | undefined;
  /** Seconds until it is killed; -1: never; undefined: the container's own. */
  timeout: number | undefined;
}

/**
 * Stops a container; one that does not run is stopped.
 * @throws TinyrunError STATE if it does not end, though it was killed
 */
export async function stopContainer(
  global: GlobalOptions,
  record: ContainerRecord,
  { signal, timeout }: StopOptions,
): Promise<void> {
  const { id, config } = record;
  if (!hasProcess(statusOf(global, record).status)) return;
  const seconds = timeout ?? config.StopTimeout ?? DEFAULT_STOP_TIMEOUT;
  await send(global, id, parseSignal(signal ?? config.StopSignal ?? DEFAULT_STOP_SIGNAL) ?? SIGKILL);
  if (waitForContainer(global, record, seconds < 0 ? undefined : seconds * 1000) !== undefined) return;
  await send(global, id, SIGKILL);
  if (waitForContainer(global, record, PATIENCE_MS) === undefined)
    throw new TinyrunError('STATE', `stop container ${record.name}: it was killed and does not end`, {
      hint: 'try again later',
      data: { id },
    });
}

/** One that has ended this moment needs no signal. */
async function send(global: GlobalOptions, id: string, signal: number): Promise<void> {
  try {
    await killContainer(global, id, signal, false);
  } catch (error) {
    if (error instanceof TinyrunError && (error.code === 'STATE' || error.code === 'NOT_FOUND')) return;
    throw error;
  }
}
