// start, kill, state and delete of an ordinary container, as programs that need no JavaScript: the launcher runs one as a child,
// and goes on to JavaScript where it ends with NOT_ME (native-bindings/launch.c). So a program does only what is sure, and
// says nothing when it is not: every failing op leads to `not-me`.
//
//   STATE_ROOT/ID/init.pidfd    names init (init-pidfd.ts); only an ordinary container that is not paused has it
//   STATE_ROOT/ID/state.text    what `state` prints, in front of the pid and behind the status, of such a container;
//                               before it 16 bytes, which tell how long the two are
//   STATE_ROOT/ID/cgroup.paths  the cgroups that `delete` removes, in slots of 256 bytes; only where that, and the state
//                               directory, is all there is to remove
//
// verb-files.ts writes the files. The id is not known when the program is planned: the launcher puts it into the buffer `id`.

import {
  CGROUP_PATHS,
  CREATING_FIFO,
  EXEC_FIFO,
  INIT_PIDFD,
  INIT_STAT,
  SHARED_FILES,
  STATE_FILES,
  STATE_TEXT,
  type Status,
} from '../oci/state.ts';
import type { Buffer, Op, Program } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { initBuffers, planInit, planOpenState, READ } from './init-pidfd.ts';
import { SLOT, SLOTS } from './verb-files.ts';
import { runtime } from './words.ts';

/** EX_TEMPFAIL of <sysexits.h>: JavaScript is to do it. Keep in sync with launch.c. */
const NOT_ME = 75;
/** An id is at most 255 bytes; its place is filled with this, which the launcher looks for nowhere else. */
export const ID_PLACE = '?'.repeat(255);

/** What a command line asks for, where that has a program. */
export type Verb = { name: 'start' | 'state' | 'delete' } | { name: 'kill'; signal: number };

/** @param stateRoot absolute */
export function planVerb(stateRoot: string, verb: Verb): Program {
  switch (verb.name) {
    case 'start':
      return planStart(stateRoot);
    case 'state':
      return planState(stateRoot);
    case 'delete':
      return planDelete(stateRoot);
    case 'kill':
      return planKill(stateRoot, verb.signal);
  }
}

function programOf(ops: readonly Op[], buffers: readonly Buffer[] = []): Program {
  const why = 'What is not as usual is for JavaScript to look at, and to say.';
  return {
    sections: [
      {
        name: 'host',
        ops: [
          ...ops,
          o.exit(0, runtime('end', 'It is done.')),
          o.label('not-me'),
          o.exit(NOT_ME, runtime('leave it to JavaScript', why)),
        ],
        onFail: 'not-me',
        exit: NOT_ME,
      },
    ],
    buffers: [
      { name: 'id', size: 256, init: ID_PLACE },
      { name: 'statx', size: 256 },
      ...initBuffers,
      ...buffers,
    ],
    reports: [],
  };
}

const isThere = (name: string, what: string, extra: Partial<o.Extra> = {}): Op =>
  o.call('faccessat', [o.reg('dir'), name, 0], {
    ...runtime(what, 'Which files a state directory has tells the status.'),
    ...extra,
  });

/** `start`: a byte into the exec fifo of a created container. */
function planStart(stateRoot: string): Program {
  const why =
    'Init waits for a byte. Of two callers at once, the lock lets one go first; the other finds no fifo.';
  return programOf([
    o.call(
      'rt_sigprocmask',
      [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: { bits: ALL_SIGNALS } }, 0, 8],
      {
        ...runtime('block all signals', 'A fifo without a reader is an error, not a signal.'),
      },
    ),
    ...planOpenState(stateRoot, o.buf('id'), 'not-me'),
    isThere(INIT_PIDFD, 'is it an ordinary container?'),
    o.openat(o.reg('dir'), EXEC_FIFO, ['O_WRONLY', 'O_NONBLOCK', 'O_NOFOLLOW'], {
      ...runtime('open the exec fifo', why),
      to: 'fifo',
    }),
    o.flock(o.reg('fifo'), ['LOCK_EX'], runtime('lock the exec fifo', why)),
    isThere(EXEC_FIFO, 'is it still there?'),
    o.call('lseek', [o.reg('fifo'), 0, 0], {
      ...runtime('is it a fifo?', 'A file would take the byte, and nobody would read it.'),
      onError: { goto: { ESPIPE: 'is-fifo' } },
    }),
    o.jump('not-me', runtime('it is not', 'That is an error.')),
    o.label('is-fifo'),
    o.write(o.reg('fifo'), 's', 1, runtime('release init', why)),
    o.unlinkat(o.reg('dir'), EXEC_FIFO, [], runtime('remove the exec fifo', 'The container is started.')),
  ]);
}
const ALL_SIGNALS = 0xffffffffffffffffn;

/** `kill`: a signal, by number, to init. */
function planKill(stateRoot: string, signal: number): Program {
  return programOf([
    ...planOpenState(stateRoot, o.buf('id'), 'not-me'),
    isThere(CREATING_FIFO, 'is it being created?', { onError: { goto: { ENOENT: 'is-made' } } }),
    o.jump('not-me', runtime('it is', 'Nobody else has to do with it yet.')),
    o.label('is-made'),
    ...planInit('not-me', 'not-me'),
    o.call(
      'pidfd_send_signal',
      [o.reg('init-fd'), signal, 0, 0],
      runtime(`send signal ${signal} to init`, 'By the pidfd: no other process can get it.'),
    ),
  ]);
}

/** `state`: prints the state JSON. */
function planState(stateRoot: string): Program {
  const why = 'Everything but the pid and the status was known when the container was made.';
  const text = o.reg('text');
  const print = (what: string, from: Parameters<typeof o.write>[1], size: number | { reg: string }): Op =>
    o.write(1, from, size, runtime(what, why));
  const say = (status: Status): Op[] => {
    const line = `,\n  "status": "${status}"`;
    return [
      o.label(status),
      ...(status === 'stopped'
        ? [o.set('init-pid', 0, runtime('forget the pid', 'It may be used again.'))]
        : []),
      o.call('sendfile', [1, text, 0, o.reg('head')], runtime('print what stands in front of the pid', why)),
      o.format('init-pid', o.buf('digits'), { to: 'size' }, runtime('write the pid as digits', why)),
      print('print the pid', o.buf('digits'), o.reg('size')),
      print(`print the status: ${status}`, line, line.length),
      o.jump('rest', runtime('print the rest', why)),
    ];
  };
  return programOf([
    ...planOpenState(stateRoot, o.buf('id'), 'not-me'),
    o.openat(o.reg('dir'), STATE_TEXT, READ, {
      ...runtime('open state.text', why),
      to: 'text',
    }),
    o.read(text, o.buf('init'), 16, { ...runtime('read how long its parts are', why), to: 'size' }),
    o.branch('size', '!=', 16, 'not-me', runtime('is it whole?', why)),
    o.load(o.buf('init', 0), 8, 'head', runtime('take the length of the first', why)),
    o.load(o.buf('init', 8), 8, 'tail', runtime('take the length of the second', why)),
    ...planInit('stopped', 'not-me'),
    isThere(CREATING_FIFO, 'is it being created?', { onError: { goto: { ENOENT: 'is-made' } } }),
    o.jump('not-me', runtime('it is', 'That is a rare thing to see.')),
    o.label('is-made'),
    o.openat(o.reg('dir'), EXEC_FIFO, ['O_WRONLY', 'O_NONBLOCK', 'O_NOFOLLOW'], {
      ...runtime(
        'is it only created?',
        'Then init waits at the exec fifo. A start that was killed may leave that without a reader.',
      ),
      to: 'fifo',
      onError: { goto: { ENOENT: 'running', ENXIO: 'running' } },
    }),
    o.jump('created', runtime('it is', 'Its init waits for start.')),
    ...say('running'),
    ...say('created'),
    ...say('stopped'),
    o.label('rest'),
    o.call('sendfile', [1, text, 0, o.reg('tail')], runtime('print what stands behind the status', why)),
  ]);
}

/** `delete`: what is left of a container whose init has ended. A second try goes on where a first one stopped. */
function planDelete(stateRoot: string): Program {
  const why = 'The container is gone, and so is its id.';
  const lock = 'Who holds the lock of a state directory looks after it: runtime/store.ts.';
  const gone = { onError: { ignore: ['ENOENT'] } };
  const changes = 'Who changes a container holds this lock: what he writes could be in the way.';
  return programOf(
    [
      ...planOpenState(stateRoot, o.buf('id'), 'not-me'),
      o.flock(o.reg('root'), ['LOCK_EX'], runtime('lock the state root', lock)),
      o.flock(o.reg('dir'), ['LOCK_EX', 'LOCK_NB'], runtime('lock the state directory', lock)),
      o.openat(o.reg('dir'), CGROUP_PATHS, READ, {
        ...runtime(`open ${CGROUP_PATHS}`, why),
        to: 'file',
      }),
      o.read(o.reg('file'), o.buf('paths'), SLOTS * SLOT, {
        ...runtime(`read ${CGROUP_PATHS}`, why),
        to: 'size',
      }),
      o.branch('size', '!=', SLOTS * SLOT, 'not-me', runtime('is it whole?', why)),
      ...planInit('stopped', 'not-me'),
      o.jump('not-me', runtime('it lives', 'JavaScript says so, or kills it.')),
      o.label('stopped'),
      o.openat(o.reg('dir'), INIT_STAT, READ, {
        ...runtime('open init.stat', changes),
        to: 'file',
      }),
      o.flock(o.reg('file'), ['LOCK_EX', 'LOCK_NB'], runtime('lock it', changes)),
      o.label('remove'),
      ...Array.from({ length: SLOTS }, (_, i) =>
        o.unlinkat(o.AT_FDCWD, o.buf('paths', i * SLOT), ['AT_REMOVEDIR'], {
          ...runtime(`remove cgroup ${i}`, 'An empty slot has an empty name, which is not there.'),
          onError: { ignore: ['ENOENT'], goto: { EBUSY: 'busy' } },
        }),
      ),
      ...[...SHARED_FILES, ...STATE_FILES].map((name) =>
        o.unlinkat(o.reg('dir'), name, [], { ...runtime(`remove ${name}`, why), ...gone }),
      ),
      o.unlinkat(o.reg('root'), o.buf('id'), ['AT_REMOVEDIR'], runtime('remove the state directory', why)),
      o.jump('removed', runtime('all is gone', why)),
      ...planAwaitCgroups(),
      o.label('removed'),
    ],
    [{ name: 'paths', size: SLOTS * SLOT }],
  );
}

/** How often, and after how many nanoseconds each, it is tried to remove a cgroup whose processes are dying. */
const [TRIES, PAUSE] = [30, 1_000_000];

/** Where a cgroup is not empty: back to `remove` after a while, for some time. What lives in it is for JavaScript to kill. */
function planAwaitCgroups(): Op[] {
  const why = 'A process is in its cgroup a moment longer than its program is there.';
  return [
    o.label('busy'),
    o.branch('tries', '>=', 0, 'wait', runtime('have we tried before?', why)),
    o.call('eventfd2', [TRIES, o.flags('EFD_SEMAPHORE', 'EFD_NONBLOCK', 'EFD_CLOEXEC')], {
      ...runtime('make a counter', 'Each reading takes one from it: it will not be tried for ever.'),
      to: 'tries',
    }),
    o.label('wait'),
    o.read(o.reg('tries'), o.buf('digits'), 8, runtime('try once more', why)),
    o.call('ppoll', [0, 0, { struct: 'timespec', fields: { tv_nsec: PAUSE } }, 0, 0], {
      ...runtime('wait for a millisecond', why),
    }),
    o.jump('remove', runtime('remove the rest', why)),
  ];
}
