// The command lines of `checkpoint` and `restore` -> what criu is to do.

import { TinyrunError } from '../errors.ts';
import type { CriuOptions, DumpOptions, RestoreOptions } from '../plan/criu.ts';
import { type CommandLine, flag, number, text } from './command-line.ts';
import { absolute } from './global.ts';
import { path } from './run-options.ts';

function toCriuOptions(line: CommandLine, cwd: string): CriuOptions {
  const imagePath = path(line, 'image-path', cwd) ?? absolute('checkpoint', cwd);
  return {
    imagePath,
    workPath: path(line, 'work-path', cwd) ?? imagePath,
    tcpEstablished: flag(line, 'tcp-established'),
    extUnixSk: flag(line, 'ext-unix-sk'),
    shellJob: flag(line, 'shell-job'),
    fileLocks: flag(line, 'file-locks'),
    autoDedup: flag(line, 'auto-dedup'),
    lazyPages: flag(line, 'lazy-pages'),
    manageCgroups: text(line, 'manage-cgroups-mode') ?? 'soft',
    emptyNetwork: text(line, 'empty-ns') !== undefined,
  };
}

/**
 * Reads the options of `checkpoint`.
 * @throws TinyrunError USAGE
 */
export function toDumpOptions(line: CommandLine, cwd: string): DumpOptions {
  const parentPath = text(line, 'parent-path') || undefined;
  if (parentPath?.startsWith('/'))
    throw new TinyrunError('USAGE', `--parent-path ${parentPath}: it is relative to --image-path`);
  const statusFd = number(line, 'status-fd');
  if (statusFd !== undefined && !flag(line, 'lazy-pages'))
    throw new TinyrunError('USAGE', `--status-fd ${statusFd}: it goes with --lazy-pages`);
  const server = text(line, 'page-server');
  const address = /^(?<address>.+):(?<port>\d{1,5})$/.exec(server ?? '')?.groups;
  if (server !== undefined && address === undefined)
    throw new TinyrunError('USAGE', `--page-server ${server}: use --page-server ADDRESS:PORT`);
  return {
    ...toCriuOptions(line, cwd),
    leaveRunning: flag(line, 'leave-running'),
    preDump: flag(line, 'pre-dump'),
    parentPath,
    statusFd,
    pageServer: address && { address: address['address']!, port: address['port']! },
  };
}

/**
 * Reads the options of `restore` that are for criu.
 * @throws TinyrunError USAGE
 */
export function toRestoreOptions(line: CommandLine, cwd: string): RestoreOptions {
  const lsmProfile = text(line, 'lsm-profile');
  if (lsmProfile !== undefined && !/^(apparmor|selinux):./.test(lsmProfile))
    throw new TinyrunError('USAGE', `--lsm-profile ${lsmProfile}: use apparmor:NAME or selinux:LABEL`);
  if (text(line, 'console-socket') !== undefined)
    throw new TinyrunError(
      'UNSUPPORTED',
      '--console-socket: criu hands no terminal over on its command line',
    );
  return { ...toCriuOptions(line, cwd), lsmProfile, lsmMountContext: text(line, 'lsm-mount-context') };
}
