// Containers of an image, as Docker's users know them: run, create, start, stop, rm and their kin.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leftOf, withStore } from '../support/store.ts';

test('run --rm: the output, the exit code, and nothing is left', async () => {
  await withStore((store) => {
    const { stdout, stderr, code } = store.t(
      'run',
      '--rm',
      'bb',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    );
    assert.equal([stdout, stderr, code], ['out\n', 'err\n', 7]);
    assert.equal(leftOf(store), []);
  });
});

test('V1: the own layer of a container is gone when it is removed', async () => {
  await withStore((store) => {
    store.out('run', '--name', 'c', 'bb', 'touch', '/x');
    assert.is(store.out('rm', 'c'), 'c');
    assert.is(store.out('run', '--rm', 'bb', 'test', '!', '-e', '/x'), '');
    assert.equal(leftOf(store), []);
  });
});

test('V9: removing a container keeps its volumes, and a new one sees the data', async () => {
  await withStore((store) => {
    store.out('run', '--rm', '-v', 'k:/d', 'bb', 'touch', '/d/x');
    store.out('run', '--rm', '-v', 'k:/d', 'bb', 'test', '-e', '/d/x');
  });
});

test('V18: a container that is started again keeps the data of its volume', async () => {
  await withStore((store) => {
    store.out('run', '--name', 'r', '-v', 'rs:/d', 'bb', 'sh', '-c', 'echo x >>/d/n');
    store.out('start', '-a', 'r');
    assert.is(store.out('run', '--rm', '-v', 'rs:/d', 'bb', 'wc', '-l', '/d/n'), '2 /d/n');
  });
});

test('L20: one program and its children: it is process 1', async () => {
  await withStore((store) => {
    assert.is(store.out('run', '--rm', 'bb', 'sh', '-c', 'echo $$'), '1');
  });
});

test('run -d, start, stop, restart, wait, rename, rm', async () => {
  await withStore((store) => {
    const id = store.out('run', '-d', '--name', 'web', 'bb', 'sleep', '1000');
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.is(store.out('start', 'web'), 'web');
    assert.is(store.t('rm', 'web').code, 1);
    assert.match(
      store.t('rm', 'web').stderr,
      'cannot remove container "web": container is running: stop the container before removing or force remove',
    );
    assert.is(store.out('stop', '-t', '0', 'web'), 'web');
    assert.is(store.out('wait', id.slice(0, 10)), '137');
    assert.is(store.out('start', id.slice(0, 5)), id.slice(0, 5));
    assert.is(store.out('restart', '-t', '0', 'web'), 'web');
    store.out('rename', 'web', 'other');
    assert.is(store.out('kill', 'other', 'KILL'), 'other');
    assert.is(store.out('wait', 'other'), '137');
    assert.is(store.out('start', 'other'), 'other');
    assert.is(store.out('rm', '-f', 'other'), 'other');
    assert.equal(leftOf(store), []);
  });
});

test.run();
