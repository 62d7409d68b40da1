// The container's own cgroup: made and limited before clone3, joined by init first of all, removed at the end.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import {
  type Change,
  errno,
  minimalConfig,
  OWN_CGROUP_V1,
  OWN_CGROUP_V2,
  plan,
  run,
  type Step,
  stepsOf,
} from '../support/plan-input.ts';

const withConfig = (base: Change, change: (config: Config) => void = () => {}): Change => ({
  ...base,
  config: minimalConfig(change),
});
const texts = (steps: readonly Step[], pattern: RegExp) =>
  steps.map(({ text }) => text).filter((text) => pattern.test(text));
const clone = (steps: readonly Step[]) => steps.findIndex(({ op }) => op.call === 'clone3');

test('on v1 a directory is made in each hierarchy; those above it only where they are missing', () => {
  const made = (special?: Parameters<typeof stepsOf>[1]) =>
    texts(
      stepsOf(withConfig(OWN_CGROUP_V1), special),
      /^(\$\S+ = )?mkdirat\(AT_FDCWD, "\/sys\/fs\/cgroup\/memory/,
    ).map((text) => /"(.*?)"/.exec(text)?.[1]);
  const own = '/sys/fs/cgroup/memory/engine/c1';
  assert.equal(made(), [own]);
  let missing = true;
  assert.equal(
    made(({ call, op }) => {
      if (call !== 'mkdirat' || !missing || op.args[1] !== own) return undefined;
      missing = false;
      return errno('ENOENT');
    }),
    [own, '/sys/fs/cgroup/memory/engine', own],
  );
});

test('limits and device rules are written before anything runs under them', () => {
  const steps = stepsOf(
    withConfig(OWN_CGROUP_V1, ({ linux }) => {
      linux!.resources = { memory: { limit: 4096 }, cpu: { quota: 5000 } };
    }),
  );
  const before = texts(steps.slice(0, clone(steps)), /memory\.limit|cpu\.cfs|devices\.|"(4096|5000|a)"/);
  assert.equal(before.slice(0, 6), [
    '$file = openat(AT_FDCWD, "/sys/fs/cgroup/memory/engine/c1/memory.limit_in_bytes", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, "4096", 4)',
    '$file = openat(AT_FDCWD, "/sys/fs/cgroup/cpu,cpuacct/engine/c1/cpu.cfs_quota_us", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, "5000", 4)',
    '$file = openat(AT_FDCWD, "/sys/fs/cgroup/devices/engine/c1/devices.deny", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, "a", 1)',
  ]);
  assert.is(texts(steps, /devices\.allow/).length, 1, 'one file is opened once for all its lines');
});

test('on v1 init joins by files that the host program opened, before it does anything else there', () => {
  for (const mappings of [false, true]) {
    const steps = stepsOf(
      withConfig(OWN_CGROUP_V1, ({ linux }) => {
        linux!.namespaces!.push({ type: 'cgroup' }, ...(mappings ? [{ type: 'user' as const }] : []));
        linux!.uidMappings = linux!.gidMappings = [{ containerID: 0, hostID: 1000, size: 10 }];
      }),
    );
    const opened = steps.slice(0, clone(steps)).filter(({ text }) => text.includes('/tasks"'));
    const joined = steps.filter(({ op, process }) => process === 1 && op.what.startsWith('join cgroup'));
    assert.is(opened.length, 7);
    assert.equal(
      joined.map(({ text }) => text),
      new Array(7).fill('write($file, "0", 1)'),
    );
    const init = steps.filter(({ process }) => process === 1);
    const at = (pattern: RegExp) => init.findIndex(({ text }) => pattern.test(text));
    assert.ok(
      at(/^write\(\$file, "0", 1\)/) < at(/^unshare\(CLONE_NEWCGROUP\)/),
      'what is joined is the root',
    );
    assert.ok(at(/^unshare\(CLONE_NEWCGROUP\)/) < at(/^setsid/));
  }
});

test('with a unified hierarchy clone3 puts the child there, and init keeps no descriptor of it', () => {
  for (const base of [OWN_CGROUP_V1, OWN_CGROUP_V2]) {
    const steps = stepsOf(withConfig(base));
    assert.is(steps[clone(steps)]!.text, '$pid = clone3(&clone+0, 88)');
    assert.is(texts(steps, /^close\(\$cgroup\)/).length, 1);
  }
  const { buffers } = plan(withConfig(OWN_CGROUP_V2));
  const init = buffers.find(({ name }) => name === 'clone')?.init as Uint8Array;
  const fields = new BigUint64Array(init.buffer);
  assert.equal([fields[0], fields[4]], [0x2_2002_0000n, 17n]); // INTO_CGROUP, NEWPID, NEWNS; SIGCHLD
});

test('in joined namespaces the stage is born there, and init with it', () => {
  const steps = stepsOf(
    withConfig(OWN_CGROUP_V2, ({ linux }) => {
      linux!.namespaces!.push({ type: 'network', path: '/ns/net' }, { type: 'cgroup' });
    }),
  );
  assert.equal(texts(steps, /clone3/), [
    '$stage = clone3(&clone+0, 88)',
    '$pid = clone3(clone_args{flags: CLONE_NEWNS|CLONE_NEWPID|CLONE_PARENT, exit_signal: 0}, 88)  fail -> leave',
  ]);
});

test('on v2 the controllers are handed down, unless all of them are there', () => {
  const names = 'cpuset cpu io memory pids\n';
  const controlled = (size: number) =>
    texts(
      stepsOf(withConfig(OWN_CGROUP_V2), ({ call, op }) =>
        call === 'read' && op.what.startsWith('which controllers') ? size : undefined,
      ),
      /subtree_control|"\+/,
    );
  assert.equal(controlled(names.length), []);
  const all = '+cpuset +cpu +io +memory +pids';
  assert.equal(controlled(5), [
    '$file = openat(AT_FDCWD, "/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY|O_CLOEXEC, 0)',
    `write($file, "${all}", ${all.length})  goto * -> cgroup-one-by-one-0`,
    '$file = openat(AT_FDCWD, "/sys/fs/cgroup/engine/cgroup.subtree_control", O_WRONLY|O_CLOEXEC, 0)',
    `write($file, "${all}", ${all.length})  goto * -> cgroup-one-by-one-1`,
  ]);
  const single = texts(
    stepsOf(withConfig(OWN_CGROUP_V2), ({ call, op }) =>
      call === 'write' && op.what === 'hand on all controllers of /sys/fs/cgroup'
        ? errno('EINVAL')
        : undefined,
    ),
    /"\+\w+"/,
  );
  assert.equal(
    single.map((text) => /"(.*)"/.exec(text)?.[1]),
    ['+cpuset', '+cpu', '+io', '+memory', '+pids'],
  );
});

test('on v2 device rules are a program that the cgroup asks', () => {
  const steps = stepsOf(withConfig(OWN_CGROUP_V2));
  const bpf = texts(steps, /bpf\(/);
  assert.match(
    bpf[0]!,
    /^\$file = bpf\(BPF_PROG_LOAD, bpf_prog_load\{prog_type: BPF_PROG_TYPE_CGROUP_DEVICE, insn_cnt: \d+,/,
  );
  assert.is(bpf[1], 'bpf(BPF_PROG_ATTACH, &attach+0, 16)');
});

test('on v2 a limit of processes that init could not be born under is written behind clone3, while init waits', () => {
  const order = (limit: number, joined: boolean) => {
    const steps = stepsOf(
      withConfig(OWN_CGROUP_V2, ({ linux }) => {
        linux!.resources = { pids: { limit } };
        if (joined) linux!.namespaces!.push({ type: 'network', path: '/ns/net' });
      }),
    );
    const host = steps.filter(({ process }) => process === 0).map(({ text }) => text);
    const at = (text: string) => host.findIndex((line) => line.includes(text));
    if (at('"pids.max"') < at('clone3(')) return 'before';
    assert.ok(at('"pids.max"') < at('write($go-w'), 'init waits');
    return 'behind';
  };
  assert.equal(
    [order(0, false), order(1, false), order(1, true), order(2, true)],
    ['behind', 'before', 'behind', 'before'],
  );
});

test('a new cpuset gets what is above it', () => {
  const steps = stepsOf(withConfig(OWN_CGROUP_V1), ({ call, op }) => {
    if (call !== 'read' || !op.what.startsWith('read ')) return undefined;
    return op.what.includes('/engine/') ? 1 : 4; // a newline alone, or `0-1` with one
  });
  const touched = texts(steps, /cpuset\.cpus/).map((text) =>
    /"\/sys\/fs\/cgroup\/cpuset(.*?)".*?O_(\w+)/.exec(text)?.slice(1).join(' '),
  );
  assert.equal(touched, [
    '/engine/cpuset.cpus RDONLY',
    '/cpuset.cpus RDONLY',
    '/engine/cpuset.cpus WRONLY',
    '/engine/c1/cpuset.cpus RDONLY',
    '/engine/cpuset.cpus RDONLY',
    '/engine/c1/cpuset.cpus WRONLY',
  ]);
});

const REMOVES = /^unlinkat\(AT_FDCWD, "\/sys\/fs\/cgroup\//;

test('at the end what was made is removed, in the foreground and after a failure', () => {
  assert.is(texts(stepsOf(withConfig(OWN_CGROUP_V1)), REMOVES).length, 8);
  const failed = stepsOf(withConfig(OWN_CGROUP_V1), ({ call, op }) =>
    call === 'openat' && String(op.args[1]).endsWith('/devices.deny') ? errno('EACCES') : undefined,
  );
  assert.is(clone(failed), -1);
  assert.is(texts(failed, REMOVES).length, 8);
});

test('what was there already stays, and so does the cgroup of a container that is kept', () => {
  const there = stepsOf(withConfig(OWN_CGROUP_V1), ({ call, op }) =>
    call === 'mkdirat' && op.args[1] === '/sys/fs/cgroup/memory/engine/c1' ? errno('EEXIST') : undefined,
  );
  assert.is(texts(there, REMOVES).length, 7);
  assert.not.ok(texts(there, REMOVES).some((text) => text.includes('/memory/')));
  assert.is(texts(stepsOf({ ...withConfig(OWN_CGROUP_V1), transient: false }), REMOVES).length, 0);
  for (const lifecycle of ['created', 'detached'] as const) {
    const input = { ...withConfig(OWN_CGROUP_V1), transient: false, lifecycle };
    assert.is(texts(stepsOf(input), REMOVES).length, 0, lifecycle);
  }
  const { cgroup } = OWN_CGROUP_V1;
  assert.is(
    texts(stepsOf(withConfig({ ...OWN_CGROUP_V1, cgroup: { ...cgroup!, existing: true } })), REMOVES).length,
    0,
  );
});

test('a busy cgroup is tried a few times, and then left to who can look into it', () => {
  let left = 3;
  const waits = (steps: readonly Step[]) => texts(steps, /^ppoll\(0, 0,/).length;
  const busy = (times: number) => {
    left = times;
    return stepsOf(withConfig(OWN_CGROUP_V2), ({ call, op }) => {
      if (call === 'unlinkat' && String(op.args[1]).startsWith('/sys/fs/cgroup/') && left-- > 0)
        return errno('EBUSY');
      return undefined;
    });
  };
  assert.is(waits(busy(3)), 3);
  let reads = 0;
  const { calls } = run(withConfig(OWN_CGROUP_V2), ({ call, op }) => {
    if (call === 'unlinkat' && String(op.args[1]).startsWith('/sys/fs/cgroup/')) return errno('EBUSY');
    if (op.what === 'try once more' && reads++ === 10) return errno('EAGAIN');
    return undefined;
  });
  const last = calls.at(-1);
  assert.is(last?.call, 'execve');
  assert.is(reads, 11);
});

test('state.json says where the cgroups are', () => {
  const { buffers } = plan(withConfig(OWN_CGROUP_V2));
  const text = String(buffers.find(({ name }) => name === 'state')?.init);
  assert.equal(JSON.parse(text).tinyrun.cgroups, [{ controllers: '', path: '/sys/fs/cgroup/engine/c1' }]);
});

test('without a cgroup of its own nothing of this is done', () => {
  const steps = stepsOf({ config: minimalConfig() });
  assert.not.ok(steps.some(({ text }) => text.includes('/sys/fs/cgroup')));
});

test.run();
