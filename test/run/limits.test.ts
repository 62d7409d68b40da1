// What the process may use and how it is scheduled. OCI config.md, "POSIX process", "Linux Process".

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Resources, Rlimit, Scheduler } from '../../src/oci/config.ts';
import { runTinyrun, withBundle } from '../support/bundle.ts';
import {
  output,
  outputOf,
  payload,
  type Run,
  refusalOf,
  runCommand,
  runOnce,
  runPayload,
} from '../support/container.ts';
import { skip } from '../support/skip.ts';

const unmapped = (_config: Config): void => {};
const mapped = (config: Config): void => {
  config.linux!.namespaces!.push({ type: 'user' });
  config.linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  config.linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
};

// rlimits

const parseLimits = (printed: string): Record<string, string> =>
  Object.fromEntries(
    printed
      .trimEnd()
      .split('\n')
      .map((line) => [line.split(' ')[0], line.replace(/^\S+ /, '')]),
  );

/** Name -> soft and hard limit; -1 is none. */
async function limitsOf(rlimits: Rlimit[], run: Run = {}): Promise<Record<string, string>> {
  const printed = await outputOf(['limits'], {
    ...run,
    config: (config, bundle) => {
      config.process.rlimits = rlimits;
      run.config?.(config, bundle);
    },
  });
  return parseLimits(printed);
}

/** The limits of this process, to which all that it starts is bound unless it has CAP_SYS_RESOURCE. */
const ownLimits = () => parseLimits(runCommand([payload, 'limits']).stdout);
const mayRaise = (): boolean => {
  const effective = /^CapEff:\t(\w+)$/m.exec(runCommand(['cat', '/proc/self/status']).stdout)?.[1];
  return (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n;
};
const CANNOT_RAISE = 'needs CAP_SYS_RESOURCE';

test('every rlimit that there is can be set, to a soft and a hard value', async () => {
  const rlimits = Object.entries(ownLimits()).map(([name, own], i) => {
    const hard = Number(own.split(' ')[1]);
    const value = hard < 0 ? 1_000_000_000 + i : Math.max(hard - 1, 0);
    return { type: `RLIMIT_${name}`, soft: Math.max(value - 500, 0), hard: value };
  });
  assert.is(rlimits.length, 16);
  const limits = await limitsOf(rlimits);
  for (const { type, soft, hard } of rlimits)
    assert.is(limits[type.slice('RLIMIT_'.length)], `${soft} ${hard}`, type);
});

test('an rlimit of all bits is no limit', async () => {
  // JSON.stringify knows no such numbers: it is put into the text.
  await withBundle((bundle) => {
    bundle.config.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 77, hard: 88 }];
    const text = JSON.stringify({ ...bundle.config }).replace('88', '18446744073709551615');
    writeFileSync(join(bundle.dir, 'config.json'), text);
    const printed = output(runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'limits']));
    assert.is(parseLimits(printed)['CORE'], '77 -1');
  });
});

test("the soft and hard limit of open files are the caller's, where the config sets none", async () => {
  const noFile = async (pair: string) =>
    (await limitsOf([], { via: ['prlimit', `--nofile=${pair}`] }))['NOFILE'];
  assert.is(await noFile('64:512'), '64 512');
  assert.is(await noFile('777:777'), '777 777');
  assert.is(await noFile('1024:2048'), '1024 2048');
});

test("the caller's limit is that of each run, also where a bundle is run again", async () => {
  await withBundle((bundle) => {
    bundle.config.process.rlimits = [];
    for (const pair of ['100:200', '50:200', '100:200']) {
      const printed = output(runPayload(bundle, ['limits'], { via: ['prlimit', `--nofile=${pair}`] }));
      assert.is(parseLimits(printed)['NOFILE'], pair.replace(':', ' '));
    }
  });
});

test("limits that the config does not name are the caller's", async () => {
  const limits = await limitsOf([], {
    via: ['prlimit', '--core=111:222', '--nproc=5000:6000', '--stack=1048576'],
  });
  assert.is(limits['CORE'], '111 222');
  assert.is(limits['NPROC'], '5000 6000');
  assert.is(limits['STACK'], '1048576 1048576');
});

test('a user who is not root has the limits of the config as well', async () => {
  const limits = await limitsOf([{ type: 'RLIMIT_CORE', soft: 30, hard: 40 }], {
    config: ({ process }) => {
      process.user = { uid: 1000, gid: 100 };
    },
  });
  assert.is(limits['CORE'], '30 40');
});

test('limits above those of the caller are set, also in a user namespace', async () => {
  if (!mayRaise()) return skip('limits above those of the caller', CANNOT_RAISE);
  for (const config of [unmapped, mapped]) {
    const run = { via: ['prlimit', '--nofile=100:200'], config };
    const limits = await limitsOf([{ type: 'RLIMIT_NOFILE', soft: 2000, hard: 3000 }], run);
    assert.is(limits['NOFILE'], '2000 3000');
  }
});

test('a container that may open a few files only is set up all the same, also in a user namespace', async () => {
  for (const config of [unmapped, mapped]) {
    const limits = await limitsOf([{ type: 'RLIMIT_NOFILE', soft: 4, hard: 5 }], { config });
    assert.is(limits['NOFILE'], '4 5');
  }
});

test("a user namespace keeps the caller's limit of open files", async () => {
  const limits = await limitsOf([], { config: mapped, via: ['prlimit', '--nofile=64:512'] });
  assert.is(limits['NOFILE'], '64 512');
});

// OOM score

const score = (oomScoreAdj: number, change: (config: Config) => void) =>
  outputOf(['oom'], {
    config: (config) => {
      config.process.oomScoreAdj = oomScoreAdj;
      change(config);
    },
  });

test('oomScoreAdj is set, also in a user namespace', async () => {
  assert.is(await score(0, unmapped), '0\n');
  assert.is(await score(500, unmapped), '500\n');
  assert.is(await score(300, mapped), '300\n');
});

test('oomScoreAdj is set below zero, also in a user namespace', async () => {
  if (!mayRaise()) return skip('oomScoreAdj below zero', CANNOT_RAISE);
  assert.is(await score(-500, unmapped), '-500\n');
  assert.is(await score(-200, mapped), '-200\n');
});

test("without oomScoreAdj the caller's is kept", async () => {
  const via = ['sh', '-c', 'echo 321 >/proc/self/oom_score_adj; exec "$@"', 'sh'];
  assert.is(await outputOf(['oom'], { via }), '321\n');
});

// Scheduling

const scheduled = (scheduler: Scheduler, resources: Resources = {}) =>
  outputOf(['scheduler'], {
    config: ({ process, linux }) => {
      process.scheduler = scheduler;
      linux!.resources = resources;
    },
  });

test('the scheduler is the one of the config, with its nice value', async () => {
  assert.match(
    await scheduled({ policy: 'SCHED_BATCH', nice: 5 }),
    /^policy 3\nnice 5\npriority 0\nflags 0\n/,
  );
  assert.match(await scheduled({ policy: 'SCHED_OTHER', nice: -3 }), /^policy 0\nnice -3\n/);
  assert.match(await scheduled({ policy: 'SCHED_IDLE' }), /^policy 5\n/);
});

test('real-time schedulers get their priority', async () => {
  // Where real time is shared out among cgroups, a new one has none.
  const shared = existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us');
  const cpu = shared ? { realtimePeriod: 1_000_000, realtimeRuntime: 1000 } : {};
  const of = (scheduler: Scheduler) => scheduled(scheduler, { cpu });
  assert.match(await of({ policy: 'SCHED_FIFO', priority: 10 }), /^policy 1\nnice 0\npriority 10\n/);
  assert.match(await of({ policy: 'SCHED_RR', priority: 99 }), /^policy 2\nnice 0\npriority 99\n/);
});

test('a scheduler flag is set', async () => {
  const printed = await scheduled({ policy: 'SCHED_BATCH', flags: ['SCHED_FLAG_RESET_ON_FORK'] });
  assert.match(printed, /^policy 3\n.*\n.*\nflags 1\n/);
});

test('the deadline scheduler gets runtime, deadline and period, or says why not', async () => {
  const config = ({ process }: Config) => {
    process.scheduler = {
      policy: 'SCHED_DEADLINE',
      runtime: 9,
      deadline: 10_000_000,
      period: 10_000_000,
    };
  };
  // The kernel takes no runtime below a microsecond, sched(7).
  assert.match(await refusalOf({ config }), 'set scheduler SCHED_DEADLINE: EINVAL');
  const printed = await scheduled({
    ...{ policy: 'SCHED_DEADLINE', runtime: 1_000_000, deadline: 20_000_000, period: 40_000_000 },
  });
  assert.match(printed, /^policy 6\n/);
  assert.match(printed, /runtime 1000000\ndeadline 20000000\nperiod 40000000\n$/);
});

test('ioPriority is the one of the config', async () => {
  const priority = (name: string, priority: number) =>
    outputOf(['ioprio'], {
      config: ({ process }) => {
        process.ioPriority = { class: name, priority };
      },
    });
  assert.is(await priority('IOPRIO_CLASS_BE', 6), '2 6\n');
  assert.is(await priority('IOPRIO_CLASS_RT', 2), '1 2\n');
  assert.is(await priority('IOPRIO_CLASS_IDLE', 0), '3 0\n');
});

test('with personality LINUX32 uname tells of a 32-bit machine', async () => {
  const machine = (domain: string) =>
    outputOf(['machine'], {
      config: ({ linux }) => {
        linux!.personality = { domain };
      },
    });
  assert.match(await machine('LINUX32'), /^(i686|armv8l)\n$/);
  assert.match(await machine('LINUX'), /^(x86_64|aarch64)\n$/);
});

test('memoryPolicy is the policy of all memory that the program gets', async () => {
  const policies: [NonNullable<Config['linux']>['memoryPolicy'], string][] = [
    [undefined, 'default'],
    [{ mode: 'MPOL_DEFAULT' }, 'default'],
    [{ mode: 'MPOL_LOCAL' }, 'local'],
    [{ mode: 'MPOL_PREFERRED', nodes: '0' }, 'prefer:0'],
    [{ mode: 'MPOL_PREFERRED_MANY', nodes: '0' }, 'prefer (many):0'],
    [{ mode: 'MPOL_INTERLEAVE', nodes: '0' }, 'interleave:0'],
    [{ mode: 'MPOL_WEIGHTED_INTERLEAVE', nodes: '0' }, 'weighted interleave:0'],
    [{ mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] }, 'bind=static:0'],
  ];
  for (const [memoryPolicy, shown] of policies) {
    const { stdout, stderr } = await runOnce(['cat', '/proc/self/numa_maps'], {
      config: ({ linux }) => void (memoryPolicy === undefined || Object.assign(linux!, { memoryPolicy })),
    });
    // Kernels without NUMA know the call not at all, older ones not all of the modes.
    if (/ENOSYS|2 No such file/.test(stderr)) return skip('memoryPolicy', 'this kernel has no NUMA');
    if (/weighted/.test(shown) && stderr.includes('EINVAL')) continue;
    assert.is(stderr, '');
    const first = stdout.split('\n')[0]!;
    assert.ok(first.includes(` ${shown} `), `${first}: ${shown}`);
  }
});

test('a memory node that the machine has not is told', async () => {
  const words = await refusalOf({
    config: ({ linux }) => void Object.assign(linux!, { memoryPolicy: { mode: 'MPOL_BIND', nodes: '900' } }),
  });
  assert.match(words, /^tinyrun: set memory policy MPOL_BIND of nodes 900: E(INVAL|NOSYS) /);
});

test('intelRdt is refused where resctrl is not mounted', async () => {
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(' - resctrl '))
    return skip('intelRdt without resctrl', 'resctrl is mounted');
  const words = await refusalOf({
    config: ({ linux }) => void Object.assign(linux!, { intelRdt: { l3CacheSchema: 'L3:0=f' } }),
  });
  assert.match(words, 'config.json: /linux/intelRdt: this machine has no resctrl filesystem mounted');
});

test.run();
