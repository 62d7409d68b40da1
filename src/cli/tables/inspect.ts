// The commands that look into containers, images and volumes: options, other names, modules.

import type { Command } from '../commands/command.ts';
import type { CommandTable, OptionTable } from '../options.ts';

const MANY = 1_000_000;

const json: OptionTable = { json: { type: 'flag', description: 'as JSON' } };
const listOptions: OptionTable = {
  all: { type: 'flag', alias: 'a', description: 'those that do not run, too' },
  filter: { type: 'text', alias: 'f', repeat: true, description: 'only those that KEY=VALUE holds for' },
  format: { type: 'text', description: '`table TEMPLATE`, `json`, or a Go template' },
  last: { type: 'text', alias: 'n', description: 'the last so many that were created, in any state' },
  latest: { type: 'flag', alias: 'l', description: 'the last one that was created, in any state' },
  'no-trunc': { type: 'flag', description: 'ids and commands in full' },
  quiet: { type: 'flag', alias: 'q', description: 'only the ids' },
  size: { type: 'flag', alias: 's', description: 'and how much they take' },
};
const inspectOptions: OptionTable = {
  format: { type: 'text', alias: 'f', description: '`json`, or a Go template' },
  size: { type: 'flag', alias: 's', description: 'of containers, also how much they take' },
};

export const commands: CommandTable = {
  'container ls': { usage: '', description: 'list containers', args: [0, 0], options: listOptions },
  inspect: {
    usage: 'NAME [NAME...]',
    description: 'show all that is known of containers, images or volumes',
    args: [1, MANY],
    options: {
      ...inspectOptions,
      type: {
        type: 'text',
        choices: ['container', 'image', 'volume'],
        description: 'look among these only',
      },
    },
  },
  'container inspect': {
    usage: 'CONTAINER [CONTAINER...]',
    description: 'show all that is known of containers',
    args: [1, MANY],
    options: inspectOptions,
  },
  top: {
    usage: 'CONTAINER [PS-OPTIONS...]',
    description: "show a container's processes, by the host's ps(1)",
    args: [1, 1],
    words: true,
    options: {},
  },
  mounts: {
    usage: 'CONTAINER',
    description: 'show the mounts of a container, who asked for them, and what the host sees',
    args: [1, 1],
    options: json,
  },
  'explain mounts': {
    usage: 'CONTAINER',
    description: 'compare binds, volumes and tmpfs, by those that a container has',
    args: [1, 1],
    options: {},
  },
  'explain pagecache': {
    usage: 'CONTAINER CONTAINER PATH',
    description: 'show whether two containers that run share the pages of a file in memory',
    args: [3, 3],
    options: {},
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
export const aliases: Readonly<Record<string, string>> = {
  'container list': 'container ls',
  'container ps': 'container ls',
  'container top': 'top',
};

export const load: Readonly<Record<string, () => Promise<Command>>> = {
  'container ls': () => import('../commands/container-ls.ts'),
  inspect: () => import('../commands/inspect.ts'),
  'container inspect': () => import('../commands/inspect.ts'),
  top: () => import('../commands/top.ts'),
  'explain mounts': () => import('../commands/explain-mounts.ts'),
  'explain pagecache': () => import('../commands/explain-pagecache.ts'),
  mounts: () => import('../commands/mounts.ts'),
  where: () => import('../commands/where.ts'),
};
