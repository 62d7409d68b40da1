import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers, AskedCall } from '../../src/engine/recorder.ts';
import type { Mount } from '../../src/oci/config.ts';
import { listMounts } from '../../src/plan/mount-list.ts';
import { planMounts } from '../../src/plan/mounts.ts';
import { Places } from '../../src/plan/place.ts';
import { checkProgram } from '../../src/program/check.ts';
import { type Change, errno, minimalConfig, plan, planInput, run, textsOf } from '../support/plan-input.ts';

const tmpfs = (destination: string, ...options: string[]): Mount => ({
  ...{ destination, type: 'tmpfs', source: 'tmpfs', options },
});

/** A container with these mounts alone, whose rootfs has /d. */
const withMounts = (mounts: Mount[], change: Change = {}): Change => ({
  present: new Set(['d']),
  ...change,
  config: minimalConfig((config) => {
    config.mounts = mounts;
  }),
});

/** The ops that make the mounts. */
function planned(...mounts: Mount[]): string[] {
  const input = planInput(withMounts(mounts));
  return textsOf(planMounts(listMounts(input), input, new Places(input.present)));
}

/** Where the first op stands whose text begins so; throws where there is none. */
function indexOf(ops: readonly string[], start: string): number {
  const index = ops.findIndex((text) => text.startsWith(start));
  if (index < 0) throw new Error(`no op begins with ${start}`);
  return index;
}

const OPEN =
  '$copy-from = openat2($root, "d", open_how{flags: O_RDONLY|O_DIRECTORY|O_CLOEXEC, resolve: RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24)  goto ENOENT -> filled-0';
const copier = (...words: string[]): string =>
  `execve("/usr/bin/tinyrun", ["/usr/bin/tinyrun", ${words.join(', ')}], [])  fail -> end-init`;

test('planCopyUp: a process of its own fills the tmpfs, which is attached nowhere yet', () => {
  const ops = planned(tmpfs('/d', 'nosuid', 'tmpcopyup', 'size=1m'));
  const [start, end] = [indexOf(ops, '$copy-from'), indexOf(ops, 'filled-0:')];
  assert.equal(ops.slice(start, end + 1), [
    OPEN,
    'format $copy-from &copy-from+0 width 10 pad "0"',
    'format $mount &copy-to+0 width 10 pad "0"',
    '$copier = clone3(clone_args{flags: none, exit_signal: SIGCHLD}, 88)',
    'if $copier != 0 -> copying-0',
    'prctl(PR_SET_PDEATHSIG, SIGKILL)  fail -> end-init',
    'fcntl($copy-from, F_SETFD, 0)  fail -> end-init',
    'fcntl($mount, F_SETFD, 0)  fail -> end-init',
    'rt_sigprocmask(SIG_SETMASK, sigset{}, 0, 8)  fail -> end-init',
    copier('"copy-up"', '&copy-from+0', '&copy-to+0', '"/d"'),
    'copying-0:',
    'close($copy-from)',
    'wait4($copier, &status+0, none, 0)',
    '$status = load4 &status+0',
    '$copied = exitcode $status',
    'if $copied == 0 -> filled-0',
    'if $copied < 128 -> unfilled-0',
    'fail',
    'unfilled-0:',
    '$exit = 125',
    'jump give-up',
    'filled-0:',
  ]);
  assert.ok(indexOf(ops, '$mount = fsmount') < start, 'it is made before');
  assert.ok(indexOf(ops, 'move_mount($mount') > end, 'and attached behind');
});

test('planCopyUp: a read-only tmpfs becomes so when it is filled', () => {
  for (const option of ['ro', 'rro']) {
    const ops = planned(tmpfs('/d', option, 'nosuid', 'rnoexec', 'tmpcopyup'));
    assert.equal(
      ops.filter((text) => /RDONLY(?!\|O_DIRECTORY)|"ro"/.test(text)),
      ['mount_setattr($mount, "", AT_EMPTY_PATH, mount_attr{attr_set: MOUNT_ATTR_RDONLY}, 32)'],
    );
    const readonly = indexOf(
      ops,
      'mount_setattr($mount, "", AT_EMPTY_PATH, mount_attr{attr_set: MOUNT_ATTR_RDONLY',
    );
    assert.ok(indexOf(ops, 'filled-0:') < readonly && readonly < indexOf(ops, 'move_mount($mount'));
    assert.ok(ops.includes('$mount = fsmount($fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID)'));
  }
});

test('planCopyUp: the root keeps what the options name', () => {
  const rows: [string[], string[]][] = [
    [[], []],
    [['mode=1777'], ['"mode"']],
    [['gid=5', 'mode=0', 'uid=6'], ['"mode,uid,gid"']],
    [['size=5', 'nr_inodes=5', 'huge=never'], []],
  ];
  for (const [options, keep] of rows)
    assert.ok(
      planned(tmpfs('/d', 'tmpcopyup', ...options)).includes(
        copier('"copy-up"', '&copy-from+0', '&copy-to+0', '"/d"', ...keep),
      ),
      options.join(),
    );
});

test('planCopyUp: only a new tmpfs is filled', () => {
  const others: Mount[] = [
    tmpfs('/d'),
    tmpfs('/d', 'remount', 'tmpcopyup'),
    { destination: '/d', source: '/srv/data', options: ['bind', 'tmpcopyup'] },
    { destination: '/d', type: 'ramfs', options: ['tmpcopyup'] },
  ];
  for (const mount of others) assert.not.match(planned(mount).join('\n'), 'clone3', JSON.stringify(mount));
});

test('planCopyUp: failures of the copying process are logged where those of the container are', () => {
  for (const [prefix, format] of [
    ['{"level":"error","msg":"', 'json'],
    ['time="2030" level=error msg="', 'text'],
  ] as const) {
    const report = { reg: 'log', format: 'json', prefix, suffix: '\n' } as const;
    const change = withMounts([tmpfs('/d', 'tmpcopyup')], { logFd: 9, reports: [report] });
    const log = ['"--log"', '"/proc/self/fd/9"', '"--log-format"', `"${format}"`];
    const [call] = copiersOf(run(change).calls);
    assert.is(call?.text, copier(...log, '"copy-up"', '&copy-from+0', '&copy-to+0', '"/d"').split('  ')[0]);
  }
});

test('a plan with tmpcopyup is a correct program', () => {
  for (const transient of [true, false]) {
    const mounts = [tmpfs('/d', 'tmpcopyup', 'ro'), tmpfs('/d/e', 'tmpcopyup', 'mode=700')];
    assert.equal(checkProgram(plan(withMounts(mounts, { transient }))), []);
  }
});

// Runs

const copiersOf = <T extends { call: string; text: string }>(calls: readonly T[]): T[] =>
  calls.filter(({ call, text }) => call === 'execve' && text.includes('"copy-up"'));

const waitsForCopier = ({ call, op }: AskedCall): boolean =>
  call === 'wait4' && op.args[0] !== undefined && JSON.stringify(op.args[0]).includes('copier');

/** The copying process ends with this wait status. */
const endsWith =
  (status: number): Answers =>
  (call) => {
    if (!waitsForCopier(call)) return undefined;
    call.memory(1).set(new Uint8Array(new Uint32Array([status]).buffer));
    return 1000;
  };

test('the child of clone3 never goes on as init: it is another program, or it ends', () => {
  const change = withMounts([tmpfs('/d', 'tmpcopyup')], { transient: false });
  const child = (answers: Answers): string[] => {
    const { calls } = run(change, answers);
    const [first] = calls.filter(({ text }) => text.includes('PR_SET_PDEATHSIG') && text.includes('KILL'));
    assert.ok(first, 'init has begun');
    const copying = calls.find(({ call, process }) => call === 'rt_sigprocmask' && process === 2);
    assert.ok(copying, 'the copying process has begun');
    return calls.filter(({ process }) => process === 2).map(({ call }) => call);
  };
  assert.equal(
    child(() => undefined),
    ['prctl', 'fcntl', 'fcntl', 'rt_sigprocmask', 'execve'],
  );
  const refuse: Answers = (call) => (copiersOf([call]).length > 0 ? errno('EACCES') : undefined);
  assert.equal(child(refuse), ['prctl', 'fcntl', 'fcntl', 'rt_sigprocmask', 'execve', 'exit_group']);
});

test('a failure of the copying process is one of the container, told once', () => {
  const change = withMounts([tmpfs('/d', 'tmpcopyup')], { transient: false });
  const rows: [Answers, string[]][] = [
    [endsWith(1 << 8), []], // it has said why
    [endsWith(9), ['tinyrun: fill the tmpfs on /d: the process that copies was ended by a signal\n']],
    [
      (call) => (copiersOf([call]).length > 0 ? errno('EACCES') : undefined),
      ['tinyrun: copy /d into the tmpfs: EACCES permission denied\n'],
    ],
    [
      (call) => (call.op.to === 'copier' ? errno('EAGAIN') : undefined),
      ['tinyrun: start the process that copies: EAGAIN resource temporarily unavailable\n'],
    ],
    [
      (call) => (call.op.to === 'copy-from' ? errno('ENOTDIR') : undefined),
      ['tinyrun: open /d to copy it: ENOTDIR not a directory\n'],
    ],
  ];
  for (const [answers, lines] of rows) {
    const { calls, printed } = run(change, answers);
    assert.equal(
      printed.map(({ line }) => line),
      lines,
    );
    const made = calls.filter(({ process }) => process === 1);
    assert.not.ok(made.some(({ call }) => call === 'pivot_root'));
    assert.is(made.at(-1)?.text, 'exit_group(125)');
  }
});

test('where the directory is missing there is nothing to copy', () => {
  const { calls } = run(withMounts([tmpfs('/d', 'tmpcopyup')]), (call) =>
    call.op.to === 'copy-from' ? errno('ENOENT') : undefined,
  );
  assert.equal(copiersOf(calls), []);
  assert.ok(calls.some(({ call }) => call === 'pivot_root'));
});

test.run();
