// The commands that look into containers, images and volumes: options, other names, modules.

import type { Command } from '../commands/command.ts';
import type { CommandTable } from '../options.ts';

export const commands: CommandTable = {};

/** Other name -> name. */
export const aliases: Readonly<Record<string, string>> = {};

export const load: Readonly<Record<string, () => Promise<Command>>> = {};
