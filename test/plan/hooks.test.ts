// Hooks as ops: who runs which of them, in which order, and with what. What they see in a container is in run/hooks.test.ts.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Hooks } from '../../src/oci/config.ts';
import { POINTS } from '../../src/plan/hook-points.ts';
import { planHookProgram } from '../../src/plan/hook-program.ts';
import { checkProgram } from '../../src/program/check.ts';
import { numberOps } from '../../src/program/flow.ts';
import { printOp } from '../../src/program/text.ts';
import {
  bufferOf,
  type Change,
  errno,
  INPUTS,
  plan,
  planInput,
  registerOf,
  run,
  type Step,
  stepsOf,
} from '../support/plan-input.ts';

const withHooks = (hooks: Hooks, more: Change = {}): Change => ({
  ...more,
  config: (config: Config) => {
    config.hooks = hooks;
    if (typeof more.config === 'function') more.config(config);
  },
});

const HOOKS = INPUTS['hooks of all points']!;
const one = (point: keyof Hooks, more = {}): Change =>
  withHooks({ [point]: [{ path: '/hook', env: [], ...more }] });

/** Where the first step that matches is; there must be one. */
function at(steps: readonly Step[], pattern: RegExp): number {
  const found = steps.findIndex(({ text }) => pattern.test(text));
  assert.is.not(found, -1, `no step matches ${pattern}`);
  return found;
}

const executed = (steps: readonly Step[]): string[] =>
  steps.filter(({ op }) => op.call === 'execve').map(({ op }) => String(op.args[0]));
const pidOf = (steps: readonly Step[], call: string): number =>
  steps.find(({ op }) => op.call === call)!.process;

test('a config without hooks has not one op more', () => {
  const without = plan({});
  const empty = plan(withHooks(Object.fromEntries(POINTS.map((point) => [point, []]))));
  assert.equal(empty, without);
  assert.not.match(
    without.sections.flatMap(({ ops }) => ops.map((op) => printOp(op))).join(),
    /hook|memfd|ready/,
  );
});

test('nothing is wrong with a program that has hooks, whatever the container is', () => {
  const hooks = planInput(HOOKS).config.hooks!;
  for (const [name, change] of Object.entries(INPUTS))
    for (const lifecycle of ['foreground', 'detached', 'created'] as const) {
      if (change.lifecycle !== undefined || typeof change.config === 'object') continue;
      if (change.monitor !== undefined && lifecycle !== 'foreground') continue;
      const consoleSocket =
        change.terminal !== undefined && lifecycle !== 'foreground' ? '/socket' : undefined;
      const program = plan(withHooks(hooks, { ...change, lifecycle, consoleSocket }));
      for (const arch of ['x64', 'arm64'] as const)
        assert.equal(checkProgram(program, arch), [], `${name} ${lifecycle}`);
    }
});

test('hooks of a point run in the order of the config, each when the one before has ended', () => {
  const steps = stepsOf(HOOKS);
  const host = (point: string) => [`/hooks/${point}`, `/hooks/${point}-2`];
  const paths = executed(steps);
  for (const point of POINTS) {
    const own = paths.filter((path) => path.startsWith(`/hooks/${point}`));
    assert.equal(own, host(point), point);
  }
  const waits = steps.filter(({ text }) => text.startsWith('wait4($hook,'));
  assert.is(waits.length, 12);
});

test("prestart and createRuntime hooks are the host program's, while init waits with all mounted", () => {
  const steps = stepsOf(HOOKS);
  const init = pidOf(steps, 'setsid');
  const own = steps.filter(({ process }) => process === init);
  const ready = at(own, /^write\(\$ready-w/);
  const pivot = at(own, /^pivot_root\(/);
  const go = at(own, /read\(\$go-r, &byte/);
  const mounted = own.findLastIndex(({ text }) => /^move_mount\(/.test(text));
  assert.ok(mounted < ready && ready < go && go < pivot);
  const host = steps.filter(({ process }) => process === 0);
  const told = at(host, /= read\(\$ready-r/);
  const word = host.findLastIndex(({ text }) => /^write\(\$go-w, "g"/.test(text));
  const hooks = host.flatMap(({ op, text }, i) =>
    /= clone\(/.test(text) && /hook (prestart|createRuntime)/.test(op.what) ? [i] : [],
  );
  assert.is(hooks.length, 4);
  for (const hook of hooks) assert.ok(told < hook && hook < word);
  const written = at(host, /^pwrite64\(\$file, &state/);
  assert.ok(written < told, 'others can ask for the container');
});

test('createContainer hooks come after the mounts and before the pivot, startContainer hooks last', () => {
  const steps = stepsOf(HOOKS);
  const init = pidOf(steps, 'setsid');
  const own = steps.filter(({ process }) => process === init);
  const pivot = at(own, /^pivot_root\(/);
  const clones = own.flatMap(({ op, text }, i) => (/= clone\(/.test(text) ? [{ i, what: op.what }] : []));
  assert.equal(
    clones.map(({ i, what }) => `${/hook (\w+)/.exec(what)![1]} ${i < pivot ? 'before' : 'behind'}`),
    ['createContainer before', 'createContainer before', 'startContainer behind', 'startContainer behind'],
  );
  const rights = own.findLastIndex(({ text }) => /^capset\(|PR_SET_NO_NEW_PRIVS/.test(text));
  assert.ok(rights < clones[2]!.i, 'a hook in the container has its rights');
  const state = own.findLastIndex(({ text }) => /= memfd_create\(/.test(text));
  assert.ok(state < rights, 'its state is made before');
});

test('poststart hooks wait for the execve of init, and poststop hooks until nothing is left', () => {
  const host = stepsOf(HOOKS).filter(({ process }) => process === 0);
  const clone = (point: string) =>
    host.findIndex(({ op, text }) => /= clone\(/.test(text) && op.what.includes(`hook ${point} 0`));
  assert.ok(at(host, /= read\(\$failed-r/) < clone('poststart'));
  assert.ok(clone('poststart') < at(host, /rt_sigtimedwait/));
  assert.ok(at(host, /^unlinkat\(\$stateroot, "c1", AT_REMOVEDIR/) < clone('poststop'));
});

test('init is told its pid as others see it, once it has hooks of its own', () => {
  for (const point of ['createContainer', 'startContainer'] as const) {
    const texts = stepsOf(one(point)).map(({ text }) => text);
    assert.ok(texts.includes('write($go-w, &gopid+0, 4)'), point);
    assert.ok(texts.includes('$size = read($go-r, &gopid+0, 4)'), point);
  }
  const texts = stepsOf(one('createRuntime')).map(({ text }) => text);
  assert.not.ok(texts.some((text) => text.includes('gopid')));
});

test('the state has the pid, but for the one of a container that has ended', () => {
  const written = (point: keyof Hooks): string => {
    const parts: string[] = [];
    run(one(point), (call) => {
      if (call.call === 'read' && bufferOf(call, 1) === 'gopid') call.memory(1).set([0xe9, 0x03]); // 1001
      if (call.call !== 'write' || registerOf(call, 0) !== 'hook-state') return undefined;
      parts.push(new TextDecoder().decode(call.memory(1).slice(0, Number(call.args[2]))));
      return Number(call.args[2]);
    });
    return parts.join('');
  };
  const state = (status: string, pid = '') =>
    `{"ociVersion":"1.3.0","id":"c1","status":"${status}"${pid},"bundle":"/bundle","annotations":{}}\n`;
  for (const point of ['createRuntime', 'createContainer'] as const)
    assert.is(written(point), state('creating', ',"pid":1001'), point);
  for (const point of ['prestart', 'startContainer'] as const)
    assert.is(written(point), state('created', ',"pid":1001'), point);
  assert.is(written('poststart'), state('running', ',"pid":1001'));
  assert.is(written('poststop'), state('stopped'));
});

test('a hook outside is what the caller would start; one in the container is what its init has become', () => {
  const child = (point: keyof Hooks) => {
    const steps = stepsOf(one(point));
    const hook = steps.find(({ op }) => op.call === 'execve' && op.args[0] === '/hook')!.process;
    return steps
      .filter(({ process }) => process === hook)
      .map(({ text }) => text.replace(/ {2}fail ->.*/, ''));
  };
  for (const point of POINTS) {
    const texts = child(point);
    assert.is(texts[0], 'prctl(PR_SET_PDEATHSIG, SIGKILL)', point);
    assert.ok(texts.includes('dup3($hook-state, 0, 0)'));
    assert.ok(texts.includes('close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC)'));
    assert.is(texts.at(-1), 'execve("/hook", ["/hook"], [])');
    const outside = point !== 'startContainer';
    assert.is(texts.includes('umask(18)') || texts.includes('umask(022)'), outside, texts.join('\n'));
    assert.is(
      texts.some((text) => text.includes('RLIMIT_NOFILE')),
      outside,
    );
    const directory = { createContainer: 'fchdir($root)', startContainer: undefined }[point as string];
    const enters = texts.filter((text) => /chdir\(/.test(text));
    assert.equal(enters, point === 'startContainer' ? [] : [directory ?? 'chdir("/bundle")'], point);
  }
});

test('a hook whose execve fails has said so itself, and only its parent undoes', () => {
  const { printed, exit } = run(one('createRuntime'), (call) => {
    if (call.call === 'execve' && call.args[0] === '/hook') return errno('ENOENT');
    if (call.call === 'read' && registerOf(call, 0) === 'hook-r') return 1;
    return undefined;
  });
  assert.equal(
    printed.map(({ line }) => line),
    ['tinyrun: run hook createRuntime 0 (/hook): ENOENT no such file or directory\n'],
  );
  assert.is(exit, 125);
});

test('a hook whose parent has died before it could watch it does not run', () => {
  const steps = stepsOf(one('createRuntime'), (call) =>
    call.op.to === 'dead' && call.op.from.startsWith('/hooks') ? 1 : undefined,
  );
  assert.not.ok(executed(steps).includes('/hook'));
});

test('only a hook with a timeout is waited for by its pidfd, and it is killed then', () => {
  const texts = stepsOf(one('createRuntime')).map(({ text }) => text);
  assert.not.ok(texts.some((text) => text.includes('CLONE_PIDFD') || text.startsWith('kill($hook')));
  const { printed, calls } = run(one('createRuntime', { timeout: 10 }), (call) =>
    call.op.to === 'ended' ? 0 : undefined,
  );
  assert.equal(
    printed.map(({ line }) => line),
    ['tinyrun: hook createRuntime 0 (/hook): did not end within 10 s\n'],
  );
  assert.ok(calls.some(({ text }) => /^kill\(\d+, SIGKILL\)/.test(text)));
});

test('sysctls wait for hooks that may make what they name', () => {
  const sysctl = { 'net.ipv4.ip_forward': '1' };
  const change = withHooks(
    { prestart: [{ path: '/hook' }] },
    {
      config: ({ linux }) => {
        linux!.sysctl = sysctl;
      },
    },
  );
  const steps = stepsOf(change);
  const init = pidOf(steps, 'setsid');
  const own = steps.filter(({ process }) => process === init);
  assert.ok(
    at(own, /read\(\$go-r/) < at(own, /ip_forward/) && at(own, /ip_forward/) < at(own, /^pivot_root/),
  );
});

test("the environment of a hook is its own, its caller's, or that of the container", () => {
  const environment = ['CALLER=1'];
  const last = (point: keyof Hooks, more = {}): unknown => {
    const change = { ...withHooks({ [point]: [{ path: '/hook', ...more }] }), environment };
    const vector = stepsOf(change).find(({ op }) => op.call === 'execve' && op.args[0] === '/hook')!.op
      .args[2];
    return typeof vector === 'object' && 'vec' in vector ? vector.vec : undefined;
  };
  for (const point of POINTS) {
    assert.equal(last(point, { env: ['A=1'] }), ['A=1'], point);
    assert.equal(last(point, { env: [] }), [], point);
  }
  assert.equal(last('createRuntime'), environment);
  const container = planInput().config.process.env!;
  assert.equal(last('startContainer'), [...container, 'HOME=/root']);
});

test('hooks by themselves are a program of their own', () => {
  const { id, bundle, host, reports } = planInput();
  const base = {
    ...{ id, bundle, host, reports, annotations: {}, environment: [], exit: 1, logFd: undefined },
    ociVersion: '1.3.0',
  };
  const hooks = [{ path: '/hook', timeout: 1 }, { path: '/other' }];
  for (const [point, pid] of [
    ['poststart', 7],
    ['poststop', undefined],
  ] as const) {
    const program = planHookProgram({ ...base, point, hooks, pid });
    for (const arch of ['x64', 'arm64'] as const)
      assert.equal(checkProgram(program, arch), [], `${point} ${arch}`);
    const calls = numberOps(program).map(({ op }) => printOp(op));
    assert.is(calls.filter((call) => call.startsWith('execve(')).length, 2);
    assert.is(
      calls.some((call) => call.startsWith('pidfd_send_signal($pidfd, SIGKILL')),
      point === 'poststart',
    );
  }
});

test.run();
