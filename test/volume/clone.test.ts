// `volume clone`, `snapshot`, `du`: a copy that is like the original in every respect, by shared blocks where the
// filesystem has them.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/container.ts';
import { skip } from '../support/skip.ts';
import { describeTree, makeSparse, makeTree } from '../support/trees.ts';
import { leftAside, mountsIn, pretendUse, type Store, withStore } from '../support/volumes.ts';

function fill(store: Store, name: string, ...options: string[]): void {
  store.output('create', ...options, name);
  makeTree(store.data(name));
}

test('clone: owners, modes, times, attributes, links, devices and holes', () =>
  withStore((store) => {
    fill(store, 'from', '--label', 'a=1');
    assert.is(store.output('clone', '--label', 'b=2', 'from', 'to'), 'to');
    assert.equal(describeTree(store.data('to')), describeTree(store.data('from')));
    assert.is(store.output('inspect', '-f', '{{json .Labels}}', 'to'), '{"a":"1","b":"2"}');
    writeFileSync(join(store.data('to'), 'file'), 'changed');
    assert.is(readFileSync(join(store.data('from'), 'file'), 'utf8'), 'contents\n');
    assert.equal(leftAside(store), []);
  }));

test('a clone of a volume in use, and of an anonymous one, which has a name now', () =>
  withStore((store) => {
    const name = store.output('create');
    pretendUse(store, 'a'.repeat(64), 'c', name);
    store.output('clone', name, 'named');
    assert.is(store.output('inspect', '-f', '{{json .Labels}}', 'named'), 'null');
    store.output('prune', '-f');
    store.output('inspect', 'named');
  }));

test('clone refuses a name that is taken, a source that is not there, and a name that cannot be', () =>
  withStore((store) => {
    fill(store, 'from');
    store.output('create', 'taken');
    assert.match(store.refusal('clone', 'from', 'taken'), 'a volume taken is there already');
    assert.match(store.refusal('clone', 'from', 'from'), 'a volume from is there already');
    assert.match(store.refusal('clone', 'nosuch', 'new'), 'get nosuch: no such volume');
    assert.match(store.refusal('clone', 'from', 'a/b'), 'includes invalid characters');
    assert.equal(leftAside(store), []);
  }));

test('a clone keeps the size; of a tmpfs or a bind it is a plain volume', () =>
  withStore((store) => {
    store.output('create', '-o', 'size=8m', 'sized');
    writeFileSync(join(store.output('mount', 'sized'), 'file'), 'x');
    store.output('clone', 'sized', 'copy');
    store.output('unmount', 'sized');
    assert.is(store.output('inspect', '-f', '{{json .Options}}', 'copy'), '{"size":"8m"}');
    const path = store.output('mount', 'copy');
    assert.is(readFileSync(join(path, 'file'), 'utf8'), 'x');
    assert.ok(statfsSync(path).blocks * statfsSync(path).bsize < 8 << 20);
    store.output('unmount', 'copy');

    mkdirSync(join(store.top, 'host'));
    writeFileSync(join(store.top, 'host/file'), 'x');
    store.output('create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${store.top}/host`, 'bound');
    store.output('clone', 'bound', 'plain');
    assert.is(store.output('inspect', '-f', '{{json .Options}}', 'plain'), 'null');
    assert.ok(existsSync(join(store.data('plain'), 'file')));
    assert.equal(mountsIn(store.top), []);
  }));

test('a clone that does not fit leaves no volume', () =>
  withStore((store) => {
    store.output('create', '-o', 'size=8m', 'sized');
    const rows: [(directory: string) => void, RegExp][] = [
      [(directory) => writeFileSync(join(directory, 'big'), new Uint8Array(16 << 20)), /: copy big: ENOSPC/],
      [
        (directory) => {
          for (let i = 0; i < 1000; i++)
            writeFileSync(join(directory, `small${i}`), new Uint8Array(16 << 10));
        },
        /: copy small\d+: ENOSPC/,
      ],
    ];
    for (const [fillMore, message] of rows) {
      const path = store.output('mount', 'sized');
      runCommand(['mount', '-t', 'tmpfs', 'tmpfs', path]); // more than the clone can hold
      fillMore(path);
      const words = store.refusal('clone', 'sized', 'copy');
      runCommand(['umount', path]);
      store.output('unmount', 'sized');
      assert.match(words, message);
      assert.is(store.output('ls', '-q'), 'sized');
      assert.equal(leftAside(store), []);
    }
    assert.equal(mountsIn(store.top), []);
  }));

test('snapshot: a clone that says of what and when', () =>
  withStore((store) => {
    fill(store, 'data');
    const name = store.output('snapshot', 'data');
    assert.match(name, /^data-\d{8}T\d{6}Z$/);
    assert.equal(describeTree(store.data(name)), describeTree(store.data('data')));
    const labels = JSON.parse(store.output('inspect', '-f', '{{json .Labels}}', name));
    assert.is(labels['io.tinyrun.snapshot.of'], 'data');
    assert.match(labels['io.tinyrun.snapshot.at'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.is(store.output('snapshot', 'data', 'before'), 'before');
    assert.is(store.output('ls', '-q', '-f', 'label=io.tinyrun.snapshot.of=data'), `before\n${name}`);
  }));

for (const type of ['btrfs', 'xfs'])
  test(`clone on ${type} shares blocks`, async () => {
    if (Bun.which(`mkfs.${type}`) === null || !readFileSync('/proc/filesystems', 'utf8').includes(type))
      return skip(`clone on ${type}`, `no mkfs.${type}, or none in the kernel`);
    await withStore((store) => {
      const image = join(store.top, 'image');
      writeFileSync(image, '');
      truncateSync(image, 400 << 20);
      execFileSync(`mkfs.${type}`, ['-q', image], { stdio: 'ignore' });
      mkdirSync(store.dataRoot, { recursive: true });
      execFileSync('mount', ['-o', 'loop', image, store.dataRoot]);
      try {
        store.output('create', 'from');
        writeFileSync(join(store.data('from'), 'big'), new Uint8Array(120 << 20).fill(7));
        writeFileSync(join(store.data('from'), 'odd'), new Uint8Array(123_457).fill(8));
        makeSparse(join(store.data('from'), 'sparse'), 20_000_000, 9_000_000);
        execFileSync('sync', ['-f', store.dataRoot]);
        const free = (): number => statfsSync(store.dataRoot).bfree * statfsSync(store.dataRoot).bsize;
        const before = free();
        for (const name of ['one', 'two', 'three']) store.output('clone', 'from', name);
        execFileSync('sync', ['-f', store.dataRoot]);
        assert.ok(before - free() < 40 << 20, `${before - free()} bytes for three clones of 120 MB`);
        assert.equal(describeTree(store.data('three')), describeTree(store.data('from')));
        writeFileSync(join(store.data('one'), 'odd'), 'changed');
        assert.is(statSync(join(store.data('from'), 'odd')).size, 123_457);
      } finally {
        execFileSync('umount', [store.dataRoot]);
      }
    });
  });

test('du: what the files take, without holes, each once, and who uses it', () =>
  withStore((store) => {
    store.output('create', 'data');
    writeFileSync(join(store.data('data'), 'file'), new Uint8Array(1_000_000).fill(1));
    execFileSync('ln', [join(store.data('data'), 'file'), join(store.data('data'), 'link')]);
    mkdirSync(join(store.data('data'), 'a/b/c'), { recursive: true });
    writeFileSync(join(store.data('data'), 'a/b/c/small'), 'x');
    makeSparse(join(store.data('data'), 'sparse'), 2_000_000_000, 1000);
    pretendUse(store, 'd'.repeat(64), 'db', 'data');
    const row = JSON.parse(store.output('du', '--format', 'json', 'data'));
    assert.equal([row.Name, row.Files, row.UsedBy], ['data', 3, 'db']);
    assert.ok(row.Bytes >= 1_000_001 && row.Bytes < 1_200_000, row.Bytes);
    assert.match(store.output('du'), /^VOLUME NAME\s+SIZE\s+FILES\s+USED BY\ndata\s+1[.\d]*MB\s+3\s+db$/);
    assert.match(store.refusal('du', 'nosuch'), 'get nosuch: no such volume');
  }));

test('du of a volume that is not mounted mounts it; ls --size does not', () =>
  withStore((store) => {
    store.output('create', '-o', 'size=8m', 'sized');
    writeFileSync(join(store.output('mount', 'sized'), 'file'), new Uint8Array(300_000).fill(1));
    store.output('unmount', 'sized');
    assert.match(store.output('du', 'sized'), /300kB\s+1/);
    assert.match(store.output('ls', '--size'), /sized\s+N\/A$/);
    assert.equal(mountsIn(store.top), []);
  }));

test('a tree deeper than any path, and more files than descriptors', () =>
  withStore((store) => {
    store.output('create', 'deep');
    const script =
      'chdir shift; for (1..300) { mkdir "d" x 31; chdir "d" x 31 or die } open F, ">f"; print F "x"';
    execFileSync('perl', ['-e', script, store.data('deep')]);
    const row = JSON.parse(store.run(['volume', 'du', '--format', 'json', 'deep']).stdout);
    assert.is(row.Files, 1);
    store.output('clone', 'deep', 'copy');
    assert.is(JSON.parse(store.output('du', '--format', 'json', 'copy')).Files, 1);
    store.output('rm', 'deep', 'copy');
    assert.equal(leftAside(store), []);
    rmSync(store.volumes, { recursive: true });
  }));

test.run();
