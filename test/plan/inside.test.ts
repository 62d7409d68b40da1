// The rootfs is hostile: whatever the config says, a path below it is never resolved by following what is in it. Until
// the pivot, init reaches it by openat2(RESOLVE_IN_ROOT), by one name in a directory opened that way, or by a
// descriptor of a filesystem that the plan itself has made.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Arg, CallOp, Op } from '../../src/program/op.ts';
import * as o from '../../src/program/ops.ts';
import { printCall } from '../../src/program/text.ts';
import { callsOf, INPUTS, plan, sectionOf } from '../support/plan-input.ts';

/** Which arguments are a directory and a path in it; all other calls with a path are listed in ALLOWED. */
const PAIRS: Readonly<Record<string, readonly (readonly [dir: number, path: number])[]>> = {
  openat: [[0, 1]],
  openat2: [[0, 1]],
  mkdirat: [[0, 1]],
  mknodat: [[0, 1]],
  unlinkat: [[0, 1]],
  fchownat: [[0, 1]],
  fchmodat: [[0, 1]],
  statx: [[0, 1]],
  faccessat: [[0, 1]],
  symlinkat: [[1, 2]],
  open_tree: [[0, 1]],
  mount_setattr: [[0, 1]],
  move_mount: [
    [0, 1],
    [2, 3],
  ],
};

/** Calls without a path, and those whose path is no place of the rootfs. */
const ALLOWED = new Set(
  [
    'close read write fcntl fchdir fchown fstatfs ioctl ppoll prctl setns setsid unshare fsopen fsconfig fsmount',
    'setresgid setresuid sethostname setdomainname umask sendmsg',
    // Hooks: what they execute is a path of the host, as OCI has it.
    'memfd_create lseek getpid pidfd_open pipe2 clone dup3 prlimit64 rt_sigaction rt_sigprocmask close_range execve',
    'exit_group wait4 kill',
    'keyctl socket sendto recvfrom',
  ].flatMap((names) => names.split(' ')),
);

/** Paths of the host, where nothing of the container is mounted yet, or that no container can reach. */
const HOST_PATHS =
  /^\/$|^\/bundle\/rootfs$|^\/dev\/null$|^\/proc\/(self|sys)\/|^\/var\/lib\/tinyrun\/containers\/c1\/merged$/;

/** The init program's ops up to where the rootfs becomes the root. */
function beforePivot(ops: readonly Op[]): readonly Op[] {
  const at = ops.findIndex((op) => op.op === 'call' && /^(pivot_root|chroot)$/.test(op.call));
  assert.is.not(at, -1, 'there is a pivot');
  return ops.slice(0, at);
}

/** What made the descriptor in a register, of the ops in front: `openat2`, `fsmount tmpfs`, `load binds`. */
function makerOf(before: readonly Op[], register: string): string {
  const maker = before.findLast((op) => (op.op === 'load' || op.op === 'call') && op.to === register);
  if (maker?.op === 'load') return `load ${maker.buf}`;
  if (maker?.op !== 'call') return 'nobody';
  if (maker.call !== 'fsmount') return maker.call;
  return `fsmount ${callsOf(before.slice(0, before.indexOf(maker)), /^\$fs = fsopen\(/).at(-1)?.args[0]}`;
}

/** What is wrong with one place that a call names, or undefined; `before` are the ops in front of it. */
function placeProblem(op: CallOp, dir: Arg, path: string, before: readonly Op[]): string | undefined {
  if (typeof dir === 'object' && 'flags' in dir) {
    // The source of a bind: paths lead to the tree of the host until the pivot.
    const isSource = op.call === 'open_tree' && /^\/(mounts\/\d+$|-)|^--/.test(op.from);
    return isSource || HOST_PATHS.test(path) ? undefined : 'a path of the host';
  }
  if (path === '' || path === '.') return undefined; // the descriptor itself
  if (typeof dir !== 'object' || !('reg' in dir)) return 'a path below a number';
  if (path.startsWith('/') || path.split('/').includes('..')) return 'an absolute path, or one with ..';
  if (op.call === 'openat2')
    return dir.reg === 'root' ? resolveProblem(op) : 'openat2 below another register';
  const maker = dir.reg === 'root' ? 'openat2' : makerOf(before, dir.reg);
  // The kernel makes the names of proc and sysfs, and no container can have been in an instance of our own.
  if (/^fsmount (proc|sysfs)$/.test(maker)) return undefined;
  if (path.includes('/')) return 'more than one name';
  if (maker === 'fsmount tmpfs') return undefined; // only the plan's own names are in it
  if (maker !== 'openat2') return `a name below ${dir.reg}, made by ${maker}`;
  return FOLLOWS.has(op.call) && !printCall(op).includes('NOFOLLOW')
    ? 'a name whose symlink would be followed'
    : undefined;
}

/** Unless told otherwise they follow a symlink at the end of a path; the others never do. */
const FOLLOWS = new Set([
  'openat',
  'fchownat',
  'fchmodat',
  'statx',
  'faccessat',
  'open_tree',
  'mount_setattr',
]);

function resolveProblem(op: CallOp): string | undefined {
  return /resolve: RESOLVE_IN_ROOT\|RESOLVE_NO_MAGICLINKS(\|RESOLVE_NO_SYMLINKS)?\}/.test(printCall(op))
    ? undefined
    : 'openat2 without RESOLVE_IN_ROOT';
}

/** The problems of the init program's ops. */
function findProblems(ops: readonly Op[]): string[] {
  const early = beforePivot(ops);
  return callsOf(early).flatMap((op) => {
    const before = early.slice(0, early.indexOf(op));
    const told = (problem: string | undefined) =>
      problem === undefined ? [] : [`${printCall(op)}: ${problem}`];
    const pairs = PAIRS[op.call];
    if (pairs !== undefined)
      return pairs.flatMap(([dir, path]) =>
        told(placeProblem(op, op.args[dir]!, String(op.args[path]), before)),
      );
    if (op.call === 'mount')
      return told(HOST_PATHS.test(String(op.args[1])) ? undefined : 'a mount by a path');
    return told(ALLOWED.has(op.call) ? undefined : 'a call that nobody has thought about');
  });
}

test('no path below the rootfs is followed before the pivot', () => {
  for (const [name, change] of Object.entries(INPUTS))
    assert.equal(findProblems(sectionOf(plan(change), 'init')), [], name);
});

test('strange destinations stay inside, too', () => {
  const destinations = [
    '/../../etc',
    '//a//b/',
    '/a/../..//proc/../b/c',
    'relative/d',
    '/./x',
    '/a b/\n/ü',
    '/dev/../dev/x',
  ];
  for (const destination of destinations) {
    for (const options of [['bind'], [], ['remount', 'bind', 'ro']]) {
      const change = {
        config: (config: { mounts?: unknown[] }) =>
          void config.mounts!.push({ destination, type: 'tmpfs', source: '/srv/data', options }),
      };
      assert.equal(findProblems(sectionOf(plan(change), 'init')), [], `${destination} ${options}`);
    }
  }
});

test('a link on the way of a resolved destination stays inside', () => {
  const change = {
    config: (config: { mounts?: unknown[] }) =>
      void config.mounts!.push({ destination: '/etc/resolv.conf', source: '/srv/file', options: ['bind'] }),
    resolved: new Map([['etc/resolv.conf', '/../../run/systemd/resolve/stub']]),
  };
  const ops = sectionOf(plan(change), 'init');
  assert.equal(findProblems(ops), []);
  assert.is(callsOf(ops, /openat2\(\$root, "run\/systemd\/resolve\/stub"/).length, 2);
});

test('the rule catches what it is there for', () => {
  const words = { what: 'x', why: 'x', from: 'runtime' };
  const root = o.reg('root');
  const pivot = o.call('pivot_root', ['.', '.'], words);
  const bad: Record<string, Op> = {
    'more than one name': o.mkdirat(root, 'a/b', 0o755, words),
    'an absolute path, or one with ..': o.mknodat(root, '../a', 'S_IFREG', 0o644, 0, words),
    'a path of the host': o.openTree(o.AT_FDCWD, '/bundle/rootfs/etc', false, words),
    'a mount by a path': o.call('mount', ['proc', '/bundle/rootfs/proc', 'proc', 0, 0], words),
    'a name whose symlink would be followed': o.openat(root, 'etc', ['O_PATH'], words),
    'openat2 without RESOLVE_IN_ROOT': o.call(
      'openat2',
      [root, 'etc', { struct: 'open_how', fields: {} }, 24],
      words,
    ),
    'a call that nobody has thought about': o.call('chdir', ['/etc'], words),
    'a name below somewhere, made by fcntl': o.mkdirat(o.reg('somewhere'), 'a', 0o755, words),
  };
  const copy = o.call('fcntl', [0, o.flags('F_DUPFD_CLOEXEC'), 3], { ...words, to: 'somewhere' });
  for (const [problem, op] of Object.entries(bad)) {
    const found = findProblems([copy, op, pivot]);
    assert.is(found.length, 1, problem);
    assert.ok(found[0]!.endsWith(`: ${problem}`), found[0]);
  }
  assert.equal(findProblems([pivot, ...Object.values(bad)]), []); // behind the pivot, / is the rootfs itself
});

test.run();
