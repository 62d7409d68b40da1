// Data roots for tests of layers, and what the layers look like when the kernel puts them together.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { digestingSource } from '../../src/archive/digest.ts';
import { sourceOfBytes } from '../../src/archive/source.ts';
import { keepingLayers } from '../../src/image/folders.ts';
import { type AddOptions, addLayer } from '../../src/image/layer-archive.ts';
import { type Layer, lowerDirectories } from '../../src/image/layers.ts';
import { type Made, makeTar } from './archives.ts';

/** A data root of its own; gone afterwards. */
export async function withDataRoot(use: (dataRoot: string) => void | Promise<void>): Promise<void> {
  const dataRoot = mkdtempSync('/tmp/tinyrun-data-');
  try {
    await use(dataRoot);
  } finally {
    rmSync(dataRoot, { recursive: true, force: true });
  }
}

/** addLayer of an archive in memory. */
export const add = (
  dataRoot: string,
  parent: Layer | undefined,
  tar: Uint8Array | readonly Made[],
  options?: AddOptions,
): Promise<Layer> =>
  keepingLayers(dataRoot, () =>
    addLayer(
      dataRoot,
      parent?.chainId,
      digestingSource(sourceOfBytes(tar instanceof Uint8Array ? tar : makeTar(...tar))),
      options,
    ),
  );

/** Names in a folder of the store, sorted; none where it is not there. */
export const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);

/** Runs a shell script with the layers mounted at `$M`, in a mount namespace of its own. Returns what it prints. */
export function inMerged(dataRoot: string, layer: Layer, script: string): string {
  const lowers = lowerDirectories(dataRoot, layer.chainId);
  const scratch = mkdtempSync('/tmp/tinyrun-merged-');
  try {
    const words = [
      'set -e',
      `mount -t tmpfs none ${scratch}; mkdir ${scratch}/u ${scratch}/w ${scratch}/m`,
      `mount -t overlay none -o lowerdir=${lowers.join(':')},upperdir=${scratch}/u,workdir=${scratch}/w ${scratch}/m`,
      `M=${scratch}/m; cd $M`,
      script,
    ];
    const { exitCode, stdout, stderr } = Bun.spawnSync(['unshare', '-m', 'sh', '-c', words.join('\n')]);
    if (exitCode !== 0) throw new Error(`in the merged layers: ${stderr}`);
    return stdout.toString();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
