// The monitor and its client on a made-up kernel: the order of what they do, and each way that goes wrong.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers, AskedCall } from '../../src/engine/recorder.ts';
import { checkProgram } from '../../src/program/check.ts';
import {
  bufferOf,
  type Change,
  errno,
  MONITOR,
  minimalConfig,
  plan,
  registerOf,
  run,
  TERMINAL,
} from '../support/plan-input.ts';

const [CLIENT, HOST, INIT] = [0, 1, 2];
const [POLLIN, POLLHUP] = [0x1, 0x10];
const SIGCHLD = 17;

const WITH_RECORD: Change = { monitor: MONITOR, config: minimalConfig() };
const DETACHED: Change = { ...WITH_RECORD, monitor: { ...MONITOR, attach: undefined, say: 'c1\n' } };
const AT_TERMINAL: Change = {
  monitor: MONITOR,
  terminal: TERMINAL,
  config: minimalConfig(({ process }) => {
    process.terminal = true;
  }),
};

/** The calls of one process whose text matches. */
function texts(change: Change, process: number, pattern: RegExp, answers?: Answers): string[] {
  return run(change, answers)
    .calls.filter((call) => call.process === process && pattern.test(call.text))
    .map(({ text }) => text);
}

const first = (list: readonly string[], pattern: RegExp): number => {
  const at = list.findIndex((text) => pattern.test(text));
  assert.is.not(at, -1, `${pattern}`);
  return at;
};

test('nothing is wrong with a program, whatever its caller wants', () => {
  const flags = [true, false];
  const logs = [
    undefined,
    { maxSize: undefined, maxFiles: 1 },
    { maxSize: 9, maxFiles: 1 },
    { maxSize: 9, maxFiles: 4 },
  ];
  for (const terminal of flags)
    for (const openStdin of flags)
      for (const stdinOnce of flags)
        for (const log of logs)
          for (const sigProxy of flags)
            for (const detachKeys of [[], [1], [1, 2, 3]])
              for (const stdin of [...flags, undefined]) {
                const attach =
                  stdin === undefined
                    ? undefined
                    : { stdin, stdout: stdin, stderr: true, sigProxy, detachKeys };
                const program = plan({
                  ...(terminal ? AT_TERMINAL : WITH_RECORD),
                  monitor: { ...MONITOR, openStdin, stdinOnce, log, attach },
                  init: stdinOnce,
                });
                assert.equal(checkProgram(program), []);
              }
});

test('the monitor is a child in a session of its own, before it takes the id', () => {
  const host = texts(WITH_RECORD, HOST, /^/);
  assert.ok(first(host, /^setsid/) < first(host, /^mkdirat\(\d+, "c1"/));
  assert.ok(first(host, /^chdir\("\/"/) < first(host, /^mkdirat\(\d+, "c1"/));
  assert.equal(texts(WITH_RECORD, CLIENT, /^(setsid|mkdirat|flock)/), []);
});

test('detached: `started` is there before the client hears of it, and the caller is let go before that', () => {
  const host = texts(DETACHED, HOST, /^(renameat2|dup3|write)\(/);
  const up = first(host, /^write\(\d+, &up/);
  assert.ok(first(host, /^renameat2.*"started"/) < up);
  for (const fd of [0, 1, 2]) assert.ok(first(host, new RegExp(`^dup3\\(\\d+, ${fd}, 0\\)`)) < up);
  assert.equal(texts(DETACHED, CLIENT, /^(write|exit_group)\(/), ['write(1, "c1\\n", 3)', 'exit_group(0)']);
});

test('the client ends with the exit code of a monitor whose container never ran', () => {
  const { exit, calls } = run(DETACHED, ({ call, process }) =>
    call === 'setsid' && process === INIT ? errno('EPERM') : undefined,
  );
  assert.is(exit, 125);
  assert.not.ok(calls.some(({ process, call }) => process === CLIENT && call === 'write'));
});

test('init gets the pipes as stdio late, and keeps the stderr of the caller for its failures', () => {
  const init = texts(WITH_RECORD, INIT, /^/);
  assert.ok(first(init, /^fcntl\(2, F_DUPFD_CLOEXEC/) < first(init, /^dup3\(\d+, 2, 0\)/));
  assert.ok(first(init, /^pivot_root|^move_mount/) < first(init, /^dup3\(\d+, 0, 0\)/));
});

test('exit is written, synced and renamed before the state is removed', () => {
  const host = texts(WITH_RECORD, HOST, /^/);
  const order = [
    /^write\(\d+, &exittext/,
    /^fsync/,
    /^renameat2\(\d+, ".exit"/,
    /^unlinkat\(\d+, "state.json"/,
  ];
  const places = order.map((pattern) => first(host, pattern));
  assert.equal(
    places,
    places.toSorted((a, b) => a - b),
  );
});

test('what cannot be written into exit is said, and the exit code stays', () => {
  const { exit, printed } = run(WITH_RECORD, (call) => {
    if (call.call === 'fsync') return errno('EIO');
    if (call.call !== 'wait4' || call.process !== HOST) return undefined;
    call.memory(1).set([0, 7]);
    return 1002;
  });
  assert.is(exit, 7);
  assert.equal(
    printed.map(({ line }) => line),
    ['tinyrun: get exit onto the disk: EIO input/output error\n'],
  );
});

/** A kernel with a log: its length, and where it stands; stdout brings `outputs` before the container ends. */
function withOutput(
  outputs: string[],
  change: Partial<Record<'full' | 'short', (write: number) => boolean>> = {},
) {
  const log = { end: 0, position: 0, writes: [] as { buffer: string; size: number }[], cuts: [] as number[] };
  const answers: Answers = (call) => {
    const register = registerOf(call, 0);
    if (call.call === 'ppoll' && bufferOf(call, 0) === 'waited' && call.op.to === undefined)
      return poll(call, outputs.length > 0);
    if (call.call === 'ppoll' && bufferOf(call, 0) === 'room') return 1;
    if (call.call === 'read' && register === 'stdout-r') {
      const text = outputs.shift()!;
      call.memory(1).set(Buffer.from(text));
      return text.length;
    }
    if (register !== 'records') return undefined;
    switch (call.call) {
      case 'lseek': {
        const from = { SEEK_SET: 0, SEEK_CUR: log.position, SEEK_END: log.end };
        const whence = Object.entries(from).find(([name]) => call.text.includes(name))!;
        log.position = whence[1] + Number(call.args[1]);
        return log.position;
      }
      case 'write': {
        const size = Number(call.args[2]);
        const number = log.writes.length;
        log.writes.push({ buffer: bufferOf(call, 1)!, size });
        if (change.full?.(number)) return errno('ENOSPC');
        const written = change.short?.(number) ? size - 1 : size;
        log.end += written;
        return written;
      }
      case 'pread64':
        return Number(call.args[3]) < log.end ? 1 : 0;
      case 'ftruncate':
        log.cuts.push(Number(call.args[1]));
        log.end = Number(call.args[1]);
        return 0;
    }
    return undefined;
  };
  return { log, answers };
}

/** stdout is ready, or else a signal is there. */
function poll(call: AskedCall, output: boolean): number {
  call.memory(0)[6] = output ? 0 : POLLIN;
  call.memory(0)[14] = output ? POLLIN : 0;
  call.memory(0)[22] = 0;
  call.memory(0)[30] = 0;
  return 1;
}

test('a record is the header and the bytes, in one write, and shown to the caller', () => {
  const { log, answers } = withOutput(['hello\n', 'x']);
  const shown = texts(WITH_RECORD, HOST, /^write\(1, /, answers);
  assert.equal(log.writes, [
    { buffer: 'record', size: 30 },
    { buffer: 'record', size: 25 },
  ]);
  assert.equal(shown, ['write(1, &record+24, 6)', 'write(1, &record+24, 1)']);
});

test('nothing is shown to a caller who was let go, and nothing kept without a log', () => {
  assert.equal(texts(DETACHED, HOST, /^write\(1, /, withOutput(['x']).answers), []);
  const none: Change = { ...WITH_RECORD, monitor: { ...MONITOR, log: undefined } };
  const { log, answers } = withOutput(['x']);
  assert.equal(texts(none, HOST, /^write\(1, /, answers), ['write(1, &record+24, 1)']);
  assert.equal(log.writes, []);
});

test('a full disk: the container goes on, and the next record comes behind a note', () => {
  const { log, answers } = withOutput(['one', 'two', 'three'], {
    full: (write) => write === 0 || write === 1,
  });
  assert.is(run(WITH_RECORD, answers).exit, 0);
  assert.equal(
    log.writes.map(({ buffer }) => buffer),
    ['record', 'lost', 'lost', 'record'], // lost; no room for the note either, so the second is lost as well
  );
});

test('a part of a record is cut off again', () => {
  const { log, answers } = withOutput(['one', 'two', 'three'], { short: (write) => write === 1 });
  run(WITH_RECORD, answers);
  assert.equal(log.cuts, [27]);
  assert.equal(
    log.writes.map(({ buffer }) => buffer),
    ['record', 'record', 'lost', 'record'],
  );
});

test('a loss that was not noted yet is noted at the end', () => {
  const { log, answers } = withOutput(['one'], { full: (write) => write === 0 });
  run(WITH_RECORD, answers);
  assert.equal(
    log.writes.map(({ buffer }) => buffer),
    ['record', 'lost'],
  );
});

test('rotation: the oldest goes, and the next record is in a new file', () => {
  const log = (maxFiles: number): Change => ({
    ...WITH_RECORD,
    monitor: { ...MONITOR, log: { maxSize: 40, maxFiles } },
  });
  const moves = (maxFiles: number) =>
    texts(
      log(maxFiles),
      HOST,
      /^(renameat2|unlinkat)\(\d+, "log|^openat\(\d+, "log"/,
      withOutput(['a'.repeat(20), 'b', 'c']).answers,
    ).map((text) => text.replace(/\d+, "/g, '"').replace(/, O_.*|, (0|none)\)$/, ''));
  assert.equal(moves(3), [
    'openat("log"',
    'renameat2("log.1", "log.2"',
    'renameat2("log", "log.1"',
    'openat("log"',
    'renameat2("log.1", "log.2"',
    'renameat2("log", "log.1"',
    'openat("log"',
  ]);
  assert.equal(moves(1).slice(0, 3), ['openat("log"', 'unlinkat("log"', 'openat("log"']);
});

test('a file that cannot be renamed grows', () => {
  const { log, answers } = withOutput(['a'.repeat(40), 'b']);
  const change: Change = { ...WITH_RECORD, monitor: { ...MONITOR, log: { maxSize: 10, maxFiles: 2 } } };
  const result = run(change, (call) =>
    call.call === 'renameat2' && call.text.includes('"log.1"') ? errno('EROFS') : answers(call),
  );
  assert.is(result.exit, 0);
  assert.is(log.writes.length, 2);
  assert.equal(result.printed, []);
});

/** What a client at a terminal writes to the container, and how it ends, if these bytes are typed. */
function typed(keys: readonly number[]): { written: string[]; exit: number; left: boolean } {
  const rest = [...keys];
  const written: string[] = [];
  const { exit, calls } = run(AT_TERMINAL, (call) => {
    if (call.process !== CLIENT) return undefined;
    if (call.call === 'ppoll' && bufferOf(call, 0) === 'client') {
      call.memory(0)[6] = rest.length === 0 ? POLLIN : 0;
      call.memory(0)[14] = rest.length === 0 ? 0 : POLLIN;
      return 1;
    }
    if (call.call === 'read' && call.args[0] === 0) {
      call.memory(1)[0] = rest.shift()!;
      return 1;
    }
    if (call.call === 'write' && registerOf(call, 0) === 'sink')
      written.push(Buffer.from(call.memory(1).subarray(0, Number(call.args[2]))).toString());
    return undefined;
  });
  const own = calls.filter(({ process }) => process === CLIENT);
  return { written, exit, left: own.some(({ text }) => /^write\(\d+, "d", 1\)/.test(text)) };
}

test('the detach keys let go; what only begins like them is typed', () => {
  assert.equal(typed([97]), { written: ['a'], exit: 0, left: false });
  assert.equal(typed([16, 17]), { written: [], exit: 0, left: true });
  assert.equal(typed([16, 97]), { written: ['\x10', 'a'], exit: 0, left: false });
  assert.equal(typed([16, 16, 17]), { written: ['\x10'], exit: 0, left: true });
  assert.equal(typed([17, 16]), { written: ['\x11'], exit: 0, left: false });
});

test('the terminal is raw while the client is there, and given back before it lets go or ends', () => {
  for (const keys of [[], [16, 17]]) {
    const rest = [...keys];
    const settings = texts(AT_TERMINAL, CLIENT, /^ioctl\(0, TCSETS|^exit_group|^write\(\d+, "d"/, (call) => {
      if (call.process !== CLIENT || call.call !== 'ppoll' || bufferOf(call, 0) !== 'client') {
        if (call.process !== CLIENT || call.call !== 'read' || call.args[0] !== 0) return undefined;
        call.memory(1)[0] = rest.shift()!;
        return 1;
      }
      call.memory(0)[rest.length === 0 ? 6 : 14] = POLLIN;
      return 1;
    });
    const raw = `ioctl(0, TCSETS, base64"${Buffer.from(TERMINAL.raw).toString('base64')}")`;
    const saved = `ioctl(0, TCSETS, base64"${Buffer.from(TERMINAL.saved).toString('base64')}")`;
    assert.equal(settings.slice(0, 2), [raw, saved]);
    assert.is(settings.at(-1), 'exit_group(0)');
  }
});

test('a client that was killed: the monitor gives its terminal back, once', () => {
  for (const [byte, gives] of [
    [0, 1],
    [1, 0],
  ] as const) {
    let gone = false;
    const given = texts(AT_TERMINAL, HOST, /^ioctl\(0, TCSETS/, (call) => {
      if (call.process !== HOST) return undefined;
      if (call.call === 'ppoll' && bufferOf(call, 0) === 'waited' && call.op.to === undefined) {
        call.memory(0)[6] = gone ? POLLIN : 0;
        call.memory(0)[30] = gone ? 0 : POLLHUP;
        gone = true;
        return 1;
      }
      if (call.call === 'read' && registerOf(call, 0) === 'client-r' && call.op.to === 'let-go') return byte;
      return undefined;
    });
    assert.is(given.length, gives);
  }
});

test('signals of the client go to the monitor, or end it alone', () => {
  const signals = (sigProxy: boolean) => {
    const sent = [15, SIGCHLD];
    const change: Change = {
      ...WITH_RECORD,
      monitor: { ...MONITOR, attach: { ...MONITOR.attach!, sigProxy } },
    };
    return texts(change, CLIENT, /^kill|^wait4|^exit_group/, (call) => {
      if (call.process !== CLIENT || call.call !== 'read' || registerOf(call, 0) !== 'signals')
        return undefined;
      call.memory(1)[0] = sent.shift()!;
      return 128;
    }).map((text) => text.replace(/, &status\+0|\d{4}/g, '#'));
  };
  assert.equal(signals(true), ['kill(#, 15)', 'wait4(##, WNOHANG, 0)', 'exit_group(0)']);
  assert.equal(signals(false), ['kill(#, 15)', 'exit_group(0)']);
});

test('--init: the child is waited for by itself, so that its status is not lost among those of orphans', () => {
  const waits = (results: Record<'any' | 'child', number[]>, statuses: number[]) => {
    const change: Change = { init: true, config: minimalConfig() };
    const { exit } = run(change, (call) => {
      if (call.process !== 1 || call.call !== 'wait4') return undefined;
      const list = call.args[0] === -1 ? results.any : results.child;
      const value = list.shift()!;
      if (value > 0) call.memory(1).set([0, statuses.shift()!]);
      return value;
    });
    return exit;
  };
  // An orphan, then the child by the second wait; the child by the first; two orphans, nobody, then the child.
  assert.is(waits({ any: [50], child: [2] }, [9, 4]), 4);
  assert.is(waits({ any: [2], child: [errno('ECHILD')] }, [5]), 5);
  assert.is(waits({ any: [50, 51, 0, 2], child: [0, 0, errno('ECHILD')] }, [1, 2, 6]), 6);
});

test.run();
