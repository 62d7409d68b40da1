// Volumes: the commands on a store of a thousand, beside an empty program; a clone beside cp, of many small files and of a
// large one, and with shared blocks where a btrfs can be made.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withNewDisk } from './disk.ts';
import { type Contestant, measureGroup, runScript } from './long.ts';
import { type Bounds, compare } from './measure.ts';
import { tinyrun } from './runtimes.ts';
import { formatTable, milliseconds, target } from './table.ts';

const MANY = 1000;
const [FOLDERS, FILES, BYTES] = [100, 200, 2048];
const MOST_START = 3;
const MOST_COPY = 1.3;

/** Measures the commands, and returns a table. */
export async function measureVolumes(folder: string, empty: string, bounds: Bounds): Promise<string> {
  const dir = mkdtempSync(join(folder, 'volumes-'));
  const t = [tinyrun, '--data-root', dir];
  for (let i = 0; i < MANY; i++) {
    mkdirSync(join(dir, 'volumes', `volume-${i}`, '_data'), { recursive: true });
    const record = { driver: 'local', createdAt: '2026-01-01T00:00:00Z', labels: null, options: null };
    writeFileSync(join(dir, 'volumes', `volume-${i}`, 'volume.json'), `${JSON.stringify(record)}\n`);
  }
  try {
    const commands: [string, string[]][] = [
      ['volume ls', ['volume', 'ls']],
      ['volume ls -q', ['volume', 'ls', '-q']],
      ['volume inspect', ['volume', 'inspect', 'volume-500']],
      ['volume create', ['volume', 'create', 'volume-500']],
      ['volume rm', ['volume', 'rm', '--force', 'volume-none']],
    ];
    const rows: string[][] = [];
    for (const [name, words] of commands) {
      const { a, b, ratio } = await compare([...t, ...words], [empty], bounds);
      rows.push([
        `\`${name}\``,
        milliseconds(a),
        milliseconds(b),
        ratio.toFixed(2),
        target(ratio, MOST_START),
      ]);
    }
    return formatTable([`with ${MANY} volumes`, 'ms', 'an empty program, ms', 'ratio', 'target'], rows);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Measures clones, and returns a table. @throws where a command of tinyrun or cp fails */
export async function measureClones(folder: string, bounds: Bounds): Promise<string> {
  const dir = mkdtempSync(join(folder, 'clones-'));
  try {
    const rows = await withNewDisk(dir, 'ext4', (disk) => measureIn(disk, 'cp -a', bounds, false));
    if (Bun.which('mkfs.btrfs') !== null)
      rows.push(
        ...(await withNewDisk(dir, 'btrfs', (disk) =>
          measureIn(disk, 'cp -a --reflink=always', bounds, true),
        )),
      );
    return formatTable(['copying', 's', 'memory, MB', 'ratio', 'target'], rows);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/**
 * A volume of small files and one with a large one, cloned beside a copy of their data. A large file whose blocks are shared
 * takes no time at all, and what is left is two starts of programs: its clone may take as long as one of an empty volume.
 */
async function measureIn(dir: string, cp: string, bounds: Bounds, shares: boolean): Promise<string[][]> {
  const data = join(dir, 'data');
  const volume = `${tinyrun} --data-root ${data} volume`;
  for (const name of ['empty', 'small', 'large']) runScript(`${volume} create ${name}`);
  makeFiles(`${data}/volumes/small/_data`);
  runScript(`head -c 1G /dev/urandom > ${data}/volumes/large/_data/file`);
  const copied = (name: string, what: string): Contestant => ({
    name: `\`${cp}\` of ${what}`,
    script: `${cp} ${data}/volumes/${name}/_data $OUT/copy`,
  });
  const cloned = (name: string, what: string, by?: Contestant): Contestant => ({
    name: `\`volume clone\` of ${what}`,
    script: `${volume} clone ${name} copy >$OUT/name && mv ${data}/volumes/copy $OUT`,
    ...(by === undefined ? {} : { by: { name: by.name, most: MOST_COPY } }),
  });
  const many = copied('small', `${FOLDERS * FILES} files`);
  const one = copied('large', 'a file of 1 GiB');
  const nothing = cloned('empty', 'an empty volume');
  return [
    ...(await measureGroup(dir, [many, cloned('small', 'them', many)], bounds)),
    ...(await measureGroup(
      dir,
      shares ? [one, nothing, cloned('large', 'it', nothing)] : [one, cloned('large', 'it', one)],
      bounds,
    )),
  ];
}

function makeFiles(directory: string): void {
  for (let i = 0; i < FOLDERS; i++) {
    const sub = join(directory, String(i));
    mkdirSync(sub);
    for (let j = 0; j < FILES; j++)
      writeFileSync(join(sub, String(j)), crypto.getRandomValues(new Uint8Array(BYTES)));
  }
}
