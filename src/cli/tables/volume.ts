// The commands of volumes: options, other names, modules.

import { CLUSTER_OPTIONS } from '../cluster-options.ts';
import type { Command } from '../commands/command.ts';
import type { CommandTable, OptionSpec, OptionTable } from '../options.ts';

const filter: OptionTable = {
  filter: { type: 'text', repeat: true, description: 'only those that KEY=VALUE holds for' },
};
const format: OptionTable = {
  format: { type: 'text', alias: 'f', description: '`json`, or a Go template' },
};
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

const trace: OptionSpec = { type: 'text', description: 'show each op with its result in this file or fd' };

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
      name: { type: 'text', description: 'the same as VOLUME', hidden: true },
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
  'volume clone': {
    usage: 'VOLUME NAME',
    description: 'make a volume with the data of another one',
    args: [2, 2],
    options: { label: { type: 'text', repeat: true, description: 'KEY=VALUE, on top of those of VOLUME' } },
  },
  'volume snapshot': {
    usage: 'VOLUME [NAME]',
    description: 'keep a volume as it is now in another one, labelled with its origin and time',
    args: [1, 2],
    options: {},
  },
  'volume export': {
    usage: 'VOLUME',
    description: 'write what is in a volume to standard output, as a tar archive',
    args: [1, 1],
    options: {
      output: { type: 'text', alias: 'o', description: 'write to this file' },
      compress: { type: 'text', choices: ['gzip', 'zstd'], description: 'compress the archive' },
    },
  },
  'volume import': {
    usage: 'VOLUME [FILE]',
    description: 'unpack a tar archive (default, and -: standard input) into a volume',
    args: [1, 2],
    options: {},
  },
  'volume du': {
    usage: '[VOLUME...]',
    description: 'show how much is in volumes, and who uses them',
    args: [0, MANY],
    options: { format: { type: 'text', description: '`table TEMPLATE`, `json`, or a Go template' } },
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
  'volume attach': {
    usage: 'CONTAINER SPEC',
    description: 'mount a volume, a tmpfs, an image or a host directory in a container that runs',
    args: [2, 2],
    options: { trace },
  },
  'volume detach': {
    usage: 'CONTAINER TARGET',
    description: 'take a mount away from a container that runs',
    args: [2, 2],
    options: {
      force: { type: 'flag', alias: 'f', description: 'also if it is in use: it goes when it no longer is' },
      trace,
    },
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
  'volume clone': () => import('../commands/volume-clone.ts'),
  'volume snapshot': () => import('../commands/volume-snapshot.ts'),
  'volume export': () => import('../commands/volume-export.ts'),
  'volume import': () => import('../commands/volume-import.ts'),
  'volume du': () => import('../commands/volume-du.ts'),
  'volume mount': () => import('../commands/volume-mount.ts'),
  'volume unmount': () => import('../commands/volume-unmount.ts'),
  'volume attach': () => import('../commands/volume-attach.ts'),
  'volume detach': () => import('../commands/volume-detach.ts'),
  'volume exists': () => import('../commands/volume-exists.ts'),
  'volume update': () => import('../commands/volume-update.ts'),
};
