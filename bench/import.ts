// Bringing in an image of 500 MB and 20,000 files, plain and compressed, beside what else unpacks one here: tar alone, which
// computes no digest, umoci and podman. Each starts without what it makes; caches are as warm as the first run leaves them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertNotInterrupted, type Bounds, median } from './measure.ts';
import { formatTable, target } from './table.ts';

const tinyrun = join(import.meta.dir, '../dist/tinyrun');
const [FOLDERS, FILES, BYTES] = [200, 100, 25_000];
const ROUNDS = 3;
/** Milliseconds after which a command is killed. */
const LONGEST = 120_000;

interface Contestant {
  name: string;
  /** `$OUT` is a folder of its own, which goes afterwards. */
  script: string;
  /** Times the one that it is measured by; undefined: it is measured by none. */
  by?: { name: string; most?: number };
}

/** Measures, and returns a table. @throws where a command of tinyrun or tar fails */
export async function measureImport(folder: string, bounds: Bounds): Promise<string> {
  // On a disk, not in memory, where that is what /tmp is.
  const dir = mkdtempSync(join(folder, 'import-'));
  try {
    makeArchives(dir);
    const rows: string[][] = [];
    for (const group of contestants(dir)) rows.push(...(await measureGroup(dir, group, bounds)));
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
  run(`cd ${dir} && tar -cf plain.tar -C tree . && gzip -1 -k plain.tar && rm -r tree`);
  run(
    `${data} image import ${dir}/plain.tar bench:latest && ${data} image save -o ${dir}/docker.tar bench:latest`,
  );
  run(
    `${data} image save --format oci bench:latest | tar -xf - -C $(mkdir ${dir}/layout && echo ${dir}/layout)`,
  );
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

/** In turns; one that does not run here is left out, with its reason. */
async function measureGroup(dir: string, group: readonly Contestant[], bounds: Bounds): Promise<string[][]> {
  const results = new Map<string, { seconds: number[]; memory: number }>();
  const left: string[][] = [];
  for (let round = 0; round < ROUNDS; round++)
    for (const { name, script, by } of group) {
      await assertNotInterrupted(bounds.signal);
      if (left.some(([other]) => other === name)) continue;
      const result = timeScript(dir, script);
      if (typeof result === 'string') {
        if (by?.most !== undefined || by === undefined) throw new Error(`${script}: ${result}`);
        left.push([name, 'does not run here', '', '', result]);
        continue;
      }
      const all = results.get(name) ?? { seconds: [], memory: 0 };
      all.seconds.push(result.seconds);
      all.memory = Math.max(all.memory, result.memory);
      results.set(name, all);
    }
  const rows = group.flatMap(({ name, by }) => {
    const own = results.get(name);
    if (own === undefined) return [];
    const other = by && results.get(by.name);
    const ratio = other && median(own.seconds.map((seconds, i) => seconds / other.seconds[i]!));
    return [
      [
        name,
        median(own.seconds).toFixed(2),
        String(Math.round(own.memory / 1e6)),
        ratio?.toFixed(2) ?? '',
        ratio !== undefined && by?.most !== undefined ? target(ratio, by.most) : '',
      ],
    ];
  });
  return [...rows, ...left];
}

/** From fork to wait, and the largest process of it; or why it failed. */
function timeScript(dir: string, script: string): { seconds: number; memory: number } | string {
  const out = `${dir}/out`;
  mkdirSync(out);
  // What the last one has left to write is not this one's to wait for.
  Bun.spawnSync(['sync', '-f', out]);
  const begin = Bun.nanoseconds();
  const child = Bun.spawnSync(['sh', '-c', script], {
    env: { ...process.env, OUT: out },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST,
  });
  const seconds = (Bun.nanoseconds() - begin) / 1e9;
  Bun.spawnSync(['rm', '-rf', out]);
  if (child.exitCode !== 0)
    return child.stderr.toString().trim().split('\n').at(-1) || `exit code ${child.exitCode}`;
  return { seconds, memory: child.resourceUsage?.maxRSS ?? 0 };
}

function run(script: string): void {
  const { exitCode, stderr } = Bun.spawnSync(['sh', '-c', script], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
}
