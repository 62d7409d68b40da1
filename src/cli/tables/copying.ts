// The commands that carry files and layers out of containers and into them: options, other names, modules.

import type { Command } from '../commands/command.ts';
import type { CommandTable } from '../options.ts';

export const commands: CommandTable = {
  cp: {
    usage: 'CONTAINER:PATH PATH|- | PATH|- CONTAINER:PATH',
    description: 'copy files between a container and the host; - is a stream of tar',
    args: [2, 2],
    options: {
      archive: { type: 'flag', alias: 'a', description: 'keep the owners of the files' },
      'follow-link': { type: 'flag', alias: 'L', description: 'follow a symlink that is the source' },
      quiet: { type: 'flag', alias: 'q', description: 'say nothing of what was copied' },
    },
  },
  commit: {
    usage: 'CONTAINER [REFERENCE]',
    description: 'make an image of what a container has written',
    args: [1, 2],
    options: {
      author: { type: 'text', alias: 'a', description: 'who made it' },
      change: {
        type: 'text',
        alias: 'c',
        repeat: true,
        description: 'a Dockerfile\'s instruction: CMD ["sh"]',
      },
      message: { type: 'text', alias: 'm', description: 'what is new' },
      pause: { type: 'flag', alias: 'p', description: 'pause the container meanwhile', default: 'true' },
      'no-pause': { type: 'flag', description: 'let the container go on meanwhile' },
    },
  },
  diff: {
    usage: 'CONTAINER',
    description: 'show what a container has added (A), changed (C) and deleted (D)',
    args: [1, 1],
    options: {},
  },
  export: {
    usage: 'CONTAINER',
    description: "write a container's root filesystem as a tar archive",
    args: [1, 1],
    options: {
      output: { type: 'text', alias: 'o', description: 'write to a file, not to stdout' },
      'include-volumes': { type: 'flag', description: 'with what is in its volumes and binds' },
    },
  },
};

/** Other name -> name. */
export const aliases: Readonly<Record<string, string>> = {
  'container cp': 'cp',
  'container commit': 'commit',
  'container diff': 'diff',
  'container export': 'export',
};

export const load: Readonly<Record<string, () => Promise<Command>>> = {
  cp: () => import('../commands/cp.ts'),
  commit: () => import('../commands/commit.ts'),
  diff: () => import('../commands/diff.ts'),
  export: () => import('../commands/export.ts'),
};
