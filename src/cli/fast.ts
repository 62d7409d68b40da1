// The fast path: words -> CommandLine by the table of options.ts, in microseconds. What it does not fully understand
// (a mistake, a request for help) it leaves to yargs.ts, by returning undefined; whatever both understand, they
// understand alike (test/cli/parsers.test.ts).
//
// The grammar is that of runc's flags: `--name VALUE`, `--name=VALUE`, one dash or two, options before or behind the
// arguments, `--` ends them. A value that starts with a dash is written with `=`, unless it is a number or `-` alone.

import type { CommandLine, OptionValue } from './command-line.ts';
import {
  type CommandTable,
  commands,
  findCommand,
  findOption,
  globalOptions,
  type OptionTable,
  readValue,
} from './options.ts';

/**
 * Parses the words behind `tinyrun`; undefined where that takes cold.ts or yargs.
 * @param imageWords what stands behind the argument of `run` and `create` is the program's words: it is an image
 */
export function parseFast(
  argv: readonly string[],
  table: CommandTable = commands,
  imageWords = false,
): CommandLine | undefined {
  const { options, next } = scanGlobals(argv);
  const first = argv[next];
  if (first === undefined) return undefined;
  if (isVersion(first)) return { command: 'version', options, args: [], rest: undefined };
  const found = findCommand(table, argv, next);
  if (found === undefined) return undefined;
  const { name, spec } = found;

  const args: string[] = [];
  for (let i = found.next; i < argv.length; ) {
    const word = argv[i]!;
    if (word === '--') {
      const behind = argv.slice(i + 1);
      const missing = spec.imageWords && args.length === 0 ? 1 : 0; // `run -- IMAGE`
      if (args.length + missing < spec.args[0] || behind.length < missing) return undefined;
      args.push(...behind.splice(0, missing));
      // What such an argument is, cold.ts tells.
      if (missing > 0 ? table === commands : spec.rest === undefined) return undefined;
      if (behind.length > 0 && spec.rest === undefined && !imageWords) return undefined;
      return { command: name, options, args, rest: given(behind) };
    }
    if (isOption(word)) {
      const after = readOption(argv, i, spec.options, options) ?? readOption(argv, i, globalOptions, options);
      if (after === undefined) return undefined;
      i = after;
    } else {
      if (word.length > 1 && word.startsWith('-')) return undefined; // `-1`: a number, or what else?
      if (args.push(word) > spec.args[1]) return undefined;
      i++;
      if (spec.words) return { command: name, options, args, rest: programWords(argv.slice(i)) };
      if (spec.imageWords && imageWords) return { command: name, options, args, rest: given(argv.slice(i)) };
      // Whether what follows is ours depends on what the argument is: cold.ts.
      const named = options['bundle'] !== undefined || word.startsWith('/') || word.startsWith('.');
      if (spec.imageWords && table === commands && i < argv.length && !named) return undefined;
    }
  }
  return args.length < spec.args[0] ? undefined : { command: name, options, args, rest: undefined };
}

/** What stands behind the first argument of a command that takes a program's words; a `--` there is not one of them. */
export function programWords(words: readonly string[]): readonly string[] | undefined {
  return given(words[0] === '--' ? words.slice(1) : words);
}

const given = (words: readonly string[]): readonly string[] | undefined =>
  words.length > 0 ? words : undefined;

/** Reads the global options in front of the command; `next` is the first word that is none. */
export function scanGlobals(argv: readonly string[]): { options: Record<string, OptionValue>; next: number } {
  const options: Record<string, OptionValue> = {};
  let next = 0;
  while (next < argv.length && isOption(argv[next]!)) {
    const after = readOption(argv, next, globalOptions, options);
    if (after === undefined) break;
    next = after;
  }
  return { options, next };
}

/** Whether a word is an option, or would be one; `--` counts, `-` and `-1` do not. */
export const isOption = (word: string): boolean =>
  word.length > 1 && word.startsWith('-') && !isDigit(word[1]!);

/** Whether a word asks for the version; only so in front of a command, since `-v` is a volume behind `run`. */
export const isVersion = (word: string): boolean =>
  word === '--version' || word === '-v' || word === '-version';

const isDigit = (character: string): boolean => character >= '0' && character <= '9';

/** Reads the option at `at` into `options`. Returns the index behind it, or undefined if this table lacks it. */
function readOption(
  argv: readonly string[],
  at: number,
  table: OptionTable,
  options: Record<string, OptionValue>,
): number | undefined {
  const word = argv[at]!;
  const equals = word.indexOf('=');
  const found = findOption(table, word.slice(word[1] === '-' ? 2 : 1, equals < 0 ? undefined : equals));
  if (found === undefined) {
    const letters = splitGroup(table, word);
    if (letters !== undefined) return readGroup(letters, argv, at, table, options);
    const apart = splitValue(table, word);
    return apart && readOption(apart, 0, table, options) && at + 1;
  }
  const [name, spec] = found;
  let next = at + 1;
  let text = equals < 0 ? undefined : word.slice(equals + 1);
  if (text === undefined && spec.type === 'flag') text = 'true';
  text ??= argv[next++];
  if (text === undefined || (equals < 0 && isOption(text))) return undefined;
  const value = readValue(spec, text);
  if (value === undefined) return undefined;
  if (spec.repeat === undefined) options[name] = value;
  else {
    const list = options[name];
    if (Array.isArray(list)) list.push(text);
    else options[name] = [text];
  }
  return next;
}

/**
 * Splits a group of one-letter options: `-it`, and `-itv SOURCE`, whose last one takes a value.
 * @returns undefined if it is none: one dash, two letters or more, flags all but the last
 */
export function splitGroup(table: OptionTable, word: string): string[] | undefined {
  if (word.length < 3 || word[1] === '-' || word.includes('=')) return undefined;
  const letters = [...word.slice(1)];
  const isFlag = (letter: string): boolean => findOption(table, letter)?.[1].type === 'flag';
  const last = letters[letters.length - 1]!;
  return letters.slice(0, -1).every(isFlag) && findOption(table, last) !== undefined
    ? letters.map((letter) => `-${letter}`)
    : undefined;
}

/** `-m64m`, `-e=A=1`: a letter with its value, as the one word and its value that they mean; undefined if it is none. */
function splitValue(table: OptionTable, word: string): string[] | undefined {
  if (word.length < 3 || word[1] === '-') return undefined;
  const found = findOption(table, word[1]!);
  if (found === undefined || found[1].type === 'flag') return undefined;
  return [`--${found[0]}=${word.slice(word[2] === '=' ? 3 : 2)}`];
}

/** Reads each option of a group; a value stands in the word behind it. */
function readGroup(
  letters: readonly string[],
  argv: readonly string[],
  at: number,
  table: OptionTable,
  options: Record<string, OptionValue>,
): number | undefined {
  const words = [...letters, ...argv.slice(at + 1, at + 2)];
  let next: number | undefined = 0;
  for (let i = 0; i < letters.length && next !== undefined; i++) next = readOption(words, i, table, options);
  return next === undefined ? undefined : at + 1 + (next - letters.length);
}
