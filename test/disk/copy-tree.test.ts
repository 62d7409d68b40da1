// copyTree on made-up trees: what is kept, and that nothing but the two directories is read or changed.

import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SystemError, syscall } from '../../native-bindings/libc.ts';
import { copyTree } from '../../src/disk/copy-tree.ts';
import type { Kept } from '../../src/disk/inode.ts';
import { constantValue } from '../../src/sys/constants.ts';
import { skip } from '../support/skip.ts';
import { describeTree, listTree, makeNode, makeSparse, makeTree, S_IFIFO } from '../support/trees.ts';

interface Folders {
  top: string;
  from: string;
  to: string;
}

/** Two empty directories, in memory unless said otherwise; gone afterwards. */
async function withFolders(
  use: (folders: Folders) => void | Promise<void>,
  source = '/dev/shm',
  copy = source,
): Promise<void> {
  const top = mkdtempSync(`${source}/tinyrun-copy-`);
  const other = copy === source ? top : mkdtempSync(`${copy}/tinyrun-copy-`);
  const folders = { top, from: join(top, 'from'), to: join(other, 'to') };
  mkdirSync(folders.from);
  mkdirSync(folders.to);
  try {
    await use(folders);
  } finally {
    for (const folder of new Set([top, other])) remove(folder);
  }
}

/** Also what is nested too deeply for a path. */
function remove(folder: string): void {
  const { exitCode, stderr } = Bun.spawnSync(['rm', '-rf', folder]);
  if (exitCode !== 0) throw new Error(`rm ${folder}: ${stderr}`);
}

/** copyTree of directories by path. */
function copy({ from, to }: Pick<Folders, 'from' | 'to'>, keep?: ReadonlySet<Kept>): void {
  const fds = [openSync(from, 'r'), openSync(to, 'r')] as const;
  try {
    copyTree(fds[0], fds[1], keep === undefined ? {} : { keep });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function errorOf(run: () => void): SystemError {
  try {
    run();
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const isRoot = process.getuid?.() === 0;
const flag = (name: string): number => constantValue(name, process.arch === 'arm64' ? 'arm64' : 'x64')!;

for (const to of ['/tmp', '/dev/shm'])
  test(`a copy in ${to} is like its source in all that can be seen of it`, () => {
    if (!isRoot) return skip('a copy is like its source', 'device nodes need root');
    return withFolders(
      (folders) => {
        makeTree(folders.from);
        chmodSync(folders.from, 0o2751);
        chownSync(folders.from, 7, 8);
        const source = describeTree(folders.from);
        copy(folders);
        assert.equal(describeTree(folders.to), source);
        assert.equal(describeTree(folders.from), source);
        assert.is(Object.keys(source).length, 19);
        assert.ok(statSync(join(folders.to, 'sparse')).blocks * 512 < 100_000, 'holes are still holes');
      },
      '/tmp',
      to,
    );
  });

test('the directory that is filled keeps what it is told to', () => {
  if (!isRoot) return skip('it keeps what it is told to', 'owners need root');
  return withFolders((folders) => {
    const rows: [Kept[], string][] = [
      [[], '0750 5:6'],
      [['mode'], '0711 5:6'],
      [['uid'], '0750 3:6'],
      [['mode', 'uid', 'gid'], '0711 3:4'],
    ];
    mkdirSync(join(folders.from, 'sub'));
    for (const name of [folders.from, join(folders.from, 'sub')]) {
      chmodSync(name, 0o750);
      chownSync(name, 5, 6);
    }
    const look = (path: string): string => {
      const { mode, uid, gid } = statSync(path);
      return `0${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
    };
    for (const [keep, expected] of rows) {
      const to = join(folders.top, keep.join('-') || 'nothing');
      mkdirSync(to);
      chmodSync(to, 0o711);
      chownSync(to, 3, 4);
      copy({ from: folders.from, to }, new Set(keep));
      assert.is(look(to), expected);
      assert.is(look(join(to, 'sub')), '0750 5:6', 'it is about the top alone');
    }
  });
});

test('names need not be text, and there may be many', () =>
  withFolders((folders) => {
    const fd = openSync(folders.from, 'r');
    const odd = Uint8Array.from([0xff, 0x0a, 0x20, 0xc3, 0]);
    closeSync(
      syscall('make a file', 'openat', fd, odd, flag('O_CREAT') | flag('O_EXCL') | flag('O_WRONLY'), 0o600),
    );
    closeSync(fd);
    const names = Array.from({ length: 4000 }, (_, i) => `a-name-of-some-length-${i}`);
    for (const name of names) writeFileSync(join(folders.from, name), name);
    copy(folders);
    const copied = readdirSync(folders.to, { encoding: 'buffer' });
    assert.is(copied.length, 4001);
    assert.ok(copied.some((name) => name.equals(odd.subarray(0, -1))));
    for (const name of names) assert.is(readFileSync(join(folders.to, name), 'utf8'), name);
  }));

test('directories may be nested more deeply than a path is long or files can be open', () =>
  withFolders((folders) => {
    const DEPTH = 2100;
    let fd = openSync(folders.from, 'r');
    const down = (): void => {
      const next = syscall('enter d', 'openat', fd, 'd', flag('O_DIRECTORY'));
      closeSync(fd);
      fd = next;
    };
    for (let depth = 0; depth < DEPTH; depth++) {
      syscall('make d', 'mkdirat', fd, 'd', 0o755);
      down();
    }
    syscall('make a', 'mknodat', fd, 'a', S_IFIFO | 0o600, 0);
    syscall('link a', 'linkat', fd, 'a', fd, 'b', 0); // its path is too long to link the copy to
    closeSync(fd);
    const before = readdirSync('/proc/self/fd').length;
    copy(folders);
    assert.is(readdirSync('/proc/self/fd').length, before, 'all descriptors are closed again');
    fd = openSync(folders.to, 'r');
    for (let depth = 0; depth < DEPTH; depth++) down();
    assert.equal(readdirSync(`/proc/self/fd/${fd}`).sort(), ['a', 'b']);
    closeSync(fd);
  }));

test('a hard link to a file outside becomes a file of its own', () =>
  withFolders((folders) => {
    const outside = join(folders.top, 'outside');
    writeFileSync(outside, 'shared');
    linkSync(outside, join(folders.from, 'inside'));
    copy(folders);
    writeFileSync(join(folders.to, 'inside'), 'changed');
    assert.is(readFileSync(outside, 'utf8'), 'shared');
  }));

test('holes of any shape are copied: none, at the start, at the end, everywhere', () =>
  withFolders((folders) => {
    const path = (name: string): string => join(folders.from, name);
    writeFileSync(path('none'), new Uint8Array(70_001).fill(1));
    makeSparse(path('start'), 5_000_001, 5_000_000);
    makeSparse(path('end'), 5_000_000, 0);
    makeSparse(path('both'), 9_000_000, 4_500_000);
    writeFileSync(path('all'), '');
    Bun.spawnSync(['truncate', '-s', '3G', path('all')]);
    copy(folders);
    for (const name of ['none', 'start', 'end', 'both'])
      assert.ok(readFileSync(join(folders.to, name)).equals(readFileSync(path(name))), name);
    const all = statSync(join(folders.to, 'all'));
    assert.equal([all.size, all.blocks], [3 * 2 ** 30, 0]);
  }));

// Hostile sources

test('symlinks that lead outside are copied as they are, and what they lead to is neither read nor changed', () =>
  withFolders((folders) => {
    const outside = join(folders.top, 'outside');
    mkdirSync(join(outside, 'sub'), { recursive: true });
    writeFileSync(join(outside, 'secret'), 'secret');
    const before = describeTree(outside);
    for (const [name, target] of Object.entries({
      directory: outside,
      relative: '../outside/sub',
      file: join(outside, 'secret'),
      proc: '/proc/self/cwd',
      loop: 'loop',
      top: '..',
    }))
      symlinkSync(target, join(folders.from, name));
    const source = describeTree(folders.from);
    copy(folders);
    assert.equal(describeTree(folders.to), source);
    assert.equal(describeTree(outside), before);
  }));

test('a name that is there already is an error, and no symlink there is written through', () =>
  withFolders((folders) => {
    const outside = join(folders.top, 'outside');
    mkdirSync(outside);
    const rows: [(path: string) => void, string][] = [
      [(path) => writeFileSync(path, 'new'), 'copy name: make the file: EEXIST file exists'],
      [(path) => mkdirSync(path), 'copy name: make the directory: EEXIST file exists'],
      [(path) => symlinkSync('x', path), 'copy name: make the symlink: EEXIST file exists'],
      [(path) => makeNode(path, S_IFIFO), 'copy name: make the node: EEXIST file exists'],
    ];
    symlinkSync(outside, join(folders.to, 'name'));
    for (const [make, message] of rows) {
      make(join(folders.from, 'name'));
      assert.is(errorOf(() => copy(folders)).message, message);
      rmSync(join(folders.from, 'name'), { recursive: true });
    }
    symlinkSync(join(outside, 'made'), join(folders.to, 'dangling'));
    writeFileSync(join(folders.from, 'dangling'), 'new');
    assert.is(errorOf(() => copy(folders)).errno, 'EEXIST');
    assert.equal(readdirSync(outside), []);
  }));

test('a failure closes what it opened, and names the path from the top', () =>
  withFolders((folders) => {
    for (const folder of [folders.from, folders.to]) mkdirSync(join(folder, 'a'));
    mkdirSync(join(folders.from, 'a/b/c'), { recursive: true });
    writeFileSync(join(folders.from, 'a/b/c/file'), '');
    const before = readdirSync('/proc/self/fd').length;
    assert.is(errorOf(() => copy(folders)).message, 'copy a: make the directory: EEXIST file exists');
    rmSync(join(folders.to, 'a'), { recursive: true });
    const readonly = openSync('/proc/self/fdinfo', 'r'); // nothing can be made there
    const from = openSync(folders.from, 'r');
    assert.match(errorOf(() => copyTree(from, readonly)).message, /^copy a: make the directory: E/);
    closeSync(readonly);
    closeSync(from);
    assert.is(readdirSync('/proc/self/fd').length, before);
  }));

/** Exchanges `from/a` and `from/b` as fast as it can, for as long as the test lives. */
const SWAP = `
  const { rawSyscall } = await import(process.argv[1]);
  const [from] = process.argv.slice(2);
  process.stdout.write('go');
  for (const end = Date.now() + 20_000; Date.now() < end; )
    for (let i = 0; i < 100; i++) rawSyscall('renameat2', -100, from + '/a', -100, from + '/b', 2);
`;

test('names that are swapped for symlinks meanwhile lead nowhere', () =>
  withFolders(async ({ top, from, to }) => {
    const outside = join(top, 'outside');
    mkdirSync(join(from, 'a/sub'), { recursive: true });
    mkdirSync(join(outside, 'sub'), { recursive: true });
    writeFileSync(join(from, 'a/sub/name'), 'public');
    writeFileSync(join(outside, 'sub/name'), 'secret');
    symlinkSync(outside, join(from, 'b'));
    const libc = join(import.meta.dir, '../../native-bindings/libc.ts');
    const swapper = Bun.spawn([process.execPath, '-e', SWAP, libc, from], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      for await (const _ of swapper.stdout) break;
      const seen = new Set<string>();
      for (let round = 0; round < 300; round++) {
        const copied = join(to, `${round}`);
        mkdirSync(copied);
        try {
          copy({ from, to: copied });
        } catch (error) {
          seen.add(error instanceof SystemError ? error.errno : String(error));
        }
      }
      for (const name of listTree(to)) {
        const path = join(to, name);
        if (lstatSync(path).isFile()) seen.add(readFileSync(path, 'utf8'));
      }
      assert.ok(seen.has('public'), 'it was copied at least once');
      assert.not.ok(seen.has('secret'), [...seen].join());
      assert.equal(listTree(outside).sort(), ['sub', 'sub/name']);
    } finally {
      swapper.kill('SIGKILL');
      await swapper.exited;
    }
  }));

test.run();
