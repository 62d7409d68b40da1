// Made-up containers: state roots below /tmp with state directories as the host program writes them.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface StateRoot {
  /** For `--root` and `--data-root`. */
  root: string;
  dataRoot: string;
  /** Makes ROOT/ID as of a running process, this one by default, and returns its path. */
  add(id: string, made?: MadeUp): string;
  /** Makes DATA_ROOT/containers/ID with a tree in it, and returns its path. */
  addData(id: string): string;
}

export interface MadeUp {
  pid?: number;
  /** init.stat; default that of the process with the pid. */
  stat?: string;
  transient?: boolean;
  dataDirectory?: string;
  resctrl?: string[];
  bundle?: string;
  annotations?: Record<string, string>;
}

/** Calls `use` with empty roots, and removes them. */
export async function withStateRoot(use: (roots: StateRoot) => void | Promise<void>): Promise<void> {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const [root, dataRoot] = [join(top, 'root'), join(top, 'data')];
  mkdirSync(root);
  mkdirSync(join(dataRoot, 'containers'), { recursive: true });
  try {
    await use({
      root,
      dataRoot,
      add(id, made = {}) {
        mkdirSync(join(root, id));
        writeState(join(root, id), id, made);
        return join(root, id);
      },
      addData(id) {
        const data = join(dataRoot, 'containers', id);
        mkdirSync(join(data, 'upper/a/b'), { recursive: true });
        writeFileSync(join(data, 'upper/a/b/file'), 'text');
        return data;
      },
    });
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

function writeState(dir: string, id: string, made: MadeUp): void {
  const {
    pid = process.pid,
    transient = false,
    dataDirectory,
    resctrl,
    bundle = '/bundle',
    annotations = {},
  } = made;
  const stat = made.stat ?? readFileSync(`/proc/${pid}/stat`, 'utf8');
  const state = {
    ...{
      ociVersion: '1.3.0',
      id,
      pid,
      bundle,
      rootfs: '/bundle/rootfs',
      created: '2026-01-02T03:04:05.678Z',
    },
    ...{
      owner: '',
      annotations,
      tinyrun: {
        transient,
        ...(dataDirectory === undefined ? {} : { dataDirectory }),
        ...(resctrl === undefined ? {} : { resctrl }),
      },
    },
  };
  writeFileSync(join(dir, 'init.stat'), stat);
  writeFileSync(join(dir, 'state.json'), `${JSON.stringify(state)}\n`);
}

/** A process that has ended: its pid belongs to nobody, or to somebody else. */
export const ENDED = {
  pid: 1,
  stat: '1 (gone) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 999999999999 1 1\n',
};
