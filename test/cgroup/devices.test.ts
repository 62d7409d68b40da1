// Device rules: the lines for v1, and the program for v2, which is run on made-up accesses.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileDevices } from '../../src/cgroup/device-program.ts';
import { deviceRules, deviceWrites } from '../../src/cgroup/devices.ts';
import type { DeviceRule } from '../../src/oci/config.ts';
import { isAllowed, verify } from '../support/bpf.ts';

const DENY_ALL: DeviceRule = { allow: false, access: 'rwm' };
const ALLOW_ALL: DeviceRule = { allow: true, type: 'a', access: 'rwm' };
const rule = (words: string): DeviceRule => {
  const [verb, type = '', major = '*', minor = '*', access = ''] = words.split(/[ :]/);
  const number = (text: string) => (text === '*' ? -1 : Number(text));
  return { allow: verb === 'allow', type, major: number(major), minor: number(minor), access };
};

const lines = (...rules: DeviceRule[]): string[] =>
  deviceWrites(deviceRules(rules)).map(({ file, value }) => `${file.slice('devices.'.length)} ${value}`);

const DEFAULTS = [
  'allow c *:* m',
  'allow b *:* m',
  'allow c 1:3 rwm',
  'allow c 1:5 rwm',
  'allow c 1:7 rwm',
  'allow c 1:8 rwm',
  'allow c 1:9 rwm',
  'allow c 5:0 rwm',
  'allow c 5:1 rwm',
  'allow c 5:2 rwm',
  'allow c 136:* rwm',
  'allow c 10:200 rwm',
];

test('all is denied but what every container has, whether the config says so or not', () => {
  assert.equal(lines(), ['deny a', ...DEFAULTS]);
  assert.equal(lines(DENY_ALL), ['deny a', ...DEFAULTS]);
  assert.equal(lines({ allow: false }), ['deny a', ...DEFAULTS]);
  assert.equal(lines(rule('allow c 10:229 rwm'), DENY_ALL), ['deny a', ...DEFAULTS]);
});

test("v1: rules come in their order, engines' forms of them included", () => {
  assert.equal(
    lines(DENY_ALL, rule('allow c 10:229 wmr'), rule('allow b 8:-1 r'), {
      allow: true,
      type: 'c',
      major: 7,
      access: 'm',
    }),
    ['deny a', 'allow c 10:229 rwm', 'allow b 8:* r', 'allow c 7:* m', ...DEFAULTS],
  );
  // Docker: allows and a deny of what was never allowed.
  assert.equal(lines(DENY_ALL, rule('allow c 1:3 rwm'), rule('deny c 10:229 rwm')).slice(0, 3), [
    'deny a',
    'allow c 1:3 rwm',
    'allow c *:* m',
  ]);
});

test('v1: rules for the same numbers are one, and a deny takes its letters out', () => {
  const first = (...rules: DeviceRule[]) => lines(DENY_ALL, ...rules).slice(1, -DEFAULTS.length);
  assert.equal(first(rule('allow c 10:1 r'), rule('allow c 10:1 w')), ['allow c 10:1 rw']);
  assert.equal(first(rule('allow c 10:1 rwm'), rule('deny c 10:1 w')), ['allow c 10:1 rm']);
  assert.equal(first(rule('allow c 10:1 rwm'), rule('deny c 10:1 rwm')), []);
  assert.equal(first(rule('allow a 10:1 r')), ['allow c 10:1 r', 'allow b 10:1 r']);
});

test('v1: with all allowed, denies are the exceptions, and what every container has is none', () => {
  assert.equal(lines(ALLOW_ALL, rule('deny b 8:0 rw'), rule('deny c 1:3 rwm')), ['allow a', 'deny b 8:0 rw']);
});

test('v1: a device cannot be denied that a rule for many allows: the kernel would not listen', () => {
  assert.throws(
    () => lines(DENY_ALL, rule('allow c 10:* rwm'), rule('deny c 10:229 w')),
    '/linux/resources/devices/2: cgroup v1 cannot deny c 10:229 w behind a rule for c 10:* rwm',
  );
  assert.throws(() => lines(ALLOW_ALL, rule('deny c *:* w'), rule('allow c 1:3 w')), 'cannot allow c 1:3 w');
  assert.not.throws(() => lines(DENY_ALL, rule('allow c 10:* r'), rule('deny c 10:229 w')));
});

test('numbers above 32 bits are refused: they would be others', () => {
  for (const number of ['major', 'minor'])
    assert.throws(
      () => deviceRules([{ allow: true, type: 'c', [number]: 2 ** 32 + 1, access: 'r' }]),
      `/linux/resources/devices/0: ${number} 4294967297 is not a device's number`,
    );
});

/** What a program for these rules says to accesses such as `c 1:3 rw`. */
function allows(rules: DeviceRule[], ...accesses: string[]): boolean[] {
  const program = compileDevices(deviceRules(rules));
  verify(program);
  return accesses.map((text) => {
    const [type, major, minor, access] = text.split(/[ :]/) as ['b' | 'c', string, string, string];
    return isAllowed(program, { type, major: Number(major), minor: Number(minor), access });
  });
}

test('v2: all is denied but what every container has', () => {
  for (const rules of [[], [DENY_ALL], [rule('allow c 10:229 rwm'), DENY_ALL]]) {
    assert.equal(allows(rules, 'c 1:3 rw', 'c 1:3 rwm', 'c 136:7 r', 'c 10:200 rw', 'c 99:9 m', 'b 8:0 m'), [
      true,
      true,
      true,
      true,
      true,
      true,
    ]);
    assert.equal(allows(rules, 'c 1:1 r', 'b 8:0 r', 'c 99:9 rm', 'c 10:229 w', 'b 1:3 r', 'c 5:3 r'), [
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
  }
});

test('v2: the last rule that speaks about a letter decides about it', () => {
  const rules = [DENY_ALL, rule('allow c 10:* rwm'), rule('deny c 10:229 w')];
  assert.equal(
    allows(rules, 'c 10:1 rwm', 'c 10:229 r', 'c 10:229 rm', 'c 10:229 w', 'c 10:229 rw', 'b 10:1 r'),
    [true, true, true, false, false, false],
  );
  assert.equal(allows([...rules, rule('allow c 10:229 w')], 'c 10:229 w', 'c 10:229 rwm'), [true, true]);
});

test('v2: letters that different rules allow add up', () => {
  const rules = [DENY_ALL, rule('allow b 8:0 r'), rule('allow b 8:* w')];
  assert.equal(allows(rules, 'b 8:0 rw', 'b 8:1 rw', 'b 8:1 w', 'b 8:0 rwm'), [true, false, true, true]);
});

test('v2: any type, any number, letters in any order', () => {
  const rules = [DENY_ALL, rule('allow a 50:-1 mr'), { allow: true, type: 'c', minor: 9, access: 'w' }];
  assert.equal(allows(rules, 'b 50:1 r', 'c 50:1 mr', 'c 50:1 w', 'c 51:9 w', 'b 51:9 w'), [
    true,
    true,
    false,
    true,
    false,
  ]);
});

test('v2: with all allowed, what is denied is denied, but for what every container has', () => {
  const rules = [ALLOW_ALL, rule('deny b 8:0 rw'), rule('deny c 1:3 rwm')];
  assert.equal(allows(rules, 'c 99:9 rwm', 'b 8:0 r', 'b 8:0 m', 'c 1:3 rw'), [true, false, true, true]);
});

test.run();
