// The process that `exec` starts: the container's own with what the command line says, or one of a file. runc's rules.

import { TinyrunError } from '../errors.ts';
import type { CapabilitySets, Process } from '../oci/config.ts';
import { parseJsonObject } from '../oci/json.ts';
import { formatProblems, validateProcess } from '../oci/validate.ts';
import { CONFIG_LIMIT } from './config-file.ts';
import type { Log } from './log.ts';
import type { ExecOptions } from './options.ts';
import { readText, refused } from './probe.ts';

/**
 * The process to start, checked.
 * @param own the container's
 * @param text of the process file
 * @throws TinyrunError
 */
export function execProcess(own: Process, options: ExecOptions, text: string | undefined, log: Log): Process {
  const { processFile } = options;
  const wanted =
    options.process ??
    (text === undefined || processFile === undefined
      ? changed(own, options)
      : parseJsonObject(text, processFile));
  const { process, problems, warnings } = validateProcess(wanted);
  const file = processFile ?? `process of container ${options.id}`;
  if (problems.length > 0)
    throw new TinyrunError('CONFIG', formatProblems(problems, file), { data: { problems } });
  if (warnings.length > 0) log.warn(formatProblems(warnings, file));
  return process;
}

/**
 * The text of the process file; undefined where none is given.
 * @throws TinyrunError CONFIG
 */
export function readProcessFile({ processFile }: ExecOptions): string | undefined {
  if (processFile === undefined) return undefined;
  const text = readText(processFile, CONFIG_LIMIT);
  if (typeof text === 'number') throw refused('CONFIG', `read ${processFile}`, -text);
  return text;
}

/** What is said where there is nothing to run. */
export const noCommand = (message: string): TinyrunError =>
  new TinyrunError('USAGE', message, {
    hint: 'exec takes CONTAINER COMMAND [ARGS...]: see tinyrun exec --help',
  });

function changed(own: Process, options: ExecOptions): Process {
  const { args, env, cwd, terminal } = options;
  if (args.length === 0) throw noCommand('process args cannot be empty');
  return withRights(
    {
      ...own,
      args,
      terminal,
      env: [...(own.env ?? []), ...env],
      user: userOf(own, options),
      ...(cwd === undefined ? {} : { cwd }),
    },
    options,
  );
}

/**
 * A process with more groups and capabilities, or other labels, as the options of `exec` say.
 * @throws TinyrunError USAGE for a group that is no number
 */
export function withRights(own: Process, options: ExecOptions): Process {
  const { noNewPrivileges, apparmorProfile, selinuxLabel, capabilities: added } = options;
  const groups = options.additionalGids.map((text) => toId(text, 'group', '--additional-gids'));
  const { user = {} } = own;
  return {
    ...own,
    ...(noNewPrivileges === undefined ? {} : { noNewPrivileges }),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
    ...(added.length === 0 ? {} : { capabilities: addCapabilities(own, added) }),
    ...(groups.length === 0
      ? {}
      : { user: { ...user, additionalGids: [...(user.additionalGids ?? []), ...groups] } }),
  };
}

function userOf({ user = {} }: Process, options: ExecOptions): NonNullable<Process['user']> {
  const [uid, gid] = options.user?.split(/:(.*)/s) ?? [];
  return {
    ...user,
    ...(uid === undefined ? {} : { uid: toId(uid, 'user', '--user') }),
    ...(gid === undefined ? {} : { gid: toId(gid, 'group', '--user') }),
  };
}

const HIGHEST_ID = 0x7fffffff; // as runc

function toId(text: string, what: string, option: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= HIGHEST_ID) return Number(text);
  throw new TinyrunError('USAGE', `${option}: ${JSON.stringify(text)} is not the number of a ${what}`, {
    hint: 'names are not looked up: the container may call its users as it likes',
  });
}

/** Ambient and inheritable stay as they are: a program that is not root then gets it by file capabilities only. */
function addCapabilities({ capabilities = {} }: Process, added: readonly string[]): CapabilitySets {
  const { bounding = [], effective = [], permitted = [] } = capabilities;
  return {
    ...capabilities,
    bounding: [...bounding, ...added],
    effective: [...effective, ...added],
    permitted: [...permitted, ...added],
  };
}
