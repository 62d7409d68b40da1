// User, groups, capabilities and no_new_privs, as the kernel tells them of the process in the container.
// OCI config.md, "User", "Linux Process"; capabilities(7).

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CapabilitySets, Config, User } from '../../src/oci/config.ts';
import { capabilities } from '../../src/sys/capabilities.ts';
import { outputOf, runCommand, runOnce } from '../support/container.ts';

const idsOf = (user: User | undefined) =>
  outputOf(['ids'], {
    config: ({ process }) => {
      if (user === undefined) delete process.user;
      else process.user = user;
    },
  });

test('the process has the user and the group of the config, and no group of the caller', async () => {
  assert.is(await idsOf({ uid: 1000, gid: 100 }), 'uid 1000 1000\ngid 100 100\ngroups\n');
  assert.is(await idsOf({ uid: 1000 }), 'uid 1000 1000\ngid 0 0\ngroups\n');
  assert.is(await idsOf({ uid: 0, gid: 7 }), 'uid 0 0\ngid 7 7\ngroups\n');
});

test('a config without a user means root', async () => {
  assert.is(await idsOf(undefined), 'uid 0 0\ngid 0 0\ngroups\n');
});

test('the additional groups are exactly those of the config', async () => {
  const printed = await idsOf({ uid: 1000, gid: 100, additionalGids: [20, 5, 100, 4294967294] });
  assert.is(printed, 'uid 1000 1000\ngid 100 100\ngroups 5 20 100 -2\n');
});

test("an additional group gives the group's rights to a file", async () => {
  const read = (additionalGids: number[]) =>
    outputOf(['try', 'cat', '/etc/secret'], {
      config: ({ process }, { rootfs }) => {
        process.user = { uid: 1000, gid: 100, additionalGids };
        Bun.spawnSync(['install', '-m', '640', '-g', '77', '/dev/null', `${rootfs}/etc/secret`]);
      },
    });
  assert.is(await read([77]), 'ok\n');
  assert.is(await read([78]), 'cat: 13 Permission denied\n');
});

test('saved and filesystem ids are changed with the others', async () => {
  const config = ({ process }: Config) => {
    process.user = { uid: 1000, gid: 100 };
  };
  const status = await outputOf(['status'], { config });
  assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m);
  assert.match(status, /^Gid:\t100\t100\t100\t100$/m);
});

// Capabilities

const SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
const [CHOWN, KILL, NET_RAW, SYS_CHROOT] = [1n << 0n, 1n << 5n, 1n << 13n, 1n << 18n];

/** The five sets in the order of SETS. */
function setsIn(status: string): bigint[] {
  return SETS.map((name) => BigInt(`0x${new RegExp(`^${name}:\t(\\w+)$`, 'm').exec(status)?.[1]}`));
}

async function capabilitiesOf(sets: CapabilitySets | undefined, uid: number, noNewPrivileges = true) {
  const printed = await outputOf(['status'], {
    config: ({ process }) => {
      process.user = { uid, gid: uid };
      process.noNewPrivileges = noNewPrivileges;
      if (sets === undefined) delete process.capabilities;
      else process.capabilities = sets;
    },
  });
  return setsIn(printed);
}

test('root has the five capability sets of the config, as far as execve leaves them', async () => {
  const sets = await capabilitiesOf(
    {
      bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'],
      permitted: ['CAP_CHOWN', 'CAP_KILL'],
      effective: ['CAP_CHOWN', 'CAP_KILL'],
      inheritable: ['CAP_NET_RAW'],
    },
    0,
    false,
  );
  // For root, execve grants what is inheritable or in the bounding set, capabilities(7).
  const bounding = CHOWN | KILL | NET_RAW;
  assert.equal(sets, [NET_RAW, bounding, bounding, bounding, 0n]);
});

test('capabilities that are not in the bounding set cannot be gained by root', async () => {
  const sets = await capabilitiesOf({ bounding: ['CAP_KILL'], permitted: ['CAP_KILL', 'CAP_CHOWN'] }, 0);
  assert.equal(sets, [0n, KILL, KILL, KILL, 0n]);
});

test('a user who is not root keeps no capability over execve but the ambient ones', async () => {
  const names = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'];
  const all = CHOWN | KILL | NET_RAW;
  const plain = { bounding: names, permitted: names, effective: names, inheritable: names };
  assert.equal(await capabilitiesOf(plain, 1000), [all, 0n, 0n, all, 0n]);
  assert.equal(await capabilitiesOf({ ...plain, ambient: ['CAP_KILL'] }, 1000), [all, KILL, KILL, all, KILL]);
});

test('an ambient capability that is not inheritable and permitted is not raised', async () => {
  const sets = { bounding: ['CAP_KILL'], permitted: ['CAP_KILL'], ambient: ['CAP_KILL'] };
  assert.equal(await capabilitiesOf(sets, 1000), [0n, 0n, 0n, KILL, 0n]);
});

test('without capabilities in the config the process has none, and none to gain', async () => {
  assert.equal(await capabilitiesOf(undefined, 0), [0n, 0n, 0n, 0n, 0n]);
  assert.equal(await capabilitiesOf({}, 0), [0n, 0n, 0n, 0n, 0n]);
});

test('all capabilities that the host has can be given', async () => {
  const hosts = setsIn(runCommand(['cat', '/proc/self/status']).stdout)[3]!;
  const names = Object.keys(capabilities).filter(
    (name) => (hosts & (1n << BigInt(capabilities[name]!))) !== 0n,
  );
  const sets = await capabilitiesOf({ bounding: names, permitted: names, effective: names }, 0);
  assert.equal(sets, [0n, hosts, hosts, hosts, 0n]);
});

test('a capability is worth what it promises, and missing where it is not given', async () => {
  const mknod = (names: string[]) =>
    outputOf(['try', 'mknod', '/tmp/node', 'c', '1', '3'], {
      config: ({ process }) => {
        process.capabilities = { bounding: names, permitted: names, effective: names };
      },
    });
  assert.is(await mknod(['CAP_MKNOD']), 'ok\n');
  assert.is(await mknod(['CAP_SYS_CHROOT']), 'mknod: 1 Operation not permitted\n');
});

test('a capability that nobody knows is warned about, and the others are given', async () => {
  const { stdout, stderr, code } = await runOnce(['status'], {
    config: ({ process }) => {
      const names = ['CAP_SYS_CHROOT', 'CAP_MAGIC'];
      process.capabilities = { bounding: names, permitted: names, effective: names };
    },
  });
  assert.is(code, 0);
  assert.match(stderr, /^tinyrun: .*unknown capability "CAP_MAGIC" is not granted/);
  assert.equal(setsIn(stdout), [0n, SYS_CHROOT, SYS_CHROOT, SYS_CHROOT, 0n]);
});

test('a capability that the caller has lost is warned about, and the others are given', async () => {
  const { stdout, stderr, code } = await runOnce(['status'], {
    via: ['setpriv', '--bounding-set', '-net_raw'],
    config: ({ process }) => {
      const names = ['CAP_KILL', 'CAP_NET_RAW'];
      process.capabilities = { bounding: names, permitted: names, effective: names };
    },
  });
  assert.is(code, 0, stderr);
  assert.match(stderr, /capabilities that this host cannot grant: CAP_NET_RAW/);
  assert.equal(setsIn(stdout), [0n, KILL, KILL, KILL, 0n]);
});

test('securebits and keepcaps are as they were: execve of a setuid program works as usual', async () => {
  const setuid = (noNewPrivileges: boolean) =>
    outputOf(['exec', '/setuid', 'ids'], {
      config: ({ process }, { rootfs }) => {
        process.user = { uid: 1000, gid: 100 };
        process.noNewPrivileges = noNewPrivileges;
        Bun.spawnSync(['install', '-m', '4755', `${rootfs}/payload`, `${rootfs}/setuid`]);
      },
    });
  assert.match(await setuid(false), 'uid 1000 0\n');
  assert.match(await setuid(true), 'uid 1000 1000\n');
});

test('noNewPrivileges is set where the config says so, and only there', async () => {
  const flag = async (noNewPrivileges: boolean) => {
    const status = await outputOf(['status'], {
      config: ({ process }) => {
        process.noNewPrivileges = noNewPrivileges;
      },
    });
    return /^NoNewPrivs:\t(\d)$/m.exec(status)?.[1];
  };
  assert.is(await flag(true), '1');
  assert.is(await flag(false), '0');
});

test("the container's user owns its pipes, and can open /dev/stdout again", async () => {
  const printed = await outputOf(['write', '/dev/stdout', 'written', '--', 'stat', '/proc/self/fd/1'], {
    via: ['sh', '-c', '"$@" </dev/null | cat', 'sh'],
    config: ({ process }) => {
      process.user = { uid: 1000, gid: 100 };
    },
  });
  assert.match(printed, /^written/);
});

test("the host's /dev/null keeps its owner when it is the container's stdio", async () => {
  const owner = () => Bun.spawnSync(['stat', '-c', '%u:%g %a', '/dev/null']).stdout.toString();
  const before = owner();
  await outputOf(['true'], {
    via: ['sh', '-c', '"$@" </dev/null >/dev/null', 'sh'],
    config: ({ process }) => {
      process.user = { uid: 1000, gid: 100 };
    },
  });
  assert.is(owner(), before);
});

test.run();
