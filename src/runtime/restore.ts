// `tinyrun restore`: the facts of a bundle, as for `run`, and those of an image directory, and the program that runs criu.

import { TinyrunError } from '../errors.ts';
import { type CheckpointNote, NOTE_FILE } from '../plan/checkpoint.ts';
import { externalMounts, type RestoreOptions } from '../plan/criu.ts';
import { planRestore } from '../plan/restore.ts';
import { becomeProgram, type TraceLines } from './become.ts';
import { configPath, readConfig } from './config-file.ts';
import { assertPortable, findCriu, maskedFiles, ownWords } from './criu.ts';
import { gatherInput } from './gather.ts';
import { allMounts, destinationsInRootfs } from './gather-mounts.ts';
import { createLog } from './log.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { inheritFds } from './outputs.ts';
import { probeHost, readText, refused, statPath } from './probe.ts';
import { removeStale } from './removal.ts';

/**
 * Restores a container: this process becomes its host program. In the foreground it ends with the container's exit code.
 * @throws TinyrunError where it cannot even begin
 */
export async function restoreContainer(
  global: GlobalOptions,
  options: RunOptions,
  criuOptions: RestoreOptions,
  traceLines: TraceLines,
): Promise<never> {
  const { id } = options;
  const log = createLog(global);
  const host = probeHost();
  inheritFds(0);
  if (host.euid !== 0)
    throw new TinyrunError('HOST', `restore container ${id}: you are not root`, { hint: 'use sudo' });
  const criu = findCriu('restore', id);
  const note = readNote(id, criuOptions.imagePath);
  const detach = options.lifecycle !== 'foreground';
  if (note.foreground && detach)
    throw new TinyrunError(
      'UNSUPPORTED',
      `restore container ${id}: it was run in the foreground, and would die with us`,
      {
        hint: 'leave --detach out: a process that dies with its parent stays one (PR_SET_PDEATHSIG)',
      },
    );
  const gathered = await gatherInput(global, options, host, log, readConfig(configPath(options)), false);
  const { config } = gathered;
  assertPortable('restore', id, config);
  if (config.hooks?.prestart?.length || config.hooks?.createRuntime?.length)
    throw new TinyrunError(
      'UNSUPPORTED',
      `restore container ${id}: only criu knows the moment of its prestart and createRuntime hooks`,
    );
  await removeStale(global.root, id, global.dataRoot);
  const isFree = typeof statPath(`${global.root}/${id}`) === 'number';
  const input =
    gathered.cgroup?.scope !== undefined && isFree
      ? await (await import('./scope.ts')).makeScope(gathered, log.debug)
      : gathered;
  const program = planRestore({
    ...input,
    self: ownWords(global),
    criu,
    options: criuOptions,
    external: externalMounts(input, maskedFiles(config)),
    note,
    onRootfs: destinationsInRootfs(allMounts(input)),
  });
  return becomeProgram(global, options, host, log, program, traceLines);
}

/** What `checkpoint` has left beside the images; of other runtimes' images nothing is known. */
function readNote(id: string, imagePath: string): CheckpointNote {
  const path = `${imagePath}/${NOTE_FILE}`;
  const text = readText(path, 1 << 16);
  if (typeof text === 'number') {
    const { message, data } = refused('CONFIG', `restore container ${id}: read ${path}`, -text);
    throw new TinyrunError('USAGE', message, {
      data,
      hint: '--image-path is a directory of `tinyrun checkpoint`',
    });
  }
  const value = parse(text);
  if (!isNote(value))
    throw new TinyrunError('USAGE', `restore container ${id}: ${path} is not as checkpoint writes it`);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Its names become words of criu's command line. */
function isNote(value: unknown): value is CheckpointNote {
  if (typeof value !== 'object' || value === null || !('stdio' in value && 'foreground' in value))
    return false;
  const { stdio, foreground } = value;
  return (
    Array.isArray(stdio) &&
    stdio.length === 3 &&
    stdio.every(
      (name) => name === null || (typeof name === 'string' && /^(file|pipe)\[[0-9a-f:]+\]$/.test(name)),
    ) &&
    typeof foreground === 'boolean'
  );
}
