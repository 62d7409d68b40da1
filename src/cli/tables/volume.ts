// The commands of volumes: options, other names, modules.

import type { Command } from '../commands/command.ts';
import type { CommandTable, OptionTable } from '../options.ts';

const filter: OptionTable = {
  filter: { type: 'text', repeat: true, description: 'only those that KEY=VALUE holds for' },
};
const format: OptionTable = {
  format: { type: 'text', alias: 'f', description: '`json`, or a Go template' },
};
/** Docker's options of cluster volumes: known, and refused by the command. */
export const CLUSTER_OPTIONS = {
  text: ['availability', 'group', 'limit-bytes', 'required-bytes', 'scope', 'sharing', 'type'],
  list: ['secret', 'topology-preferred', 'topology-required'],
} as const;
const cluster: OptionTable = Object.fromEntries([
  ...CLUSTER_OPTIONS.text.map((name) => [
    name,
    { type: 'text', description: 'cluster volumes', hidden: true },
  ]),
  ...CLUSTER_OPTIONS.list.map((name) => [
    name,
    { type: 'text', repeat: true, description: 'cluster volumes', hidden: true },
  ]),
]);

const MANY = 1_000_000;

export const commands: CommandTable = {
  'volume create': {
    usage: '[VOLUME]',
    description: 'create a volume',
    args: [0, 1],
    options: {
      driver: { type: 'text', alias: 'd', description: 'who keeps the data', default: 'local' },
      opt: { type: 'text', alias: 'o', repeat: true, description: "KEY=VALUE, the driver's own" },
      label: { type: 'text', repeat: true, description: 'KEY=VALUE' },
      ...cluster,
    },
  },
  'volume ls': {
    usage: '',
    description: 'list volumes',
    args: [0, 0],
    options: {
      filter: { ...filter['filter']!, alias: 'f' },
      format: { type: 'text', description: '`table TEMPLATE`, `json`, or a Go template' },
      quiet: { type: 'flag', alias: 'q', description: 'only the names' },
      size: { type: 'flag', alias: 's', description: 'and how much is in them' },
      cluster: { type: 'flag', description: 'cluster volumes', hidden: true },
    },
  },
  'volume inspect': {
    usage: 'VOLUME [VOLUME...]',
    description: 'show all that is known of volumes',
    args: [1, MANY],
    options: format,
  },
  'volume rm': {
    usage: 'VOLUME [VOLUME...]',
    description: 'remove volumes and their data',
    args: [1, MANY],
    options: { force: { type: 'flag', alias: 'f', description: 'one that is not there is fine' } },
  },
  'volume prune': {
    usage: '',
    description: 'remove anonymous volumes that no container uses',
    args: [0, 0],
    options: {
      all: { type: 'flag', alias: 'a', description: 'also those with a name' },
      ...filter,
      force: { type: 'flag', alias: 'f', description: 'do not ask' },
      'dry-run': { type: 'flag', description: 'only show what would be removed' },
    },
  },
  'volume rename': {
    usage: 'VOLUME NAME',
    description: 'give a volume that nobody uses another name',
    args: [2, 2],
    options: {},
  },
  'volume mount': {
    usage: 'VOLUME [VOLUME...]',
    description: 'mount volumes on the host, until unmount, and print where',
    args: [1, MANY],
    options: {},
  },
  'volume unmount': {
    usage: 'VOLUME [VOLUME...]',
    description: 'take back what mount did',
    args: [1, MANY],
    options: {},
  },
  'volume exists': {
    usage: 'VOLUME',
    description: 'exit with 0 if the volume is there, else with 1',
    args: [1, 1],
    options: {},
  },
  'volume update': {
    usage: 'VOLUME',
    description: 'cluster volumes only: refused',
    args: [0, MANY],
    options: { availability: { type: 'text', description: 'cluster volumes', hidden: true } },
    hidden: true,
  },
};

/** Other name -> name. */
export const aliases: Readonly<Record<string, string>> = {
  'volume list': 'volume ls',
  'volume remove': 'volume rm',
  'volume umount': 'volume unmount',
};

export const load: Readonly<Record<string, () => Promise<Command>>> = {
  'volume create': () => import('../commands/volume-create.ts'),
  'volume ls': () => import('../commands/volume-ls.ts'),
  'volume inspect': () => import('../commands/volume-inspect.ts'),
  'volume rm': () => import('../commands/volume-rm.ts'),
  'volume prune': () => import('../commands/volume-prune.ts'),
  'volume rename': () => import('../commands/volume-rename.ts'),
  'volume mount': () => import('../commands/volume-mount.ts'),
  'volume unmount': () => import('../commands/volume-unmount.ts'),
  'volume exists': () => import('../commands/volume-exists.ts'),
  'volume update': () => import('../commands/volume-update.ts'),
};
