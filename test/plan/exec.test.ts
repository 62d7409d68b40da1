// The program of `exec`, on a made-up kernel.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answers, type Recording, record } from '../../src/engine/recorder.ts';
import type { Config } from '../../src/oci/config.ts';
import { planExecProgram } from '../../src/plan/exec.ts';
import type { ExecInput } from '../../src/plan/input.ts';
import { checkProgram } from '../../src/program/check.ts';
import { numberOps } from '../../src/program/flow.ts';
import { printOp } from '../../src/program/text.ts';
import { execInput } from '../support/exec-input.ts';
import { bufferOf, errno, minimalConfig, quietLinux, registerOf, TERMINAL } from '../support/plan-input.ts';

const INPUTS: Readonly<Record<string, Partial<ExecInput>>> = {
  'in the foreground': {},
  detached: { lifecycle: 'detached', pidFile: '/tmp/pid', logFd: 9 },
  'with a terminal': { config: withTerminal(), terminal: TERMINAL },
  'detached with a terminal': {
    config: withTerminal(),
    lifecycle: 'detached',
    consoleSocket: '/tmp/console',
    pidfdSocket: '/tmp/pidfd',
  },
  'into a user namespace': {
    config: minimalConfig((config) => {
      config.linux!.namespaces!.push({ type: 'user' });
      config.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }];
      config.process.oomScoreAdj = 100;
    }),
  },
  'of which init is found by its files': { init: { stateRoot: '/run/tinyrun' } },
  'into a chroot': { chroot: true },
  'no namespaces': {
    chroot: true,
    config: minimalConfig((config) => {
      config.linux!.namespaces = [];
    }),
  },
  'cgroups v1': {
    cgroups: [
      { controllers: 'cpu,cpuacct', path: '/sys/fs/cgroup/cpu/c1' },
      { controllers: 'memory', path: '/sys/fs/cgroup/memory/c1' },
    ],
  },
  'cgroups v2': { cgroups: [{ controllers: '', path: '/sys/fs/cgroup/c1' }] },
  'a seccomp filter': { seccomp: { filter: new Uint8Array(16), flags: [] } },
  'a seccomp filter with a listener': {
    seccomp: { filter: new Uint8Array(16), flags: [], listener: { path: '/run/agent', metadata: 'm' } },
  },
  'sockets of systemd': { listenFds: 2, preserveFds: 2 },
  'CPU affinity': {
    config: minimalConfig((config) => {
      config.process.execCPUAffinity = { initial: '0', final: '1-2' };
    }),
  },
};

function withTerminal(): Config {
  return minimalConfig(({ process }) => {
    process.terminal = true;
  });
}

function run(change: Partial<ExecInput> = {}, special: Answers = () => undefined): Recording {
  const linux = quietLinux();
  return record(planExecProgram(execInput(change)), (call) => special(call) ?? linux(call));
}

/** The calls of a run with who made them: 0 the host program, 1 the stage, 2 the process. */
function stepsOf(change: Partial<ExecInput> = {}): { process: number; text: string }[] {
  const places = numberOps(planExecProgram(execInput(change)));
  return run(change).calls.map(({ process, number }) => ({ process, text: printOp(places[number]!.op) }));
}

for (const [name, change] of Object.entries(INPUTS)) {
  test(`planExecProgram, ${name}: nothing is wrong with the program`, () => {
    for (const arch of ['x64', 'arm64'] as const)
      assert.equal(checkProgram(planExecProgram(execInput(change)), arch), [], arch);
  });

  test(`planExecProgram, ${name}: ends well on a quiet host`, () => {
    const { exit, printed } = run(change);
    assert.equal(printed, []);
    assert.is(exit, 0);
  });

  test(`planExecProgram, ${name}: the process is born inside, without a descriptor of the host's`, () => {
    const steps = stepsOf(change).filter(({ process }) => process === 1);
    const texts = steps.map(({ text }) => text);
    const born = texts.findIndex((text) => text.includes('CLONE_PARENT'));
    const initFd = change.init === undefined ? '5' : '$init-fd';
    const joined = texts.findIndex((text) => text.startsWith(`setns(${initFd}, `));
    assert.ok(joined < born);
    assert.is(joined >= 0, (execInput(change).config.linux?.namespaces ?? []).length > 0);
    for (const closed of [`close(${initFd})`, 'close($life-w)', 'close($failed-r)'])
      assert.ok(
        texts.slice(0, born).some((text) => text.startsWith(closed)),
        closed,
      );
  });

  test(`planExecProgram, ${name}: a failure of any call is told in one line and ends with 255`, () => {
    const calls = run(change).calls.length;
    for (let at = 0; at < calls; at++) {
      let count = 0;
      const failing = (call: { call: string }): boolean =>
        !/^(exit_group|ppoll|rt_sigtimedwait)$/.test(call.call) && count === at;
      const { exit, printed } = run(change, (call) => {
        const fails = failing(call);
        count++;
        return fails ? errno('EIO') : undefined;
      });
      assert.ok(exit === 255 || exit === 0, `call ${at}: exit code ${exit}`);
      if (exit === 255) assert.ok(printed.length >= 1, `call ${at}: silence`);
    }
  });
}

test('planExecProgram: the host program is hidden before it has children', () => {
  const texts = stepsOf().map(({ text }) => text);
  const hidden = texts.indexOf('prctl(PR_SET_DUMPABLE, 0)');
  assert.ok(hidden >= 0 && hidden < texts.findIndex((text) => text.includes('clone3')));
});

test('planExecProgram: CPUs before the cgroup, the cgroup before the namespaces; the final CPUs inside', () => {
  const change = {
    ...INPUTS['CPU affinity'],
    ...INPUTS['cgroups v1'],
    config: INPUTS['CPU affinity']!.config!,
  };
  const texts = stepsOf(change).flatMap(({ process, text }) =>
    /sched_setaffinity|tasks|setns/.test(text) ? [`${process} ${text.replace(/[,(].*/, '')}`] : [],
  );
  assert.equal(texts, [
    '1 sched_setaffinity',
    '1 $file = openat',
    '1 $file = openat',
    '1 setns',
    '2 sched_setaffinity',
  ]);
});

test('planExecProgram: v2, the stage is born in the cgroup', () => {
  const texts = stepsOf(INPUTS['cgroups v2']).map(({ text }) => text);
  assert.ok(texts.includes('$stage = clone3(&clone+0, 88)'));
});

test('planExecProgram: a process that was killed before it was set up is no success', () => {
  for (const lifecycle of ['foreground', 'detached'] as const) {
    const { exit, printed } = run({ lifecycle }, (call) =>
      call.call === 'read' && registerOf(call, 0) === 'failed-r' ? 0 : undefined,
    );
    assert.is(exit, 255);
    assert.match(printed[0]!.line, /^tinyrun: exec failed: set up a process in container c1: it was killed/);
  }
});

test('planExecProgram: execve that fails is told, detached or not', () => {
  for (const lifecycle of ['foreground', 'detached'] as const) {
    const { exit, printed } = run({ lifecycle }, (call) =>
      call.call === 'execve' || call.call === 'faccessat' ? errno('ENOENT') : undefined,
    );
    assert.is(exit, 255);
    assert.equal(
      printed.map(({ line }) => line),
      ['tinyrun: exec failed: exec: "/bin/true": stat /bin/true: no such file or directory\n'],
    );
  }
});

test('planExecProgram: a working directory that is missing is not made', () => {
  const config = minimalConfig(({ process }) => {
    process.cwd = '/srv';
  });
  const { exit, printed, calls } = run({ config }, (call) =>
    call.call === 'openat2' && bufferOf(call, 1) === undefined ? errno('ENOENT') : undefined,
  );
  assert.is(exit, 255);
  assert.match(printed[0]!.line, /enter working directory \/srv: ENOENT/);
  assert.not.ok(calls.some(({ call }) => call === 'mkdirat'));
});

test.run();
