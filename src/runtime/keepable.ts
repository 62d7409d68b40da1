// What the programs that are kept for later calls have in common. What differs from call to call (the id, files that an
// engine makes for one call) are parameters: the program is planned with a placeholder for each, and has the values put in
// by JavaScript the first time (`fill`), by the launcher from then on. So both run the same program.

import { close } from '../../native-bindings/libc.ts';
import type { ProcessInput, SecurityModule } from '../plan/input.ts';
import { keepFile } from './kept.ts';
import {
  type Check,
  encodeLaunchFile,
  fillIn,
  type LaunchFile,
  type Placeholder,
  PROGRAMS,
} from './launch-file.ts';
import type { GlobalOptions, RunOptions } from './options.ts';
import { type Invocation, type Parameter, readInvocation } from './prelude.ts';
import { readText } from './probe.ts';
import { securityFiles } from './probe-security.ts';

/** A parameter: what stands for it in the program, and what it is in this call. */
interface Filled extends Placeholder {
  value: string;
}

/** A call whose program may be kept. */
export interface Keepable<Input> {
  invocation: Invocation;
  /** What it is planned from, with placeholders. */
  input: Input;
  filled: readonly Filled[];
}

/** Characters that placeholders are made of, which no text of ours repeats. */
const letters: Readonly<Record<Parameter, string>> = {
  'given id': '^',
  'pid file': '~',
  'console socket': '|',
  'log file': '`',
  'process file': '{',
};
/** Stands for the process file in a check: a path, of any length. */
export const PROCESS_FILE = letters['process file'].repeat(255);
const utf8 = new TextEncoder();

/** A placeholder that is shorter may stand somewhere by chance. */
const SHORTEST = 4;
/** Characters: what is kept holds the texts that it was made of, and the state root is often in memory. */
const LARGEST = 1 << 18;

/** Whether programs of such calls are kept at all. */
export const isKept = (
  global: GlobalOptions,
  options: Pick<RunOptions, 'engine' | 'trace' | 'stepFd' | 'preserveFds'>,
): boolean =>
  options.engine === 'native' &&
  options.trace === undefined &&
  options.stepFd === undefined &&
  options.preserveFds === 0 &&
  !global.debug;

/**
 * Makes a call one whose program may be kept.
 * @param values what the command line says of each parameter, where it says something
 * @param texts all that is in the plan and was not written by tinyrun: no placeholder may stand there
 * @param time of planning, milliseconds since 1970
 * @param substitute puts placeholders into the input
 * @returns undefined where the launcher has not understood the command line, or placeholders would be mistaken
 */
export function toKeepable<Input>(
  values: Readonly<Partial<Record<Parameter, string | undefined>>>,
  texts: readonly string[],
  time: number,
  substitute: (placeholder: (parameter: Parameter) => string | undefined) => Input,
): Keepable<Input> | undefined {
  const invocation = readInvocation();
  if (invocation === undefined) return undefined;
  if (texts.reduce((sum, { length }) => sum + length, 0) > LARGEST) return undefined;
  const filled: Filled[] = [];
  // What stands there by chance would be changed as well, when the time is put in.
  const now = new Date(time).toISOString().slice(0, 19);
  if (texts.some((other) => other.includes(now))) return undefined;
  for (const [kind, letter] of Object.entries(letters) as [Parameter, string][]) {
    const value = invocation.parameters[kind];
    if (value === undefined) continue;
    const text = kind === 'process file' ? PROCESS_FILE : letter.repeat(value.length);
    if (values[kind] !== value || text.length < SHORTEST) return undefined;
    if (texts.some((other) => other.includes(text))) return undefined;
    filled.push({ kind, text, value });
  }
  const input = substitute((parameter) => filled.find(({ kind }) => kind === parameter)?.text);
  return { invocation, input, filled };
}

/** The passwd file of a root, as it was read. */
export function passwdCheck(root: string, text: string | undefined): Check {
  const path = 'etc/passwd';
  return text === undefined
    ? { want: 'missing', root, path }
    : { want: 'contents', root, path, contents: utf8.encode(text) };
}

/** That the security modules that a plan goes by are still on; as probe-security.ts looks. */
export const securityChecks = (modules: readonly SecurityModule[]): Check[] =>
  modules.map((module) => {
    const path = securityFiles[module];
    const text = readText(path, 1 << 16);
    return { want: 'contents', path, contents: utf8.encode(typeof text === 'string' ? text : '') };
  });

/** The log file, which the program opens by itself each time: we need not. */
export function passLog<Input extends Pick<ProcessInput, 'logFd' | 'logPath'>>(
  { log }: GlobalOptions,
  input: Input,
  placeholder: string | undefined,
): Pick<Input, 'logFd' | 'logPath'> {
  if (input.logFd !== undefined) close(input.logFd);
  return { logFd: undefined, logPath: placeholder ?? log };
}

/** Puts the values of this call into its program. */
export function fill({ filled }: Pick<Keepable<unknown>, 'filled'>, image: Uint8Array): void {
  for (const { text, value } of filled) fillIn(image, text, value);
}

/**
 * Keeps the program.
 * @param image with placeholders
 * @param time of planning, milliseconds since 1970
 * @param more placeholders besides those of the parameters
 * @returns why it could not be, for --debug
 */
export function keepLaunchFile(
  { root }: GlobalOptions,
  { invocation, filled }: Pick<Keepable<unknown>, 'invocation' | 'filled'>,
  checks: readonly Check[],
  image: Uint8Array,
  time: number,
  more: readonly Placeholder[],
  numberFile?: string,
): string | undefined {
  const now = new Date(time).toISOString();
  const file: LaunchFile = {
    invocation: invocation.bytes,
    checks,
    placeholders: [
      ...filled,
      { kind: 'milliseconds', text: now },
      { kind: 'seconds', text: `${now.slice(0, 19)}Z` },
      ...more,
    ],
    ...(numberFile === undefined ? {} : { numberFile }),
    image,
  };
  return keepFile(root, PROGRAMS.folder, invocation.name, [encodeLaunchFile(file)], PROGRAMS.most);
}
