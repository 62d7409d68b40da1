import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planRestoreSignals } from '../../src/plan/signals.ts';
import { errno, minimalConfig, registerOf, run, textsOf } from '../support/plan-input.ts';

const UNBLOCK = 'rt_sigprocmask(SIG_SETMASK, sigset{}, 0, 8)';
const reset = (signal: number) => `rt_sigaction(${signal}, kernel_sigaction{}, 0, 8)`;

test('planRestoreSignals: each ignored signal gets its default meaning, then all are unblocked', () => {
  const rows: [bigint, number[]][] = [
    [0n, []],
    [1n << 12n, [13]], // SIGPIPE
    [(1n << 12n) | (1n << 24n), [13, 25]], // and SIGXFSZ
    [1n, [1]], // nohup
    [1n << 63n, [64]],
    [1n << 31n, [32]],
  ];
  for (const [ignored, signals] of rows)
    assert.equal(
      textsOf(planRestoreSignals(ignored)),
      [...signals.map(reset), UNBLOCK],
      ignored.toString(16),
    );
});

const [SIGTERM, SIGCHLD] = [15, 17]; // <asm-generic/signal.h>

test('the host program passes signals on, and waits until the container has ended', () => {
  const signals = [SIGTERM, errno('EINTR'), SIGCHLD, SIGTERM, SIGCHLD];
  let waits = 0;
  const { calls, exit } = run({ config: minimalConfig() }, (call) => {
    if (call.call === 'rt_sigtimedwait') return signals.shift();
    if (call.call === 'kill') return errno('ESRCH'); // it has just ended: no failure
    if (call.call !== 'wait4' || waits++ > 0) return undefined;
    return 0; // the first SIGCHLD told that it was stopped
  });
  const { value: pid } = calls.find(({ call }) => call === 'clone3')!;
  assert.is(exit, 0);
  const done = calls.filter(
    ({ process, call }) => process === 0 && /^(kill|wait4|rt_sigtimedwait)$/.test(call),
  );
  assert.equal(
    done.map(({ text }) => text.replace(/&sigset.*/, '').replace(', &status+0', '')),
    [
      'rt_sigtimedwait(',
      `kill(${pid}, ${SIGTERM})`,
      'rt_sigtimedwait(', // interrupted
      'rt_sigtimedwait(',
      `wait4(${pid}, WNOHANG, 0)`,
      'rt_sigtimedwait(',
      `kill(${pid}, ${SIGTERM})`,
      'rt_sigtimedwait(',
      `wait4(${pid}, WNOHANG, 0)`,
    ],
  );
});

test('the host program is ready for signals before it has a child', () => {
  const { calls } = run();
  const host = calls.filter(({ process }) => process === 0);
  const at = (name: string) => host.findIndex(({ call }) => call === name);
  assert.ok(at('rt_sigprocmask') < at('clone3'));
  assert.ok(at('rt_sigaction') < at('clone3'));
});

test('init that was started by a host program that has died ends at once', () => {
  for (const when of ['first', 'last']) {
    let polls = 0;
    const { calls } = run({ config: minimalConfig() }, (call) => {
      if (call.call !== 'ppoll' || registerOf(call, 0) !== undefined) return undefined;
      return polls++ === (when === 'first' ? 0 : 1) ? 1 : 0; // the lifeline is broken
    });
    const init = calls.filter(({ process }) => process === 1);
    assert.is(init.at(-1)?.call, 'exit_group', when);
    assert.is(init.at(-2)?.call, 'ppoll', when);
  }
});

test.run();
