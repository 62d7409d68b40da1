import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { planNames, planSysctls } from '../../src/plan/kernel.ts';
import { minimalConfig, planInput, textsOf } from '../support/plan-input.ts';

const input = (change: (config: Config) => void) => planInput({ config: minimalConfig(change) });
const withSysctls = (sysctl: Record<string, string>) =>
  input((config) => {
    config.linux!.sysctl = sysctl;
  });

test('planNames: lengths are bytes, and an empty name is none', () => {
  const rows: [Partial<Config>, string[]][] = [
    [{}, []],
    [{ hostname: '' }, []],
    [{ hostname: 'c1' }, ['sethostname("c1", 2)']],
    [{ hostname: 'ü' }, ['sethostname("ü", 2)']],
    [
      { hostname: 'c1', domainname: 'example.org' },
      ['sethostname("c1", 2)', 'setdomainname("example.org", 11)'],
    ],
  ];
  for (const [names, expected] of rows)
    assert.equal(textsOf(planNames(input((config) => void Object.assign(config, names)))), expected);
});

test('planSysctls: dots are slashes, unless the name has slashes', () => {
  const rows = {
    'net.ipv4.ip_forward': '/proc/sys/net/ipv4/ip_forward',
    'net/ipv4/conf/eth0.1/forwarding': '/proc/sys/net/ipv4/conf/eth0.1/forwarding',
    'kernel.shm_rmid_forced': '/proc/sys/kernel/shm_rmid_forced',
  };
  for (const [key, path] of Object.entries(rows))
    assert.equal(textsOf(planSysctls(withSysctls({ [key]: '1' }))), [
      `$file = openat(AT_FDCWD, "${path}", O_WRONLY|O_NOFOLLOW|O_CLOEXEC, 0)`,
      'write($file, "1", 1)',
      'close($file)',
    ]);
});

test('planSysctls: each in its order, its JSON pointer escaped, its value in bytes', () => {
  const ops = planSysctls(withSysctls({ 'net/a~b/c': '32768 60999', 'kernel.msgmax': 'ü' }));
  assert.equal(
    ops.flatMap((op) => (op.op === 'call' && op.call === 'write' ? [[op.from, op.args[2]]] : [])),
    [
      ['/linux/sysctl/net~1a~0b~1c', 11],
      ['/linux/sysctl/kernel.msgmax', 2],
    ],
  );
});

test.run();
