// The options of every command -> GlobalOptions.

import { rawSyscall } from '../../native-bindings/libc.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { inUserNamespace } from '../runtime/user-namespace.ts';
import { cleanPath } from '../volume/path.ts';
import { flag, type OptionValue, text } from './command-line.ts';

/**
 * Reads the global options, given or not.
 * @param cwd absolute; relative paths start there
 */
export function toGlobalOptions(options: Readonly<Record<string, OptionValue>>, cwd: string): GlobalOptions {
  const log = text({ options }, 'log');
  const rootless = text({ options }, 'rootless');
  return {
    root: absolute(text({ options }, 'root') ?? defaultRoot(), cwd),
    dataRoot: absolute(text({ options }, 'data-root') ?? defaultDataRoot(), cwd),
    log: log === undefined || log === '' ? undefined : absolute(log, cwd),
    logFormat: text({ options }, 'log-format') === 'json' ? 'json' : 'text',
    debug: flag({ options }, 'debug'),
    rootless: rootless === 'true' || rootless === 'false' ? rootless : 'auto',
    cgroupManager: toCgroupManager(options),
  };
}

/** `--systemd-cgroup` is runc's word for crun's `--cgroup-manager systemd`. */
function toCgroupManager(options: Readonly<Record<string, OptionValue>>): GlobalOptions['cgroupManager'] {
  const given = text({ options }, 'cgroup-manager');
  if (given === 'disabled' || given === 'systemd') return given;
  return flag({ options }, 'systemd-cgroup') ? 'systemd' : 'cgroupfs';
}

/** For users who are not root: a place of their own, which is gone at reboot. */
function defaultRoot(): string {
  if (isRoot()) return '/run/tinyrun';
  return `${process.env['XDG_RUNTIME_DIR'] || `/run/user/${rawSyscall('geteuid')}`}/tinyrun`;
}

/** Root of a user's own user namespace, as rootless engines are, is not: the rule of runc. native-bindings/launch.c has it, too. */
function isRoot(): boolean {
  const { USER, XDG_RUNTIME_DIR } = process.env;
  return rawSyscall('geteuid') === 0 && (!XDG_RUNTIME_DIR || USER === 'root' || !inUserNamespace());
}

function defaultDataRoot(): string {
  if (isRoot()) return '/var/lib/tinyrun';
  return `${process.env['XDG_DATA_HOME'] || `${process.env['HOME'] || '/'}/.local/share`}/tinyrun`;
}

/** A path of the command line, absolute and without `.` and `..`, as Go's filepath.Abs makes it for runc. */
export const absolute = (path: string, cwd: string): string =>
  cleanPath(path.startsWith('/') ? path : `${cwd}/${path}`);
