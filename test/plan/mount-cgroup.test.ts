import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CgroupHierarchy } from '../../src/cgroup/path.ts';
import { minimalConfig, stepsOf } from '../support/plan-input.ts';

const UNIFIED: CgroupHierarchy = { controllers: '', mountPoint: '/sys/fs/cgroup', path: '/a' };
const V1: CgroupHierarchy[] = [
  { controllers: 'cpu,cpuacct', mountPoint: '/sys/fs/cgroup/cpu,cpuacct', path: '/a' },
  { controllers: 'name=systemd', mountPoint: '/sys/fs/cgroup/systemd', path: '/' },
  { controllers: '', mountPoint: '/sys/fs/cgroup/unified', path: '/a' },
];

/** What is done for a read-only cgroup mount on a host with these hierarchies. */
function mounted(cgroups: CgroupHierarchy[], ownNamespace = false): string[] {
  const config = minimalConfig((config) => {
    config.mounts = [
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'ro'] },
    ];
    if (ownNamespace) config.linux!.namespaces!.push({ type: 'cgroup' });
  });
  return stepsOf({ config, cgroups }).flatMap(({ op, text }) => (op.from === '/mounts/0' ? [text] : []));
}

test('on a unified host a cgroup mount is cgroup2 in a namespace, and else a bind of the own cgroup', () => {
  const of = (own: boolean) =>
    mounted([UNIFIED], own).filter((text) => /fsopen|fsmount|open_tree|RDONLY/.test(text));
  assert.equal(of(true), [
    '$fs = fsopen("cgroup2", FSOPEN_CLOEXEC)',
    '$mount = fsmount($fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID|MOUNT_ATTR_RDONLY)',
  ]);
  assert.equal(of(false), [
    '$bind = open_tree(AT_FDCWD, "/sys/fs/cgroup/a", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)',
    ATTRIBUTES.replace('$hierarchy', '$mount'),
  ]);
});

const ATTRIBUTES =
  'mount_setattr($hierarchy, "", AT_EMPTY_PATH|AT_RECURSIVE, mount_attr{attr_set: MOUNT_ATTR_NOSUID|MOUNT_ATTR_RDONLY}, 32)';

test("with v1 hierarchies it is a tmpfs with binds of the caller's own cgroups, read-only at the end", () => {
  const texts = mounted(V1).filter((text) => /open_tree|fsopen|mkdirat|symlinkat|RDONLY/.test(text));
  assert.equal(texts, [
    '$bind = open_tree(AT_FDCWD, "/sys/fs/cgroup/cpu,cpuacct/a", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)',
    '$bind = open_tree(AT_FDCWD, "/sys/fs/cgroup/systemd", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)',
    '$fs = fsopen("tmpfs", FSOPEN_CLOEXEC)',
    ATTRIBUTES,
    'mkdirat($mount, "cpu,cpuacct", 0755)',
    'symlinkat("cpu,cpuacct", $mount, "cpu")',
    'symlinkat("cpu,cpuacct", $mount, "cpuacct")',
    ATTRIBUTES,
    'mkdirat($mount, "systemd", 0755)',
    'mount_setattr($mount, "", AT_EMPTY_PATH, mount_attr{attr_set: MOUNT_ATTR_RDONLY}, 32)',
  ]);
});

test('in a cgroup namespace of its own it sees the hierarchies from there', () => {
  const texts = mounted(V1, true);
  assert.not.ok(texts.some((text) => text.includes('open_tree')));
  assert.equal(
    texts.filter((text) => /fsopen|SET_FLAG|"name"/.test(text)),
    [
      '$fs = fsopen("tmpfs", FSOPEN_CLOEXEC)',
      '$fs = fsopen("cgroup", FSOPEN_CLOEXEC)',
      'fsconfig($fs, FSCONFIG_SET_FLAG, "cpu", 0, 0)',
      'fsconfig($fs, FSCONFIG_SET_FLAG, "cpuacct", 0, 0)',
      '$fs = fsopen("cgroup", FSOPEN_CLOEXEC)',
      'fsconfig($fs, FSCONFIG_SET_STRING, "name", "systemd", 0)',
      'fsconfig($fs, FSCONFIG_SET_FLAG, "none", 0, 0)',
    ],
  );
});

test.run();
