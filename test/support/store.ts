// Stores of a test's own, with an image `bb`: Debian's busybox, with all its names, and what else a root has. Nothing of it is
// left when the test ends.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { digestingSource } from '../../src/archive/digest.ts';
import { sourceOfBytes } from '../../src/archive/source.ts';
import type { ImageDefaults } from '../../src/image/config.ts';
import { keepingLayers } from '../../src/image/folders.ts';
import { addLayer } from '../../src/image/layer-archive.ts';
import { parseReference } from '../../src/image/reference.ts';
import { createImage } from '../../src/image/store.ts';
import { type Result, type RunOptions, tinyrun } from './bundle.ts';
import { runCommand } from './container.ts';

const BUSYBOX = '/usr/bin/busybox';

export interface Store {
  /** A directory of the test's own, in which the others are. */
  top: string;
  root: string;
  dataRoot: string;
  /** The words of tinyrun on them. */
  command: readonly string[];
  /** Runs it. */
  t(...words: string[]): Result;
  /** The same with stdin, an environment, a directory. */
  with(options: RunOptions, ...words: string[]): Result;
  /** Starts tinyrun, and does not wait; nobody reads what it says. */
  spawn(...words: string[]): Bun.Subprocess;
  /** Starts tinyrun, and gives its result when it has ended. */
  start(...words: string[]): Promise<Result>;
  /** stdout of a call that must succeed and say nothing on stderr, without its last newline. */
  out(...words: string[]): string;
}

/** Files of a layer by path: text; a directory; a symlink (`-> target`). */
export type Files = Readonly<Record<string, string | null>>;

const ACCOUNTS = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001:Ann:/home/ann:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n',
  'etc/group': 'root:x:0:\nwheel:x:10:root,bob\nann:x:1001:\nbob:x:1002:\nstaff:x:50:ann,bob\n',
};

/** Calls `use` with stores in which the image `bb` is; removes all containers and files afterwards. */
export async function withStore(use: (store: Store) => void | Promise<void>): Promise<void> {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const [root, dataRoot] = [join(top, 'root'), join(top, 'data')];
  const words = (args: readonly string[]): string[] => [
    tinyrun,
    '--root',
    root,
    '--data-root',
    dataRoot,
    ...args,
  ];
  const store: Store = {
    top,
    root,
    dataRoot,
    command: words([]),
    t: (...args) => runCommand(words(args)),
    with: (options, ...args) => runCommand(words(args), options),
    spawn: (...args) => Bun.spawn(words(args), { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }),
    start: (...args) => finished(words(args)),
    out(...args) {
      const { stdout, stderr, code } = store.t(...args);
      if (code !== 0 || stderr !== '')
        throw new Error(`${args.join(' ')}: exit code ${code}: ${stderr}${stdout}`);
      return stdout.replace(/\n$/, '');
    },
  };
  try {
    await makeImage(store, 'bb', busybox, { Cmd: ['sh'] });
    await use(store);
  } finally {
    const ids = existsSync(join(dataRoot, 'containers')) ? readdirSync(join(dataRoot, 'containers')) : [];
    for (const id of ids.filter((name) => !name.startsWith('.'))) store.t('rm', '--force', '--volumes', id);
    rmSync(top, { recursive: true, force: true });
  }
}

async function finished(command: string[]): Promise<Result> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, code: await child.exited };
}

/** A root of busybox, with a few users. */
export function busybox(diff: string): void {
  for (const name of ['bin', 'etc', 'root', 'home/ann', 'tmp', 'usr/bin'])
    mkdirSync(join(diff, name), { recursive: true });
  copyFileSync(BUSYBOX, join(diff, 'bin/busybox'));
  for (const name of runCommand([BUSYBOX, '--list']).stdout.trim().split('\n'))
    if (name !== 'busybox') symlinkSync('busybox', join(diff, 'bin', name));
  writeFiles(diff, ACCOUNTS);
}

export function writeFiles(directory: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(directory, path);
    mkdirSync(join(file, '..'), { recursive: true });
    if (text === null) mkdirSync(file, { recursive: true });
    else if (text.startsWith('-> ')) symlinkSync(text.slice(3), file);
    else writeFileSync(file, text);
  }
}

/** An image of one layer, which `fill` makes. */
export async function makeImage(
  { top, dataRoot }: Pick<Store, 'top' | 'dataRoot'>,
  name: string,
  fill: (diff: string) => void,
  config: ImageDefaults = {},
): Promise<void> {
  const directory = mkdtempSync(join(top, 'layer-'));
  chmodSync(directory, 0o755);
  fill(directory);
  const tar = Bun.spawnSync(['tar', '-C', directory, '-c', '.']).stdout;
  rmSync(directory, { recursive: true });
  await keepingLayers(dataRoot, async () => {
    const { diffId } = await addLayer(dataRoot, undefined, digestingSource(sourceOfBytes(tar)));
    const image = {
      architecture: 'amd64',
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [diffId] },
    };
    const bytes = new TextEncoder().encode(JSON.stringify(image));
    await createImage(dataRoot, bytes, { names: [parseReference(name)] });
  });
}

/** What is on disk of containers: nothing, when all are removed. */
export const leftOf = ({ root, dataRoot }: Store): string[] => {
  const names = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);
  return [
    ...names(root).filter((name) => !name.startsWith('.')),
    ...names(join(dataRoot, 'containers')).filter((name) => name !== '.unfinished'),
    ...names(join(dataRoot, 'containers/.unfinished')),
    ...names(join(dataRoot, 'names')),
    ...names(join(dataRoot, 'overlay2')).filter((name) => name.endsWith('-init')),
  ];
};
