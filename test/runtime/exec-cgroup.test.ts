import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execCgroups } from '../../src/runtime/exec-cgroup.ts';

const V1 = [
  { controllers: 'cpu,cpuacct', path: '/sys/fs/cgroup/cpu,cpuacct/c1' },
  { controllers: 'memory', path: '/sys/fs/cgroup/memory/c1' },
  { controllers: 'name=systemd', path: '/sys/fs/cgroup/systemd/c1' },
];
const V2 = [{ controllers: '', path: '/sys/fs/cgroup/a/c1' }];
const paths = (own: typeof V1, asked: string[], init = ''): string[] =>
  execCgroups(own, asked, init).map(({ path }) => path.slice('/sys/fs/cgroup/'.length));

test("execCgroups: the container's, or one below it in all hierarchies or in some", () => {
  assert.equal(paths(V1, []), ['cpu,cpuacct/c1', 'memory/c1', 'systemd/c1']);
  assert.equal(paths(V1, ['x/y']), ['cpu,cpuacct/c1/x/y', 'memory/c1/x/y', 'systemd/c1/x/y']);
  assert.equal(paths(V1, ['cpu,memory:x']), ['cpu,cpuacct/c1/x', 'memory/c1/x', 'systemd/c1']);
  assert.equal(paths(V1, ['cpu:x', 'systemd:/y']), ['cpu,cpuacct/c1/x', 'memory/c1', 'systemd/c1/y']);
});

test('execCgroups: in the unified hierarchy where init is, unless another is asked for', () => {
  assert.equal(paths(V2, [], '0::/a/c1\n'), ['a/c1']);
  assert.equal(paths(V2, [], '1:memory:/x\n0::/a/c1/init.scope\n'), ['a/c1/init.scope']);
  assert.equal(paths(V2, [], '0::/elsewhere\n'), ['a/c1']);
  assert.equal(paths(V2, ['sub'], '0::/a/c1/init.scope\n'), ['a/c1/sub']);
});

test("execCgroups: refuses what is outside, or of no controller, in runc's words", () => {
  const refused = (own: typeof V1, asked: string[], message: string): void =>
    assert.throws(
      () => execCgroups(own, asked, ''),
      (error: Error) => error.message === message,
    );
  refused(V1, ['../x'], '../x is not a sub cgroup path');
  refused(V1, ['cpu:../c10'], '../c10 is not a sub cgroup path');
  refused(V1, ['nope:x'], 'unknown controller nope in --cgroup');
  refused(V2, ['cpu:x'], 'unknown controller cpu in --cgroup');
  refused(V1, ['cpu:x', 'y'], 'invalid --cgroup argument: y');
  refused(V1, ['cpu:'], 'invalid --cgroup argument: cpu:');
  refused(V1, ['cpu:x', 'cpu:y'], 'invalid --cgroup argument: cpu is given twice');
});

test.run();
