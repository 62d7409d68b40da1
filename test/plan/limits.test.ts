import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Process, Rlimit } from '../../src/oci/config.ts';
import { planScheduling } from '../../src/plan/limits.ts';
import { type Change, minimalConfig, planInput, stepsOf, textsOf } from '../support/plan-input.ts';

const withProcess = (
  process: Partial<Process>,
  change: Change = {},
  more?: (config: Config) => void,
): Change => ({
  ...change,
  config: minimalConfig((config) => {
    Object.assign(config.process, process);
    more?.(config);
  }),
});
const inUserNamespace = (config: Config): void => {
  config.linux!.namespaces!.push({ type: 'user' });
  config.linux!.uidMappings = config.linux!.gidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
};

/** Each prlimit64 as `PROCESS TYPE CUR MAX`. */
const limits = (change: Change): string[] =>
  stepsOf(change).flatMap(({ process, text }) => {
    const match = /^prlimit64\((\S+), RLIMIT_(\w+), rlimit64\{rlim_cur: (\w+), rlim_max: (\w+)\}, 0\)/.exec(
      text,
    );
    return match === null ? [] : [`${process} ${match.slice(1).join(' ')}`];
  });

const NO_NOFILE: Change = { host: { noFile: undefined } };
const rlimit = (type: string, soft: Rlimit['soft'], hard = soft): Rlimit => ({
  type: `RLIMIT_${type}`,
  soft,
  hard,
});

test('limits of the config are set by init for itself', () => {
  const rows: [Rlimit, string][] = [
    [rlimit('CORE', 0), '0n 0n'],
    [rlimit('NPROC', 10, 20), '10n 20n'],
    [rlimit('FSIZE', 2 ** 52), `${2 ** 52}n ${2 ** 52}n`],
    // Infinity is all bits; docker and podman write it in full, and some write -1.
    [rlimit('AS', 18446744073709551615n), '0xffffffffffffffffn 0xffffffffffffffffn'],
    [rlimit('AS', -1), '0xffffffffffffffffn 0xffffffffffffffffn'],
    [rlimit('AS', 5, -1), '5n 0xffffffffffffffffn'],
  ];
  for (const [given, expected] of rows)
    assert.equal(limits(withProcess({ rlimits: [given] }, NO_NOFILE)), [
      `1 0 ${given.type.slice(7)} ${expected}`,
    ]);
});

test('the limit of open files is given back as it was, unless the config has one', () => {
  assert.equal(limits(withProcess({})), ['1 0 NOFILE 1024n 1048576n']);
  assert.equal(limits(withProcess({}, NO_NOFILE)), []);
  assert.equal(limits(withProcess({ rlimits: [rlimit('NOFILE', 7, 9)] })), ['1 0 NOFILE 7n 9n']);
  assert.equal(limits(withProcess({ rlimits: [rlimit('CORE', 0)] })), [
    '1 0 CORE 0n 0n',
    '1 0 NOFILE 1024n 1048576n',
  ]);
});

test('in a user namespace limits are raised from outside; that of open files init lowers itself', () => {
  const of = (rlimits: Rlimit[], change: Change = {}) =>
    limits(withProcess({ rlimits }, change, inUserNamespace));
  assert.equal(of([rlimit('CORE', 0)]), ['1 0 NOFILE 1024n 1048576n', '0 $pid CORE 0n 0n']);
  assert.equal(of([rlimit('NOFILE', 100)]), ['1 0 NOFILE 100n 100n']);
  assert.equal(of([rlimit('NOFILE', 100, 1048577)]), ['0 $pid NOFILE 100n 1048577n']);
  assert.equal(of([rlimit('NOFILE', 100, -1)]), ['0 $pid NOFILE 100n 0xffffffffffffffffn']);
  assert.equal(of([rlimit('NOFILE', 100)], NO_NOFILE), ['0 $pid NOFILE 100n 100n']);
});

test('the OOM score is written by init, or from outside for root of a user namespace only', () => {
  const writes = (change: Change) =>
    stepsOf(change)
      .filter(({ op }) => op.from === '/process/oomScoreAdj')
      .map(({ process, text }) => `${process} ${text}`);
  for (const score of [-1000, 0, 500])
    assert.equal(writes(withProcess({ oomScoreAdj: score })), [
      '1 $file = openat(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY|O_CLOEXEC, 0)',
      `1 write($file, "${score}", ${String(score).length})`,
      '1 close($file)',
    ]);
  assert.equal(writes(withProcess({ oomScoreAdj: -5 }, {}, inUserNamespace)), [
    '0 $file = openat(AT_FDCWD, &proc-oom_score_adj+0, O_WRONLY|O_CLOEXEC, 0)',
    '0 write($file, "-5", 2)',
    '0 close($file)',
  ]);
  assert.equal(writes(withProcess({})), []);
});

test('planScheduling: scheduler, I/O priority, personality', () => {
  const rows: [Partial<Process>, string[]][] = [
    [{}, []],
    [
      { scheduler: { policy: 'SCHED_BATCH', nice: -5, flags: [] } },
      ['sched_setattr(0, sched_attr{size: 56, sched_policy: SCHED_BATCH, sched_nice: -5}, 0)'],
    ],
    [
      {
        scheduler: {
          policy: 'SCHED_DEADLINE',
          flags: ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM'],
          runtime: 10_000_000,
          deadline: 20_000_000n,
          period: 30_000_000,
        },
      },
      [
        'sched_setattr(0, sched_attr{size: 56, sched_policy: SCHED_DEADLINE, sched_flags: SCHED_FLAG_RESET_ON_FORK|SCHED_FLAG_RECLAIM, sched_runtime: 10000000, sched_deadline: 20000000n, sched_period: 30000000}, 0)',
      ],
    ],
    [
      { scheduler: { policy: 'SCHED_FIFO', priority: 10 } },
      ['sched_setattr(0, sched_attr{size: 56, sched_policy: SCHED_FIFO, sched_priority: 10}, 0)'],
    ],
    [
      { ioPriority: { class: 'IOPRIO_CLASS_RT', priority: 7 } },
      [`ioprio_set(IOPRIO_WHO_PROCESS, 0, ${(1 << 13) + 7})`],
    ],
    [
      { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 0 } },
      [`ioprio_set(IOPRIO_WHO_PROCESS, 0, ${2 << 13})`],
    ],
    [
      { ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 } },
      [`ioprio_set(IOPRIO_WHO_PROCESS, 0, ${3 << 13})`],
    ],
  ];
  for (const [process, expected] of rows)
    assert.equal(
      textsOf(planScheduling(planInput(withProcess(process)))),
      expected,
      JSON.stringify(Object.keys(process)),
    );
  for (const domain of ['LINUX', 'LINUX32']) {
    const change = withProcess({}, {}, (config) => {
      config.linux!.personality = { domain };
    });
    assert.equal(textsOf(planScheduling(planInput(change))), [`personality(PER_${domain})`]);
  }
});

test.run();
