// linux.resources.devices -> which devices may be used: for v1 the lines of devices.deny and devices.allow, for v2 a BPF
// program (device-program.ts). OCI config-linux.md, "Device Cgroup"; kernel, admin-guide/cgroup-v1/devices.rst.
//
// Everything is denied first, whatever the config says (GHSA-g54h-m393-cpwq); its rules follow in their order; the
// devices that every container has come last, so that none is without them, as runc.

import { TinyrunError } from '../errors.ts';
import type { DeviceRule, Int64 } from '../oci/config.ts';

/** A rule with all that may be left out in it. */
export interface FullRule {
  allow: boolean;
  type: 'a' | 'b' | 'c';
  /** undefined: any. */
  major: number | undefined;
  minor: number | undefined;
  /** Some of `rwm`, in this order. */
  access: string;
  from: string;
}

const RUNTIME = 'runtime';
const allow = (type: 'b' | 'c', major?: number, minor?: number, access = 'rwm'): FullRule => ({
  allow: true,
  type,
  major,
  minor,
  access,
  from: RUNTIME,
});

/** What runc allows besides: nodes of any kind may be made, these may be used. */
const DEFAULTS: readonly FullRule[] = [
  allow('c', undefined, undefined, 'm'),
  allow('b', undefined, undefined, 'm'),
  allow('c', 1, 3), // null
  allow('c', 1, 5), // zero
  allow('c', 1, 7), // full
  allow('c', 1, 8), // random
  allow('c', 1, 9), // urandom
  allow('c', 5, 0), // tty
  allow('c', 5, 1), // console
  allow('c', 5, 2), // ptmx
  allow('c', 136), // pts/*
  allow('c', 10, 200), // net/tun: VPNs make the node themselves (runc 1.2.0 left it out, and took it back)
];

const DENY_ALL: FullRule = {
  allow: false,
  type: 'a',
  major: undefined,
  minor: undefined,
  access: 'rwm',
  from: RUNTIME,
};

/** All rules in their order, from the last one on that decides about everything. */
export function deviceRules(rules: readonly DeviceRule[] = []): FullRule[] {
  const full = [DENY_ALL, ...rules.map(fillRule), ...DEFAULTS];
  return full.slice(full.findLastIndex(isForAll));
}

/** Whether a rule decides about all devices and all access. */
export const isForAll = ({ type, major, minor, access }: FullRule): boolean =>
  type === 'a' && major === undefined && minor === undefined && access === 'rwm';

function fillRule({ allow, type, major, minor, access = '' }: DeviceRule, index: number): FullRule {
  const from = `/linux/resources/devices/${index}`;
  const letters = [...'rwm'].filter((letter) => access.includes(letter)).join('');
  return {
    allow,
    type: type === 'b' || type === 'c' ? type : 'a',
    major: deviceNumber('major', major, from),
    minor: deviceNumber('minor', minor, from),
    access: letters === '' ? 'rwm' : letters,
    from,
  };
}

function deviceNumber(name: string, value: Int64 | undefined, from: string): number | undefined {
  if (value === undefined || value < 0) return undefined;
  if (value > 0xffffffff)
    throw new TinyrunError('CONFIG', `${from}: ${name} ${value} is not a device's number`, {
      data: { pointer: from },
    });
  return Number(value);
}

/** A write to devices.deny or devices.allow. */
export interface DeviceWrite {
  file: 'devices.deny' | 'devices.allow';
  value: string;
  from: string;
}

/**
 * The rules for v1, whose kernel keeps a default and exceptions from it: worked out here, so that a rule that another
 * one undoes is not written.
 * @throws TinyrunError CONFIG if a device is denied that a rule for many allows: the kernel would ignore that
 */
export function deviceWrites(rules: readonly FullRule[]): DeviceWrite[] {
  const [first, ...rest] = rules;
  const allowed = first?.allow ?? false;
  const exceptions = new Map<string, FullRule>();
  for (const rule of rest.flatMap(bothTypes)) {
    const key = numbersOf(rule);
    const known = exceptions.get(key);
    const access = [...'rwm'].filter((letter) =>
      rule.allow === allowed
        ? known?.access.includes(letter) && !rule.access.includes(letter)
        : known?.access.includes(letter) || rule.access.includes(letter),
    );
    if (rule.allow === allowed) refuseShadowed(rule, exceptions);
    if (access.length === 0) exceptions.delete(key);
    else exceptions.set(key, { ...rule, from: known?.from ?? rule.from, access: access.join('') });
  }
  const [base, other] = allowed
    ? (['devices.allow', 'devices.deny'] as const)
    : (['devices.deny', 'devices.allow'] as const);
  return [
    { file: base, value: 'a', from: first?.from ?? RUNTIME },
    ...[...exceptions.values()].map((rule) => ({
      file: other,
      value: `${numbersOf(rule)} ${rule.access}`,
      from: rule.from,
    })),
  ];
}

const bothTypes = (rule: FullRule): FullRule[] =>
  rule.type === 'a' ? (['c', 'b'] as const).map((type) => ({ ...rule, type })) : [rule];
/** `c 1:3`; any is `*`. */
const numbersOf = ({ type, major, minor }: FullRule): string => `${type} ${major ?? '*'}:${minor ?? '*'}`;

/** A rule of the default's kind undoes an exception only if that has the same numbers. */
function refuseShadowed(rule: FullRule, exceptions: ReadonlyMap<string, FullRule>): void {
  for (const other of exceptions.values()) {
    const wider =
      other.type === rule.type &&
      (other.major === undefined || other.major === rule.major) &&
      (other.minor === undefined || other.minor === rule.minor) &&
      numbersOf(other) !== numbersOf(rule);
    if (wider && [...rule.access].some((letter) => other.access.includes(letter)))
      throw new TinyrunError(
        'CONFIG',
        `${rule.from}: cgroup v1 cannot ${rule.allow ? 'allow' : 'deny'} ${numbersOf(rule)} ${rule.access} behind a rule for ${numbersOf(other)} ${other.access}`,
        { data: { pointer: rule.from } },
      );
  }
}
