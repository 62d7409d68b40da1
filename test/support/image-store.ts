// An image store of its own for a test, and configs to put there.

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageConfig } from '../../src/image/config.ts';
import { type Result, type RunOptions, runTinyrun, startTinyrun } from './bundle.ts';

/** A DATA_ROOT below /tmp, which is gone afterwards. */
export async function withDataRoot(use: (dataRoot: string) => void | Promise<void>): Promise<void> {
  const dataRoot = mkdtempSync('/tmp/tinyrun-test-');
  try {
    await use(dataRoot);
  } finally {
    rmSync(dataRoot, { recursive: true });
  }
}

/** The smallest config, of an image without layers; `created` makes it one of its own. */
export function configBytes(change: Partial<ImageConfig> = {}): Uint8Array {
  const config: ImageConfig = {
    created: '2026-01-02T03:04:05Z',
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [] },
    ...change,
  };
  return new TextEncoder().encode(JSON.stringify(config));
}

/** A store that dist/tinyrun is run on. */
export interface Store {
  /** A folder for the test's own files. */
  folder: string;
  dataRoot: string;
  /** Runs `tinyrun`; its working directory is the folder. */
  run(args: readonly string[], options?: RunOptions): Result;
  /** Starts it; several run at once. */
  start(args: readonly string[]): Promise<Result>;
  /** The same where it must succeed: what it printed. */
  out(...args: string[]): string;
}

/** A store of its own for a test, which is gone afterwards. */
export async function withStore(use: (store: Store) => void | Promise<void>): Promise<void> {
  await withDataRoot(async (top) => {
    const place = { dir: join(top, 'folder'), root: join(top, 'root'), dataRoot: join(top, 'data') };
    mkdirSync(place.dir);
    const run: Store['run'] = (args, options) => runTinyrun(place, args, options);
    await use({
      folder: place.dir,
      dataRoot: place.dataRoot,
      run,
      async start(args) {
        const child = startTinyrun(place, args);
        const [stdout, stderr] = await Promise.all(
          [child.stdout, child.stderr].map((pipe) => new Response(pipe).text()),
        );
        return { stdout: stdout!, stderr: stderr!, code: await child.exited };
      },
      out(...args) {
        const { code, stdout, stderr } = run(args);
        if (code !== 0) throw new Error(`tinyrun ${args.join(' ')}: exit code ${code}: ${stderr}`);
        return stdout;
      },
    });
  });
}

/** The names in a folder of the store; none where it is not there. */
export function namesIn(store: Store, path: string): string[] {
  try {
    return readdirSync(join(store.dataRoot, path)).sort();
  } catch {
    return [];
  }
}
