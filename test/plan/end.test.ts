// Whole runs that end well or badly: exit codes, what is cleaned up, what is kept.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers, Recording } from '../../src/engine/recorder.ts';
import { SHARED_FILES } from '../../src/oci/state.ts';
import {
  bufferOf,
  type Change,
  errno,
  hostOf,
  INPUTS,
  KEPT_OVERLAY,
  minimalConfig,
  OVERLAY,
  registerOf,
  run,
} from '../support/plan-input.ts';

const MINIMAL: Change = { config: minimalConfig() };
const KEPT: Change = { config: minimalConfig(), transient: false };

/** What the host program removed, by name. */
const removed = ({ calls }: Recording, host = 0): string[] =>
  calls.flatMap(({ process, call, args }) =>
    process === host && call === 'unlinkat' ? [String(args[1])] : [],
  );
const lines = ({ printed }: Recording): string[] => printed.map(({ line }) => line);
const STATE = ['config.json', 'init.stat', 'state.json.tmp', 'state.json', 'c1'];

/** Answers wait4 for the container with this wait status. */
const waitStatus =
  (status: number): Answers =>
  (call) => {
    if (call.call !== 'wait4' || registerOf(call, 0) !== 'pid') return undefined;
    call.memory(1).set(new Uint8Array(new Uint32Array([status]).buffer));
    return Number(call.args[0]);
  };

test("the container's exit code is ours, 128 + signal where a signal ended it", () => {
  const rows = [
    [0, 0],
    [1 << 8, 1],
    [255 << 8, 255],
    [9, 137],
    [15, 143],
    [11 | 0x80, 139], // with a core dump
  ];
  for (const [status, exit] of rows)
    for (const change of [MINIMAL, KEPT])
      assert.is(run(change, waitStatus(status!)).exit, exit, `status ${status}`);
});

test('a container without a name leaves nothing', () => {
  assert.equal(removed(run(MINIMAL)), STATE);
});

test('a container with a name is kept, whatever its exit code', () => {
  for (const status of [0, 1 << 8, 9]) assert.equal(removed(run(KEPT, waitStatus(status))), []);
});

test('a container that could not be set up is never kept', () => {
  const recording = run(KEPT, ({ call }) => (call === 'pivot_root' ? errno('EINVAL') : undefined));
  assert.is(recording.exit, 125);
  assert.equal(removed(recording), [...SHARED_FILES, ...STATE]);
  assert.equal(lines(recording), ['tinyrun: make the rootfs the root mount: EINVAL invalid argument\n']);
});

test('init that fails says why, and only once', () => {
  for (const [name, change] of Object.entries(INPUTS)) {
    const recording = run(change, ({ call, process }) =>
      call === 'setsid' && process > hostOf(change) ? errno('EPERM') : undefined,
    );
    assert.is(recording.exit, 125, name);
    assert.equal(lines(recording), ['tinyrun: start a session: EPERM operation not permitted\n'], name);
    assert.equal(removed(recording, hostOf(change)).slice(-STATE.length), STATE, name);
  }
});

test('a failing mount ends the container with its words, and nothing stays', () => {
  const recording = run({}, ({ call, op }) =>
    call === 'move_mount' && op.from === '/mounts/3' ? errno('EBUSY') : undefined,
  );
  assert.is(recording.exit, 125);
  assert.match(lines(recording)[0]!, /^tinyrun: mount shm|^tinyrun: mount tmpfs on \/dev\/shm .*: EBUSY/);
  assert.not.ok(recording.calls.some(({ call }) => call === 'execve'));
  assert.equal(removed(recording), STATE);
});

test('a host program that fails behind clone3 kills init, waits for it, and removes the state', () => {
  const change: Change = { ...KEPT, pidFile: '/nowhere/pid' };
  const recording = run(change, (call) =>
    call.call === 'openat' && call.string(1) === '/nowhere/pid~' ? errno('ENOENT') : undefined,
  );
  const pid = recording.calls.find(({ call }) => call === 'clone3')!.value;
  assert.is(recording.exit, 125);
  assert.equal(lines(recording), [
    'tinyrun: create pid file /nowhere/pid: ENOENT no such file or directory\n',
  ]);
  const tail = recording.calls.slice(recording.calls.findIndex(({ value }) => value === errno('ENOENT')) + 1);
  assert.equal(tail.map(({ text }) => text).slice(0, 2), [
    `kill(${pid}, SIGKILL)`,
    `wait4(${pid}, &status+0, none, 0)`,
  ]);
  assert.equal(removed(recording), ['/nowhere/pid~', ...SHARED_FILES, ...STATE]);
});

test('a pid file that cannot be put in its place leaves nothing beside it', () => {
  const change: Change = { ...KEPT, pidFile: '/nowhere/pid' };
  const recording = run(change, (call) =>
    call.call === 'renameat2' && call.string(1) === '/nowhere/pid~' ? errno('EISDIR') : undefined,
  );
  assert.is(recording.exit, 125);
  assert.equal(lines(recording), [
    'tinyrun: put pid file /nowhere/pid in its place: EISDIR is a directory\n',
  ]);
  assert.equal(removed(recording), ['/nowhere/pid~', '/nowhere/pid~', ...SHARED_FILES, ...STATE]);
});

test('the exit code of a failure is not the one of the init that was killed for it', () => {
  const change: Change = { ...MINIMAL, pidFile: '/nowhere/pid' };
  const recording = run(change, (call) => {
    if (call.call === 'openat' && call.string(1) === '/nowhere/pid~') return errno('EACCES');
    return waitStatus(9)(call);
  });
  assert.is(recording.exit, 125);
});

test('a failing clone3 kills nobody', () => {
  const recording = run(MINIMAL, ({ call }) => (call === 'clone3' ? errno('EPERM') : undefined));
  assert.is(recording.exit, 125);
  assert.match(lines(recording)[0]!, /^tinyrun: start init in new namespaces \(mount, pid\): EPERM/);
  assert.not.ok(recording.calls.some(({ call }) => call === 'kill' || call === 'wait4'));
  assert.equal(removed(recording), STATE);
});

test('clean-up that fails is told, and does not go round for ever', () => {
  const unnamed: Change = { ...MINIMAL, pidFile: '/nowhere/pid' };
  const rows: [string, Change][] = [
    ['kill', unnamed],
    ['wait4', unnamed],
    ['unlinkat', unnamed],
    ['unlinkat', { ...unnamed, rootfs: OVERLAY }],
    ['rt_sigprocmask', { ...unnamed, rootfs: OVERLAY }],
    ['execve', { ...unnamed, rootfs: OVERLAY }],
  ];
  for (const [failing, change] of rows) {
    const recording = run(change, (call) => {
      if (call.call === 'openat' && call.string(1) === '/nowhere/pid~') return errno('EROFS');
      const cleaning = call.process === 0 && call.op.what !== 'block all signals';
      if (cleaning && call.call === failing) return errno('EIO');
      return call.call === 'unlinkat' && call.string(1) === 'upper' ? errno('ENOTEMPTY') : undefined;
    });
    assert.is(recording.exit, 125, failing);
    assert.is(lines(recording).length, 2, failing);
    assert.match(lines(recording)[0]!, 'create pid file');
    assert.match(lines(recording)[1]!, 'EIO');
  }
});

// An overlay's own files

const OVERLAID: Change = { config: minimalConfig(), rootfs: OVERLAY };
const DATA = [
  'upper',
  'work/work',
  'work',
  'merged',
  'hosts',
  'hostname',
  'resolv.conf',
  '/var/lib/tinyrun/containers/c1',
];

test('an overlay container without a name leaves no data', () => {
  assert.equal(removed(run(OVERLAID)), [...DATA, ...STATE]);
});

test('an overlay container with a name keeps its data', () => {
  assert.equal(removed(run({ ...OVERLAID, transient: false })), []);
});

test('where a container has written files, tinyrun itself is called to remove them', () => {
  const code = 3;
  let exitText = '';
  const recording = run(OVERLAID, (call) => {
    if (call.call === 'unlinkat' && call.string(1) === 'upper') return errno('ENOTEMPTY');
    if (call.call === 'execve' && call.process === 0) exitText = bufferOf(call, 0) ?? call.string(0);
    return waitStatus(code << 8)(call);
  });
  const { text } = recording.calls.at(-1)!;
  assert.is(exitText, '/usr/bin/tinyrun');
  assert.is(
    text,
    'execve("/usr/bin/tinyrun", ["/usr/bin/tinyrun", "--root", "/run/tinyrun", "--data-root", "/var/lib/tinyrun", "purge", "c1", &exittext+0], [])',
  );
  // Signals are unblocked for it: the mask survives execve.
  assert.is(recording.calls.at(-2)?.text, 'rt_sigprocmask(SIG_SETMASK, sigset{}, 0, 8)');
  assert.equal(removed(recording), ['upper']);
});

test('where something was attached, tinyrun itself is called to undo it; not for ever', () => {
  const hooks = { poststop: [{ path: '/opt/hooks/tell' }] };
  const rows: [string, Change][] = [
    ['c1', MINIMAL],
    ['c1', { ...MINIMAL, rootfs: KEPT_OVERLAY }],
    ['/var/lib/tinyrun/containers/c1', OVERLAID],
    ['c1', { config: { ...minimalConfig(), hooks } }],
  ];
  for (const [directory, change] of rows) {
    const { calls, printed } = run(change, (call) =>
      call.call === 'unlinkat' && call.string(1) === directory
        ? errno('ENOTEMPTY')
        : waitStatus(3 << 8)(call),
    );
    assert.equal(printed, []);
    const purges = calls.filter(({ call, text }) => call === 'execve' && text.includes('"purge", "c1"'));
    assert.is(purges.length, 1, directory);
  }
});

test('an id whose data directory is there already is a failure that removes no data', () => {
  const recording = run(OVERLAID, (call) =>
    call.call === 'mkdirat' && call.string(1).endsWith('/containers/c1') ? errno('EEXIST') : undefined,
  );
  assert.is(recording.exit, 125);
  assert.equal(removed(recording), STATE);
});

// A layer that is kept

const KEPT_LAYER: Change = { config: minimalConfig(), rootfs: KEPT_OVERLAY };

test('a container whose layer is kept makes none, and removes nothing but its state', () => {
  const recording = run(KEPT_LAYER);
  assert.equal(removed(recording), STATE);
  const texts = recording.calls.map(({ text }) => text);
  assert.not.ok(texts.some((text) => text.startsWith('mkdirat($data')));
  const lowers = texts
    .filter((text) => text.includes('"lowerdir+"'))
    .map((text) => /"(\/[^"]*)"/.exec(text)?.[1]);
  assert.equal(lowers, ['/var/lib/tinyrun/overlay2/c1-init/diff', '/layers/app', '/layers/base']);
  const unlocked = texts.indexOf('close(9)');
  assert.ok(unlocked > texts.findIndex((text) => text.startsWith('flock($state,')));
  assert.ok(unlocked < texts.findIndex((text) => text.startsWith('fsopen("overlay"')));
});

test('of a kept container that was started with --rm, tinyrun itself removes the rest, however it ends', () => {
  const removing = { ...KEPT_OVERLAY, own: { ...KEPT_OVERLAY.own, remove: true } };
  for (const answer of [
    undefined,
    ({ call }: { call: string }) => (call === 'setsid' ? errno('EPERM') : undefined),
  ]) {
    const { text } = run({ ...KEPT_LAYER, rootfs: removing }, answer).calls.at(-1)!;
    assert.match(text, '"--data-root", "/var/lib/tinyrun", "purge", "c1", &exittext+0]');
  }
});

// Reports

test('a failure is told to stderr and to the log', () => {
  const change: Change = {
    ...MINIMAL,
    logFd: 9,
    reports: [
      { reg: 'stderr', format: 'text', prefix: 'tinyrun: ', suffix: '\n' },
      { reg: 'log', format: 'json', prefix: '{"msg":"', suffix: '"}\n' },
    ],
  };
  const { printed } = run(change, ({ call }) => (call === 'setsid' ? errno('EPERM') : undefined));
  const words = 'start a session: EPERM operation not permitted';
  assert.equal(printed, [
    { fd: 2, line: `tinyrun: ${words}\n` },
    { fd: 9, line: `{"msg":"${words}"}\n` },
  ]);
});

test.run();
