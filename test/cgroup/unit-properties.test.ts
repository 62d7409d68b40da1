import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deviceRules } from '../../src/cgroup/devices.ts';
import { parseVariant } from '../../src/cgroup/gvariant.ts';
import {
  annotatedProperties,
  deviceProperties,
  type Property,
  resourceProperties,
  scopeProperties,
} from '../../src/cgroup/unit-properties.ts';
import { TinyrunError } from '../../src/errors.ts';
import type { Resources } from '../../src/oci/config.ts';

const INFINITY = 2n ** 64n - 1n;
const values = (properties: readonly Property[]) =>
  Object.fromEntries(properties.map(([name, { value }]) => [name, value]));
const v2 = (resources: Resources) => values(resourceProperties(resources, 2));
const v1 = (resources: Resources) => values(resourceProperties(resources, 1));

test('memory: the limit, the reservation, and swap without memory', () => {
  assert.equal(v2({ memory: { limit: 100, swap: 300, reservation: 50 } }), {
    MemoryMax: 100n,
    MemoryLow: 50n,
    MemorySwapMax: 200n,
  });
  assert.equal(v2({ memory: { limit: -1 } }), { MemoryMax: INFINITY, MemorySwapMax: INFINITY });
  assert.equal(v2({ memory: { limit: 0, swap: 0 } }), {});
  assert.equal(v1({ memory: { limit: 100, swap: 300 } }), { MemoryLimit: 100n });
});

test('cpu: a weight of shares, a quota as time in each second', () => {
  assert.equal(v2({ cpu: { shares: 1024 } }), { CPUWeight: 100n });
  assert.equal(v1({ cpu: { shares: 1024 } }), { CPUShares: 1024n });
  assert.equal(v2({ cpu: { quota: 50000, period: 100000 } }), {
    CPUQuotaPerSecUSec: 500000n,
    CPUQuotaPeriodUSec: 100000n,
  });
  assert.equal(v2({ cpu: { quota: 333, period: 1000 } }), {
    CPUQuotaPerSecUSec: 340000n, // in steps of ten milliseconds
    CPUQuotaPeriodUSec: 1000n,
  });
  assert.equal(v2({ cpu: { quota: 20000 } }), { CPUQuotaPerSecUSec: 200000n });
  assert.equal(v2({ cpu: { quota: -1 } }), { CPUQuotaPerSecUSec: INFINITY });
});

test('a list of CPUs is a mask of bits', () => {
  assert.equal(v2({ cpu: { cpus: '0-2,9', mems: '1' } }), {
    AllowedCPUs: Uint8Array.of(7, 2),
    AllowedMemoryNodes: Uint8Array.of(2),
  });
  for (const wrong of ['x', '3-1', '1,', '0-99999999'])
    assert.throws(() => v2({ cpu: { cpus: wrong } }), /is no list such as 0-2,5/);
});

test('pids: what leaves no room for the placeholder is not told', () => {
  assert.equal(v2({ pids: { limit: 50 } }), { TasksMax: 50n });
  assert.equal(v2({ pids: { limit: -1 } }), { TasksMax: INFINITY });
  for (const few of [0, 1, 2]) assert.equal(v2({ pids: { limit: few } }), {});
});

test('unified: files that systemd writes too', () => {
  assert.equal(
    v2({
      unified: {
        'memory.high': '4096',
        'memory.swap.max': 'max',
        'cpu.max': '50000 100000',
        'cpuset.cpus': '1',
        'pids.max': '9\n',
        'hugetlb.2MB.max': '0',
      },
    }),
    {
      MemoryHigh: 4096n,
      MemorySwapMax: INFINITY,
      CPUQuotaPerSecUSec: 500000n,
      CPUQuotaPeriodUSec: 100000n,
      AllowedCPUs: Uint8Array.of(2),
      TasksMax: 9n,
    },
  );
});

test('every scope is delegated, counted, and leaves no failed unit behind', () => {
  const found = values(scopeProperties('c1', 'a.slice', 42, 2));
  assert.equal(found['PIDs'], [42]);
  assert.is(found['Slice'], 'a.slice');
  assert.is(found['Delegate'], true);
  assert.is(found['DefaultDependencies'], false);
  assert.is(found['IOAccounting'], true);
  assert.is(found['CollectMode'], 'inactive-or-failed');
  assert.is(values(scopeProperties('c1', 'a.slice', 42, 1))['BlockIOAccounting'], true);
});

test('device rules in words of systemd, for v1', () => {
  const rules = deviceRules([
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
    { allow: true, type: 'b', major: 7, access: 'r' },
    { allow: true, type: 'b', major: 99, access: 'r' },
  ]);
  const found = values(
    deviceProperties(
      rules,
      new Map([
        ['c136', 'pts'],
        ['b7', 'loop'],
      ]),
    ),
  );
  assert.is(found['DevicePolicy'], 'strict');
  const allowed = found['DeviceAllow'];
  assert.ok(Array.isArray(allowed));
  for (const one of ['/dev/char/10:229 rw', 'block-loop r', 'char-* m', '/dev/char/1:3 rwm', 'char-pts rwm'])
    assert.ok(allowed.map((pair: string[]) => pair.join(' ')).includes(one), one);
  assert.not.match(JSON.stringify(allowed), '99');
  assert.equal(values(deviceProperties(deviceRules([{ allow: true, access: 'rwm' }]), new Map())), {
    DevicePolicy: 'auto',
  });
});

test('annotations are any property, and times may be seconds', () => {
  const annotations = {
    'org.systemd.property.TimeoutStopUSec': 'uint64 123456789',
    'org.systemd.property.CollectMode': "'inactive'",
    'org.systemd.property.RuntimeMaxSec': '1.5',
    'org.systemd.property.After': "['a.service', 'b.service']",
    'org.example.other': 'x',
  };
  assert.equal(annotatedProperties(annotations), [
    ['TimeoutStopUSec', { signature: 't', value: 123456789n }],
    ['CollectMode', { signature: 's', value: 'inactive' }],
    ['RuntimeMaxUSec', { signature: 't', value: 1500000n }],
    ['After', { signature: 'as', value: ['a.service', 'b.service'] }],
  ]);
  for (const [name, value] of [
    ['x', 'true'],
    ['Na-me', 'true'],
    ['Name', '=true'],
    ['Name', ''],
  ])
    assert.throws(
      () => annotatedProperties({ [`org.systemd.property.${name}`]: value! }),
      (error: unknown) => error instanceof TinyrunError && error.code === 'CONFIG',
    );
});

const VARIANTS: [text: string, signature: string, value: unknown][] = [
  ['true', 'b', true],
  ['-5', 'i', -5],
  ['uint32 5', 'u', 5],
  ['int64 -5', 'x', -5n],
  ['2.5', 'd', 2.5],
  ["'it\\'s'", 's', "it's"],
  ['"double"', 's', 'double'],
  ['[uint64 1, 2]', 'at', [1n, 2n]],
  ['@as []', 'as', []],
  ["[['a'], ['b', 'c']]", 'aas', [['a'], ['b', 'c']]],
];
for (const [text, signature, value] of VARIANTS)
  test(`GVariant text: ${text}`, () => assert.equal(parseVariant(text), { signature, value }));

test('GVariant text: what is none', () => {
  for (const text of [
    '',
    '[',
    "'a",
    '[]',
    'uint64',
    'uint64 true',
    'uint64 1.5',
    "[1, 'a']",
    '1 2',
    'uint64 x',
  ])
    assert.is(parseVariant(text), undefined, text);
});

test.run();
