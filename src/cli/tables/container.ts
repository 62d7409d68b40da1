// The commands of containers with a record: options, other names, modules. Some are runc's, too, and take more here: names,
// several containers, Docker's options.

import type { Command } from '../commands/command.ts';
import { type CommandTable, commands as hot, type OptionTable } from '../options.ts';

const MANY = 1_000_000;
const NAMES = 'CONTAINER [CONTAINER...]';

const stopOptions: OptionTable = {
  signal: { type: 'text', alias: 's', description: 'in place of its own stop signal' },
  timeout: { type: 'text', alias: 't', description: 'seconds until it is killed; -1: never' },
  time: { type: 'text', description: 'the same as --timeout', hidden: true },
};

export const commands: CommandTable = {
  start: {
    usage: `ID | [-a] [-i] ${NAMES}`,
    description: 'run the program of a created container, or a container that has ended once more',
    args: [1, MANY],
    options: {
      attach: { type: 'flag', alias: 'a', description: 'stay with it: its output, and our signals' },
      interactive: { type: 'flag', alias: 'i', description: 'stay with it, and give it our stdin' },
      'sig-proxy': { type: 'flag', description: 'signals go to the container; default: true' },
      'detach-keys': {
        type: 'text',
        description: 'keys that let go of its terminal; default: ctrl-p,ctrl-q',
      },
      trace: hot['run']!.options['trace']!,
      engine: hot['run']!.options['engine']!,
    },
  },
  kill: {
    ...hot['kill']!,
    usage: `ID [SIGNAL] | --signal SIGNAL ${NAMES}`,
    args: [1, MANY],
    options: {
      ...hot['kill']!.options,
      signal: { type: 'text', alias: 's', description: 'to all containers that are named' },
    },
  },
  exec: {
    ...hot['exec']!,
    usage: 'CONTAINER COMMAND [ARGS...] | --process FILE ID',
    options: {
      ...hot['exec']!.options,
      user: { type: 'text', alias: 'u', description: 'USER[:GROUP]; names are for containers of an image' },
      interactive: { type: 'flag', alias: 'i', description: 'it reads our stdin' },
      workdir: { type: 'text', alias: 'w', description: 'working directory in the container' },
      privileged: { type: 'flag', description: 'all capabilities that the host can grant' },
      'env-file': { type: 'text', repeat: true, description: 'file with a variable in each line' },
    },
  },
  stop: {
    usage: NAMES,
    description: 'end containers, by force if need be',
    args: [1, MANY],
    options: stopOptions,
  },
  restart: {
    usage: NAMES,
    description: 'stop containers and start them',
    args: [1, MANY],
    options: stopOptions,
  },
  pause: { ...hot['pause']!, usage: `ID | ${NAMES}`, args: [1, MANY] },
  resume: { ...hot['resume']!, usage: `ID | ${NAMES}`, args: [1, MANY] },
  wait: {
    usage: NAMES,
    description: 'wait until containers have ended, and print their exit codes',
    args: [1, MANY],
    options: {},
  },
  rename: {
    usage: 'CONTAINER NAME',
    description: 'give a container another name',
    args: [2, 2],
    options: {},
  },
  rm: {
    usage: NAMES,
    description: 'remove containers',
    args: [1, MANY],
    options: {
      force: { type: 'flag', alias: 'f', description: 'kill those that run' },
      volumes: { type: 'flag', alias: 'v', description: 'and their anonymous volumes' },
      link: { type: 'flag', alias: 'l', description: 'refused: there are no links', hidden: true },
    },
  },
  'container prune': {
    usage: '',
    description: 'remove all containers that do not run',
    args: [0, 0],
    options: {
      force: { type: 'flag', alias: 'f', description: 'do not ask' },
      filter: { type: 'text', repeat: true, description: 'until=TIME, label=NAME[=VALUE]' },
    },
  },
};

/** Other name -> name. */
export const aliases: Readonly<Record<string, string>> = {
  unpause: 'resume',
  'container create': 'create',
  'container exec': 'exec',
  'container kill': 'kill',
  'container pause': 'pause',
  'container rename': 'rename',
  'container restart': 'restart',
  'container rm': 'rm',
  'container run': 'run',
  'container start': 'start',
  'container stop': 'stop',
  'container unpause': 'resume',
  'container update': 'update',
  'container wait': 'wait',
};

export const load: Readonly<Record<string, () => Promise<Command>>> = {
  stop: () => import('../commands/stop.ts'),
  restart: () => import('../commands/restart.ts'),
  wait: () => import('../commands/wait.ts'),
  rename: () => import('../commands/rename.ts'),
  rm: () => import('../commands/rm.ts'),
  'container prune': () => import('../commands/container-prune.ts'),
};
