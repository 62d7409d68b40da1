// Bringing in an image of 500 MB and 20,000 files, plain and compressed, beside what else unpacks one here: tar alone, which
// computes no digest, umoci and podman. Each starts without what it makes; caches are as warm as the first run leaves them.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withNewDisk } from './disk.ts';
import { type Contestant, measureGroup, runScript } from './long.ts';
import type { Bounds } from './measure.ts';
import { formatTable } from './table.ts';

const tinyrun = join(import.meta.dir, '../dist/tinyrun');
const [FOLDERS, FILES, BYTES] = [200, 100, 25_000];

/** Measures, and returns a table. @throws where a command of tinyrun or tar fails */
export async function measureImport(folder: string, bounds: Bounds): Promise<string> {
  const dir = join(folder, 'i'); // see disk.ts
  mkdirSync(dir);
  try {
    makeArchives(dir);
    const rows: string[][] = [];
    for (const group of contestants(dir))
      rows.push(...(await withNewDisk(dir, 'ext4', (disk) => measureGroup(disk, group, bounds))));
    const head = ['500 MB, 20,000 files', 's', 'memory, MB', 'ratio', 'target'];
    return formatTable(head, rows);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A tree of text, as archives that tar, gzip and zstd have made; and as images that others read. */
function makeArchives(dir: string): void {
  const words = Array.from({ length: 4096 }, () => Math.random().toString(36).slice(2));
  for (let i = 0; i < FOLDERS; i++) {
    mkdirSync(`${dir}/tree/${i}`, { recursive: true });
    for (let j = 0; j < FILES; j++) {
      let text = '';
      while (text.length < BYTES) text += `${words[Math.floor(Math.random() * words.length)]} `;
      writeFileSync(`${dir}/tree/${i}/${j}`, text);
    }
  }
  const data = `${tinyrun} --data-root ${dir}/data`;
  runScript(`cd ${dir} && tar -cf plain.tar -C tree . && gzip -1 -k plain.tar && rm -r tree`);
  runScript(
    `${data} image import ${dir}/plain.tar bench:latest && ${data} image save -o ${dir}/docker.tar bench:latest`,
  );
  runScript(`${data} image save bench:latest | tar -xf - -C $(mkdir ${dir}/layout && echo ${dir}/layout)`);
  rmSync(`${dir}/data`, { recursive: true });
}

function contestants(dir: string): Contestant[][] {
  const ours = (file: string): string => `${tinyrun} --data-root $OUT image import ${dir}/${file} bench`;
  const podman = `podman --root $OUT/root --runroot $OUT/run load -i ${dir}/docker.tar`;
  return [
    [
      { name: '`tar -x`', script: `tar -xf ${dir}/plain.tar -C $OUT` },
      { name: '`image import` of the same', script: ours('plain.tar'), by: { name: '`tar -x`', most: 1.3 } },
    ],
    [
      { name: '`tar -xz`', script: `tar -xzf ${dir}/plain.tar.gz -C $OUT` },
      { name: '`image import`, gzip', script: ours('plain.tar.gz'), by: { name: '`tar -xz`', most: 1.3 } },
    ],
    [
      { name: '`image import`, docker save', script: ours('docker.tar') },
      {
        name: '`umoci unpack`',
        script: `umoci unpack --image ${dir}/layout:latest $OUT/bundle`,
        by: { name: '`image import`, docker save' },
      },
      { name: '`podman load`', script: podman, by: { name: '`image import`, docker save' } },
    ],
  ];
}
