// A store of volumes of its own for each test, and dist/tinyrun on it.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Result, RunOptions } from './bundle.ts';
import { tinyrun } from './bundle.ts';
import { parseMountinfo, runCommand } from './container.ts';

export interface Store {
  /** A folder that is the test's alone. */
  top: string;
  dataRoot: string;
  /** Of all volumes. */
  volumes: string;
  /** Runs `dist/tinyrun volume ...` on the store. */
  volume(...args: string[]): Result;
  /** The same with options. */
  run(args: readonly string[], options?: RunOptions): Result;
  /** stdout of a command that must succeed, without the newline at its end. */
  output(...args: string[]): string;
  /** stderr of a command that must fail. */
  refusal(...args: string[]): string;
  /** Where a volume's data is. */
  data(name: string): string;
}

/** Calls `use` with a store that is removed afterwards; nothing may be mounted in it then. */
export async function withStore(use: (store: Store) => void | Promise<void>): Promise<void> {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const dataRoot = join(top, 'data');
  const run = (args: readonly string[], options?: RunOptions): Result =>
    runCommand(storeCommand(top, args), options);
  const volume = (...args: string[]): Result => run(['volume', ...args]);
  const store: Store = {
    ...{ top, dataRoot, run, volume },
    volumes: join(dataRoot, 'volumes'),
    output(...args) {
      const { stdout, stderr, code } = volume(...args);
      if (code !== 0 || stderr !== '')
        throw new Error(`volume ${args.join(' ')}: exit code ${code}: ${stderr}`);
      return stdout.replace(/\n$/, '');
    },
    refusal(...args) {
      const { stderr, code } = volume(...args);
      if (code === 0) throw new Error(`volume ${args.join(' ')}: no refusal: ${stderr}`);
      return stderr.trimEnd();
    },
    data: (name) => join(dataRoot, 'volumes', name, '_data'),
  };
  let mounts: string[] = [];
  try {
    await use(store);
  } finally {
    mounts = mountsIn(top);
    for (const mount of mounts.toReversed()) runCommand(['umount', '-l', mount]);
    rmSync(top, { recursive: true });
  }
  if (mounts.length > 0) throw new Error(`mounts left in the store: ${mounts.join(', ')}`);
}

/** The words that run tinyrun on the store in `top`. */
export const storeCommand = (top: string, args: readonly string[]): string[] => [
  ...[tinyrun, '--root', join(top, 'root'), '--data-root', join(top, 'data')],
  ...args,
];

/** What is mounted below a directory. */
export const mountsIn = (path: string): string[] =>
  parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    .map(({ target }) => target)
    .filter((target) => target.startsWith(`${path}/`));

/** What was left in the making, or in removal. */
export const leftAside = ({ volumes }: Store): string[] =>
  existsSync(join(volumes, '.aside')) ? readdirSync(join(volumes, '.aside')) : [];

/** Makes it look as if a container used a volume: a record of its own, and what it mounts. */
export function pretendUse({ dataRoot, top }: Store, id: string, name: string, volume: string): void {
  const directory = join(dataRoot, 'containers', id);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'container.json'), '{}');
  const point = {
    ...{ Type: 'volume', Name: volume, Source: '', Destination: '/data' },
    ...{ Driver: 'local', Mode: '', RW: true, Propagation: '' },
  };
  // With a record it is a container that is kept; without one it would be what a killed tinyrun has left.
  writeFileSync(join(directory, 'container.json'), '{}');
  const uses = { name, stateRoot: join(top, 'root'), transient: false, mounts: [{ point, request: {} }] };
  writeFileSync(join(directory, 'mounts.json'), JSON.stringify(uses));
}
