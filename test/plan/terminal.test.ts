import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers, AskedCall } from '../../src/engine/recorder.ts';
import type { Process } from '../../src/oci/config.ts';
import {
  bufferOf,
  type Change,
  errno,
  minimalConfig,
  registerOf,
  run,
  stepsOf,
  TERMINAL,
} from '../support/plan-input.ts';

const withTerminal = (process: Partial<Process> = {}, change: Change = {}): Change => ({
  terminal: TERMINAL,
  ...change,
  config: minimalConfig((config) => {
    Object.assign(config.process, { terminal: true }, process);
  }),
});
const [HOST, INIT, KEYS] = [0, 1, 2];
const [POLLIN, POLLHUP] = [0x1, 0x10];

test('planTerminal: the terminal is of a devpts, or the container ends', () => {
  const { exit, printed } = run(withTerminal(), (call) => {
    if (call.call !== 'fstatfs') return undefined;
    call.memory(1).fill(0, 0, 8);
    return 0;
  });
  assert.is(exit, 125);
  assert.equal(
    printed.map(({ line }) => line),
    ['tinyrun: open the terminal: /dev/pts/ptmx is not of a devpts (mount one on /dev/pts)\n'],
  );
});

test("planTerminal: the slave is opened by the master's descriptor, and bound over /dev/console", () => {
  const texts = stepsOf(withTerminal())
    .filter(({ process }) => process === INIT)
    .map(({ text }) => text.replace(/, resolve: .*/, ''));
  const from = texts.findIndex((text) => text.startsWith('$master = openat2($root, "dev/pts/ptmx"'));
  assert.equal(
    texts.slice(from + 1, from + 12).filter((text) => !text.startsWith('fstatfs')),
    [
      'ioctl($master, TIOCSPTLCK, base64"AAAAAA==")',
      '$slave = ioctl($master, TIOCGPTPEER, O_RDWR|O_NOCTTY|O_CLOEXEC)',
      'ioctl($slave, TIOCSWINSZ, winsize{ws_row: 24, ws_col: 80})',
      '$target = openat2($root, "dev/console", open_how{flags: O_PATH|O_CLOEXEC',
      '$mount = open_tree($slave, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH)',
      'move_mount($mount, "", $target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)',
      'close($mount)',
      'close($target)',
      'write($tty-init, &ttynumber+0, 4)',
      'read($tty-init, &byte+0, 1)',
    ],
  );
});

const sizes = (change: Change): string[] =>
  stepsOf(change).flatMap(({ process, text }) =>
    process === INIT && text.includes('TIOCSWINSZ') ? [text] : [],
  );

test('planTerminal: consoleSize comes before the size of the caller', () => {
  assert.equal(sizes(withTerminal({ consoleSize: { height: 5, width: 6 } })), [
    'ioctl($slave, TIOCSWINSZ, winsize{ws_row: 5, ws_col: 6})',
  ]);
  assert.equal(sizes(withTerminal()), ['ioctl($slave, TIOCSWINSZ, winsize{ws_row: 24, ws_col: 80})']);
  assert.equal(sizes(withTerminal({}, { terminal: undefined })), []);
});

test('planTerminalStdio: the slave is stdin, stdout, stderr and the controlling terminal', () => {
  const texts = stepsOf(withTerminal()).flatMap(({ process, text }) =>
    process === INIT && /^dup3|TIOCSCTTY/.test(text) ? [text] : [],
  );
  assert.equal(texts, [
    'dup3($slave, 0, 0)',
    'dup3($slave, 1, 0)',
    'dup3($slave, 2, 0)',
    'ioctl(0, TIOCSCTTY, 0)',
  ]);
});

test('failures behind that are told to the caller, not to the terminal', () => {
  const kept = run(withTerminal()).calls.find(({ call, process }) => call === 'fcntl' && process === INIT)!;
  const { printed } = run(withTerminal(), ({ call, process }) =>
    call === 'close_range' && process === INIT ? errno('EINVAL') : undefined,
  );
  assert.equal(
    printed.map(({ fd }) => fd),
    [kept.value],
  );
  assert.ok(kept.value > 2);
});

/** The settings that a process gives the caller's terminal, by their first byte. */
function settings(who: number, change: Change, special: Answers = () => undefined): (number | undefined)[] {
  const set: (number | undefined)[] = [];
  run(change, (call) => {
    if (call.process === who && call.text.includes('TCSETS')) set.push(call.memory(2)[0]);
    return special(call);
  });
  return set;
}
const RAW = TERMINAL.raw[0];
const SAVED = TERMINAL.saved[0];

test("the caller's terminal is raw while the container runs, and gets its settings back", () => {
  assert.equal(settings(HOST, withTerminal()), [RAW, SAVED]);
  assert.equal(settings(HOST, withTerminal({}, { terminal: { ...TERMINAL, fd: undefined } })), []);
  assert.equal(settings(HOST, withTerminal({}, { terminal: undefined })), []);
});

test('a failure on the way gives the terminal back as well', () => {
  const failing: Answers = ({ call, process }) =>
    call === 'signalfd4' && process === HOST ? errno('EMFILE') : undefined;
  assert.equal(settings(HOST, withTerminal(), failing), [RAW, SAVED]);
});

test('init that fails before there is a terminal leaves the caller as it is', () => {
  const failing: Answers = (call) => {
    if (call.call === 'setsid') return errno('EPERM');
    return call.call === 'read' && registerOf(call, 0) === 'tty-host' ? 0 : undefined; // nobody will write
  };
  const { exit, printed, calls } = run(withTerminal(), failing);
  assert.is(exit, 125);
  assert.is(printed.length, 1);
  assert.not.ok(calls.some(({ call }) => call === 'pidfd_getfd'));
  assert.not.ok(settings(HOST, withTerminal(), failing).includes(RAW));
});

test('the process that reads keys is ended and waited for', () => {
  const steps = stepsOf(withTerminal()).filter(({ process }) => process === HOST);
  const texts = steps.map(({ text }) => text.replace(/ {2}.*/, ''));
  const at = texts.indexOf('kill($keys, SIGKILL)');
  assert.ok(at > 0);
  assert.is(texts[at + 1], 'wait4($keys, 0, none, 0)');
});

// The relay

/** Sets the events of the two descriptors that a poll waits for. */
function events(call: AskedCall, first: number, second: number): number {
  call.memory(0)[6] = first;
  call.memory(0)[14] = second;
  return 1;
}

/** A kernel whose terminal prints some texts, one for each time that is polled. */
function printing(texts: readonly string[], write: (text: string) => number | undefined): Answers {
  const left = [...texts];
  return (call) => {
    if (call.process !== HOST) return undefined;
    if (call.call === 'ppoll' && bufferOf(call, 0) === 'relay' && call.op.to === undefined && left.length > 0)
      return events(call, 0, POLLIN);
    if (call.call === 'ppoll' && bufferOf(call, 0) === 'outpoll') return 1;
    if (call.call === 'read' && registerOf(call, 0) === 'master') {
      const bytes = new TextEncoder().encode(left.shift());
      call.memory(1).set(bytes);
      return bytes.length;
    }
    if (call.call !== 'write' || call.args[0] !== 1) return undefined;
    return write(new TextDecoder().decode(call.memory(1).subarray(0, Number(call.args[2]))));
  };
}

test('what the container prints goes to stdout', () => {
  const got: string[] = [];
  const { exit } = run(
    withTerminal(),
    printing(['hello\r\n', 'ü', 'x'.repeat(4096)], (text) => {
      got.push(text);
      return undefined;
    }),
  );
  assert.is(exit, 0);
  assert.equal(got, ['hello\r\n', 'ü', 'x'.repeat(4096)]);
});

test('output waits for a full stdout, and is dropped where nobody reads it', () => {
  let full = 2;
  const got: string[] = [];
  const slow = run(
    withTerminal(),
    printing(['a', 'b'], (text) => {
      if (full-- > 0) return errno('EAGAIN');
      got.push(text);
      return undefined;
    }),
  );
  assert.is(slow.exit, 0);
  assert.equal(got, ['a', 'b']);
  const gone = run(
    withTerminal(),
    printing(['a', 'b'], () => errno('EPIPE')),
  );
  assert.is(gone.exit, 0);
  assert.equal(gone.printed, []);
});

test('a window that changes its size is followed, where the caller has one', () => {
  const SIGWINCH = 28; // <asm-generic/signal.h>
  const resizing = (change: Change) => {
    let signals = [SIGWINCH];
    const { calls } = run(change, (call) => {
      if (call.call !== 'read' || registerOf(call, 0) !== 'signals') return undefined;
      const signal = signals[0];
      signals = [];
      if (signal === undefined) return undefined;
      call.memory(1).set([signal, 0, 0, 0]);
      return 128;
    });
    return calls
      .filter(({ process, text }) => process === HOST && text.includes('WINSZ'))
      .map(({ text }) => text.replace(/\(\d+/, '('));
  };
  assert.equal(resizing(withTerminal()), [
    'ioctl(, TIOCGWINSZ, &winsize+0)',
    'ioctl(, TIOCSWINSZ, &winsize+0)',
  ]);
  assert.equal(resizing(withTerminal({}, { terminal: { ...TERMINAL, fd: undefined } })), []);
});

test('a terminal that hangs up is not asked again, and the container is still waited for', () => {
  let polls = 0;
  const { exit, calls } = run(withTerminal(), (call) => {
    if (call.call !== 'ppoll' || bufferOf(call, 0) !== 'relay' || call.op.to !== undefined) return undefined;
    return polls++ === 0 ? events(call, 0, POLLHUP) : events(call, POLLIN, 0);
  });
  assert.is(exit, 0);
  assert.is(calls.filter(({ call, text }) => call === 'wait4' && text.includes('WNOHANG')).length, 1);
});

// The keys

/** Runs the process that reads keys on these reads of stdin; what it writes to the terminal. */
function keys(reads: (string | number)[], change: Change = withTerminal()): string[] {
  const typed: string[] = [];
  const left = [...reads];
  run(change, (call) => {
    if (call.process !== KEYS) return undefined;
    if (call.call === 'ppoll') return left.length > 0 ? events(call, POLLIN, 0) : events(call, 0, POLLHUP);
    if (call.call === 'read') {
      const next = left.shift()!;
      if (typeof next === 'number') return next;
      const bytes = new TextEncoder().encode(next);
      call.memory(1).set(bytes);
      return bytes.length;
    }
    if (call.call === 'write')
      typed.push(new TextDecoder().decode(call.memory(1).subarray(0, Number(call.args[2]))));
    return undefined;
  });
  return typed;
}

test('keys go to the terminal as they are; the end of the input is a Ctrl-D', () => {
  assert.equal(keys(['ls\r', '\x03']), ['ls\r', '\x03']);
  assert.equal(keys(['ls\r', 0]), ['ls\r', '\x04']);
  assert.equal(keys([errno('EINTR'), errno('EAGAIN'), 'a']), ['a']);
  assert.equal(keys([errno('EIO')]), ['\x04']); // the caller's terminal is gone
});

test('the process that reads keys gives the terminal back when the host program is gone', () => {
  assert.equal(settings(KEYS, withTerminal()), [SAVED]); // the quiet kernel tells it so at once
});

test('the terminal is raw only while there is a process that would give it back', () => {
  const texts = stepsOf(withTerminal())
    .filter(({ process }) => process === HOST)
    .map(({ text }) => text);
  const order = [/^\$keys = clone3/, /^ioctl\(0, TCSETS/, /^\$signals = signalfd4/].map((pattern) =>
    texts.findIndex((text) => pattern.test(text)),
  );
  assert.ok(
    order.every((at, i) => at > (order[i - 1] ?? 0)),
    String(order),
  );
  assert.ok(
    texts.findLastIndex((text) => text.startsWith('ioctl(0, TCSETS')) <
      texts.findIndex((text) => text.startsWith('kill($keys, SIGKILL)')),
  );
});

test.run();
