// Containers of images: how long one takes to start and end, by the number of layers; and a commit of a thousand changed files
// beside tar, which writes the same archive, keeps no layer of it and computes no digest.

import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestingSource } from '../src/archive/digest.ts';
import { sourceOfBytes } from '../src/archive/source.ts';
import { keepingLayers } from '../src/image/folders.ts';
import { addLayer } from '../src/image/layer-archive.ts';
import { parseReference } from '../src/image/reference.ts';
import { createImage } from '../src/image/store.ts';
import type { Place } from './bundle.ts';
import { type Bounds, compare } from './measure.ts';
import { tinyrun } from './runtimes.ts';
import { formatTable, milliseconds } from './table.ts';

const DEPTHS = [20, 128];
const CHANGED = 1000;

/** Measures, and returns tables. @throws where a command of tinyrun or tar fails */
export async function measureLayers(place: Place, bounds: Bounds): Promise<string> {
  const dataRoot = join(place.dir, 'layers-data');
  const own = [tinyrun, '--root', join(place.dir, 'layers-run'), '--data-root', dataRoot];
  for (const depth of [1, ...DEPTHS]) await makeImage(place, dataRoot, depth);
  return `${await measureStarts(own, bounds)}\n${await measureCommit(place, own, dataRoot, bounds)}`;
}

/** The payload, and a file that each layer changes. */
async function makeImage({ dir, rootfs }: Place, dataRoot: string, depth: number): Promise<void> {
  await keepingLayers(dataRoot, async () => {
    let parent: string | undefined;
    const diffIds: string[] = [];
    for (let i = 0; i < depth; i++) {
      const layer = mkdtempSync(join(dir, 'layer-'));
      if (i === 0) copyFileSync(join(rootfs, 'payload'), join(layer, 'payload'));
      writeFileSync(join(layer, 'file'), `layer ${i} of ${depth}\n`);
      const tar = Bun.spawnSync(['tar', '-C', layer, '-c', '.']).stdout;
      const { chainId, diffId } = await addLayer(dataRoot, parent, digestingSource(sourceOfBytes(tar)));
      parent = chainId;
      diffIds.push(diffId);
    }
    const config = {
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Entrypoint: ['/payload'], Cmd: ['true'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
    };
    const bytes = new TextEncoder().encode(JSON.stringify(config));
    await createImage(dataRoot, bytes, { names: [parseReference(`layers:${depth}`)] });
  });
}

async function measureStarts(own: readonly string[], bounds: Bounds): Promise<string> {
  const run = (depth: number): string[] => [...own, 'run', '--rm', `layers:${depth}`];
  const rows: string[][] = [];
  for (const depth of DEPTHS) {
    const { a, b, ratio } = await compare(run(depth), run(1), bounds);
    rows.push([String(depth), milliseconds(a), milliseconds(b), ratio.toFixed(2)]);
  }
  return formatTable(['`run --rm IMAGE`, layers', 'ms', 'of one layer, ms', 'ratio'], rows);
}

async function measureCommit(
  { dir }: Place,
  own: readonly string[],
  dataRoot: string,
  bounds: Bounds,
): Promise<string> {
  const { exitCode, stdout } = Bun.spawnSync([...own, 'create', 'layers:1']);
  if (exitCode !== 0) throw new Error('create of the container to commit failed');
  const id = stdout.toString().trim();
  const upper = join(dataRoot, 'overlay2', id, 'diff');
  mkdirSync(join(upper, 'changed'));
  for (let i = 0; i < CHANGED; i++)
    writeFileSync(join(upper, 'changed', `file-${i}`), `changed ${i}\n`.repeat(400));
  const tar = ['tar', '-C', upper, '-cf', join(dir, 'commit.tar'), '.'];
  // Each time one file more: a layer that is there already would be thrown away again.
  const commit = [...own, 'commit', id, 'layers:committed'].join(' ');
  const changing = ['sh', '-c', `mktemp ${join(upper, 'changed', 'more-XXXXXX')} && exec ${commit}`];
  const { a, b, ratio } = await compare(changing, tar, bounds);
  const row = [`\`commit\` of ${CHANGED} changed files`, milliseconds(a), milliseconds(b), ratio.toFixed(2)];
  return formatTable(['', 'ms', '`tar -c`, ms', 'ratio'], [row]);
}
