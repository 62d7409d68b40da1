// The command line of `run`, `create` and `explain` -> RunOptions. Their argument may be a bundle, an image or an id:
//
//   with --bundle                                an id: runc's form
//   it starts with / or ., or is . or ..         a bundle
//   otherwise                                    what is there of that name decides: target.ts
//
// The forms differ in what engines and people expect: where the id comes from, how long the container is kept, and the
// exit codes of failures (1 as runc; 125, 126, 127 as Docker). Those of containers of an image are in container-options.ts.

import { TinyrunError } from '../errors.ts';
import { assertId, newId } from '../runtime/id.ts';
import type { RunOptions } from '../runtime/options.ts';
import { type CommandLine, flag, number, text, texts } from './command-line.ts';
import { absolute } from './global.ts';

/** The form of a bundle's container. */
export type BundleForm = 'bundle' | 'runc';

/** Which form it is, where the words alone tell; see above. */
export function explicitForm(line: CommandLine): BundleForm | undefined {
  if (line.options['bundle'] !== undefined) return 'runc';
  return /^[/.]/.test(line.args[0] ?? '') ? 'bundle' : undefined;
}

/**
 * Reads the options of `create`, which has runc's form only.
 * @param cwd absolute; relative paths start there
 * @throws TinyrunError USAGE
 */
export function toCreateOptions(line: CommandLine, cwd: string): RunOptions {
  const id = line.args[0]!;
  assertId(id);
  return {
    ...toOptions(line, cwd),
    lifecycle: 'created',
    form: 'runc',
    found: explicitForm(line) === undefined,
    bundle: bundleOf(line, cwd),
    id,
  };
}

const bundleOf = (line: CommandLine, cwd: string): string => absolute(text(line, 'bundle') ?? '.', cwd);

/**
 * Reads the options of `run` for a container of a bundle.
 * @param cwd absolute; relative paths start there
 * @throws TinyrunError USAGE
 */
export function toRunOptions(line: CommandLine, cwd: string, form: BundleForm): RunOptions {
  assertNoContradiction(line);
  const argument = line.args[0]!;
  const name = text(line, 'name');
  if (form === 'runc' && name !== undefined)
    throw new TinyrunError('USAGE', `run ${argument}: --name ${name} is a second id`, {
      hint: `to run the bundle ./${argument}, write it so`,
    });
  const id = form === 'runc' ? argument : (name ?? newId());
  assertId(id);
  return {
    ...toOptions(line, cwd),
    lifecycle: flag(line, 'detach') ? 'detached' : 'foreground',
    form,
    found: explicitForm(line) === undefined,
    bundle: form === 'runc' ? bundleOf(line, cwd) : absolute(argument, cwd),
    id,
    named: name !== undefined,
  };
}

/** What `run` and `create` have in common. */
function toOptions(
  line: CommandLine,
  cwd: string,
): Omit<RunOptions, 'lifecycle' | 'form' | 'found' | 'bundle' | 'id'> {
  const listenFds = readListenFds(process.env);
  return {
    container: undefined,
    configFile: path(line, 'config', cwd),
    named: false,
    keep: flag(line, 'keep'),
    remove: flag(line, 'rm'),
    args: line.rest === undefined ? undefined : [...line.rest],
    overlay: flag(line, 'overlay'),
    volumes: texts(line, 'volume'),
    mounts: texts(line, 'mount'),
    tmpfs: texts(line, 'tmpfs'),
    volumesFrom: texts(line, 'volumes-from'),
    volumeDriver: text(line, 'volume-driver'),
    hostname: text(line, 'hostname'),
    addHosts: texts(line, 'add-host'),
    dns: texts(line, 'dns'),
    dnsSearch: texts(line, 'dns-search'),
    init: flag(line, 'init'),
    noPivot: flag(line, 'no-pivot'),
    noNewKeyring: flag(line, 'no-new-keyring'),
    listenFds,
    preserveFds: listenFds + (number(line, 'preserve-fds') ?? 0),
    notifySocket: process.env['NOTIFY_SOCKET'] || undefined,
    pidFile: path(line, 'pid-file', cwd),
    consoleSocket: socket(line, 'console-socket', cwd),
    pidfdSocket: socket(line, 'pidfd-socket', cwd),
    ...engineOptions(line, cwd),
  };
}

/** Who executes the program, and who looks on. */
export function engineOptions(
  line: CommandLine,
  cwd: string,
): Pick<RunOptions, 'engine' | 'trace' | 'stepFd'> {
  return {
    engine: text(line, 'engine') === 'ffi' ? 'ffi' : 'native',
    trace: /^\d+$/.test(text(line, 'trace') ?? '') ? text(line, 'trace') : path(line, 'trace', cwd),
    stepFd: number(line, 'step-fd'),
  };
}

/** How many sockets systemd hands over: sd_listen_fds(3). They are meant for us only if LISTEN_PID says so. */
export function readListenFds(env: Readonly<Record<string, string | undefined>>): number {
  const [count = '', pid] = [env['LISTEN_FDS'], env['LISTEN_PID']];
  return pid === String(process.pid) && /^[1-9]\d{0,3}$/.test(count) ? Number(count) : 0;
}

/** A path; an empty one is none, as for runc: scripts write `--pid-file "$FILE"`. */
export function path(line: CommandLine, name: string, cwd: string): string | undefined {
  const value = text(line, name);
  return value === undefined || value === '' ? undefined : absolute(value, cwd);
}

/** What a socket's address has room for: sun_path of unix(7), with its NUL. */
const LONGEST_SOCKET = 107;

export function socket(line: CommandLine, name: string, cwd: string): string | undefined {
  const value = path(line, name, cwd);
  if (value !== undefined && Buffer.byteLength(value) > LONGEST_SOCKET)
    throw new TinyrunError(
      'USAGE',
      `--${name} ${value}: a socket's path has at most ${LONGEST_SOCKET} bytes`,
    );
  return value;
}

function assertNoContradiction(line: CommandLine): void {
  const both = (a: string, b: string): void => {
    if (flag(line, a) && flag(line, b))
      throw new TinyrunError('USAGE', `--${a} and --${b} contradict each other: give one of them`);
  };
  both('keep', 'rm');
  both('detach', 'rm'); // nobody would be there to remove it
}
