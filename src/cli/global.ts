// The options of every command -> GlobalOptions.

import type { GlobalOptions } from '../runtime/options.ts';
import { cleanPath } from '../volume/path.ts';
import { flag, type OptionValue, text } from './command-line.ts';

/**
 * Reads the global options, given or not.
 * @param cwd absolute; relative paths start there
 */
export function toGlobalOptions(options: Readonly<Record<string, OptionValue>>, cwd: string): GlobalOptions {
  const log = text({ options }, 'log');
  return {
    root: absolute(text({ options }, 'root') ?? '/run/tinyrun', cwd),
    dataRoot: absolute(text({ options }, 'data-root') ?? '/var/lib/tinyrun', cwd),
    log: log === undefined || log === '' ? undefined : absolute(log, cwd),
    logFormat: text({ options }, 'log-format') === 'json' ? 'json' : 'text',
    debug: flag({ options }, 'debug'),
    cgroupManager: toCgroupManager(options),
  };
}

/** `--systemd-cgroup` is runc's word for crun's `--cgroup-manager systemd`. */
function toCgroupManager(options: Readonly<Record<string, OptionValue>>): GlobalOptions['cgroupManager'] {
  const given = text({ options }, 'cgroup-manager');
  if (given === 'disabled' || given === 'systemd') return given;
  return flag({ options }, 'systemd-cgroup') ? 'systemd' : 'cgroupfs';
}

/** A path of the command line, absolute and without `.` and `..`, as Go's filepath.Abs makes it for runc. */
export const absolute = (path: string, cwd: string): string =>
  cleanPath(path.startsWith('/') ? path : `${cwd}/${path}`);
