// linux.seccomp of config.json -> what a filter is made of: the default action, the rules as libseccomp takes them, one
// for each name, and the flags of seccomp(2). OCI config-linux.md, "Seccomp". Where that leaves something open, as runc.

import { TinyrunError } from '../errors.ts';
import type { Seccomp, SeccompCondition, SeccompRule } from '../oci/config.ts';
import { actions, architectures, filterFlags, MOST_ARGUMENTS, operators } from './tables.ts';

/** What an argument of a call must be; `value` is a mask where there is a `valueTwo`. */
export interface Condition {
  index: number; // 0 to 5
  operator: number; // libseccomp's
  value: bigint;
  valueTwo: bigint;
}

/** One call with this name, and all of these conditions, gets this action. */
export interface Rule {
  name: string;
  action: number;
  conditions: readonly Condition[];
  from: string; // JSON pointer
}

export interface Profile {
  defaultAction: number;
  /** Names of the tables; the host's own is always among those that are filtered. */
  architectures: readonly string[];
  rules: readonly Rule[];
  /** How many names the rules have, also those that say nothing new: decides on the order of the filter. */
  names: number;
}

const EPERM = 1;
const AT = '/linux/seccomp';

const refuse = (pointer: string, problem: string): never => {
  throw new TinyrunError('CONFIG', `${pointer}: ${problem}`, { data: { pointer } });
};

function lookUp<T>(table: Readonly<Record<string, T>>, name: string, pointer: string, what: string): T {
  if (Object.hasOwn(table, name)) return table[name]!;
  return refuse(pointer, `${JSON.stringify(name)} is not ${what}: ${Object.keys(table).join(', ')}`);
}

/** The number that a filter returns. */
function actionValue(name: string, errno: number | undefined, at: string, errnoField: string): number {
  const { value, takesErrno } = lookUp(actions, name, at, 'an action');
  if (!takesErrno) {
    if (errno === undefined) return value;
    return refuse(`${at.slice(0, at.lastIndexOf('/'))}/${errnoField}`, `${name} takes no errno`);
  }
  const data = errno ?? EPERM;
  if (data > 0xffff)
    refuse(`${at.slice(0, at.lastIndexOf('/'))}/${errnoField}`, `${data} has more than 16 bits`);
  return value + data;
}

function readCondition({ index, value, valueTwo, op }: SeccompCondition, at: string): Condition {
  const operator = lookUp(operators, op, `${at}/op`, 'an operator');
  if (index >= MOST_ARGUMENTS)
    refuse(`${at}/index`, `${index} is more than 5: a system call has six arguments`);
  return { index, operator, value: BigInt(value), valueTwo: BigInt(valueTwo ?? 0) };
}

/** Conditions on one argument twice: no single rule of libseccomp's can say that, so each is a rule, as in runc: "or". */
function splitConditions(conditions: readonly Condition[]): (readonly Condition[])[] {
  const indices = new Set(conditions.map(({ index }) => index));
  return indices.size === conditions.length ? [conditions] : conditions.map((condition) => [condition]);
}

function readRule(rule: SeccompRule, defaultAction: number, at: string): Rule[] {
  const action = actionValue(rule.action, rule.errnoRet, `${at}/action`, 'errnoRet');
  const conditions = splitConditions(
    (rule.args ?? []).map((arg, i) => readCondition(arg, `${at}/args/${i}`)),
  );
  if (rule.names.length === 0) refuse(`${at}/names`, 'is empty: a rule is for at least one system call');
  // The init program writes to the host program when the filter is loaded: nobody could answer that yet.
  if (rule.action === 'SCMP_ACT_NOTIFY' && rule.names.includes('write'))
    refuse(`${at}/names`, 'SCMP_ACT_NOTIFY cannot be used for the write syscall');
  // libseccomp takes no rule that says what the default says.
  if (action === defaultAction) return [];
  return rule.names.flatMap((name, i) => {
    if (typeof name !== 'string' || name === '')
      refuse(`${at}/names/${i}`, 'is not the name of a system call');
    return conditions.map((all) => ({ name, action, conditions: all, from: `${at}/names/${i}` }));
  });
}

/**
 * Reads a profile whose types are checked.
 * @throws TinyrunError CONFIG with the JSON pointer of what is wrong
 */
export function readProfile(seccomp: Seccomp): Profile {
  const { syscalls = [] } = seccomp;
  const defaultAction = actionValue(
    seccomp.defaultAction,
    seccomp.defaultErrnoRet,
    `${AT}/defaultAction`,
    'defaultErrnoRet',
  );
  if (seccomp.defaultAction === 'SCMP_ACT_NOTIFY')
    refuse(`${AT}/defaultAction`, 'SCMP_ACT_NOTIFY cannot be used as default action');
  seccomp.architectures?.forEach((name, i) => {
    lookUp(architectures, name, `${AT}/architectures/${i}`, 'an architecture');
  });
  return {
    defaultAction,
    architectures: seccomp.architectures ?? [],
    rules: syscalls.flatMap((rule, i) => readRule(rule, defaultAction, `${AT}/syscalls/${i}`)),
    names: syscalls.reduce((sum, { names }) => sum + names.length, 0),
  };
}

/** Whether a process outside is asked about some calls. */
export const wantsListener = ({ syscalls = [] }: Seccomp): boolean =>
  syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY');

/**
 * The flags of seccomp(2) for a profile.
 * @throws TinyrunError CONFIG
 */
export function readFlags(seccomp: Seccomp): string[] {
  const { flags = [], listenerPath = '', listenerMetadata = '' } = seccomp;
  flags.forEach((flag, i) => {
    if (!filterFlags.includes(flag))
      refuse(`${AT}/flags/${i}`, `${JSON.stringify(flag)} is not a flag: ${filterFlags.join(', ')}`);
  });
  if (listenerMetadata !== '' && listenerPath === '')
    refuse(`${AT}/listenerMetadata`, 'there is no listenerPath to send it to');
  const own = [...new Set(flags)];
  if (!wantsListener(seccomp)) {
    if (own.includes('SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'))
      refuse(
        `${AT}/flags`,
        'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for profiles with SCMP_ACT_NOTIFY only',
      );
    return own;
  }
  if (listenerPath === '')
    refuse(`${AT}/listenerPath`, 'is missing: with SCMP_ACT_NOTIFY somebody must be there to answer');
  // Together with a listener, the number of a thread that could not follow has no place in the result: seccomp(2).
  const synchronized = own.includes('SECCOMP_FILTER_FLAG_TSYNC') ? ['SECCOMP_FILTER_FLAG_TSYNC_ESRCH'] : [];
  return [...own, ...synchronized, 'SECCOMP_FILTER_FLAG_NEW_LISTENER'];
}

/** All of a profile that makes a filter, as text: other text for another filter, whatever else the config says. */
export function canonicalProfile(seccomp: Seccomp): string {
  const { defaultAction, defaultErrnoRet, architectures, syscalls } = seccomp;
  const all = [defaultAction, defaultErrnoRet, architectures, syscalls];
  const hasLarge = syscalls?.some(({ args }) =>
    args?.some(({ value, valueTwo }) => typeof value === 'bigint' || typeof valueTwo === 'bigint'),
  );
  if (!hasLarge) return JSON.stringify(all); // a tenth of the time
  return JSON.stringify(all, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}
