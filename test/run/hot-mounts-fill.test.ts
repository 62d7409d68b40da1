// What a new, empty volume takes when it is attached to a container that runs: what the container's own root has there.

import { chownSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bundle } from '../support/bundle.ts';
import {
  attach,
  dataOf,
  detach,
  inside,
  refusal,
  tinyrun,
  withRunning,
  withUser,
} from '../support/hot-mounts.ts';
import { withStore } from '../support/store.ts';
import { describeTree, makeTree } from '../support/trees.ts';
import { makeVictim } from '../support/victim.ts';

/** A directory /data of every kind of file. */
const withTree = ({ rootfs }: Bundle): void => {
  mkdirSync(join(rootfs, 'data'), { mode: 0o2751 });
  makeTree(join(rootfs, 'data'));
  chownSync(join(rootfs, 'data'), 7, 8);
};

for (const [name, flags, change] of [
  ['', [], () => {}],
  [' with a user namespace', [], (bundle: Bundle) => withUser(bundle, 100000)],
  [' that was made by chroot', ['--no-pivot'], () => {}],
  [' on an overlay', ['--overlay'], () => {}],
] as const)
  test(`a container${name}: owners, modes, attributes, links, devices, holes and times`, () =>
    withRunning(
      [...flags],
      (bundle) => {
        attach(bundle, 'new:/data');
        const copy = describeTree(dataOf(bundle, 'new'));
        assert.equal(copy, describeTree(join(bundle.rootfs, 'data')));
        assert.match(inside(bundle, 'stat', '/data/large'), ' 3000000 ');
        detach(bundle, bundle.id, '/data');
        assert.equal(describeTree(dataOf(bundle, 'new')), copy, 'the volume stays as it is');
      },
      (bundle) => {
        change(bundle);
        withTree(bundle);
      },
    ));

test('not with nocopy, nor of a subpath, nor into what has something in it', () =>
  withRunning(
    [],
    (bundle) => {
      attach(bundle, 'a:/data:nocopy');
      detach(bundle, bundle.id, '/data');
      attach(bundle, 'src=b,dst=/data,volume-nocopy');
      detach(bundle, bundle.id, '/data');
      tinyrun(bundle, 'volume', 'create', 'c');
      writeFileSync(dataOf(bundle, 'c', 'own'), '');
      attach(bundle, 'c:/data');
      detach(bundle, bundle.id, '/data');
      mkdirSync(dataOf(bundle, 'c', 'sub'));
      attach(bundle, 'src=c,dst=/data,volume-subpath=sub');
      assert.equal(readdirSync(dataOf(bundle, 'a')), []);
      assert.equal(readdirSync(dataOf(bundle, 'b')), []);
      assert.equal(readdirSync(dataOf(bundle, 'c')).sort(), ['own', 'sub']);
      assert.equal(readdirSync(dataOf(bundle, 'c', 'sub')), []);
    },
    withTree,
  ));

test('a volume that its driver mounts is filled, too, and the user gets it with U', () =>
  withRunning(
    [],
    (bundle) => {
      tinyrun(bundle, 'volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'memory');
      attach(bundle, 'memory:/etc/conf:U');
      assert.is(inside(bundle, 'cat', '/etc/conf/file'), 'text');
      assert.match(inside(bundle, 'stat', '/etc/conf/file'), / 1000 1001 /);
      detach(bundle, bundle.id, '/etc/conf');
    },
    ({ rootfs, config }) => {
      config.process.user = { uid: 1000, gid: 1001 };
      mkdirSync(join(rootfs, 'etc/conf'));
      writeFileSync(join(rootfs, 'etc/conf/file'), 'text');
    },
  ));

test('symlinks lead inside the root, and nowhere else', () =>
  withRunning(
    [],
    (bundle) => {
      attach(bundle, 'first:/link');
      attach(bundle, 'second:/up/usr');
      const missing = 'open /host in the rootfs: ENOENT';
      assert.match(refusal(bundle, 'attach', bundle.id, 'third:/host/directory'), missing);
      assert.is(readFileSync(dataOf(bundle, 'first', 'file'), 'utf8'), 'text');
      assert.is(readFileSync(dataOf(bundle, 'second', 'of-the-rootfs'), 'utf8'), '');
      assert.equal(readdirSync(dataOf(bundle, 'third')), []);
    },
    (bundle) => {
      const { rootfs } = bundle;
      const victim = makeVictim(bundle);
      mkdirSync(join(rootfs, 'real'));
      writeFileSync(join(rootfs, 'real/file'), 'text');
      mkdirSync(join(rootfs, 'usr'));
      writeFileSync(join(rootfs, 'usr/of-the-rootfs'), '');
      symlinkSync('/../../real', join(rootfs, 'link'));
      symlinkSync('../../../..', join(rootfs, 'up'));
      symlinkSync(victim.absolute, join(rootfs, 'host'));
    },
  ));

test('nothing of what is mounted below or around: it is what run -v takes', () =>
  withRunning(
    ['-v', 'other:/data/mounted'],
    (bundle) => {
      inside(bundle, 'write', '/data/mounted/secret', '');
      attach(bundle, 'new:/data');
      assert.equal(readdirSync(dataOf(bundle, 'new')).sort(), ['mounted', 'own']);
      assert.equal(readdirSync(dataOf(bundle, 'new', 'mounted')), ['below']);
      attach(bundle, 'inner:/tmp/over/proc');
      assert.equal(readdirSync(dataOf(bundle, 'inner')), []);
    },
    ({ rootfs }) => {
      mkdirSync(join(rootfs, 'data/mounted'), { recursive: true });
      writeFileSync(join(rootfs, 'data/own'), '');
      writeFileSync(join(rootfs, 'data/mounted/below'), '');
    },
  ));

test('of an image: its layers and what the container has written, whiteouts heeded', () =>
  withStore(({ out, dataRoot }) => {
    out('run', '-d', '--name', 'box', 'bb', 'sleep', '600');
    out('exec', 'box', 'sh', '-c', 'echo new > /etc/new; rm /etc/group; chown 3:4 /etc/passwd');
    out('volume', 'attach', 'box', 'conf:/etc');
    const data = join(dataRoot, 'volumes/conf/_data');
    assert.is(readFileSync(join(data, 'new'), 'utf8'), 'new\n');
    assert.not(readdirSync(data).includes('group'));
    assert.is(out('exec', 'box', 'stat', '-c', '%u:%g', '/etc/passwd'), '3:4');
    out('rm', '-f', 'box');
  }));

test.run();
