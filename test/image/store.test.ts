// The store of images: configs by id, and names. No root is needed.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chainIdOf, chainIdsOf } from '../../src/image/chain-id.ts';
import { parseReference } from '../../src/image/reference.ts';
import {
  createImage,
  findImage,
  listImages,
  meansId,
  resolveImage,
  tagImage,
} from '../../src/image/store.ts';
import { configBytes, withDataRoot } from '../support/image-store.ts';

const names = (...texts: string[]) => ({ names: texts.map(parseReference) });
const DIGEST = `sha256:${'ab'.repeat(32)}`;

test('row L11: the config is kept as it came, under its digest', () =>
  withDataRoot(async (dataRoot) => {
    const bytes = new TextEncoder().encode(
      ' {"os":"linux", "architecture":"amd64","rootfs":{"type":"layers","diff_ids":null}, "x":1}\n',
    );
    const { id } = await createImage(dataRoot, bytes, names('bb'));
    const folder = join(dataRoot, 'image/overlay2/imagedb/content/sha256');
    assert.equal(readdirSync(folder), [id.slice(7)]);
    assert.equal(new Uint8Array(readFileSync(join(folder, id.slice(7)))), bytes);
    assert.is(new Bun.CryptoHasher('sha256').update(bytes).digest('hex'), id.slice(7));
    assert.is(statSync(join(dataRoot, 'image')).mode & 0o777, 0o700);
  }));

test('row L12: the chain id of two layers', () => {
  const [base, top] = [
    'sha256:6cebf3abed5fac58d2e792ce8461454e92c245d5312c42118f02e231a73b317f',
    'sha256:f7eae43028b334123c3a1d778f7bdf9783bbe651c8b15371df0120fd13ec35c5',
  ];
  const chainId = 'sha256:8f06e3a624319de717230f0d766dd8922d048441adb9e0387860a8047d000409';
  assert.is(chainIdOf(undefined, base), base);
  assert.is(chainIdOf(base, top), chainId);
  assert.equal(chainIdsOf([base, top]), [base, chainId]);
});

test('findImage: by name, by id, by the beginning of one', () =>
  withDataRoot(async (dataRoot) => {
    const bytes = configBytes();
    const { id } = await createImage(dataRoot, bytes, names('bb', 'quay.io/team/bb:1', `bb@${DIGEST}`));
    const called = ['bb', 'bb:latest', 'docker.io/library/bb', 'quay.io/team/bb:1', `bb@${DIGEST}`];
    for (const name of [...called, `bb:other@${DIGEST}`, id, id.slice(7), id.slice(0, 12), id.slice(7, 10)])
      assert.is(findImage(dataRoot, name)?.id, id, name);
    for (const name of ['bb:2', 'team/bb', 'sha256:', '', 'BB', DIGEST, '../bb'])
      assert.is(findImage(dataRoot, name), undefined, name);
    const image = findImage(dataRoot, 'bb')!;
    assert.equal(image.tags, ['bb:latest', 'quay.io/team/bb:1']);
    assert.equal(image.digests, [`bb@${DIGEST}`]);
    assert.equal(image.configBytes, bytes);
  }));

test('findImage: a name wins over the beginning of an id', () =>
  withDataRoot(async (dataRoot) => {
    const first = await createImage(dataRoot, configBytes());
    const prefix = first.id.slice(7, 15);
    const second = await createImage(dataRoot, configBytes({ author: 'other' }), names(prefix));
    const found = findImage(dataRoot, prefix)!;
    assert.is(found.id, second.id);
    assert.not.ok(meansId(found, prefix));
    assert.ok(meansId(first, first.id.slice(7, 16)));
  }));

test("resolveImage: what is missing is told in Docker's words", () =>
  withDataRoot((dataRoot) => {
    assert.throws(() => resolveImage(dataRoot, 'nosuch'), /^No such image: nosuch:latest$/);
    assert.throws(() => resolveImage(dataRoot, 'abc123'), /^No such image: abc123:latest$/);
    assert.throws(
      () => resolveImage(dataRoot, 'Bb'),
      /^invalid reference format: repository name \(library\/Bb\) must be lowercase$/,
    );
  }));

test('resolveImage: the beginning of two ids is not enough', () =>
  withDataRoot(async (dataRoot) => {
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push((await createImage(dataRoot, configBytes({ author: `${i}` }))).id);
    const digit = ids.map((id) => id[7]).find((one, i, all) => all.indexOf(one) !== i)!;
    assert.throws(
      () => resolveImage(dataRoot, digit),
      new RegExp(`^multiple IDs found with provided prefix: ${digit}$`),
    );
  }));

test('tagImage: a name moves from one image to another', () =>
  withDataRoot(async (dataRoot) => {
    const old = await createImage(dataRoot, configBytes(), names('bb'));
    const young = await createImage(
      dataRoot,
      configBytes({ created: '2026-06-01T00:00:00Z' }),
      names('bb:2'),
    );
    await tagImage(dataRoot, 'bb:2', parseReference('bb'));
    assert.equal(
      listImages(dataRoot).map(({ id, tags }) => [id, tags]),
      [
        [young.id, ['bb:2', 'bb:latest']],
        [old.id, []],
      ],
    );
    const refused = await tagImage(dataRoot, 'bb', parseReference(`bb@${DIGEST}`)).catch(
      (e: Error) => e.message,
    );
    assert.is(refused, 'refusing to create a tag with a digest reference');
  }));

test('repositories.json is in the form of Docker', () =>
  withDataRoot(async (dataRoot) => {
    const { id } = await createImage(dataRoot, configBytes(), names('bb:2', 'bb', 'team/x', `bb@${DIGEST}`));
    const file = join(dataRoot, 'image/overlay2/repositories.json');
    assert.equal(JSON.parse(readFileSync(file, 'utf8')), {
      Repositories: {
        bb: { 'bb:2': id, 'bb:latest': id, [`bb@${DIGEST}`]: id },
        'team/x': { 'team/x:latest': id },
      },
    });
  }));

test('a damaged store is told, and where', () =>
  withDataRoot(async (dataRoot) => {
    const { id } = await createImage(dataRoot, configBytes(), names('bb'));
    const folder = join(dataRoot, 'image/overlay2');
    const repositories = readFileSync(join(folder, 'repositories.json'));
    for (const text of [
      '{',
      '[]',
      '{"Repositories":{"bb":{"bb:latest":"x"}}}',
      '{"Repositories":{"bb":{"../x":"y"}}}',
      '{"Repositories":{"bb":1}}',
      '{"Repositories":1}',
    ]) {
      writeFileSync(join(folder, 'repositories.json'), text);
      assert.throws(() => findImage(dataRoot, 'bb'), /repositories\.json/, text);
    }
    writeFileSync(join(folder, 'repositories.json'), repositories);
    writeFileSync(join(folder, 'imagedb/content/sha256', id.slice(7)), configBytes({ author: 'somebody' }));
    assert.throws(() => findImage(dataRoot, 'bb'), /is damaged: its config is not what its id says/);
  }));

test('what a killed import left beside is no image', () =>
  withDataRoot(async (dataRoot) => {
    const { id } = await createImage(dataRoot, configBytes(), names('bb'));
    writeFileSync(join(dataRoot, `image/overlay2/imagedb/content/sha256/.${'0'.repeat(64)}.aside`), '{');
    assert.equal(
      listImages(dataRoot).map((image) => image.id),
      [id],
    );
  }));

test.run();
