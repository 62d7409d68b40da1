// The values of Docker's flags, each by its parser: what is understood, and in which words the rest is refused.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDevice } from '../../src/container/device-flag.ts';
import { parseEnvironment, parseLines, toPairs, toRecord } from '../../src/container/key-value.ts';
import { parseMode } from '../../src/container/modes.ts';
import { parseBytes, parseCpus, parseInteger } from '../../src/container/quantity.ts';
import { parseSecurityOptions } from '../../src/container/security-opt.ts';
import { parseUlimit } from '../../src/container/ulimit.ts';
import { TinyrunError } from '../../src/errors.ts';

function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof TinyrunError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('it was not refused');
}

test('--memory: bytes, with units that are powers of 1024', () => {
  const rows = {
    512: 512,
    '64m': 64 << 20,
    '1.5g': 1.5 * 2 ** 30,
    '1k': 1024,
    '2KB': 2048,
    '1 GiB': 2 ** 30,
    '3b': 3,
  };
  for (const [text, bytes] of Object.entries(rows)) assert.is(parseBytes(text, '--memory'), bytes, text);
  for (const text of ['', 'm', '-1', '1x', '1.m', '0x10', '1e3', '99999999p'])
    assert.is(
      refusal(() => parseBytes(text, '--memory')),
      `USAGE invalid argument ${JSON.stringify(text)} for --memory: invalid size: '${text}'`,
    );
});

test('--cpus takes a decimal number', () => {
  for (const [text, nano] of Object.entries({ 1: 1e9, '1.5': 1.5e9, '.5': 5e8, '0.01': 1e7, '2.': 2e9 }))
    assert.is(parseCpus(text), nano);
  for (const text of ['', 'x', '-1', '1/2', '1e3'])
    assert.match(
      refusal(() => parseCpus(text)),
      'as a rational number',
    );
});

test('whole numbers are read, and nothing else', () => {
  assert.is(parseInteger('-5', '--x'), -5);
  for (const text of ['', '1.5', '0x1', '1e3', '99999999999999999999'])
    assert.match(
      refusal(() => parseInteger(text, '--x')),
      'it is no whole number',
    );
});

test('--ulimit is NAME=SOFT[:HARD]', () => {
  assert.equal(parseUlimit('nofile=1024'), { Name: 'nofile', Soft: 1024, Hard: 1024 });
  assert.equal(parseUlimit('nofile=1:2'), { Name: 'nofile', Soft: 1, Hard: 2 });
  assert.equal(parseUlimit('core=-1'), { Name: 'core', Soft: -1, Hard: -1 });
  assert.equal(parseUlimit('core=0:-1'), { Name: 'core', Soft: 0, Hard: -1 });
  const refused = {
    nofile: 'invalid ulimit argument: nofile',
    'nofile=': 'invalid ulimit argument: nofile=',
    'NOFILE=1': 'invalid ulimit type: NOFILE',
    'toString=1': 'invalid ulimit type: toString',
    'nofile=1:2:3': 'too many limit value arguments - 1:2:3, can only have up to two, soft[:hard]',
    'nofile=2:1': 'ulimit soft limit must be less than or equal to hard limit: 2 > 1',
    'nofile=-1:5': 'ulimit soft limit must be less than or equal to hard limit: -1 > 5',
    'nofile=x': 'x is no number',
  };
  for (const [text, why] of Object.entries(refused))
    assert.is(
      refusal(() => parseUlimit(text)),
      `USAGE invalid argument "${text}" for --ulimit: ${why}`,
    );
});

test('--device is HOST[:CONTAINER[:PERMISSIONS]]', () => {
  const rows = {
    '/dev/a': ['/dev/a', '/dev/a', 'rwm'],
    '/dev/a:/dev/b': ['/dev/a', '/dev/b', 'rwm'],
    '/dev/a:r': ['/dev/a', '/dev/a', 'r'],
    '/dev/a:/dev/b:mw': ['/dev/a', '/dev/b', 'mw'],
  };
  for (const [text, [PathOnHost, PathInContainer, CgroupPermissions]] of Object.entries(rows))
    assert.equal(parseDevice(text), { PathOnHost, PathInContainer, CgroupPermissions });
  const refused = {
    a: 'USAGE invalid argument "a" for --device: a is not an absolute path',
    '/dev/a:/b:x': 'USAGE invalid argument "/dev/a:/b:x" for --device: bad mode specified: x',
    '/dev/a:/b:rr': 'USAGE invalid argument "/dev/a:/b:rr" for --device: bad mode specified: rr',
    '/dev/a:b': 'USAGE invalid argument "/dev/a:b" for --device: b is not an absolute path',
    '/a:/b:r:x': 'USAGE invalid argument "/a:/b:r:x" for --device: invalid device specification: /a:/b:r:x',
    'vendor.com/gpu=all':
      'UNSUPPORTED --device vendor.com/gpu=all: devices of the Container Device Interface are not known',
  };
  for (const [text, words] of Object.entries(refused))
    assert.is(
      refusal(() => parseDevice(text)),
      words,
    );
});

test('--env: the value, the caller’s own one, or nothing at all', () => {
  assert.equal(parseEnvironment(['A=1', 'B', 'C', 'D='], { B: 'mine' }), ['A=1', 'B=mine', 'C', 'D=']);
  assert.is(
    refusal(() => parseEnvironment(['=x'], {})),
    'USAGE invalid environment variable: =x',
  );
  assert.is(
    refusal(() => parseEnvironment([''], {})),
    'USAGE invalid environment variable: ',
  );
});

test('--env-file and --label-file: lines, less comments', () => {
  assert.equal(parseLines('\ufeffA=1\r\n# no\n\n  B=2 # a value\nC\n', 'f'), ['A=1', 'B=2 # a value', 'C']);
  assert.is(
    refusal(() => parseLines('A=1\nA B=2', 'f')),
    "USAGE variable 'A B' contains whitespaces: line 2 of f",
  );
  assert.is(
    refusal(() => parseLines('=2', 'f')),
    "USAGE no variable name on line '=2' of f",
  );
});

test('labels and pairs are split at the first =', () => {
  assert.equal(toRecord(['a=b=c', 'd', 'a=x']), { a: 'x', d: '' });
  assert.equal(toPairs(['a=b'], '--sysctl'), { a: 'b' });
  assert.is(
    refusal(() => toPairs(['a'], '--sysctl')),
    'USAGE invalid argument "a" for --sysctl: expected NAME=VALUE',
  );
});

test('--security-opt takes what Docker takes', () => {
  const none = {
    noNewPrivileges: false,
    seccomp: undefined,
    apparmor: undefined,
    openPaths: false,
    writableCgroups: false,
  };
  assert.equal(parseSecurityOptions([]), none);
  assert.equal(parseSecurityOptions(['no-new-privileges', 'label=disable']), {
    ...none,
    noNewPrivileges: true,
  });
  assert.equal(parseSecurityOptions(['no-new-privileges:true', 'no-new-privileges=false']), none);
  assert.equal(parseSecurityOptions(['seccomp=unconfined']), { ...none, seccomp: 'unconfined' });
  assert.equal(parseSecurityOptions(['seccomp=unconfined', 'seccomp=builtin']), none);
  assert.equal(parseSecurityOptions(['apparmor=unconfined', 'apparmor=x']), { ...none, apparmor: 'x' });
  assert.equal(parseSecurityOptions(['systempaths=unconfined']), { ...none, openPaths: true });
  assert.equal(parseSecurityOptions(['writable-cgroups=true']), { ...none, writableCgroups: true });
  for (const text of ['', 'x', 'x=y', 'seccomp', 'no-new-privileges=maybe', 'systempaths=x'])
    assert.is(
      refusal(() => parseSecurityOptions([text])),
      `USAGE invalid --security-opt: ${JSON.stringify(text)}`,
    );
  assert.match(
    refusal(() => parseSecurityOptions(['label=type:x'])),
    'UNSUPPORTED --security-opt label=type:x',
  );
});

test('--network and its kin join what is named', () => {
  const find = (name: string): string => `id-of-${name}`;
  assert.is(parseMode('network', undefined, find), 'none');
  assert.is(parseMode('network', 'host', find), 'host');
  assert.is(parseMode('network', 'container:web', find), 'container:id-of-web');
  assert.is(parseMode('ipc', undefined, find), 'private');
  assert.is(parseMode('ipc', 'shareable', find), 'shareable');
  assert.is(parseMode('pid', undefined, find), '');
  assert.is(parseMode('pid', 'container:x', find), 'container:id-of-x');
  assert.is(parseMode('userns', 'host', find), 'host');
  const refused = {
    'network mynet': 'UNSUPPORTED --network mynet: tinyrun has no networks to join yet',
    'network container:': 'USAGE --network container:: invalid container format container:<name|id>',
    'pid x': 'USAGE --pid: invalid PID mode: x',
    'userns container:x': 'USAGE --userns: invalid USER mode: container:x',
    'cgroupns x': 'USAGE --cgroupns: invalid CGROUPNS mode: x',
  };
  for (const [text, words] of Object.entries(refused)) {
    const [flag, value] = text.split(' ') as ['network', string];
    assert.is(
      refusal(() => parseMode(flag, value, find)),
      words,
    );
  }
});

test.run();
