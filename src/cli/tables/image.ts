// The commands of images: options, other names, modules.

import type { Command } from '../commands/command.ts';
import type { CommandTable, OptionTable } from '../options.ts';

const format: OptionTable = {
  format: { type: 'text', description: '`table TEMPLATE`, `json`, or a Go template' },
};
const list: OptionTable = {
  ...format,
  quiet: { type: 'flag', alias: 'q', description: 'only the ids' },
  'no-trunc': { type: 'flag', description: 'whole ids and texts' },
};
const filter: OptionTable = {
  filter: { type: 'text', repeat: true, description: 'only those that KEY=VALUE holds for' },
};

const MANY = 1_000_000;

export const commands: CommandTable = {
  'image import': {
    usage: '[SOURCE|- [REFERENCE]]',
    description: 'bring in images: a tar of a root file system, an archive of docker save, an OCI layout',
    args: [0, 2],
    options: {
      input: { type: 'text', alias: 'i', description: 'read this file, in place of SOURCE' },
      change: { type: 'text', alias: 'c', repeat: true, description: 'Dockerfile instruction on the config' },
      message: { type: 'text', alias: 'm', description: 'comment in the history' },
      platform: { type: 'text', description: 'of several, the one for OS/ARCHITECTURE[/VARIANT]' },
      quiet: { type: 'flag', alias: 'q', description: 'no line that shows how far it is' },
    },
  },
  'image ls': {
    usage: '[REPOSITORY[:TAG]]',
    description: 'list images',
    args: [0, 1],
    options: {
      all: { type: 'flag', alias: 'a', description: 'no effect: all images are shown' },
      digests: { type: 'flag', description: 'and the digests that they came with' },
      filter: { ...filter['filter']!, alias: 'f' },
      ...list,
    },
  },
  'image inspect': {
    usage: 'IMAGE [IMAGE...]',
    description: 'show all that is known of images',
    args: [1, MANY],
    options: { format: { type: 'text', alias: 'f', description: '`json`, or a Go template' } },
  },
  'image history': {
    usage: 'IMAGE',
    description: 'show how an image came to be, layer by layer',
    args: [1, 1],
    options: {
      human: { type: 'flag', alias: 'H', description: 'sizes and times for people', default: 'true' },
      sizes: { type: 'flag', description: 'and which images share the layers' },
      ...list,
    },
  },
  'image tag': {
    usage: 'IMAGE NAME[:TAG]',
    description: 'give an image one more name',
    args: [2, 2],
    options: {},
  },
  'image rm': {
    usage: 'IMAGE [IMAGE...]',
    description: 'take names from images, and remove those without any',
    args: [1, MANY],
    options: {
      force: {
        type: 'flag',
        alias: 'f',
        description: 'although stopped containers use it, or it has more names',
      },
      'no-prune': { type: 'flag', description: 'keep the layers that nothing uses any more' },
    },
  },
  'image prune': {
    usage: '',
    description: 'remove images without a name that no container uses',
    args: [0, 0],
    options: {
      all: { type: 'flag', alias: 'a', description: 'also those with a name' },
      force: { type: 'flag', alias: 'f', description: 'do not ask' },
      ...filter,
    },
  },
  'image save': {
    usage: 'IMAGE [IMAGE...]',
    description: 'write images to an archive',
    args: [1, MANY],
    options: {
      output: { type: 'text', alias: 'o', description: 'file to write; default: standard output' },
      format: {
        type: 'text',
        choices: ['docker', 'oci'],
        description: 'archive of docker save, or OCI layout',
        default: 'docker',
      },
      compress: {
        type: 'text',
        choices: ['gzip', 'zstd'],
        description: 'compress the layers; with --format oci',
      },
    },
  },
  df: {
    usage: '',
    description: 'show what images, containers and volumes take of the disk',
    args: [0, 0],
    options: { verbose: { type: 'flag', alias: 'v', description: 'each of them' }, ...format },
  },
  info: {
    usage: '',
    description: 'show where things are kept, by whom, and how many; and the host',
    args: [0, 0],
    options: { format: { type: 'text', alias: 'f', description: '`json`, or a Go template' } },
  },
  'system prune': {
    usage: '',
    description: 'remove containers that do not run, and images without a name that none uses',
    args: [0, 0],
    options: {
      all: { type: 'flag', alias: 'a', description: 'also images with a name' },
      volumes: { type: 'flag', description: 'and volumes that nobody named' },
      force: { type: 'flag', alias: 'f', description: 'do not ask' },
      ...filter,
    },
  },
  'debug chainid': {
    usage: 'DIFFID [DIFFID...]',
    description: "print the chain id of layers, the base's diff id first",
    args: [1, MANY],
    options: {},
    hidden: true,
  },
};

/** Other name -> name. */
export const aliases: Readonly<Record<string, string>> = {
  'image list': 'image ls',
  'image load': 'image import',
  'image remove': 'image rm',
  'system df': 'df',
  'system info': 'info',
  history: 'image history',
  images: 'image ls',
  import: 'image import',
  load: 'image import',
  rmi: 'image rm',
  save: 'image save',
  tag: 'image tag',
};

export const load: Readonly<Record<string, () => Promise<Command>>> = {
  'image import': () => import('../commands/image-import.ts'),
  'image ls': () => import('../commands/image-ls.ts'),
  'image inspect': () => import('../commands/image-inspect.ts'),
  'image history': () => import('../commands/image-history.ts'),
  'image tag': () => import('../commands/image-tag.ts'),
  'image rm': () => import('../commands/image-rm.ts'),
  'image prune': () => import('../commands/image-prune.ts'),
  'image save': () => import('../commands/image-save.ts'),
  df: () => import('../commands/df.ts'),
  info: () => import('../commands/info.ts'),
  'system prune': () => import('../commands/system-prune.ts'),
  'debug chainid': () => import('../commands/debug-chainid.ts'),
};
