import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ancestors, type CgroupHierarchy, cgroupPlaces, isUnified } from '../../src/cgroup/path.ts';
import { TinyrunError } from '../../src/errors.ts';

const MEMORY: CgroupHierarchy = {
  controllers: 'memory',
  mountPoint: '/sys/fs/cgroup/memory',
  path: '/user/7',
};
const HYBRID: CgroupHierarchy[] = [
  MEMORY,
  { controllers: 'cpu,cpuacct', mountPoint: '/sys/fs/cgroup/cpu,cpuacct', path: '/' },
  { controllers: '', mountPoint: '/sys/fs/cgroup/unified', path: '/user' },
];
const UNIFIED: CgroupHierarchy[] = [
  { controllers: '', mountPoint: '/sys/fs/cgroup', path: '/user.slice/session.scope' },
];

const pathsOf = (cgroupsPath: string | undefined, hierarchies = HYBRID) =>
  cgroupPlaces(cgroupsPath, 'c1', hierarchies).map(({ path }) => path.slice('/sys/fs/cgroup/'.length));

test('an absolute path starts where the hierarchy is mounted', () => {
  assert.equal(pathsOf('/docker/c1'), ['memory/docker/c1', 'cpu,cpuacct/docker/c1', 'unified/docker/c1']);
  assert.equal(pathsOf('/docker/c1', UNIFIED), ['docker/c1']);
  assert.equal(pathsOf('//a/./b//', UNIFIED), ['a/b']);
});

test("a relative path starts at the caller's own cgroup, on a unified host beside it", () => {
  assert.equal(pathsOf('a/b'), ['memory/user/7/a/b', 'cpu,cpuacct/a/b', 'unified/user/a/b']);
  assert.equal(pathsOf('a/b', UNIFIED), ['user.slice/a/b']);
  assert.equal(pathsOf('a', [{ ...UNIFIED[0]!, path: '/' }]), ['a']);
});

test('without a path the cgroup is named after the id', () => {
  for (const none of [undefined, ''])
    assert.equal(pathsOf(none), ['memory/user/7/c1', 'cpu,cpuacct/c1', 'unified/user/c1']);
  assert.equal(pathsOf(undefined, UNIFIED), ['user.slice/c1']);
});

test('a path that leads elsewhere, or is for systemd, is refused', () => {
  const cases: Readonly<Record<string, RegExp>> = {
    '/a/../b': /has a `\.\.` in it/,
    '..': /has a `\.\.` in it/,
    '/': /is the hierarchy's top/,
    './.': /is the hierarchy's top/,
    'system.slice:tinyrun:c1': /slice:prefix:name for systemd/,
    ':a:b': /slice:prefix:name for systemd/,
    '/a\nb': /has a character/,
    [`/${'x'.repeat(256)}`]: /more than 255 characters/,
  };
  for (const [path, words] of Object.entries(cases)) {
    try {
      pathsOf(path);
      assert.unreachable(path);
    } catch (error) {
      assert.instance(error, TinyrunError);
      assert.match((error as TinyrunError).message, words);
      assert.match((error as TinyrunError).message, /^\/linux\/cgroupsPath: /);
    }
  }
  assert.equal(pathsOf('/a:b:c/d', UNIFIED), ['a:b:c/d']);
});

test('ancestors: the directories between the mount point and the cgroup', () => {
  const of = (path: string) => ancestors({ mountPoint: '/m/p', path });
  assert.equal(of('/m/p/a'), []);
  assert.equal(of('/m/p/a/b/c'), ['/m/p/a', '/m/p/a/b']);
});

test('a host is unified where there is no v1 hierarchy', () => {
  assert.ok(isUnified(UNIFIED));
  assert.not.ok(isUnified(HYBRID));
  assert.not.ok(isUnified([MEMORY]));
  assert.not.ok(isUnified([]));
});

test.run();
