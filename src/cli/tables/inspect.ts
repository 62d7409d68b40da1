// The commands that look into containers, images and volumes: options, other names, modules.

import type { Command } from '../commands/command.ts';
import type { CommandTable, OptionTable } from '../options.ts';

const json: OptionTable = { json: { type: 'flag', description: 'as JSON' } };

export const commands: CommandTable = {
  mounts: {
    usage: 'CONTAINER',
    description: 'show the mounts of a container, who asked for them, and what the host sees',
    args: [1, 1],
    options: json,
  },
  where: {
    usage: 'CONTAINER PATH',
    description: 'show where a path of a container comes from, what it hides, and who may write it',
    args: [2, 2],
    options: {
      ...json,
      'no-follow': { type: 'flag', description: 'of a symlink in the last place, the link itself' },
    },
  },
};

/** Other name -> name. */
export const aliases: Readonly<Record<string, string>> = {};

export const load: Readonly<Record<string, () => Promise<Command>>> = {
  mounts: () => import('../commands/mounts.ts'),
  where: () => import('../commands/where.ts'),
};
