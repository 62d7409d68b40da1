// criu on this host: where it is, what it says when it fails, and what of a container it cannot carry.

import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { TOOLS_PATH } from '../plan/criu-process.ts';
import type { GlobalOptions } from './options.ts';
import { readText, statPath } from './probe.ts';

/**
 * The criu to run: of the host's own directories, whatever the caller's PATH and working directory are, for it runs as root.
 * @throws TinyrunError HOST where there is none
 */
export function findCriu(verb: 'checkpoint' | 'restore', id: string): string {
  const found = TOOLS_PATH.split(':')
    .map((directory) => `${directory}/criu`)
    .find((path) => {
      const stat = statPath(path);
      return typeof stat !== 'number' && stat.kind === 'file' && (stat.mode & 0o111) !== 0;
    });
  if (found === undefined)
    throw new TinyrunError('HOST', `${verb} container ${id}: the host has no criu in ${TOOLS_PATH}`, {
      hint: 'install it (Debian: criu)',
    });
  return found;
}

const LOG_LIMIT = 64 * 1024 * 1024;
/** What criu says last, whatever the reason was. */
const GENERAL = /^(Dumping|Pre-dumping|Restoring) FAILED\.$/;

/** What has failed: criu's own last word that is one, and where to read more. */
export function criuFailure(verb: string, id: string, log: string): TinyrunError {
  const text = readText(log, LOG_LIMIT);
  const said = typeof text === 'string' ? lastError(text) : undefined;
  const reason = said ?? 'it has failed and does not say why';
  return new TinyrunError('HOST', `${verb} container ${id}: criu: ${reason}`, {
    hint: typeof text === 'string' ? `its log: ${log}` : 'it has left no log; see `criu check`',
  });
}

/** The last error in a log of criu's: `(00.123) Error (file.c:1): words`. */
export function lastError(log: string): string | undefined {
  const errors = [...log.matchAll(/^(?:\([\d.]+\)\s*)?(?:\s*\d+: )?Error \([^)]*\): (.+)$/gm)].map(
    ([, words]) => words!.trim(),
  );
  return errors.findLast((words) => !GENERAL.test(words)) ?? errors.at(-1);
}

/** Of /linux/maskedPaths those that are files: of proc and sysfs the host's kernel tells. */
export const maskedFiles = ({ linux }: Config): string[] =>
  (linux?.maskedPaths ?? []).filter((path) => {
    const stat = statPath(path);
    return typeof stat !== 'number' && stat.kind === 'file';
  });

/**
 * What criu could carry only by its service protocol, or not at all.
 * @throws TinyrunError UNSUPPORTED
 */
export function assertPortable(verb: string, id: string, config: Config): void {
  const refuse = (why: string): never => {
    throw new TinyrunError('UNSUPPORTED', `${verb} container ${id}: ${why}`);
  };
  if (config.process.terminal === true)
    refuse('its terminal: criu hands none over on its command line (/process/terminal)');
  const named = config.mounts?.find(({ destination }) => destination.includes(']'));
  if (named !== undefined) refuse(`criu has no way to name a mount on ${named.destination}`);
  const namespaces = config.linux?.namespaces ?? [];
  for (const type of ['mount', 'pid'] as const)
    if (!namespaces.some((one) => one.type === type && !one.path))
      refuse(`it has no ${type} namespace of its own, without which criu does not take it out of the host`);
  for (const { type, path } of namespaces) {
    if (type === 'user') refuse('containers with a user namespace are not in this version');
    if (path && type !== 'network') refuse(`it shares its ${type} namespace with others (${path})`);
  }
}

/** The words before a command of our own that is to behave as we were told to. */
export function ownWords({ root, dataRoot, log, logFormat, debug }: GlobalOptions): string[] {
  return [
    ...[process.execPath, '--root', root, '--data-root', dataRoot],
    ...(log === undefined ? [] : ['--log', log, '--log-format', logFormat]),
    ...(debug ? ['--debug'] : []),
  ];
}
