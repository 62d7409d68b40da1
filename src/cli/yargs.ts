// The slow path: what fast.ts does not understand, by yargs and the same table. Help, completion, error messages; also
// any valid command line, with the fast path's result. Loaded only when needed: yargs takes longer to load than a
// container takes to start.
//
// yargs guesses where runc's flags do not: what it guesses is switched off here, and values are read by the table.

import yargs, { type Argv, type Options } from 'yargs';
import { TinyrunError } from '../errors.ts';
import { commands } from './cold.ts';
import type { CommandLine, OptionValue } from './command-line.ts';
import { elsewhere } from './elsewhere.ts';
import { examples } from './examples.ts';
import { isOption, isVersion, programWords, scanGlobals, splitGroup } from './fast.ts';
import {
  type CommandSpec,
  findCommand,
  findOption,
  globalOptions,
  type OptionSpec,
  type OptionTable,
  readValue,
} from './options.ts';

/** Help or a completion, to be printed as it is. */
export interface Output {
  output: string;
}

/**
 * Parses the words behind `tinyrun`.
 * @throws TinyrunError USAGE
 */
export async function parseWithYargs(argv: readonly string[]): Promise<CommandLine | Output> {
  if (argv[0] === COMPLETIONS) return { output: await completionOutput(argv) };
  const { options, next } = scanGlobals(argv);
  const name = argv[next];
  if (name === undefined || isHelp(name)) return { output: await helpOfAll() };
  if (isVersion(name)) return { command: 'version', options, args: [], rest: undefined };
  if (isOption(name)) {
    parseWords('', globalOptions, argv);
    throw usage('', `unknown option ${name}`);
  }
  if (name === COMPLETION) return { output: await completionOutput([name]) };
  if (name === 'help' || name === 'h') return { output: await helpAbout(argv.slice(next + 1)) };
  if (isGroup(name) && (argv[next + 1] === undefined || isHelp(argv[next + 1]!)))
    return { output: await helpOfAll(name) };
  return await parseCommand(argv, next);
}

async function parseCommand(argv: readonly string[], next: number): Promise<CommandLine | Output> {
  const { name, spec, next: first } = commandCalled(argv, next);
  const table = { ...globalOptions, ...spec.options };
  const behind = argv.slice(first);
  const split = spec.words ? firstArgument(table, behind) + 1 : behind.length;
  const words = behind.slice(0, split);
  const end = words.indexOf('--');
  if ((end < 0 ? words : words.slice(0, end)).some(isHelp)) return { output: await helpOf(name, spec) };
  const ended = end >= 0 && spec.rest === undefined; // as in runc, what stands behind are arguments
  const parsed = parseWords(name, table, [...argv.slice(0, next), ...(ended ? words.slice(0, end) : words)]);
  let args = ended ? [...parsed.args, ...words.slice(end + 1)] : parsed.args;
  let { rest } = parsed;
  if (spec.imageWords && args.length === 0 && rest !== undefined) {
    args = rest.slice(0, 1); // `run -- IMAGE`
    rest = rest.length > 1 ? rest.slice(1) : undefined;
  }
  checkCount(name, spec, args.length);
  return { command: name, ...parsed, args, rest: spec.words ? programWords(behind.slice(split)) : rest };
}

/** Whether it is the first word of commands that have two. */
const isGroup = (name: string): boolean =>
  !Object.hasOwn(commands, name) && Object.keys(commands).some((words) => words.startsWith(`${name} `));

/** @throws TinyrunError USAGE */
function commandCalled(words: readonly string[], at: number): NonNullable<ReturnType<typeof findCommand>> {
  const found = findCommand(commands, words, at);
  if (found !== undefined) return found;
  const group = words[at]!;
  if (!isGroup(group)) throw usage('', `unknown command ${group}`, elsewhere.get(group));
  throw usage(group, `unknown command ${group} ${words[at + 1]}`);
}

/** The index of the first word that is neither an option nor the value of one. */
function firstArgument(table: OptionTable, words: readonly string[]): number {
  let at = 0;
  while (at < words.length && isOption(words[at]!)) {
    const word = words[at]!;
    const name = splitGroup(table, word)?.at(-1) ?? word.split('=', 1)[0]!;
    const [, option] = findOption(table, name.replace(/^--?/, '')) ?? [];
    at += option === undefined || option.type === 'flag' || word.includes('=') ? 1 : 2;
  }
  return at;
}

/** Prints the script for a shell's start-up file; the script asks by the option, with the words typed so far. */
const COMPLETION = 'completion';
const COMPLETIONS = '--get-yargs-completions';
const isHelp = (word: string): boolean => word === '--help' || word === '-h' || word === '-help';

/** A mistake in the command line; `command` is the one whose help would tell, if it is known. */
function usage(
  command: string,
  message: string,
  hint = `see tinyrun ${command === '' ? '' : `${command} `}--help`,
): TinyrunError {
  return new TinyrunError('USAGE', message, { hint });
}

function checkCount(
  name: string,
  { args: [least, most], usage: form, rest }: CommandSpec,
  count: number,
): void {
  if (count >= least && count <= most) return;
  const wants = form === '' ? 'no arguments' : form;
  const remedy = rest !== undefined && count > most ? "; the program's own arguments stand behind --" : '';
  const given = count === 1 ? '1 argument was' : `${count} arguments were`;
  throw usage(name, `${name} takes ${wants}; ${given} given${remedy}`);
}

/** Splits words by yargs into options and arguments, and reads the options' values by the table. */
function parseWords(
  command: string,
  table: OptionTable,
  words: readonly string[],
): Omit<CommandLine, 'command'> {
  const parser = quietParser().options(
    mapTable(table, ({ alias }) => ({ type: 'string', nargs: 1, ...(alias === undefined ? {} : { alias }) })),
  );
  const known = knownOptions(command, table, words);
  let parsed: Record<string, unknown>;
  try {
    parsed = parser.parseSync(known);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw usage(
      command,
      message.replace(/^option (.+) needs/, (_, word) => `option ${dashed(word)} needs`),
    );
  }
  const { _: args, '--': rest, $0: _name, ...given } = parsed;
  const options: Record<string, OptionValue> = {};
  for (const [word, value] of Object.entries(given)) {
    const found = findOption(table, word);
    if (found === undefined) throw usage(command, `unknown option ${dashed(word)}`);
    const [name, spec] = found;
    if (word === name && value !== undefined)
      options[name] = readValues(command, name, spec, [value].flat().map(String));
  }
  return { options, args: strings(args), rest: rest === undefined ? undefined : strings(rest) };
}

const dashed = (word: string): string => (word.length === 1 ? `-${word}` : `--${word}`);
const strings = (list: unknown): string[] => [list].flat().map(String);

function readValues(command: string, name: string, spec: OptionSpec, texts: string[]): OptionValue {
  if (spec.repeat) return texts;
  const values = texts.map((text) => {
    const value = readValue(spec, text);
    if (value !== undefined) return value;
    const choices =
      spec.choices?.join(' or ') ?? (spec.type === 'flag' ? 'true or false' : 'a number from 0 to 999999999');
    throw usage(command, `--${name} is ${choices}, not ${JSON.stringify(text)}`);
  });
  return values[values.length - 1]!;
}

/**
 * Refuses unknown options, whose words yargs would take for names of its own objects' fields (`--constructor`), and
 * writes a flag as `--flag=true`: yargs would take a word behind it, a bundle called `true`, as its value.
 */
function knownOptions(command: string, table: OptionTable, words: readonly string[]): string[] {
  const end = words.indexOf('--');
  return words.flatMap((word, index) => {
    if (!isOption(word) || (end >= 0 && index >= end)) return [word];
    const name = word.slice(word.startsWith('--') ? 2 : 1).split('=', 1)[0]!;
    const found = findOption(table, name);
    const group = found === undefined ? splitGroup(table, word) : undefined;
    if (group !== undefined) return knownOptions(command, table, group);
    if (found === undefined) throw usage(command, `unknown option ${dashed(name)}`);
    return found[1].type === 'flag' && !word.includes('=') ? [`${word}=true`] : [word];
  });
}

/** A yargs that prints nothing, ends nothing, and guesses nothing: no numbers, `--no-x`, dots, groups of letters. */
function quietParser(): Argv {
  return yargs()
    .scriptName('tinyrun')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
      'short-option-groups': false,
    })
    .detectLocale(false)
    .updateStrings({ 'Not enough arguments following: %s': 'option %s needs a value' })
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail(false)
    .wrap(100);
}

function mapTable(table: OptionTable, toOptions: (spec: OptionSpec) => Options): Record<string, Options> {
  return Object.fromEntries(Object.entries(table).map(([name, spec]) => [name, toOptions(spec)]));
}

// Help and completion

/** The table as yargs shows it. */
function shown(table: OptionTable, group: string): Record<string, Options> {
  return mapTable(table, ({ type, alias, choices, description, hidden, repeat, default: value }) => ({
    group,
    type: type === 'flag' ? 'boolean' : 'string',
    describe: repeat ? `${description} (may be repeated)` : description,
    ...(alias === undefined ? {} : { alias }),
    ...(choices === undefined ? {} : { choices }),
    ...(value === undefined ? {} : { defaultDescription: value }),
    ...(hidden === undefined ? {} : { hidden }),
  }));
}

function helpParser(): Argv {
  const help: Options = { group: 'Global options:', type: 'boolean', alias: 'h', describe: 'show help' };
  return quietParser().options({ ...shown(globalOptions, 'Global options:'), help });
}

/** All commands, or those whose first word is `group`. */
function allCommands(group?: string): Argv {
  const usage = `tinyrun [GLOBAL OPTIONS] ${group === undefined ? '' : `${group} `}COMMAND`;
  const parser = helpParser().usage(`${usage}\n\nruns containers from OCI bundles and images`);
  for (const [name, spec] of Object.entries(commands))
    if (!spec.hidden && (group === undefined || name.startsWith(`${group} `)))
      parser.command(name, spec.description, (one) => one.options(shown(spec.options, 'Options:')));
  return group === undefined
    ? parser.completion(COMPLETION, "print a completion script for the user's shell")
    : parser;
}

async function helpOfAll(group?: string): Promise<string> {
  const version: Options = {
    group: 'Global options:',
    type: 'boolean',
    alias: 'v',
    describe: 'print the version',
  };
  return `${await allCommands(group).options({ version }).getHelp()}\n`;
}

/** `tinyrun help [COMMAND]` */
async function helpAbout(words: readonly string[]): Promise<string> {
  if (words.length < 2 && (words[0] === undefined || isGroup(words[0]))) return helpOfAll(words[0]);
  const { name, spec } = commandCalled(words, 0);
  return helpOf(name, spec);
}

async function helpOf(name: string, spec: CommandSpec): Promise<string> {
  const title = `tinyrun ${name}${spec.usage === '' ? '' : ` [OPTIONS] ${spec.usage}`}\n\n${spec.description}`;
  const parser = helpParser().usage(title).options(shown(spec.options, 'Options:'));
  for (const [typed, does] of examples[name] ?? []) parser.example(typed, does);
  return `${await parser.getHelp()}\n`;
}

/** Lets yargs answer the shell: its completion script, or a line for each word that may come next. */
async function completionOutput(words: readonly string[]): Promise<string> {
  const [asked = '', script = '', first = '', ...behind] = words;
  // yargs knows commands of one word: behind `volume`, those are the second words.
  const group = isGroup(first) && behind.length > 0 ? first : undefined;
  const parser = helpParser().completion(COMPLETION, "print a completion script for the user's shell");
  for (const [name, spec] of lastWords(group))
    parser.command(name, spec.description, (one) => one.options(shown(spec.options, 'Options:')));
  let output = '';
  const given = group === undefined ? words : [asked, script, ...behind];
  await parser.parse([...given], {}, (_error, _parsed, printed) => {
    output = `${printed.trimEnd()}\n`;
  });
  return output;
}

/** The words that may come next in a command's name, once each: the first, or the second behind `group`. */
function lastWords(group: string | undefined): Map<string, CommandSpec> {
  const words = Object.entries(commands).flatMap(([name, spec]): [string, CommandSpec][] => {
    const [first = '', second] = name.split(' ');
    const word = group === undefined ? first : first === group ? second : undefined;
    return spec.hidden || word === undefined ? [] : [[word, spec]];
  });
  return new Map(words);
}
