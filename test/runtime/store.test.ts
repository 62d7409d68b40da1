import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { close } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../../src/errors.ts';
import { isId, newId } from '../../src/runtime/id.ts';
import { lockContainer, removeStale } from '../../src/runtime/removal.ts';
import { findContainer, listIds, readContainer } from '../../src/runtime/store.ts';
import { ENDED, withStateRoot } from './state-root.ts';

const messageOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof TinyrunError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
};

test('isId: letters, digits and _ + - . make an id', () => {
  for (const id of ['a', '7', 'A_b+c-d.e', '-x', '_', 'a..', 'x'.repeat(255)]) assert.is(isId(id), true, id);
  for (const id of ['', '.', '..', '.a', 'a/b', '/', 'a b', 'a\n', 'ä', 'a:b', 'a\0', 'x'.repeat(256)])
    assert.is(isId(id), false, JSON.stringify(id));
});

test('newId: twelve hexadecimal digits, each time others', () => {
  const ids = new Set(Array.from({ length: 100 }, newId));
  assert.is(ids.size, 100);
  for (const id of ids) assert.match(id, /^[0-9a-f]{12}$/);
});

test('readContainer: the state of a running container', async () => {
  await withStateRoot(({ root, add }) => {
    add('c1', { bundle: '/b', annotations: { a: 'b' } });
    assert.equal(readContainer(root, 'c1').state, {
      ...{ ociVersion: '1.3.0', id: 'c1', pid: process.pid, status: 'running', bundle: '/b' },
      ...{
        rootfs: '/bundle/rootfs',
        created: '2026-01-02T03:04:05.678Z',
        annotations: { a: 'b' },
        owner: '',
      },
    });
  });
});

test('readContainer: an ended container is stopped and has no pid', async () => {
  await withStateRoot(({ root, add }) => {
    add('reused', ENDED);
    add('ended', { ...ENDED, pid: 2 ** 30 });
    for (const id of ['reused', 'ended']) {
      const { status, pid } = readContainer(root, id).state;
      assert.equal({ status, pid }, { status: 'stopped', pid: 0 });
    }
  });
});

test('readContainer: no container, no state root, or a half-made one: not found', async () => {
  await withStateRoot(({ root }) => {
    mkdirSync(join(root, 'half'), 0o711);
    writeFileSync(join(root, 'file'), '');
    for (const id of ['none', 'half', 'file'])
      assert.is(
        messageOf(() => readContainer(root, id)),
        `NOT_FOUND container does not exist: ${id}`,
      );
    assert.is(findContainer(`${root}/missing`, 'c1'), undefined);
  });
});

test('readContainer, removeStale: root takes no state directory of another user', async () => {
  await withStateRoot(async ({ root, dataRoot, add, addData }) => {
    const theirs = add('c1', { ...ENDED, transient: true, dataDirectory: addData('c1') });
    mkdirSync(join(root, 'half'));
    const data = addData('half');
    for (const directory of [theirs, join(root, 'half')]) chownSync(directory, 1000, 1000);
    const says = (id: string) =>
      `HOST read state of container ${id}: ${root}/${id} belongs to user 1000, not to root`;
    assert.is(
      messageOf(() => readContainer(root, 'c1')),
      says('c1'),
    );
    for (const id of ['c1', 'half'])
      assert.is(
        await removeStale(root, id, dataRoot).catch((error) => `${error.code} ${error.message}`),
        says(id),
      );
    assert.ok(existsSync(data));
    assert.ok(existsSync(join(dataRoot, 'containers/c1')));
  });
});

test('readContainer: a damaged state.json is an error', async () => {
  await withStateRoot(({ root, add }) => {
    const file = join(add('c1'), 'state.json');
    const state = {
      ociVersion: '1',
      id: 'c1',
      pid: 1,
      bundle: '',
      rootfs: '',
      created: '',
      owner: '',
      tinyrun: { transient: true },
    };
    const texts = [
      '',
      'null',
      '[]',
      '{"id":"c1"}',
      JSON.stringify({ ...state, pid: '1' }),
      JSON.stringify({ ...state, id: 'c2' }),
      JSON.stringify({ ...state, tinyrun: { transient: true, dataDirectory: '/etc' } }),
      JSON.stringify({ ...state, tinyrun: { transient: true, dataDirectory: '/data/containers/c2' } }),
    ];
    for (const text of texts) {
      writeFileSync(file, text);
      const message = `HOST read state of container c1: ${file} is damaged`;
      assert.is(
        messageOf(() => readContainer(root, 'c1')),
        message,
        text,
      );
    }
    writeFileSync(file, JSON.stringify(state));
    assert.is(readContainer(root, 'c1').transient, true);
  });
});

test('listIds: sorted, and only what can be an id', async () => {
  await withStateRoot(({ root, add }) => {
    for (const id of ['b', 'a', 'c']) add(id);
    mkdirSync(join(root, '.hidden'));
    assert.equal(listIds(root), ['a', 'b', 'c']);
    assert.equal(listIds(`${root}/missing`), []);
  });
});

test('removeStale: the leftover of a killed tinyrun goes, with its own files', async () => {
  await withStateRoot(async ({ root, dataRoot, add, addData }) => {
    add('c1', { ...ENDED, transient: true, dataDirectory: addData('c1') });
    addData('c2');
    assert.is(await removeStale(root, 'c1'), true);
    assert.equal(readdirSync(root), []);
    assert.equal(readdirSync(join(dataRoot, 'containers')), ['c2']);
    assert.is(await removeStale(root, 'c1'), false);
  });
});

test('removeStale: a half-made one goes; its own files are looked for in the data root', async () => {
  await withStateRoot(async ({ root, dataRoot, addData }) => {
    mkdirSync(join(root, 'c1'), 0o711);
    writeFileSync(join(root, 'c1', 'state.json.tmp'), '{');
    addData('c1');
    assert.is(await removeStale(root, 'c1', dataRoot), true);
    assert.equal(readdirSync(root), []);
    assert.equal(readdirSync(join(dataRoot, 'containers')), []);
  });
});

test('removeStale: where only the note of what was attached is left, that alone is undone', async () => {
  await withStateRoot(async ({ root, dataRoot, addData }) => {
    const attached = addData('c1');
    const other = join(dataRoot, 'other');
    mkdirSync(join(other, 'containers/c1'), { recursive: true });
    mkdirSync(join(root, 'c1'), 0o711);
    symlinkSync(attached, join(root, 'c1', 'attached'));
    assert.is(await removeStale(root, 'c1', other), true);
    assert.equal(readdirSync(root), []);
    assert.equal(readdirSync(join(dataRoot, 'containers')), []);
    assert.equal(readdirSync(join(other, 'containers')), ['c1'], 'it is not looked for elsewhere');
  });
});

test('removeStale: a note that names anything else is told, and nothing is removed', async () => {
  await withStateRoot(async ({ root, dataRoot, add, addData }) => {
    add('c1', { ...ENDED, transient: true });
    const victim = addData('c2');
    symlinkSync(victim, join(root, 'c1', 'attached'));
    await removeStale(root, 'c1', dataRoot).then(
      () => assert.unreachable(),
      (error: unknown) => assert.match(String(error), 'attached is damaged'),
    );
    assert.ok(existsSync(join(victim, 'upper/a/b/file')));
    assert.equal(readdirSync(root), ['c1']);
  });
});

test('removeStale: leaves what is kept, what runs, and what is locked', async () => {
  await withStateRoot(async ({ root, dataRoot, add, addData }) => {
    add('kept', { ...ENDED, dataDirectory: addData('kept') });
    add('runs', { transient: true });
    add('locked', { ...ENDED, transient: true });
    mkdirSync(join(root, 'half'), 0o711);
    const locks = ['locked', 'half'].map((id) => lockContainer(root, id));
    for (const id of ['kept', 'runs', 'locked', 'half', 'none'])
      assert.is(await removeStale(root, id, dataRoot), false, id);
    for (const lock of locks) if (typeof lock !== 'string') close(lock.fd);
    assert.equal(listIds(root), ['half', 'kept', 'locked', 'runs']);
    assert.is(existsSync(join(dataRoot, 'containers/kept/upper/a/b/file')), true);
    assert.is(await removeStale(root, 'locked'), true);
  });
});

test('lockContainer: one at a time', async () => {
  await withStateRoot(({ root, add }) => {
    add('c1');
    const lock = lockContainer(root, 'c1');
    assert.is(typeof lock, 'object');
    assert.is(lockContainer(root, 'c1'), 'held');
    if (typeof lock === 'object') close(lock.fd);
    const again = lockContainer(root, 'c1');
    assert.is(typeof again, 'object');
    if (typeof again === 'object') close(again.fd);
    assert.is(lockContainer(root, 'c2'), 'gone');
    assert.is(lockContainer(`${root}/missing`, 'c1'), 'gone');
  });
});

test('removeStale: files of a container whose state is gone, as after a reboot', async () => {
  await withStateRoot(async (roots) => {
    roots.addData('c1');
    roots.add('c2', { dataDirectory: roots.addData('c2') });
    assert.is(await removeStale(roots.root, 'c1', roots.dataRoot), true);
    assert.is(await removeStale(roots.root, 'c2', roots.dataRoot), false);
    assert.equal(readdirSync(join(roots.dataRoot, 'containers')), ['c2']);
    assert.is(await removeStale(roots.root, 'c1', roots.dataRoot), false);
    rmSync(roots.root, { recursive: true });
    assert.is(await removeStale(roots.root, 'c2', roots.dataRoot), true);
    assert.equal(readdirSync(join(roots.dataRoot, 'containers')), []);
  });
});

test.run();
