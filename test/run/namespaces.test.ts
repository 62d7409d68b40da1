// Namespaces that are new, joined, or the caller's; names, clocks and sysctls in them. OCI config-linux.md,
// "Namespaces", "Offset for Time Namespace", "Sysctl"; config.md, "Hostname", "Domainname".

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, NamespaceType } from '../../src/oci/config.ts';
import { outputOf, type Run, refusalOf, runOnce, until, withHelper } from '../support/container.ts';

/** Type -> the name of its file in /proc/PID/ns. */
const FILES: Readonly<Record<NamespaceType, string>> = {
  ...{ pid: 'pid', network: 'net', mount: 'mnt', ipc: 'ipc' },
  ...{ uts: 'uts', user: 'user', cgroup: 'cgroup', time: 'time' },
};
const TYPES: readonly NamespaceType[] = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'];
const ownNamespace = (type: NamespaceType, pid: number | 'self' = 'self') =>
  readlinkSync(`/proc/${pid}/ns/${FILES[type]}`);

/** What a namespace forbids without another one is left out: names, mounts, maps. */
function only(config: Config, namespaces: { type: NamespaceType; path?: string }[]): void {
  const has = (type: NamespaceType) => namespaces.some((namespace) => namespace.type === type);
  const linux = config.linux!;
  linux.namespaces = namespaces;
  if (!has('uts')) delete config.hostname;
  if (!has('mount')) {
    delete config.mounts;
    delete linux.maskedPaths;
    delete linux.readonlyPaths;
  }
  if (namespaces.some(({ type, path }) => type === 'user' && path === undefined)) {
    linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  }
}

/** Which namespaces of a container are not the caller's. */
const othersOf = (printed: string): string[] =>
  TYPES.filter((type) => !printed.includes(` ${ownNamespace(type)}\n`)).sort();

/** proc, so that the payload can ask, and a /dev that a user namespace may write to. */
const FEW_MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
];

test('a namespace is new where the config lists it, and the caller’s where it does not', async () => {
  for (const type of TYPES) {
    // proc is mounted in a mount namespace, and in a user namespace only over processes of its own.
    const types = [
      ...new Set<NamespaceType>(['mount', ...(type === 'user' ? (['pid'] as const) : []), type]),
    ];
    const config = (config: Config) => {
      only(
        config,
        types.map((type) => ({ type })),
      );
      config.mounts = FEW_MOUNTS;
    };
    assert.equal(othersOf(await outputOf(['ns'], { config })), [...types].sort(), type);
  }
});

test('all eight namespaces are new at once', async () => {
  const config = (config: Config) =>
    only(
      config,
      TYPES.map((type) => ({ type })),
    );
  assert.equal(othersOf(await outputOf(['ns'], { config })), [...TYPES].sort());
});

test('without namespaces the container is a process in a chroot, and the host’s otherwise', async () => {
  const printed = await outputOf(['args', 'here', '--', 'ls', '/', '--', 'hostname'], {
    config: (config) => only(config, []),
  });
  const hostname = readFileSync('/proc/sys/kernel/hostname', 'utf8');
  assert.is(printed, `here\ndev\netc\npayload\nproc\nsys\ntmp\n${hostname}`);
});

// Joining

/** What unshare(1) needs to make one, and where it then is: a pid namespace is that of the children. */
const HELPERS: Readonly<Record<NamespaceType, { flags: string[]; child?: true }>> = {
  pid: { flags: ['--pid', '--fork', '--kill-child'], child: true },
  network: { flags: ['--net'] },
  mount: { flags: ['--mount'] },
  ipc: { flags: ['--ipc'] },
  uts: { flags: ['--uts'] },
  user: { flags: ['--user'] },
  cgroup: { flags: ['--cgroup'] },
  time: { flags: ['--time', '--fork', '--kill-child'], child: true },
};

/** Calls with the pid of a process that is in a new namespace of the type. */
const withNamespace = (type: NamespaceType, use: (pid: number) => Promise<void>): Promise<void> => {
  const { flags, child } = HELPERS[type];
  return withHelper(['unshare', ...flags, 'sleep', '30'], async (pid) => {
    const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    if (child) await until(`a child of ${pid}`, () => children() !== '');
    const member = child ? Number(children()) : pid;
    const ready = () => ownNamespace(type, member) !== ownNamespace(type) && commandOf(member) === 'sleep';
    await until(`a ${type} namespace of ${member}`, ready);
    for (const map of type === 'user' ? ['uid_map', 'gid_map'] : [])
      writeFileSync(`/proc/${member}/${map}`, '0 100000 65536');
    await use(member);
  });
};
const commandOf = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

test('each namespace is joined by its path, and the others are new', async () => {
  for (const type of TYPES.filter((type) => type !== 'mount')) {
    await withNamespace(type, async (pid) => {
      const path = `/proc/${pid}/ns/${FILES[type]}`;
      const types = new Set<NamespaceType>(['mount', 'pid', type]);
      const config = (config: Config) => {
        only(
          config,
          [...types].map((each) => (each === type ? { type, path } : { type: each })),
        );
        config.mounts = FEW_MOUNTS;
      };
      const printed = await outputOf(['ns'], { config });
      assert.match(printed, `${FILES[type]} ${ownNamespace(type, pid)}\n`, type);
      assert.equal(othersOf(printed), [...types].sort(), type);
    });
  }
});

test('a mount namespace is joined: the rootfs is a chroot in it', async () => {
  await withNamespace('mount', async (pid) => {
    const config = (config: Config) => {
      only(config, [{ type: 'mount', path: `/proc/${pid}/ns/mnt` }]);
      delete config.mounts;
      delete config.linux!.maskedPaths;
      delete config.linux!.readonlyPaths;
    };
    const printed = await outputOf(['ls', '/'], { config });
    assert.is(printed, 'dev\netc\npayload\nproc\nsys\ntmp\n');
  });
});

test('a network namespace that was named by ip-netns is joined, with what is in it', async () => {
  await withNamespace('network', async (pid) => {
    Bun.spawnSync(['nsenter', '-t', `${pid}`, '-n', 'ip', 'link', 'set', 'lo', 'name', 'test0']);
    const config = ({ linux }: Config) => {
      const network = linux!.namespaces!.find(({ type }) => type === 'network')!;
      network.path = `/proc/${pid}/ns/net`;
    };
    assert.match(await outputOf(['cat', '/proc/net/dev'], { config }), /^ *test0:/m);
    assert.match(await outputOf(['ls', '/sys/class/net'], { config }), /^test0$/m);
  });
});

test('in a joined pid namespace the container sees the processes that are there', async () => {
  await withNamespace('pid', async (pid) => {
    const config = ({ linux }: Config) => {
      linux!.namespaces!.find(({ type }) => type === 'pid')!.path = `/proc/${pid}/ns/pid`;
    };
    const printed = await outputOf(['cat', '/proc/1/comm', '--', 'status'], { config });
    assert.match(printed, /^sleep\n/);
    assert.not.match(printed, /^NSpid:\t1$/m);
  });
});

test('the exit code of a container in joined namespaces is its own', async () => {
  await withNamespace('ipc', async (pid) => {
    const config = ({ linux }: Config) => {
      linux!.namespaces!.find(({ type }) => type === 'ipc')!.path = `/proc/${pid}/ns/ipc`;
    };
    assert.is((await runOnce(['exit', '42'], { config })).code, 42);
  });
});

test('what is no namespace, or one of another type, is refused', async () => {
  const join = (path: string): Run => ({
    config: ({ linux }) => {
      linux!.namespaces!.find(({ type }) => type === 'ipc')!.path = path;
    },
  });
  assert.match(await refusalOf(join('/etc/passwd')), 'join ipc namespace /etc/passwd: it is no namespace');
  assert.match(await refusalOf(join('/proc/self/ns/net')), 'it is a namespace of another type');
  assert.match(await refusalOf(join('/missing')), 'open ipc namespace /missing: ENOENT');
});

// Names

test('hostname and domainname are those of the config, and the host keeps its own', async () => {
  const names = () =>
    ['hostname', 'domainname'].map((name) => readFileSync(`/proc/sys/kernel/${name}`, 'utf8'));
  const before = names();
  const config = (config: Config) => {
    config.hostname = 'box';
    config.domainname = 'example.org';
  };
  assert.is(await outputOf(['hostname', '--', 'domainname'], { config }), 'box\nexample.org\n');
  assert.equal(names(), before);
});

test('a hostname of 64 bytes is set whole', async () => {
  const hostname = 'h'.repeat(64);
  assert.is(
    await outputOf(['hostname'], {
      config: (config) => {
        config.hostname = hostname;
      },
    }),
    `${hostname}\n`,
  );
});

// Clocks

test("timeOffsets move the container's clocks, and not the host's", async () => {
  const config = ({ linux }: Config) => {
    linux!.namespaces!.push({ type: 'time' });
    linux!.timeOffsets = { monotonic: { secs: 86400, nanosecs: 5 }, boottime: { secs: 604800 } };
  };
  const clocks = async (run: Run) => (await outputOf(['clock'], run)).trim().split(' ').map(Number);
  const [monotonic = 0, boottime = 0] = await clocks({});
  const [moved = 0, movedBoot = 0] = await clocks({ config });
  assert.ok(moved - monotonic >= 86400 && moved - monotonic < 86430);
  assert.ok(movedBoot - boottime >= 604800 && movedBoot - boottime < 604830);
});

// Sysctls

const sysctls =
  (values: Record<string, string>) =>
  ({ linux }: Config) => {
    linux!.sysctl = values;
  };

test('sysctls of the network and ipc namespaces are set, in either notation', async () => {
  const config = sysctls({
    'net.ipv4.ip_forward': '1',
    'net/ipv4/ip_default_ttl': '77',
    'net.ipv4.conf.lo.rp_filter': '2',
    'kernel.msgmax': '12345',
    'kernel/shmmni': '99',
    'fs.mqueue.msg_max': '11',
  });
  const names = ['net.ipv4.ip_forward', 'net.ipv4.ip_default_ttl', 'net.ipv4.conf.lo.rp_filter'];
  names.push('kernel.msgmax', 'kernel.shmmni', 'fs.mqueue.msg_max');
  const printed = await outputOf(
    names.flatMap((name) => ['sysctl', name, '--']),
    { config },
  );
  assert.is(printed, '1\n77\n2\n12345\n99\n11\n');
});

test("a slash in a dotted sysctl is a dot in an interface's name", async () => {
  await withNamespace('network', async (pid) => {
    Bun.spawnSync(['nsenter', '-t', `${pid}`, '-n', 'ip', 'link', 'set', 'lo', 'name', 'eth.5']);
    const config = ({ linux }: Config) => {
      linux!.namespaces!.find(({ type }) => type === 'network')!.path = `/proc/${pid}/ns/net`;
      linux!.sysctl = { 'net.ipv4.conf.eth/5.rp_filter': '2' };
    };
    assert.is(await outputOf(['cat', '/proc/sys/net/ipv4/conf/eth.5/rp_filter'], { config }), '2\n');
  });
});

test("the host's sysctls stay as they are, and those of the whole host are refused", async () => {
  const before = readFileSync('/proc/sys/kernel/msgmax', 'utf8');
  await outputOf(['true'], { config: sysctls({ 'kernel.msgmax': '1234' }) });
  assert.is(readFileSync('/proc/sys/kernel/msgmax', 'utf8'), before);
  assert.match(
    await refusalOf({ config: sysctls({ 'kernel.panic': '1' }) }),
    'kernel.panic is in no namespace',
  );
  assert.match(
    await refusalOf({ config: sysctls({ 'net.none.such': '1' }) }),
    'set sysctl net.none.such to 1: ENOENT',
  );
});

test('no namespace outlives its container', async () => {
  const namespaces = () =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          return [readlinkSync(`/proc/${pid}/ns/net`)];
        } catch {
          return []; // it ended meanwhile, or is a zombie
        }
      });
  const before = new Set(namespaces());
  const printed = await outputOf(['ns']);
  const own = /^net (net:\[\d+\])$/m.exec(printed)?.[1] ?? '';
  assert.not(before.has(own) || namespaces().includes(own));
});

test.run();
