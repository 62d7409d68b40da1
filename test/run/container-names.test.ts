// Names and ids of containers: taking, generating, finding, renaming; and two callers at once.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { generateName } from '../../src/container/names.ts';
import { leftOf, withStore } from '../support/store.ts';

test('create prints an id of 64 digits; a name is made up', async () => {
  await withStore((store) => {
    const id = store.out('create', 'bb');
    assert.match(id, /^[0-9a-f]{64}$/);
    const [name = ''] = readdirSync(join(store.dataRoot, 'names'));
    assert.match(name, /^[a-z]+_[a-z]+\d?$/);
    assert.is(store.out('rm', name), name);
    assert.equal(leftOf(store), []);
  });
});

test('made-up names are as Docker’s: an adjective, a noun, at last a digit', () => {
  for (let i = 0; i < 100; i++) assert.match(generateName(0), /^[a-z]+_[a-z]+$/);
  assert.match(generateName(1), /^[a-z]+_[a-z]+\d$/);
});

test("a name that is taken, in Docker's words; nothing is left of the second", async () => {
  await withStore((store) => {
    const id = store.out('create', '--name', 'web', 'bb');
    const { stderr, code } = store.t('create', '--name', 'web', 'bb');
    assert.is(code, 1);
    assert.is(
      stderr,
      `tinyrun: Conflict. The container name "/web" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.\n`,
    );
    assert.is(store.t('run', '--name', 'web', 'bb').code, 125);
    store.out('rm', 'web');
    assert.equal(leftOf(store), []);
  });
});

test('names that are none are refused', async () => {
  await withStore((store) => {
    for (const name of ['-a=b', 'a/b', '.a', 'a b', 'ä', `${'x'.repeat(256)}`]) {
      const { stderr, code } = store.t('create', `--name=${name}`, 'bb');
      assert.is(code, 1);
      assert.match(stderr, `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    assert.equal(leftOf(store), []);
  });
});

test('containers are found by id, by the beginning of it, and by name, which comes first', async () => {
  await withStore((store) => {
    const id = store.out('create', '--name', 'web', 'bb', 'true');
    const first = id.slice(0, 1);
    store.out('rename', 'web', '/www');
    for (const called of [id, id.slice(0, 12), 'www']) assert.is(store.out('start', called), called);
    assert.is(store.out('stop', '/www'), '/www');
    assert.is(store.out('wait', id), '0');
    const other = store.out('create', '--name', first, 'bb', 'true');
    store.out('rm', first);
    assert.not.ok(existsSync(join(store.dataRoot, 'containers', other)));
    assert.ok(existsSync(join(store.dataRoot, 'containers', id)));
    assert.match(store.t('start', 'nobody').stderr, 'container does not exist: nobody');
    assert.match(store.t('stop', 'nobody').stderr, 'No such container: nobody');
  });
});

test('a beginning that several ids have', async () => {
  await withStore((store) => {
    const ids = Array.from({ length: 17 }, () => store.out('create', 'bb'));
    const prefix = [...'0123456789abcdef'].find(
      (digit) => ids.filter((id) => id.startsWith(digit)).length > 1,
    )!;
    assert.match(store.t('stop', prefix).stderr, `multiple IDs found with provided prefix: ${prefix}`);
  });
});

test('rename: the old name is free, the new one is not', async () => {
  await withStore((store) => {
    const id = store.out('create', '--name', 'a', 'bb');
    store.out('create', '--name', 'b', 'bb');
    assert.match(store.t('rename', 'a', 'b').stderr, 'Conflict. The container name "/b" is already in use');
    assert.match(store.t('rename', 'a', 'a').stderr, 'Renaming a container with the same name');
    assert.match(store.t('rename', 'a', '-x').stderr, 'unknown option');
    assert.match(store.t('rename', 'a', 'x/y').stderr, 'Invalid container name (x/y)');
    store.out('rename', 'a', 'c');
    store.out('create', '--name', 'a', 'bb');
    assert.is(store.out('rm', id, 'a', 'b'), `${id}\na\nb`);
    assert.equal(leftOf(store), []);
  });
});

test('several arguments: one that fails does not keep the others from being done', async () => {
  await withStore((store) => {
    store.out('create', '--name', 'a', 'bb');
    store.out('create', '--name', 'b', 'bb');
    const { stdout, stderr, code } = store.t('rm', 'a', 'nobody', 'b');
    assert.equal([stdout, code], ['a\nb\n', 1]);
    assert.is(stderr, 'tinyrun: No such container: nobody\n');
    assert.is(store.t('rm', '-f', 'nobody').code, 0);
  });
});

test('many creates of one name at once: one wins, all others have one clear error, nothing else is left', async () => {
  await withStore(async (store) => {
    const all = await Promise.all(
      Array.from({ length: 8 }, () => store.start('create', '--name', 'one', 'bb')),
    );
    assert.is(all.filter(({ code }) => code === 0).length, 1);
    for (const { code, stderr } of all)
      if (code !== 0) assert.match(stderr, 'is already in use by container');
    assert.is(readdirSync(join(store.dataRoot, 'names')).length, 1);
    store.out('rm', 'one');
    assert.equal(leftOf(store), []);
  });
});

test('many starts and removals at once end with one clear state', async () => {
  await withStore(async (store) => {
    store.out('create', '--name', 'one', 'bb', 'sleep', '100');
    const starts = await Promise.all(Array.from({ length: 6 }, () => store.start('start', 'one')));
    for (const { code, stderr } of starts) assert.equal([code, stderr], [0, '']);
    const removals = await Promise.all(Array.from({ length: 4 }, () => store.start('rm', '-f', 'one')));
    for (const { code, stderr } of removals) if (code !== 0) assert.match(stderr, /No such container|one/);
    assert.equal(leftOf(store), []);
  });
});

test.run();
