import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expandSlice, scopeName, scopePlaces } from '../../src/cgroup/scope.ts';
import { TinyrunError } from '../../src/errors.ts';

test('slice:prefix:name is a scope in a slice; without a path it is runc-ID in system.slice', () => {
  assert.equal(scopeName('system.slice:docker:abc', 'c1'), {
    unit: 'docker-abc.scope',
    slice: 'system.slice',
  });
  assert.equal(scopeName('machine.slice:libpod:abc', 'c1').unit, 'libpod-abc.scope');
  assert.equal(scopeName(':x:abc', 'c1'), { unit: 'x-abc.scope', slice: 'system.slice' });
  assert.equal(scopeName('a.slice::abc', 'c1'), { unit: 'abc.scope', slice: 'a.slice' });
  for (const none of [undefined, ''])
    assert.equal(scopeName(none, 'c1'), { unit: 'runc-c1.scope', slice: 'system.slice' });
});

test('each dash of a slice is a level', () => {
  assert.is(expandSlice('system.slice'), '/system.slice');
  assert.is(
    expandSlice('kubepods-burstable-pod1.slice'),
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice',
  );
  assert.is(expandSlice('-.slice'), '');
});

test('what is no name of a scope or a slice is refused', () => {
  const wrong: Record<string, RegExp> = {
    '/a/b': /is no slice:prefix:name/,
    'a:b': /is no slice:prefix:name/,
    'a.slice:b:c:d': /is no slice:prefix:name/,
    'a.slice:b:': /names no container/,
    'a.slice:b:c.slice': /names no container/,
    'a.slice:b:c d': /no name of a unit/,
    'a:b:c': /is no name of a slice/,
    '-a.slice:b:c': /is no name of a slice/,
    'a--b.slice:b:c': /is no name of a slice/,
    '.slice:b:c': /is no name of a slice/,
  };
  for (const [path, says] of Object.entries(wrong))
    assert.throws(
      () => scopeName(path, 'c1'),
      (error: unknown) =>
        error instanceof TinyrunError && error.code === 'CONFIG' && says.test(error.message),
      path,
    );
});

test('the scope is at the same place in each hierarchy', () => {
  const hierarchies = [
    { controllers: 'memory', mountPoint: '/sys/fs/cgroup/memory', path: '/x' },
    { controllers: 'name=systemd', mountPoint: '/sys/fs/cgroup/systemd', path: '/y' },
  ];
  const paths = scopePlaces({ unit: 'u.scope', slice: 'a-b.slice' }, hierarchies).map(({ path }) => path);
  assert.equal(paths, [
    '/sys/fs/cgroup/memory/a.slice/a-b.slice/u.scope',
    '/sys/fs/cgroup/systemd/a.slice/a-b.slice/u.scope',
  ]);
});

test.run();
