// The commands about what a container prints and reads: options, other names, modules.

import type { Command } from '../commands/command.ts';
import type { CommandTable } from '../options.ts';

export const commands: CommandTable = {
  logs: {
    usage: 'CONTAINER',
    description: 'show what a container has printed',
    args: [1, 1],
    options: {
      follow: { type: 'flag', alias: 'f', description: 'and what it prints, until it ends' },
      tail: {
        type: 'text',
        alias: 'n',
        description: 'the last lines only: a number, or all',
        default: 'all',
      },
      since: {
        type: 'text',
        description: 'from a time on (2026-11-26T03:19:37Z), or from a while ago (10m)',
      },
      until: { type: 'text', description: 'up to a time' },
      timestamps: { type: 'flag', alias: 't', description: 'the time in front of each line' },
      details: { type: 'flag', description: 'accepted: there are none', hidden: true },
    },
  },
  attach: {
    usage: 'CONTAINER',
    description: 'stay with a container that runs: its output from now on, our input and signals',
    args: [1, 1],
    options: {
      'no-stdin': { type: 'flag', description: 'do not hand on stdin' },
      'sig-proxy': { type: 'flag', description: 'signals go to the container; default: true' },
      'detach-keys': {
        type: 'text',
        description: 'keys that let go of a terminal',
        default: 'ctrl-p,ctrl-q',
      },
    },
  },
};

/** Other name -> name. */
export const aliases: Readonly<Record<string, string>> = {
  'container logs': 'logs',
  'container attach': 'attach',
};

export const load: Readonly<Record<string, () => Promise<Command>>> = {
  logs: () => import('../commands/logs.ts'),
  attach: () => import('../commands/attach.ts'),
};
