// Cgroups of whole containers, on whichever version this machine has. OCI config-linux.md, "Control groups".

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { close, open, syscall } from '../../native-bindings/libc.ts';
import type { Config, Resources } from '../../src/oci/config.ts';
import { constants } from '../../src/sys/constants.ts';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import {
  directoriesOf,
  hierarchies,
  hierarchyOf,
  isV2,
  parseCgroups,
  removeCgroup,
} from '../support/cgroup.ts';
import {
  inMountNamespace,
  output,
  outputOf,
  payload,
  refusalOf,
  runCommand,
  runOnce,
  runPayload,
  until,
  withHelper,
} from '../support/container.ts';
import { skip } from '../support/skip.ts';

/** Sets a cgroup `/ID/own`, for one absolute path whose parent is ours alone. */
const own = ({ linux }: Config, { id }: Bundle): string => {
  linux!.cgroupsPath = `/${id}/own`;
  return `/${id}`;
};

/** A bundle whose container has the cgroup `/ID/own`; what is left of `/ID` must be empty, and is removed. */
async function withCgroup(use: (bundle: Bundle, path: string) => void | Promise<void>): Promise<void> {
  await withBundle(async (bundle) => {
    own(bundle.config, bundle);
    const top = `/${bundle.id}`;
    writeConfig(bundle);
    try {
      await use(bundle, `${top}/own`);
    } finally {
      removeCgroup(top);
    }
  });
}

/** What files of the container's cgroup hold, read in it: `memory/memory.max`, whose first part is the v1 controller. */
async function filesOf(resources: Resources, files: readonly string[]): Promise<string[]> {
  const printed = await outputOf(
    files.flatMap((file, i) => [
      ...(i === 0 ? [] : ['--']),
      ...['cat', `/sys/fs/cgroup/${isV2 ? file.slice(file.indexOf('/') + 1) : file}`],
    ]),
    {
      config: ({ linux }) => {
        linux!.resources = resources;
        linux!.namespaces!.push({ type: 'cgroup' });
      },
    },
  );
  return printed.trimEnd().split('\n');
}

const PAGE = 4096;

test('memory is limited: with swap, softly', async () => {
  if (hierarchyOf('memory') === undefined) return skip('memory limits', 'no memory controller');
  const memory = { limit: 10_000 * PAGE, reservation: 5000 * PAGE };
  const files = isV2
    ? ['memory/memory.max', 'memory/memory.low']
    : ['memory/memory.limit_in_bytes', 'memory/memory.soft_limit_in_bytes'];
  assert.equal(await filesOf({ memory }, files), [`${10_000 * PAGE}`, `${5000 * PAGE}`]);
  const swap = isV2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes';
  if (!isV2 && !existsSync(`/sys/fs/cgroup/memory/${swap}`))
    return skip('limits of swap', 'swap is not counted');
  const limits = { ...memory, swap: 30_000 * PAGE };
  assert.equal(await filesOf({ memory: limits }, [`memory/${swap}`]), [`${(isV2 ? 20_000 : 30_000) * PAGE}`]);
});

test('processor time is limited and weighed', async () => {
  if (hierarchyOf('cpu') === undefined) return skip('cpu limits', 'no cpu controller');
  const cpu = { shares: 512, quota: 20_000, period: 50_000, burst: 1000 };
  if (isV2)
    assert.equal(await filesOf({ cpu }, ['cpu/cpu.weight', 'cpu/cpu.max', 'cpu/cpu.max.burst']), [
      ...['59', '20000 50000', '1000'],
    ]);
  else
    assert.equal(
      await filesOf(
        { cpu },
        ['shares', 'cfs_quota_us', 'cfs_period_us', 'cfs_burst_us'].map((name) => `cpu/cpu.${name}`),
      ),
      ['512', '20000', '50000', '1000'],
    );
  assert.equal(await filesOf({ cpu: { idle: 1 } }, ['cpu/cpu.idle']), ['1']);
});

test('a cpuset holds the container on its processors, and without one it has those of its parent', async () => {
  if (hierarchyOf('cpuset') === undefined) return skip('cpusets', 'no cpuset controller');
  assert.equal(
    await filesOf({ cpu: { cpus: '0', mems: '0' } }, ['cpuset/cpuset.cpus', 'cpuset/cpuset.mems']),
    [...['0', '0']],
  );
  const config = ({ linux }: Config) => {
    linux!.resources = { cpu: { cpus: '0' } };
  };
  assert.is((await outputOf(['cpus'], { config })).trim(), '0');
  const all = Bun.spawnSync([payload, 'cpus']).stdout.toString();
  assert.is(await outputOf(['cpus']), all);
});

test('processes are counted: one more than the limit is refused, and none is a limit, too', async () => {
  if (hierarchyOf('pids') === undefined) return skip('limits of processes', 'no pids controller');
  for (const limit of [0, 1]) {
    const config = ({ linux }: Config) => {
      linux!.resources = { pids: { limit } };
    };
    const { stderr, code } = await runOnce(['try', 'true'], { config });
    assert.match(stderr, 'try: 11 Resource temporarily unavailable', String(limit));
    assert.is(code, 1);
  }
  assert.equal(await filesOf({ pids: { limit: -1 } }, ['pids/pids.max']), ['max']);
  assert.equal(await filesOf({ pids: { limit: 7 } }, ['pids/pids.max']), ['7']);
});

test('a limit of processes holds in joined namespaces, where a helper process is in the cgroup for a moment', async () => {
  if (hierarchyOf('pids') === undefined) return skip('limits of processes', 'no pids controller');
  await withHelper(['unshare', '-n', 'sleep', '100'], async (pid) => {
    await until('the namespace is there', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
    const config = ({ linux }: Config) => {
      linux!.resources = { pids: { limit: 1 } };
      linux!.namespaces = linux!.namespaces!.filter(({ type }) => type !== 'network');
      linux!.namespaces.push({ type: 'network', path: `/proc/${pid}/ns/net` }, { type: 'cgroup' });
    };
    const { stdout, stderr } = await runOnce(['cat', '/proc/self/cgroup', '--', 'try', 'true'], { config });
    assert.equal([...new Set(parseCgroups(stdout).values())], ['/']);
    assert.match(stderr, 'try: 11 Resource temporarily unavailable');
  });
});

test('block devices are weighed and throttled', async () => {
  if (hierarchyOf('blkio') === undefined) return skip('limits of block devices', 'no blkio or io controller');
  const device = readFileSync('/proc/partitions', 'utf8').match(/^ +(\d+) +(\d+) +\d+ \D+$/m);
  if (device === null) return skip('limits of block devices', 'there is none');
  const [major, minor] = [Number(device[1]), Number(device[2])];
  const blockIO = { throttleReadBpsDevice: [{ major, minor, rate: 1_048_576 }] };
  const [line] = await filesOf({ blockIO }, [isV2 ? 'blkio/io.max' : 'blkio/blkio.throttle.read_bps_device']);
  assert.match(line!, isV2 ? `${major}:${minor} rbps=1048576 ` : `${major}:${minor} 1048576`);
  const bfq = existsSync('/sys/fs/cgroup/blkio/blkio.bfq.weight');
  const weights = isV2 ? 'blkio/io.weight' : `blkio/blkio.${bfq ? 'bfq.' : ''}weight`;
  const inside = hierarchyOf('blkio')!;
  if (!isV2 && !existsSync(join(inside, weights.slice('blkio/'.length))))
    return skip('weights of block devices', 'no scheduler weighs them');
  const [weight] = await filesOf({ blockIO: { weight: 200 } }, [weights]);
  assert.ok(weight === '200' || weight === 'default 1920' || weight === 'default 200', weight);
});

test('huge pages are limited, or the controller that is missing is named', async () => {
  const sizes = ['2MB', '1GB', '64KB'];
  const hugepageLimits = [{ pageSize: sizes[0]!, limit: 4 * 1024 * 1024 }];
  if (hierarchyOf('hugetlb') === undefined) {
    const config = ({ linux }: Config) => {
      linux!.resources = { hugepageLimits };
    };
    assert.is(
      await refusalOf({ config }),
      'tinyrun: set /linux/resources/hugepageLimits/0: cgroup controller hugetlb is not there',
    );
    return;
  }
  const file = isV2 ? 'hugetlb/hugetlb.2MB.max' : 'hugetlb/hugetlb.2MB.limit_in_bytes';
  assert.equal(await filesOf({ hugepageLimits }, [file]), ['4194304']);
});

test('raw files are written on v2, and an invalid configuration on v1', async () => {
  const resources = { unified: { 'cgroup.max.depth': '7' } };
  if (isV2) {
    assert.equal(await filesOf(resources, ['/cgroup.max.depth']), ['7']);
    return;
  }
  const config = ({ linux }: Config) => {
    linux!.resources = resources;
  };
  assert.match(
    await refusalOf({ config }),
    'set /linux/resources/unified/cgroup.max.depth: invalid configuration: unified is for cgroup v2',
  );
});

const LOOP_CONTROL = ['10', '237'];

test('a device that no rule allows cannot be opened, though its node can be made', async () => {
  const opened = (allowed: boolean) =>
    outputOf(
      [
        ...['mknod', '/dev/mem', 'c', '1', '1', '--', 'try', 'cat', '/dev/mem'],
        ...['--', 'mknod', '/dev/loop', 'c', ...LOOP_CONTROL, '--', 'try', 'cat', '/dev/loop'],
        ...['--', 'mknod', '/dev/another-null', 'c', '1', '3', '--', 'try', 'cat', '/dev/another-null'],
      ],
      {
        config: ({ linux, process }) => {
          for (const set of ['bounding', 'effective', 'permitted'] as const)
            process.capabilities![set]!.push('CAP_MKNOD', 'CAP_SYS_RAWIO');
          linux!.resources = {
            devices: [
              { allow: false, access: 'rwm' },
              ...(allowed ? [{ allow: true, type: 'c', major: 10, minor: 237, access: 'wr' }] : []),
              { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
            ],
          };
        },
      },
    );
  const [memory, loop, ...none] = (await opened(false)).trimEnd().split('\n');
  assert.match(memory!, '1 Operation not permitted');
  assert.match(loop!, '1 Operation not permitted');
  assert.equal(none, ['ok'], 'what every container has');
  // The loop driver's own device opens, and has nothing to read.
  assert.not.match((await opened(true)).split('\n')[1]!, '1 Operation not permitted');
});

test('the container is in its own cgroup everywhere, and in a namespace sees it as the root', async () => {
  await withCgroup((bundle, path) => {
    const of = () => parseCgroups(output(runPayload(bundle, ['cat', '/proc/self/cgroup'])));
    const without = of();
    assert.equal([...new Set(without.values())], [path]);
    assert.is(without.size, hierarchies.length);
    bundle.config.linux!.namespaces!.push({ type: 'cgroup' });
    assert.equal([...new Set(of().values())], ['/']);
  });
});

test('in a user namespace the cgroup is joined as well', async () => {
  await withCgroup((bundle, path) => {
    bundle.config.linux!.namespaces!.push({ type: 'user' });
    bundle.config.linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bundle.config.linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    const paths = parseCgroups(output(runPayload(bundle, ['cat', '/proc/self/cgroup'])));
    assert.equal([...new Set(paths.values())], [path]);
  });
});

test('without a path the cgroup is named after the id, and gone with the container', async () => {
  await withBundle((bundle) => {
    const args = [
      'run',
      '--name',
      bundle.id,
      '--rm',
      bundle.dir,
      '--',
      '/payload',
      'cat',
      '/proc/self/cgroup',
    ];
    for (const path of parseCgroups(output(runTinyrun(bundle, args))).values())
      assert.match(path, new RegExp(`(^|/)${bundle.id}$`));
    assert.equal(directoriesOf(`/${bundle.id}`), []);
  });
});

test('the cgroup is removed at the end with those that were made in it', async () => {
  await withCgroup((bundle, path) => {
    bundle.config.mounts!.at(-1)!.options = ['nosuid'];
    bundle.config.linux!.namespaces!.push({ type: 'cgroup' });
    const inside = isV2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    const words = ['mkdir', `${inside}/a`, '--', 'mkdir', `${inside}/a/b`, '--', 'exit', '7'];
    const { code, stderr } = runPayload(bundle, words);
    assert.equal([code, stderr], [7, '']);
    assert.equal(directoriesOf(path), []);
  });
});

test('a container that cannot be set up leaves no cgroup', async () => {
  await withCgroup((bundle, path) => {
    const fails = (change: (config: Config) => void, words: RegExp) => {
      const before = structuredClone(bundle.config);
      change(bundle.config);
      const { stderr, code } = runPayload(bundle, ['true']);
      assert.match(stderr, words);
      assert.is(code, 125);
      assert.equal(directoriesOf(path), []);
      bundle.config = before;
    };
    fails(({ linux }) => {
      linux!.resources = { cpu: { cpus: '9999' } };
    }, /^tinyrun: set cpuset\.cpus to 9999: (EINVAL|ERANGE|EACCES|ENODEV)/);
    fails(({ mounts }) => {
      mounts!.push({ destination: '/x', type: 'nosuch', source: 'x' });
    }, /nosuch/);
    fails(({ linux }) => {
      linux!.namespaces!.push({ type: 'time' });
      linux!.timeOffsets = { boottime: { secs: -1_000_000_000_000 } };
    }, /set clocks/);
  });
});

test('a cgroup that has processes is shared with a warning, and stays', async () => {
  await withCgroup(async (bundle, path) => {
    for (const name of hierarchies) mkdirSync(join('/sys/fs/cgroup', name, path), { recursive: true });
    if (!isV2)
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const parts = ['', `/${bundle.id}`, path].map((part) => `/sys/fs/cgroup/cpuset${part}/${file}`);
        for (const part of parts.slice(1)) writeFileSync(part, readFileSync(parts[0]!));
      }
    await withHelper(['sleep', '100'], (pid) => {
      const place = join(hierarchyOf('devices')!, path);
      writeFileSync(join(place, 'cgroup.procs'), String(pid));
      const { stderr, code } = runPayload(bundle, ['true']);
      assert.is(code, 0);
      assert.match(stderr, "tinyrun: warning: container's cgroup is not empty");
      assert.is(directoriesOf(path).length, hierarchies.length);
      assert.is(readFileSync(join(place, 'cgroup.procs'), 'utf8'), `${pid}\n`, 'it is not killed');
    });
  });
});

test('a frozen cgroup is refused: init would never start in it', async () => {
  await withCgroup((bundle, path) => {
    const place = join(hierarchyOf('freezer')!, path);
    for (const controller of ['devices', 'freezer'])
      mkdirSync(join(hierarchyOf(controller)!, path), { recursive: true });
    const [file, freeze] = isV2 ? ['cgroup.freeze', '1'] : ['freezer.state', 'FROZEN'];
    writeFileSync(join(place, file), freeze);
    const { stderr, code } = runPayload(bundle, ['true']);
    assert.is(code, 125);
    assert.match(stderr, "tinyrun: container's cgroup unexpectedly frozen");
  });
});

test('delete removes the cgroup, also when it is frozen and has others in it', async () => {
  await withCgroup(async (bundle, path) => {
    const args = ['run', '--detach', '--name', bundle.id, bundle.dir, '--', '/payload', 'sleep', '100'];
    // Its output goes on to the container: it is not read to its end.
    assert.is(await startTinyrun(bundle, args).exited, 0);
    const directories = directoriesOf(path);
    assert.is(directories.length, hierarchies.length);
    for (const directory of directories) mkdirSync(join(directory, 'below'));
    const place = join(hierarchyOf('freezer')!, path);
    const [file, freeze] = isV2 ? ['cgroup.freeze', '1'] : ['freezer.state', 'FROZEN'];
    writeFileSync(join(place, file), freeze);
    const { stderr, code } = runTinyrun(bundle, ['delete', '--force', bundle.id]);
    assert.equal([code, stderr], [0, '']);
    assert.equal(directoriesOf(path), []);
  });
});

/** Moves a process into a cgroup far below one: each is made in the one above, since paths end at 4096 bytes. */
function joinBelow(place: string, pid: number): void {
  const names = [Uint8Array.of(0xff, 0xfe, 0), ...Array<string>(25).fill('n'.repeat(200))];
  let fd = open(place, constants['O_DIRECTORY']!);
  for (const name of names) {
    syscall('make a cgroup', 'mkdirat', fd, name, 0o755);
    const below = syscall('open a cgroup', 'openat', fd, name, constants['O_DIRECTORY']!, 0);
    close(fd);
    fd = below;
  }
  writeFileSync(`/proc/self/fd/${fd}/cgroup.procs`, String(pid));
  close(fd);
}

test('cgroups with names that are no text, and deeper than any path, keep no process alive and are removed', async () => {
  await withCgroup(async (bundle, path) => {
    const args = ['run', '--detach', '--name', bundle.id, bundle.dir, '--', '/payload', 'sleep', '100'];
    assert.is(await startTinyrun(bundle, args).exited, 0);
    const place = join(hierarchyOf('freezer')!, path);
    const pid = Number(runCommand(['sh', '-c', 'sleep 100 >/dev/null 2>&1 & echo $!']).stdout);
    // As a container may do it that has its own cgroups mounted writable.
    for (const directory of directoriesOf(path)) writeFileSync(join(directory, 'cgroup.procs'), String(pid));
    joinBelow(place, pid);
    const { stderr, code } = runTinyrun(bundle, ['delete', '--force', bundle.id]);
    assert.equal([code, stderr], [0, '']);
    await until('it is gone', () => !existsSync(`/proc/${pid}`));
    assert.equal(directoriesOf(path), []);
  });
});

test('without a pid namespace, what init leaves running ends with the container', async () => {
  await withCgroup(async (bundle, path) => {
    bundle.config.linux!.namespaces = bundle.config.linux!.namespaces!.filter(({ type }) => type !== 'pid');
    bundle.config.process.args = ['/payload', 'try', 'sleep', '100'];
    writeConfig(bundle);
    const child = startTinyrun(bundle, ['run', bundle.dir]);
    const processes = () => {
      const file = join(hierarchyOf('devices')!, path, 'cgroup.procs');
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
    };
    await until('both run', () => processes().length === 2);
    const [init] = processes();
    process.kill(init!, 'SIGKILL');
    assert.is(await child.exited, 137);
    assert.equal(directoriesOf(path), []);
  });
});

test('--cgroup-manager disabled leaves the container where its caller is', async () => {
  const run = (...flags: string[]) => {
    let result = { stdout: '', stderr: '', code: 0 };
    const done = withBundle((bundle) => {
      bundle.config.linux!.resources = { pids: { limit: 5 } };
      writeConfig(bundle);
      const words = ['run', bundle.dir, '--', '/payload', 'cat', '/proc/self/cgroup'];
      result = runTinyrun(bundle, [...flags, ...words]);
    });
    return done.then(() => result);
  };
  const { stdout, stderr } = await run('--cgroup-manager', 'disabled');
  assert.equal([stdout, stderr], [readFileSync('/proc/self/cgroup', 'utf8'), '']);
});

test('without a cgroup filesystem a container needs to be told that it gets no cgroup', async () => {
  const via = inMountNamespace('umount --recursive /sys/fs/cgroup');
  assert.match(await refusalOf({ via }), 'tinyrun: make a cgroup: no cgroup filesystem is mounted');
  const config = ({ mounts }: Config) => void mounts!.pop();
  const read = inMountNamespace(
    'for m in /sys/fs/cgroup /sys/fs/cgroup/*/; do mount -o remount,bind,ro $m || :; done 2>/dev/null',
  );
  assert.match(await refusalOf({ via: read, config }), /^tinyrun: make cgroup \/sys\/fs\/cgroup\/\S+: EROFS/);
});

test('kernel memory is ignored with a warning', async () => {
  const config = ({ linux }: Config) => {
    linux!.resources = { memory: { kernel: 1_000_000 } };
  };
  const { stderr, code } = await runOnce(['true'], { config });
  assert.is(code, 0);
  assert.match(stderr, 'tinyrun: warning: /linux/resources/memory/kernel is ignored');
});

test.run();
