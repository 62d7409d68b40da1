// update, with real containers: what is in the files of the cgroup afterwards, and in the config that is kept.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, type Result, runTinyrun, withBundle } from '../support/bundle.ts';
import { isV2 } from '../support/cgroup.ts';
import { type Contained, inCgroup, read } from '../support/contained.ts';
import { output, until, withHelper } from '../support/container.ts';
import { assertRefusal, assertSucceeds } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';

const update = (bundle: Bundle, ...flags: string[]): Result =>
  runTinyrun(bundle, ['update', ...flags, bundle.id]);
const updateBy = (bundle: Bundle, resources: object | string): Result =>
  runTinyrun(bundle, ['update', '--resources', '-', bundle.id], {
    input: typeof resources === 'string' ? resources : JSON.stringify(resources),
  });

const MEGABYTE = 1 << 20;
const V1_FILES: readonly (readonly [string, string])[] = [
  ['memory', 'memory.limit_in_bytes'],
  ['memory', 'memory.memsw.limit_in_bytes'],
  ['memory', 'memory.soft_limit_in_bytes'],
  ['cpu', 'cpu.shares'],
  ['cpu', 'cpu.cfs_period_us'],
  ['cpu', 'cpu.cfs_quota_us'],
  ['cpuset', 'cpuset.cpus'],
  ['pids', 'pids.max'],
];

/** All limits of a container on v1, by file. */
const limitsOf = ({ file }: Contained): Record<string, string> =>
  Object.fromEntries(V1_FILES.map(([controller, name]) => [name, read(file(controller, name))]));

/** A test for the files of v1. */
function onV1(name: string, use: (bundle: Bundle, contained: Contained) => void | Promise<void>): void {
  test(name, async () => {
    if (isV2) skip(name, 'this host has no v1 hierarchies');
    else await withBundle((bundle) => inCgroup(bundle, 'run', (contained) => use(bundle, contained)));
  });
}

onV1('each flag of update changes its limit, and no other one', (bundle, contained) => {
  const steps: [string[], Record<string, string>][] = [
    [['--memory', '50M'], { 'memory.limit_in_bytes': `${50 * MEGABYTE}` }],
    [['--memory-reservation', '30M'], { 'memory.soft_limit_in_bytes': `${30 * MEGABYTE}` }],
    [['--cpu-share', '512'], { 'cpu.shares': '512' }],
    [['--cpu-quota', '50000'], { 'cpu.cfs_quota_us': '50000' }],
    [['--cpu-period', '20000'], { 'cpu.cfs_period_us': '20000' }],
    [
      ['--cpu-period=200000', '--cpu-quota=100000'],
      { 'cpu.cfs_period_us': '200000', 'cpu.cfs_quota_us': '100000' },
    ],
    [['--cpuset-cpus', '0'], { 'cpuset.cpus': '0' }],
    [['--pids-limit', '20'], { 'pids.max': '20' }],
    [['--pids-limit', '-1'], { 'pids.max': 'max' }],
    [['--cpu-quota', '-1'], { 'cpu.cfs_quota_us': '-1' }],
  ];
  const expected = limitsOf(contained);
  for (const [flags, changed] of steps) {
    assertSucceeds(update(bundle, ...flags));
    Object.assign(expected, changed);
    assert.equal(limitsOf(contained), expected, flags.join(' '));
  }
});

onV1('memory and swap are raised and lowered in the order that the kernel takes', (bundle, contained) => {
  for (const [memory, swap] of [
    [100, 200],
    [50, 60],
    [100, 100],
    [300, 400],
    [20, 500],
  ]) {
    assertSucceeds(update(bundle, '--memory', `${memory}M`, '--memory-swap', `${swap}M`));
    const limits = limitsOf(contained);
    assert.is(limits['memory.limit_in_bytes'], `${memory! * MEGABYTE}`);
    assert.is(limits['memory.memsw.limit_in_bytes'], `${swap! * MEGABYTE}`);
  }
  assertSucceeds(update(bundle, '--memory', '-1'));
  const limits = limitsOf(contained);
  assert.is(
    limits['memory.limit_in_bytes'],
    limits['memory.memsw.limit_in_bytes'],
    'swap is not limited either',
  );
});

onV1('an update that the kernel refuses changes nothing', (bundle, contained) => {
  assertSucceeds(update(bundle, '--memory', '50M', '--memory-swap', '50M', '--pids-limit', '30'));
  const before = limitsOf(contained);
  const refused: [string[], RegExp][] = [
    [['--cpuset-cpus', '0', '--cpu-quota', '10'], /cpu\.cfs_quota_us: EINVAL/],
    [['--memory', '60M', '--cpu-share', '100'], /memory\.limit_in_bytes: EINVAL.*raise --memory-swap, too/],
    [['--cpuset-cpus', '4000', '--pids-limit', '5'], /cpuset\.cpus: E/],
  ];
  for (const [flags, says] of refused) {
    assertRefusal(update(bundle, ...flags), says);
    assert.equal(limitsOf(contained), before, flags.join(' '));
  }
});

onV1(
  'a memory limit below what cannot be given back is refused in words of runc',
  async (bundle, contained) => {
    const swaps = read('/proc/swaps').split('\n').length > 1;
    if (swaps) return skip('a memory limit below what is used', 'this host has swap, which takes it');
    const { file } = contained;
    const fill = `echo $$ >${file('memory', 'cgroup.procs')}; x=$(head -c 9000000 /dev/zero | tr '\\0' a); kill -STOP $$`;
    await withHelper(['sh', '-c', fill], async (pid) => {
      await until(
        'it has filled its memory',
        () => Number(read(file('memory', 'memory.usage_in_bytes'))) > 9e6,
      );
      const says = /unable to set memory limit to 4194304 \(current usage: \d+, peak usage: \d+\)/;
      assertRefusal(update(bundle, '--cpuset-cpus', '0', '--memory', '4M'), says);
      assert.is.not(limitsOf(contained)['cpuset.cpus'], '0', `process ${pid} holds it`);
    });
  },
);

test('zeros and an empty object leave everything as it is', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ file }) => {
      const pids = () => read(file('pids', 'pids.max', 'pids.max'));
      assertSucceeds(update(bundle, '--pids-limit', '40'));
      const zeros = {
        memory: { limit: 0, swap: 0, reservation: 0 },
        cpu: { shares: 0, quota: 0, period: 0, cpus: '', mems: '' },
        blockIO: { weight: 0 },
        pids: { limit: 0 },
      };
      assertSucceeds(updateBy(bundle, zeros));
      assertSucceeds(updateBy(bundle, {}));
      assertSucceeds(update(bundle));
      assert.is(pids(), '40');
    }),
  ));

test('resources are read from a file, beside which no flag counts, and null stands for absence', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ file }) => {
      writeFileSync(join(bundle.dir, 'new.json'), JSON.stringify({ pids: { limit: 33 }, memory: null }));
      assertSucceeds(update(bundle, '-r', 'new.json', '--pids-limit', '44'));
      assert.is(read(file('pids', 'pids.max', 'pids.max')), '33');
    }),
  ));

test('wrong values are refused before anything is changed', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ file }) => {
      const before = read(file('pids', 'pids.max', 'pids.max'));
      for (const [flags, says] of [
        [['--memory', 'much'], /invalid value for memory: invalid size: 'much'/],
        [['--cpu-period', 'x'], /invalid value for cpu-period/],
        [['--pids-limit', '1.5'], /invalid value for pids-limit/],
        [['--blkio-weight', '70000'], /blockIO\/weight: 70000/],
        [['--l3-cache-schema', 'L3:0=f'], /Intel RDT\/CAT: l3 cache schema is not enabled/],
        [['--resources', '/nowhere'], /read resources from \/nowhere: ENOENT/],
      ] as const)
        assertRefusal(update(bundle, '--pids-limit', '7', ...flags), says);
      for (const [text, says] of [
        ['{"pids":{"limit":7},"memory":{"limit":"x"}}', /memory\/limit: "x" is not a 64-bit integer/],
        ['{"pids":{"limit":7}', /stdin: line 1, column 20/],
        ['[]', /stdin must hold a JSON object/],
        ['', /stdin is empty/],
      ] as const)
        assertRefusal(updateBy(bundle, text), says);
      assert.is(read(file('pids', 'pids.max', 'pids.max')), before);
    }),
  ));

test('kernel memory is ignored with a warning', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', () => {
      const { stderr, code } = update(bundle, '--kernel-memory', '50M');
      assert.is(code, 0);
      assert.match(stderr, /^tinyrun: warning: .*memory\/kernel is ignored/);
    }),
  ));

test('a container is updated before it is started and while it is paused, and stays so; not when it has ended', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'create', async ({ file }) => {
      const status = () => JSON.parse(output(runTinyrun(bundle, ['state', bundle.id]))).status;
      const pids = () => read(file('pids', 'pids.max', 'pids.max'));
      assertSucceeds(update(bundle, '--pids-limit', '50'));
      assert.equal([status(), pids()], ['created', '50']);
      assertSucceeds(runTinyrun(bundle, ['pause', bundle.id]));
      assertSucceeds(update(bundle, '--pids-limit', '51'));
      assert.equal([status(), pids()], ['paused', '51']);
      assertSucceeds(runTinyrun(bundle, ['resume', bundle.id]));
      assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
      await until('it has ended', () => status() === 'stopped');
      assertRefusal(update(bundle, '--pids-limit', '52'), /container not running/);
    }),
  ));

test('the config that is kept has the new limits, and all else as it was', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', () => {
      const kept = () => JSON.parse(read(join(bundle.root, bundle.id, 'config.json')));
      const before = kept();
      assertSucceeds(update(bundle, '--pids-limit', '60'));
      assertSucceeds(update(bundle, '--cpu-share', '200'));
      before.linux.resources = { ...before.linux.resources, pids: { limit: 60 }, cpu: { shares: 200 } };
      assert.equal(kept(), before);
    }),
  ));

onV1('unified resources are for cgroup v2', (bundle) => {
  assertRefusal(updateBy(bundle, { unified: { 'memory.high': '1' } }), /invalid configuration: unified/);
});

test.run();
