// The driver `image`: a volume over the layers of an image. Needs root.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeImage, writeFiles } from '../support/store.ts';
import { leftAside, mountsIn, withStore } from '../support/volumes.ts';

test('what an image has can be written, and the image stays as it was', () =>
  withStore(async (store) => {
    await makeImage(store, 'files', (diff) => writeFiles(diff, { 'etc/motd': 'hello\n', 'sub/gone': 'x' }));
    store.output('create', '-d', 'image', '-o', 'image=files', 'iv');
    assert.is(store.output('inspect', '-f', '{{.Driver}}', 'iv'), 'image');
    const path = store.output('mount', 'iv');
    assert.is(readFileSync(join(path, 'etc/motd'), 'utf8'), 'hello\n');
    writeFileSync(join(path, 'etc/motd'), 'changed\n');
    rmSync(join(path, 'sub'), { recursive: true });
    store.output('unmount', 'iv');
    assert.equal(mountsIn(store.top), []);
    store.output('create', '-d', 'image', '-o', 'image=files', 'other');
    const other = store.output('mount', 'other');
    assert.is(readFileSync(join(other, 'etc/motd'), 'utf8'), 'hello\n');
    store.output('unmount', 'other');
    assert.is(readFileSync(join(store.output('mount', 'iv'), 'etc/motd'), 'utf8'), 'changed\n');
    assert.equal(readdirSync(path), ['etc']);
    store.output('unmount', 'iv');
    store.output('clone', 'iv', 'copy');
    assert.is(readFileSync(join(store.data('copy'), 'etc/motd'), 'utf8'), 'changed\n');
    store.output('rm', 'iv', 'other');
    assert.equal(leftAside(store), []);
  }));

test('an image that a volume is made of is in use', () =>
  withStore(async (store) => {
    await makeImage(store, 'files', (diff) => writeFiles(diff, { file: 'x' }));
    store.output('create', '-d', 'image', '-o', 'image=files', 'iv');
    const { stderr, code } = store.run(['image', 'rm', 'files']);
    assert.is(code, 1);
    assert.match(stderr, 'volume iv');
    store.output('rm', 'iv');
    assert.is(store.run(['image', 'rm', 'files']).code, 0);
  }));

test('options of the driver image, and an image that is not there', () =>
  withStore((store) => {
    assert.match(
      store.refusal('create', '-d', 'image', 'iv'),
      'create iv: the driver image takes one option: image',
    );
    assert.match(
      store.refusal('create', '-d', 'image', '-o', 'image=a', '-o', 'x=1', 'iv'),
      'takes one option',
    );
    assert.match(
      store.refusal('create', '-d', 'image', '-o', 'image=nosuch', 'iv'),
      'No such image: nosuch:latest',
    );
    assert.not(existsSync(join(store.volumes, 'iv')));
    assert.equal(leftAside(store), []);
  }));

test.run();
