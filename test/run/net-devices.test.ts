// Interfaces of the host in a container. Each test has a network namespace of its own, so that the host's is left alone.
// OCI config-linux.md, "Network Devices".

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { outputOf, type Run, refusalOf, runCommand, runOnce } from '../support/container.ts';
import { skip } from '../support/skip.ts';

/** Runs tinyrun in a new network namespace with a pair of interfaces, `left` and `right`, after the script. */
const inNetwork = (script = ':'): string[] => [
  ...['unshare', '--net', 'sh', '-ec'],
  `ip link add left type veth peer name right\n${script}\nexec "$@"`,
  'sh',
];

const withDevices =
  (netDevices: Record<string, { name?: string }>, change: (config: Config) => void = () => {}) =>
  (config: Config): void => {
    config.linux!.netDevices = netDevices;
    change(config);
  };

const canVeth = runCommand([...inNetwork(), 'true']).code === 0;

function netTest(name: string, run: () => Promise<void>): void {
  test(name, async () =>
    canVeth ? await run() : skip(name, 'no pair of network interfaces can be made here'),
  );
}

/** Names of the interfaces in /proc/net/dev but for lo and tunnels of the kernel. */
const interfaces = (printed: string): string[] =>
  [...printed.matchAll(/^ *(\S+):/gm)]
    .map(([, name]) => name!)
    .filter((name) => /left|right|eth|net/.test(name));

netTest('an interface is moved in, and is up, with a name of its own or the one it had', async () => {
  const run: Run = { via: inNetwork(), config: withDevices({ left: {}, right: { name: 'net0' } }) };
  const printed = await outputOf(['cat', '/proc/net/dev', '--', 'cat', '/sys/class/net/net0/flags'], run);
  assert.equal(interfaces(printed).toSorted(), ['left', 'net0']);
  assert.is(Number(printed.trimEnd().split('\n').at(-1)) & 1, 1, 'IFF_UP');
});

netTest('the number of a name such as eth%d is chosen by the kernel', async () => {
  const run: Run = {
    via: inNetwork(),
    config: withDevices({ left: { name: 'eth%d' }, right: { name: 'eth%d' } }),
  };
  assert.equal(interfaces(await outputOf(['cat', '/proc/net/dev'], run)).toSorted(), ['eth0', 'eth1']);
});

netTest('it keeps its global permanent addresses, and no others', async () => {
  const script = `ip addr add 192.0.2.7/24 brd + dev left
ip addr add 198.51.100.9/32 dev left
ip addr add 169.254.1.1/16 scope link dev left
ip -6 addr add 2001:db8::5/64 nodad dev left
ip -6 addr add 2001:db8::6/64 valid_lft 1000 preferred_lft 1000 dev left`;
  const run: Run = { via: inNetwork(script), config: withDevices({ left: { name: 'net0' }, right: {} }) };
  const printed = await outputOf(['cat', '/proc/net/fib_trie', '/proc/net/if_inet6'], run);
  for (const kept of ['192.0.2.7', '192.0.2.255', '198.51.100.9']) assert.match(printed, `-- ${kept}\n`);
  assert.match(printed, /^20010db8000000000000000000000005 \S+ 40 00 \S+ +net0$/m);
  assert.not.match(printed, '169.254.1.1');
  assert.not.match(printed, '20010db8000000000000000000000006');
});

netTest('in a user namespace, with a sysctl of the interface', async () => {
  const change = ({ linux }: Config): void => {
    linux!.namespaces!.push({ type: 'user' });
    linux!.uidMappings = linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    linux!.sysctl = { 'net.ipv4.conf.net0.forwarding': '1' };
  };
  const config = withDevices({ left: { name: 'net0' } }, change);
  const run: Run = { via: inNetwork('ip addr add 192.0.2.7/24 dev left'), config };
  assert.is(await outputOf(['sysctl', 'net/ipv4/conf/net0/forwarding'], run), '1\n');
});

netTest('one that is not there is refused before anything is made', async () => {
  const words = await refusalOf({ via: inNetwork(), config: withDevices({ middle: {} }) });
  assert.match(words, 'config.json: /linux/netDevices: there is no network device "middle" here');
});

netTest('a name that is taken in the network namespace is told', async () => {
  const { stderr, stdout, code } = await runOnce(['args', 'started'], {
    via: inNetwork(),
    config: withDevices({ left: { name: 'lo' } }),
  });
  assert.equal([code, stdout], [125, '']);
  assert.is(
    stderr,
    'tinyrun: move network device left into the container as lo: EEXIST file exists: there is an interface of the name lo in its network namespace\n',
  );
});

netTest('one that may not leave its network namespace is told', async () => {
  const { stderr, code } = await runOnce(['true'], {
    via: inNetwork(),
    config: withDevices({ lo: { name: 'net0' } }),
  });
  assert.is(code, 125);
  assert.match(
    stderr,
    'tinyrun: move network device lo into the container as net0: EINVAL invalid argument: the interface cannot leave',
  );
});

test.run();
