// The commands beyond runc's: those of images, volumes and named containers, and Docker's options of `run` and `create`.
// Loaded where the table of options.ts does not do, so that engines never wait for it.

import { TinyrunError } from '../errors.ts';
import type { CommandLine } from './command-line.ts';
import type { Command } from './commands/command.ts';
import { parseFast, scanGlobals } from './fast.ts';
import { type CommandSpec, type CommandTable, commands as hotCommands } from './options.ts';
import * as container from './tables/container.ts';
import * as copying from './tables/copying.ts';
import { dockerOptions, imageOptions } from './tables/docker-run.ts';
import * as image from './tables/image.ts';
import * as inspect from './tables/inspect.ts';
import * as output from './tables/output.ts';
import * as volume from './tables/volume.ts';
import { kindOfTarget } from './target.ts';

/** Options of `run` that `create` has for images alone. */
const ofRun = { name: hotCommands['run']!.options['name']!, rm: hotCommands['run']!.options['rm']! };

const withDockerOptions = (name: 'run' | 'create' | 'explain'): CommandSpec => {
  const spec = hotCommands[name]!;
  return { ...spec, options: { ...ofRun, ...spec.options, ...dockerOptions } };
};

/** All commands, those of options.ts among them. */
export const commands: CommandTable = {
  ...hotCommands,
  run: withDockerOptions('run'),
  create: withDockerOptions('create'),
  explain: withDockerOptions('explain'),
  ...container.commands,
  ...copying.commands,
  ...image.commands,
  ...volume.commands,
  ...inspect.commands,
  ...output.commands,
};

/** Other names, as Docker has them. */
export const aliases: Readonly<Record<string, string>> = {
  ...container.aliases,
  ...copying.aliases,
  ...image.aliases,
  ...volume.aliases,
  ...inspect.aliases,
  ...output.aliases,
};

/** The modules of the commands that only this table has. */
export const load: Readonly<Record<string, () => Promise<Command>>> = {
  ...container.load,
  ...copying.load,
  ...image.load,
  ...volume.load,
  ...inspect.load,
  ...output.load,
};

/**
 * Parses the words behind `tinyrun` by all tables; undefined where that takes yargs.
 * @throws TinyrunError USAGE for options of images where there is none
 */
export function parseCold(argv: readonly string[]): CommandLine | undefined {
  const asImage = parseFast(argv, commands, true);
  const kind = asImage === undefined ? 'other' : kindOfTarget(asImage);
  if (kind === 'image') return asImage;
  const line = parseFast(argv, commands);
  if (kind === 'nothing' && line?.options['bundle'] === undefined) return asImage;
  if (line !== undefined) refuseImageOptions(line);
  return line;
}

/** What a config.json says must not be lost in silence. */
function refuseImageOptions({ command, options }: CommandLine): void {
  if (!['run', 'create', 'explain'].includes(command)) return;
  const ofImages = command === 'create' ? { ...imageOptions, ...ofRun } : imageOptions;
  const name = Object.keys(options).find((one) => Object.hasOwn(ofImages, one) && one !== 'hostname');
  if (name === undefined) return;
  throw new TinyrunError('USAGE', `${command} --${name}: it is for containers of an image`, {
    hint: "a bundle's own config.json says what it would",
  });
}

/** The words, with the command's own name in place of another that it has. `ps` without a container is Docker's. */
export function withoutAlias(argv: readonly string[]): readonly string[] {
  const at = scanGlobals(argv).next;
  const [first = '', second = ''] = argv.slice(at);
  const list = [...argv.slice(0, at), 'container', 'ls', ...argv.slice(at + 1)];
  if (first === 'ps' && parseFast(list, commands) !== undefined) return list;
  const name = [`${first} ${second}`, first].find((words) => Object.hasOwn(aliases, words));
  if (name === undefined) return argv;
  return [...argv.slice(0, at), ...aliases[name]!.split(' '), ...argv.slice(at + name.split(' ').length)];
}
