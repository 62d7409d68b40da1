// The command line of `run` and `explain` -> RunOptions. Of its argument, one rule tells what it is:
//
//   with --bundle                                      an id                                          runc's form
//   it has a slash, or is `.` or `..`                  a bundle                                       bundle form
//   there is ARGUMENT/config.json                      a bundle, unless config.json is here, too: ambiguous
//   otherwise                                          an id; the bundle is the working directory     runc's form
//
// The forms differ in what engines and people expect: where the id comes from, how long the container is kept, and the
// exit codes of failures (1 as runc; 125, 126, 127 as Docker).

import { TinyrunError } from '../errors.ts';
import { AT_FDCWD, exists } from '../runtime/files.ts';
import { assertId, newId } from '../runtime/id.ts';
import type { RunOptions } from '../runtime/options.ts';
import { type CommandLine, flag, number, text, texts } from './command-line.ts';
import { absolute } from './global.ts';

/** Which form the argument of `run` makes it; see above. */
export function formOf(line: CommandLine): RunOptions['form'] | 'ambiguous' {
  const argument = line.args[0] ?? '';
  if (line.options['bundle'] !== undefined) return 'runc';
  if (argument.includes('/') || argument === '.' || argument === '..') return 'bundle';
  if (argument === '' || !exists(AT_FDCWD, `${argument}/config.json`)) return 'runc';
  return exists(AT_FDCWD, 'config.json') ? 'ambiguous' : 'bundle';
}

/**
 * Reads the options of `run`.
 * @param cwd absolute; relative paths start there
 * @throws TinyrunError USAGE, UNSUPPORTED
 */
export function toRunOptions(line: CommandLine, cwd: string): RunOptions {
  assertSupported(line);
  const form = formOf(line);
  const argument = line.args[0]!;
  if (form === 'ambiguous')
    throw new TinyrunError(
      'USAGE',
      `run ${argument}: it may be the bundle ./${argument}, or the id of a container of the bundle here`,
      {
        hint: `write ./${argument}, or --bundle . ${argument}`,
      },
    );
  const name = text(line, 'name');
  if (form === 'runc' && name !== undefined)
    throw new TinyrunError('USAGE', `run ${argument}: --name ${name} is a second id`, {
      hint: `to run the bundle ./${argument}, write it so`,
    });
  const id = form === 'runc' ? argument : (name ?? newId());
  assertId(id);
  return {
    form,
    bundle: absolute(form === 'runc' ? (text(line, 'bundle') ?? '.') : argument, cwd),
    id,
    named: name !== undefined,
    keep: flag(line, 'keep'),
    remove: flag(line, 'rm'),
    args: line.rest === undefined ? undefined : [...line.rest],
    overlay: flag(line, 'overlay'),
    volumes: texts(line, 'volume'),
    mounts: texts(line, 'mount'),
    tmpfs: texts(line, 'tmpfs'),
    hostname: text(line, 'hostname'),
    addHosts: texts(line, 'add-host'),
    dns: texts(line, 'dns'),
    dnsSearch: texts(line, 'dns-search'),
    noPivot: flag(line, 'no-pivot'),
    preserveFds: number(line, 'preserve-fds') ?? 0,
    pidFile: path(line, 'pid-file', cwd),
    engine: text(line, 'engine') === 'ffi' ? 'ffi' : 'native',
    trace: /^\d+$/.test(text(line, 'trace') ?? '') ? text(line, 'trace') : path(line, 'trace', cwd),
    stepFd: number(line, 'step-fd'),
  };
}

function path(line: CommandLine, name: string, cwd: string): string | undefined {
  const value = text(line, name);
  if (value === '') throw new TinyrunError('USAGE', `--${name} is empty: it takes a path`);
  return value === undefined ? undefined : absolute(value, cwd);
}

function assertSupported(line: CommandLine): void {
  if (flag(line, 'detach') || text(line, 'console-socket') !== undefined) {
    const option = flag(line, 'detach') ? '--detach' : '--console-socket';
    throw new TinyrunError('UNSUPPORTED', `${option}: this version runs containers in the foreground only`);
  }
  if (flag(line, 'keep') && flag(line, 'rm'))
    throw new TinyrunError('USAGE', '--keep and --rm contradict each other: give one of them');
}
