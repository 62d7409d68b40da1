// A record -> config.json: what every container gets, and what each flag changes of it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HostConfig } from '../../src/container/config.ts';
import { DEFAULT_CAPABILITIES } from '../../src/container/defaults.ts';
import { type StartFacts, toOciConfig } from '../../src/container/oci-config.ts';
import type { ContainerRecord } from '../../src/container/record.ts';
import { exactJson } from '../../src/oci/json.ts';
import { parseConfig } from '../../src/oci/parse.ts';
import { validateConfig } from '../../src/oci/validate.ts';
import { CAPABILITIES, factsOf, recordOf } from '../support/record.ts';

const configOf = (
  hostConfig: Partial<HostConfig> = {},
  config: Partial<ContainerRecord['config']> = {},
  facts: Partial<StartFacts> = {},
) => {
  const record = recordOf(hostConfig, config);
  return toOciConfig(record, factsOf(record, facts));
};

test("Docker's defaults: capabilities, mounts, namespaces, hidden paths, devices", () => {
  const { process, mounts, linux, hostname, root } = configOf();
  assert.is(DEFAULT_CAPABILITIES.length, 14);
  const { bounding, effective, permitted, inheritable, ambient } = process.capabilities!;
  assert.equal([bounding, effective, permitted], Array(3).fill(DEFAULT_CAPABILITIES));
  assert.equal([inheritable, ambient], [undefined, undefined], 'CVE-2022-24769');
  assert.equal(
    mounts?.map(({ destination, type }) => `${destination} ${type}`),
    [
      '/proc proc',
      '/dev tmpfs',
      '/dev/pts devpts',
      '/sys sysfs',
      '/sys/fs/cgroup cgroup',
      '/dev/mqueue mqueue',
      '/dev/shm tmpfs',
    ],
  );
  assert.ok(mounts?.find(({ destination }) => destination === '/sys')?.options?.includes('ro'));
  assert.ok(mounts?.at(-1)?.options?.includes('size=67108864'));
  assert.equal(
    linux?.namespaces?.map(({ type }) => type),
    ['pid', 'network', 'ipc', 'uts', 'mount'],
  );
  for (const path of ['/proc/kcore', '/proc/keys', '/sys/firmware'])
    assert.ok(linux?.maskedPaths?.includes(path));
  assert.ok(linux?.readonlyPaths?.includes('/proc/sys'));
  assert.equal(linux?.resources, { devices: [{ allow: false, access: 'rwm' }] });
  assert.is(linux?.sysctl?.['net.ipv4.ip_unprivileged_port_start'], '0');
  assert.equal(
    [hostname, root, process.cwd, process.noNewPrivileges],
    ['c1', { path: '/merged', readonly: false }, '/', false],
  );
});

test('what is made is a valid config.json, also with numbers that no double holds', () => {
  const config = configOf({
    Ulimits: [{ Name: 'core', Soft: 0, Hard: -1 }],
    Memory: 2 ** 40,
    NanoCpus: 1.5e9,
  });
  const text = exactJson(config, 2);
  assert.match(text, '18446744073709551615');
  const { problems, warnings } = validateConfig(parseConfig(text, 'config.json'));
  assert.equal([problems, warnings], [[], []]);
});

test('environment: defaults below, HOME and TERM where they are needed', () => {
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  assert.equal(configOf().process.env, [path, 'HOSTNAME=c1', 'A=1', 'HOME=/root']);
  assert.equal(configOf({}, { Tty: true, Env: ['PATH=/x', 'HOME=/y'] }).process.env, [
    'PATH=/x',
    'HOSTNAME=c1',
    'TERM=xterm',
    'HOME=/y',
  ]);
  assert.equal(configOf({}, { Env: ['PATH'] }).process.env, ['HOSTNAME=c1', 'HOME=/root'], 'taken away');
});

test('entrypoint and command are one list', () => {
  assert.equal(configOf({}, { Entrypoint: ['/e', 'a'], Cmd: ['b'] }).process.args, ['/e', 'a', 'b']);
});

test('--privileged: all that the host can grant, nothing hidden, all devices', () => {
  const device = { type: 'c' as const, path: '/dev/x', major: 1, minor: 2 };
  const { process, linux, mounts } = configOf(
    { Privileged: true },
    {},
    { devices: [{ device, access: 'rwm' }] },
  );
  assert.equal(process.capabilities?.bounding, CAPABILITIES);
  assert.equal([linux?.maskedPaths, linux?.readonlyPaths], [[], []]);
  assert.equal(linux?.resources?.devices, [{ allow: true, access: 'rwm' }]);
  assert.equal(linux?.devices, [device]);
  assert.ok(mounts?.find(({ destination }) => destination === '/sys')?.options?.includes('rw'));
});

test('--device: the node, and the right to use it', () => {
  const device = { type: 'b' as const, path: '/dev/x', major: 8, minor: 1 };
  const { linux } = configOf({}, {}, { devices: [{ device, access: 'r' }] });
  assert.equal(linux?.devices, [device]);
  assert.equal(linux?.resources?.devices?.at(-1), {
    allow: true,
    type: 'b',
    major: 8,
    minor: 1,
    access: 'r',
  });
});

const CAPS: [string[], string[], string[]][] = [
  [['CAP_NET_ADMIN'], [], [...DEFAULT_CAPABILITIES, 'CAP_NET_ADMIN']],
  [['CAP_CHOWN'], [], [...DEFAULT_CAPABILITIES]],
  [[], ['CAP_KILL', 'CAP_SYS_ADMIN'], DEFAULT_CAPABILITIES.filter((name) => name !== 'CAP_KILL')],
  [[], ['ALL'], []],
  [['CAP_CHOWN'], ['ALL'], ['CAP_CHOWN']],
  [['ALL'], ['CAP_KILL'], CAPABILITIES.filter((name) => name !== 'CAP_KILL')],
  [['ALL'], ['ALL'], CAPABILITIES],
];
for (const [CapAdd, CapDrop, granted] of CAPS) {
  test(`--cap-add ${CapAdd.join()} --cap-drop ${CapDrop.join()}`, () => {
    assert.equal(configOf({ CapAdd, CapDrop }).process.capabilities?.bounding, granted);
  });
}

test('limits become resources of the config', () => {
  const { linux } = configOf({
    ...{ Memory: 1 << 26, MemoryReservation: 1 << 25, MemorySwap: -1, NanoCpus: 1.5e9, CpuShares: 512 },
    ...{ CpusetCpus: '0-1', CpusetMems: '0', PidsLimit: 50, BlkioWeight: 100 },
  });
  const { devices: _, ...resources } = linux?.resources ?? {};
  assert.equal(resources, {
    memory: { limit: 1 << 26, reservation: 1 << 25, swap: -1 },
    cpu: { shares: 512, period: 100_000, quota: 150_000, cpus: '0-1', mems: '0' },
    pids: { limit: 50 },
    blockIO: { weight: 100 },
  });
  assert.is(configOf({ PidsLimit: -1 }).linux?.resources?.pids, undefined);
});

test('namespaces of others: their path, or none at all for the host’s', () => {
  const joined = { network: '/proc/7/ns/net', pid: undefined, uts: undefined };
  const { linux, hostname } = configOf({ NetworkMode: 'container:x' }, {}, { joined });
  assert.equal(linux?.namespaces, [
    { type: 'network', path: '/proc/7/ns/net' },
    { type: 'ipc' },
    { type: 'mount' },
  ]);
  assert.equal(linux?.sysctl, {}, 'of another container’s network nothing is changed');
  assert.is(hostname, undefined);
  assert.ok(configOf({ CgroupnsMode: 'private' }).linux?.namespaces?.some(({ type }) => type === 'cgroup'));
});

test('the other flags become fields of the config', () => {
  assert.is(configOf({ ReadonlyRootfs: true }).root.readonly, true);
  assert.is(configOf({ OomScoreAdj: 7 }).process.oomScoreAdj, 7);
  assert.equal(configOf({ Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] }).process.rlimits, [
    { type: 'RLIMIT_NOFILE', soft: 1, hard: 2 },
  ]);
  assert.is(configOf({ SecurityOpt: ['no-new-privileges'] }).process.noNewPrivileges, true);
  assert.equal(configOf({ SecurityOpt: ['systempaths=unconfined'] }).linux?.maskedPaths, []);
  assert.is(configOf({ SecurityOpt: ['apparmor=p'] }).process.apparmorProfile, 'p');
  assert.is(configOf({ CgroupParent: '/p' }).linux?.cgroupsPath, `/p/${'c'.repeat(64)}`);
  assert.is(configOf({ CgroupParent: 'a.slice' }).linux?.cgroupsPath, `a.slice:tinyrun:${'c'.repeat(64)}`);
  assert.equal(configOf({ Annotations: { a: 'b' } }).annotations, { a: 'b' });
  assert.equal(configOf({ Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '1024' } }).linux?.sysctl, {
    'net.ipv4.ip_unprivileged_port_start': '1024',
    'net.ipv4.ping_group_range': '0 2147483647',
  });
  assert.is(configOf({}, { Domainname: 'd' }).domainname, 'd');
  assert.is(configOf({}, { WorkingDir: '/w' }).process.cwd, '/w');
  const shm = (IpcMode: string) =>
    configOf({ IpcMode, ShmSize: 5 }).mounts?.filter(({ destination }) => destination === '/dev/shm');
  assert.ok(shm('private')?.[0]?.options?.includes('size=5'));
  assert.equal(shm('none'), []);
  assert.is(shm('host')?.[0]?.source, '/dev/shm');
});

test.run();
