// `volume export` and `import`: tar streams that other programs read and write, round trips, and what is hostile.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/container.ts';
import { describeTree, makeTree } from '../support/trees.ts';
import { leftAside, mountsIn, type Store, storeCommand, withStore } from '../support/volumes.ts';

function fill(store: Store, name: string): void {
  store.output('create', name);
  makeTree(store.data(name));
  rmSync(join(store.data(name), 'socket')); // no archive has one
}

test('a round trip is exact, and the archive the same each time', () =>
  withStore((store) => {
    fill(store, 'from');
    const [one, two] = [join(store.top, 'one.tar'), join(store.top, 'two.tar')];
    store.output('export', 'from', '-o', one);
    store.output('export', '--output', two, 'from');
    assert.ok(readFileSync(one).equals(readFileSync(two)));
    assert.is(store.output('import', 'to', one), '');
    assert.equal(describeTree(store.data('to')), describeTree(store.data('from')));
    store.output('export', 'to', '-o', two);
    assert.ok(readFileSync(one).equals(readFileSync(two)));
    assert.ok(statSync(one).size < 10_000_000, 'holes are not written');
    assert.equal(readdirSync(store.top).sort(), ['data', 'one.tar', 'two.tar']);
  }));

test('through a pipe, compressed or not; tar(1) reads it', () =>
  withStore((store) => {
    fill(store, 'from');
    for (const compress of [[], ['--compress', 'gzip'], ['--compress', 'zstd']]) {
      const command = (args: readonly string[]): string => storeCommand(store.top, args).join(' ');
      const script = `${command(['volume', 'export', ...compress, 'from'])} | ${command(['volume', 'import', 'to', '-'])}`;
      const { stderr, code } = runCommand(['bash', '-o', 'pipefail', '-c', script]);
      assert.equal([code, stderr], [0, '']);
      assert.equal(describeTree(store.data('to')), describeTree(store.data('from')));
      store.output('rm', 'to');
    }
    store.output('export', 'from', '-o', join(store.top, 'a.tar'));
    assert.match(
      execFileSync('tar', ['-tf', join(store.top, 'a.tar')]).toString(),
      'sub/deep/deeper/program\n',
    );
  }));

test('what tar(1) and gzip write is imported', () =>
  withStore((store) => {
    fill(store, 'from');
    const archive = join(store.top, 'a.tar.gz');
    execFileSync('tar', ['--xattrs', '-C', store.data('from'), '-czf', archive, '.']);
    store.output('import', 'to', archive);
    assert.is(readFileSync(join(store.data('to'), 'file'), 'utf8'), 'contents\n');
    assert.is(statSync(join(store.data('to'), 'file')).mode & 0o7777, 0o6755);
  }));

test('an import into a volume that is there adds to it', () =>
  withStore((store) => {
    fill(store, 'from');
    const archive = join(store.top, 'a.tar');
    store.output('export', 'from', '-o', archive);
    store.output('create', '--label', 'kept=1', 'to');
    writeFileSync(join(store.data('to'), 'mine'), 'x');
    writeFileSync(join(store.data('to'), 'file'), 'old');
    store.output('import', 'to', archive);
    assert.is(readFileSync(join(store.data('to'), 'mine'), 'utf8'), 'x');
    assert.is(readFileSync(join(store.data('to'), 'file'), 'utf8'), 'contents\n');
    assert.is(store.output('inspect', '-f', '{{json .Labels}}', 'to'), '{"kept":"1"}');
    assert.equal(readdirSync(join(store.volumes, 'to')).sort(), ['_data', 'volume.json']);
  }));

test('an archive that is cut off: no new volume; one that was there says that it has a part', () =>
  withStore((store) => {
    fill(store, 'from');
    const [whole, part] = [join(store.top, 'whole.tar'), join(store.top, 'part.tar')];
    store.output('export', 'from', '-o', whole);
    writeFileSync(part, readFileSync(whole).subarray(0, 1_000_000));
    assert.match(
      store.refusal('import', 'new', part),
      /import .*part\.tar into volume new: .* \(no volume was made\)/,
    );
    assert.is(store.volume('exists', 'new').code, 1);
    assert.equal(leftAside(store), []);
    store.output('create', 'old');
    assert.match(store.refusal('import', 'old', part), /\(a part of it is in the volume now\)/);
    const [volume] = JSON.parse(store.output('inspect', 'old'));
    assert.match(volume.Status.Interrupted[0], /^import of .*part\.tar at \d.*Z was not finished$/);
    // The same archive, whole this time.
    renameSync(whole, part);
    store.output('import', 'old', part);
    assert.is(JSON.parse(store.output('inspect', 'old'))[0].Status, undefined);
  }));

test('an import that was killed is seen', () =>
  withStore((store) => {
    store.output('create', 'old');
    const script = `(tar -cf - -C /usr bin | head -c 2000000; exec sleep 4) | ${storeCommand(store.top, ['volume', 'import', 'old', '-']).join(' ')} & p=$!; i=0; while [ ! -e ${store.data('old')}/bin ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done; kill -9 $p; wait $p`;
    const { code } = runCommand(['bash', '-c', script], { timeout: 60_000 });
    assert.is(code, 137);
    const [volume] = JSON.parse(store.output('inspect', 'old'));
    assert.match(volume.Status.Interrupted[0], /^import of standard input at /);
    store.output('rm', 'old');
  }));

test('export and import need a place that is no terminal, and say what is missing', () =>
  withStore((store) => {
    store.output('create', 'data');
    const onTerminal = (args: readonly string[]): string =>
      runCommand(['script', '-qec', storeCommand(store.top, args).join(' '), '/dev/null']).stdout;
    assert.match(onTerminal(['volume', 'export', 'data']), 'cowardly refusing to save to a terminal');
    assert.match(onTerminal(['volume', 'import', 'data']), 'standard input is a terminal');
    assert.match(store.refusal('export', 'nosuch'), 'get nosuch: no such volume');
    assert.match(store.refusal('import', 'data', '/no/such.tar'), 'ENOENT');
    assert.match(store.refusal('export', 'data', '-o', '/no/such/file'), '/no/such/file');
    assert.is(store.volume('export', 'data', '-o', '/dev/null').code, 0);
    assert.ok(statSync('/dev/null').isCharacterDevice());
  }));

test('CVE-2023-0778: a file swapped for a symlink while it is exported gives nothing of the host', () =>
  withStore(async (store) => {
    store.output('create', 'data');
    const [secret, dir] = [join(store.top, 'secret'), store.data('data')];
    writeFileSync(secret, 'of the host');
    mkdirSync(join(store.top, 'hostdir'));
    writeFileSync(join(store.top, 'hostdir/inner'), 'of the host');
    for (let i = 0; i < 200; i++) writeFileSync(join(dir, `file${i}`), 'of the volume');
    const swapper = Bun.spawn([
      ...['sh', '-c'],
      `cd ${dir}; while [ ! -e ${store.top}/stop ]; do ln -sfn ${secret} t; mv -T t file100; echo of the volume >t; mv -T t file100; ln -sfn ${store.top}/hostdir d; rm d; mkdir d; rmdir d; done`,
    ]);
    try {
      for (let i = 0; i < 15; i++) {
        const { stdout, stderr, code } = store.run(['volume', 'export', 'data']);
        assert.not(stdout.includes('of the host'));
        if (code !== 0) assert.match(stderr, /ENOENT|ESTALE|ELOOP|ENOTDIR/);
      }
    } finally {
      writeFileSync(join(store.top, 'stop'), '');
      await swapper.exited;
    }
  }));

test('a hostile archive changes nothing outside of the volume', () =>
  withStore((store) => {
    const work = join(store.top, 'work');
    mkdirSync(work);
    symlinkSync(store.top, join(work, 'out'));
    execFileSync('tar', ['-cf', join(store.top, 'a.tar'), '-C', work, 'out']);
    rmSync(join(work, 'out'));
    mkdirSync(join(work, 'out'));
    writeFileSync(join(work, 'out/evil'), 'x');
    execFileSync('tar', ['-rf', join(store.top, 'a.tar'), '-C', work, 'out/evil']);
    execFileSync('tar', [
      '-rPf',
      join(store.top, 'a.tar'),
      '-C',
      work,
      '--transform',
      's|^|../../../|',
      'out/evil',
    ]);
    store.volume('import', 'data', join(store.top, 'a.tar'));
    assert.not(existsSync(join(store.top, 'evil')));
    assert.not(existsSync(join(store.top, 'out')));
  }));

test('a volume of limited size is filled by an import, up to its size', () =>
  withStore((store) => {
    store.output('create', '-o', 'size=8m', 'small');
    writeFileSync(join(store.top, 'big'), new Uint8Array(12 << 20).fill(3));
    execFileSync('tar', ['-cf', join(store.top, 'a.tar'), '-C', store.top, 'big']);
    assert.match(store.refusal('import', 'small', join(store.top, 'a.tar')), 'ENOSPC');
    assert.equal(mountsIn(store.top), []);
  }));

test.run();
