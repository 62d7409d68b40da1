// The order in which a container is made: each line of spec/lifecycle.md that says "before" or "after", on what plans
// really do on a quiet kernel.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers } from '../../src/engine/recorder.ts';
import { type Change, errno, hostOf, INPUTS, type Step, stepsOf } from '../support/plan-input.ts';

/** The inputs with a mount namespace of their own: the others mount nothing. */
const MOUNTING = Object.entries(INPUTS).filter(([name]) => name !== 'no mount namespace');
const PIVOT = /^pivot_root\(|^chroot\(/;
/** What changes a mount namespace, or makes something to put into it. */
const MOUNTS = /^(\$\S+ = )?(move_mount|mount|open_tree|fsopen|fsmount|fsconfig|umount2)\(/;
const ATTACHES = /^(move_mount|mount|pivot_root|umount2|chroot)\(/;

/** Where the first step that matches is; there must be one. */
function first(steps: readonly Step[], pattern: RegExp): number {
  const at = steps.findIndex(({ text }) => pattern.test(text));
  assert.is.not(at, -1, `no step matches ${pattern}`);
  return at;
}

function last(steps: readonly Step[], pattern: RegExp): number {
  const at = steps.findLastIndex(({ text }) => pattern.test(text));
  assert.is.not(at, -1, `no step matches ${pattern}`);
  return at;
}

/** What init does: the last process that starts a session, since a monitor does so, too. */
function initSteps(change: Change, special?: Answers): Step[] {
  const steps = stepsOf(change, special);
  const init = steps.findLast(({ op }) => op.call === 'setsid')?.process;
  return steps.filter(({ process }) => process === init);
}

test('the id is taken before anything exists that would have to be undone', () => {
  for (const [name, change] of Object.entries(INPUTS)) {
    if (change.rootless !== undefined) continue; // rootless.test.ts: it enters a namespace before
    if (change.monitor !== undefined) continue; // monitor.test.ts: it parts from its client before
    const steps = stepsOf(change);
    const before = steps.slice(0, first(steps, /^mkdirat\(\$stateroot, "c1"/)).map(({ text }) => text);
    assert.equal(
      before,
      [
        'prctl(PR_SET_NAME, "tinyrun:host")',
        'rt_sigprocmask(SIG_SETMASK, sigset{bits: 0xffffffffffffffffn}, 0, 8)',
        'rt_sigaction(SIGCHLD, kernel_sigaction{}, 0, 8)',
        'umask(0)',
        'mkdirat(AT_FDCWD, "/run", 0755)  ignore EEXIST  fail -> leave',
        'mkdirat(AT_FDCWD, "/run/tinyrun", 0711)  ignore EEXIST  fail -> leave',
        '$stateroot = openat(AT_FDCWD, "/run/tinyrun", O_RDONLY|O_DIRECTORY|O_CLOEXEC, 0)  fail -> leave',
        'flock($stateroot, LOCK_EX)  fail -> leave',
      ],
      name,
    );
  }
});

test('the state directory is locked before others may look into the state root', () => {
  const steps = stepsOf();
  const taken = first(steps, /^mkdirat\(\$stateroot/);
  const locked = first(steps, /^flock\(\$state, LOCK_EX\|LOCK_NB\)/);
  assert.ok(taken < locked);
  assert.ok(locked < first(steps, /^flock\(\$stateroot, LOCK_UN\)/));
});

test('nothing is attached before clone3, and never by the host program', () => {
  for (const [name, change] of Object.entries(INPUTS)) {
    const steps = stepsOf(change);
    assert.ok(first(steps, /= clone3\(/) < first(steps, ATTACHES), name);
    assert.equal(
      steps.filter(({ process, text }) => process <= hostOf(change) && ATTACHES.test(text)),
      [],
      name,
    );
  }
});

test('/ is made a slave before the rootfs is attached, and both before any other mount', () => {
  for (const [name, change] of MOUNTING) {
    const [slave, root] = initSteps(change)
      .map(({ text }) => text)
      .filter((text) => MOUNTS.test(text) || text.startsWith('mount_setattr('));
    assert.is(
      slave,
      'mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, mount_attr{propagation: MS_SLAVE}, 32)',
      name,
    );
    assert.match(
      root!,
      /^move_mount\(\$root, "", AT_FDCWD, "(\/bundle\/rootfs|\/)"|^mount\("overlay", "\/var\/lib/,
      name,
    );
  }
});

test('nothing is mounted after pivot_root', () => {
  for (const [name, change] of MOUNTING) {
    const steps = initSteps(change);
    const pivot = first(steps, PIVOT);
    assert.ok(last(steps, /^move_mount\(|^mount\(/) < pivot, name);
    const later = steps.slice(pivot + 1).filter(({ text }) => MOUNTS.test(text));
    assert.equal(
      later.map(({ text }) => text),
      change.noPivot ? [] : ['umount2(".", MNT_DETACH)'],
      name,
    );
  }
});

test('pivot_root is entered by a descriptor, and the old root is detached at once', () => {
  for (const [name, change] of MOUNTING) {
    const texts = initSteps(change).map(({ text }) => text);
    const at = texts.findIndex((text) => PIVOT.test(text));
    const expected = change.noPivot ? ['chroot(".")'] : ['pivot_root(".", ".")', 'umount2(".", MNT_DETACH)'];
    assert.equal(
      texts.slice(at - 1, at + expected.length + 1),
      ['fchdir($root)', ...expected, 'chdir("/")'],
      name,
    );
  }
});

test("config.mounts, then the container's own files, devices, volumes, masks and read-only paths", () => {
  const steps = initSteps({
    ...INPUTS['an overlay and volumes'],
    config: (config) => {
      config.linux!.devices = [{ type: 'c', path: '/dev/fuse', major: 10, minor: 229 }];
    },
  });
  const where = (pattern: RegExp) => {
    const places = steps.flatMap(({ op, text }, i) =>
      /^(move_mount|mknodat|symlinkat)\(/.test(text) && pattern.test(`${op.from} ${op.what}`) ? [i] : [],
    );
    assert.ok(places.length > 0, String(pattern));
    return { first: places[0]!, last: places.at(-1)! };
  };
  const kinds = [
    /attach the rootfs$/,
    /^\/mounts\/\d+ mount /,
    /^runtime mount (hosts|hostname|resolv.conf) on/,
    /^\S+ (make device|link) \/dev\//,
    /^--(volume|mount|tmpfs) mount/,
    /^\/linux\/maskedPaths/,
    /^\/linux\/readonlyPaths/,
  ].map(where);
  for (const [i, kind] of kinds.slice(1).entries()) assert.ok(kinds[i]!.last < kind.first, `kind ${i + 1}`);
});

test('config.mounts keep their order', () => {
  const order = initSteps({})
    .filter(({ op, text }) => text.startsWith('move_mount(') && op.from.startsWith('/mounts/'))
    .map(({ op }) => op.from);
  assert.equal(order, [
    '/mounts/0',
    '/mounts/1',
    '/mounts/2',
    '/mounts/3',
    '/mounts/4',
    '/mounts/5',
    '/mounts/6',
  ]);
});

test("sysctls and the time namespace's clocks are written through the host's proc", () => {
  const sysctl = initSteps(INPUTS['devices, masks and read-only paths in strange places']!);
  assert.ok(
    first(sysctl, /"\/proc\/sys\/net\/ipv4\/ip_forward"/) < first(sysctl, /^mount_setattr\(AT_FDCWD/),
  );
  const clocks = initSteps(INPUTS['joined namespaces and a new time namespace']!);
  assert.ok(first(clocks, /"\/proc\/self\/timens_offsets"/) < first(clocks, /^mount_setattr\(AT_FDCWD/));
});

test('a read-only root and its propagation are set after the pivot: until then mount points are made', () => {
  const steps = initSteps({
    config: (config) => {
      config.linux!.rootfsPropagation = 'private';
    },
  });
  const pivot = first(steps, PIVOT);
  assert.ok(
    pivot <
      first(steps, /^mount_setattr\(\$root, "", AT_EMPTY_PATH, mount_attr\{attr_set: MOUNT_ATTR_RDONLY/),
  );
  assert.ok(pivot < first(steps, /^mount_setattr\(\$root, .*propagation: MS_PRIVATE/));
});

test('credentials come last, in the one order that the kernel allows', () => {
  const steps = initSteps({
    config: ({ process }) => {
      process.user = { uid: 1000, gid: 100, additionalGids: [10] };
      process.capabilities = {
        bounding: ['CAP_KILL'],
        effective: ['CAP_KILL'],
        permitted: ['CAP_KILL'],
        inheritable: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      };
      process.args = ['/bin/true'];
    },
  });
  const tail = steps.slice(first(steps, /^umask\(022\)/)).map(({ text }) => text);
  const kinds = tail.map((text) => /^prctl\((\w+)/.exec(text)?.[1] ?? /(\w+)\(/.exec(text)?.[1]);
  assert.equal(
    kinds.filter((kind, i) => kind !== kinds[i - 1]),
    [
      ...[
        'umask',
        'PR_CAPBSET_DROP',
        'PR_SET_KEEPCAPS',
        'setgroups',
        'setresgid',
        'setresuid',
        'PR_SET_KEEPCAPS',
      ],
      ...['capset', 'PR_CAP_AMBIENT', 'PR_SET_NO_NEW_PRIVS', 'PR_SET_PDEATHSIG', 'ppoll'],
      ...['rt_sigaction', 'rt_sigprocmask', 'close_range', 'execve'],
    ],
  );
  assert.ok(first(steps, PIVOT) < first(steps, /^prctl\(PR_CAPBSET_DROP/));
});

test('what init still needs rights for is done before it loses them', () => {
  const steps = initSteps(INPUTS['devices, masks and read-only paths in strange places']!);
  const user = first(steps, /^setresuid\(1000/);
  for (const pattern of [
    /prlimit64\(0/,
    /^fchown\(|^\$?statx\(0/,
    /^sched_setattr\(/,
    /^umask\(022\)/,
    /^fchdir\(\$cwd\)/,
  ])
    assert.ok(last(steps, pattern) < user, String(pattern));
});

test('init dies with the host program from its start, and again after the change of user', () => {
  for (const [name, change] of Object.entries(INPUTS)) {
    const steps = initSteps(change);
    const death = /^prctl\(PR_SET_PDEATHSIG, SIGKILL\)/;
    assert.ok(first(steps, death) < first(steps, /^setsid\(/), name);
    const again = change.lifecycle === undefined ? death : /^prctl\(PR_SET_PDEATHSIG, 0\)/; // or outlives it
    assert.ok(last(steps, again) > last(steps, /^setresuid\(/), name);
  }
});

test('behind close_range nothing is opened that stays open at execve', () => {
  const opens = /(?:^|= )(open|socket|pipe|memfd|dup|signalfd|eventfd|epoll_create|fcntl\(.*F_DUPFD)/;
  for (const [name, change] of Object.entries(INPUTS)) {
    const steps = initSteps(change);
    const texts = steps
      .slice(first(steps, /^close_range\(.*CLOSE_RANGE_CLOEXEC/) + 1)
      .map(({ text }) => text);
    assert.equal(
      texts.filter((text) => opens.test(text) && !text.includes('CLOEXEC')),
      [],
      name,
    );
  }
});

test('behind close_range there is nothing but the candidates of PATH', () => {
  let tried = 0;
  const steps = initSteps({}, ({ call }) => (call === 'execve' && tried++ < 3 ? errno('ENOENT') : undefined));
  const texts = steps.slice(first(steps, /^close_range\(/) + 1).map(({ text }) => text.split(',')[0]);
  assert.equal(
    texts,
    ['/usr/local/sbin/sh', '/usr/local/bin/sh', '/usr/sbin/sh', '/usr/bin/sh'].map(
      (path) => `execve("${path}"`,
    ),
  );
});

/** What init calls between loading its filter and execve, in order; each once. */
function behindFilter(change: Change): string[] {
  const steps = initSteps(change);
  const calls = steps.slice(first(steps, /seccomp\(/) + 1).map(({ op }) => op.call);
  return calls.filter((call, i) => call !== calls[i - 1]);
}

const FILTER = { filter: new Uint8Array(8), flags: [] };

test('with no_new_privs the seccomp filter comes directly before execve', () => {
  assert.equal(behindFilter({ seccomp: FILTER }), ['execve']);
});

test('without no_new_privs it comes before the last capabilities are dropped, which takes two kinds of calls', () => {
  const change = (uid: number): Change => ({
    seccomp: FILTER,
    config: ({ process }) => Object.assign(process, { noNewPrivileges: false, user: { uid, gid: 0 } }),
  });
  for (const uid of [0, 1000])
    assert.equal(behindFilter(change(uid)), ['capset', 'prctl', 'execve'], `${uid}`);
  const sets = initSteps(change(1000)).filter(({ op }) => op.call === 'capset');
  const effective = sets.map(({ text }) => Number(/effective: (\d+)/.exec(text)?.[1]));
  const CAP_SYS_ADMIN = 1 << 21;
  assert.equal(
    effective.map((set) => set & CAP_SYS_ADMIN),
    [CAP_SYS_ADMIN, 0],
  );
  assert.is(effective[0]! - CAP_SYS_ADMIN, effective[1]);
});

test('a listener is told before init goes on, by write and read', () => {
  const seccomp = {
    ...FILTER,
    flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'],
    listener: { path: '/run/agent', metadata: 'm' },
  };
  assert.equal(behindFilter({ seccomp }), ['write', 'read', 'execve']);
  for (const lifecycle of ['foreground', 'created'] as const) {
    const steps = stepsOf({ seccomp, lifecycle });
    const order = [/^write\(\$seccomp-init/, /pidfd_getfd\(/, /^sendmsg\(\$agent/, /^write\(\$seccomp-host/];
    const places = order.map((pattern) => first(steps, pattern));
    assert.equal(
      places,
      [...places].sort((a, b) => a - b),
      lifecycle,
    );
  }
});

test('id maps are written, and limits raised, before init is let go on', () => {
  const steps = stepsOf(INPUTS['a user namespace']).filter(({ process }) => process === 0);
  const go = first(steps, /^write\(\$go-w, "g", 1\)/);
  for (const pattern of [
    /proc-uid_map/,
    /proc-gid_map/,
    /^prlimit64\(\$pid, RLIMIT_CORE/,
    /proc-oom_score_adj/,
  ])
    assert.ok(last(steps, pattern) < go, String(pattern));
  assert.ok(go < first(steps, /^pwrite64\(\$file, &state/));
});

test('in a user namespace init waits before it becomes root, and then only sets up', () => {
  for (const name of ['a user namespace', 'joined namespaces and a new time namespace']) {
    const steps = initSteps(INPUTS[name]!);
    const waits = first(steps, /= read\(\$go-r/);
    assert.ok(waits < first(steps, /^setresgid\(0, 0, 0\)/), name);
    assert.ok(waits < first(steps, MOUNTS), name);
    assert.ok(first(steps, /^setresuid\(0, 0, 0\)/) < first(steps, /^setsid\(/), name);
  }
});

test('existing namespaces are joined before init is made, the user namespace last', () => {
  const steps = stepsOf(INPUTS['joined namespaces and a new time namespace']);
  const stage = steps
    .filter(({ process }) => process === 1)
    .map(({ text }) => text.replace(/\{.*| {2}.*/, ''));
  assert.equal(stage.slice(0, 3), [
    'setns($ns-network, CLONE_NEWNET)',
    'setns($ns-user, CLONE_NEWUSER)',
    '$pid = clone3(clone_args',
  ]);
});

test('state.json appears by a rename before anything is made, and has the pid before the pid file does', () => {
  const steps = stepsOf(INPUTS['kept until deleted']).filter(({ process }) => process === 0);
  const order = [
    /"state.json.tmp", O_WRONLY/,
    /^write\(\$file, &state\+0/,
    /^renameat2\(\$state, "state.json.tmp", \$state, "state.json"/,
    /open_tree/,
    /^\$pid = clone3/,
    /"init.stat"/,
    /^pwrite64\(\$file, &state/,
    /"\/tmp\/pid~", O_WRONLY/,
    /^renameat2\(AT_FDCWD, "\/tmp\/pid~", AT_FDCWD, "\/tmp\/pid"/,
    /rt_sigtimedwait/,
  ].map((pattern) => first(steps, pattern));
  assert.equal(
    order,
    order.toSorted((a, b) => a - b),
  );
});

test('a terminal is opened before pivot_root, and becomes stdio after it, before the change of user', () => {
  const steps = initSteps({
    ...INPUTS['a terminal'],
    config: (config) => {
      config.process.terminal = true;
      config.process.user = { uid: 1000 };
    },
  });
  const pivot = first(steps, PIVOT);
  assert.ok(first(steps, /TIOCGPTPEER/) < pivot);
  assert.ok(pivot < first(steps, /^dup3\(\$slave, 0/));
  assert.ok(last(steps, /TIOCSCTTY/) < first(steps, /^fchown\(|statx\(0/)); // the owner of the terminal, not of the caller's
  assert.ok(last(steps, /^dup3\(/) < first(steps, /^setresuid\(1000/));
});

test.run();
