// The tables of src/sys against the system's headers: every name that the headers know has the headers' value.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { capabilities } from '../../src/sys/capabilities.ts';
import { allConstants, arm64Constants, constantValue } from '../../src/sys/constants.ts';
import { errnos } from '../../src/sys/errno.ts';
import { structs } from '../../src/sys/structs.ts';
import { syscallTable } from '../../src/sys/syscalls.ts';
import { ARCHITECTURES, type Expression, headersOf } from './headers.ts';

/** Linux 6.1's headers know 1070 of the names: with far fewer found, the test itself is broken. */
const AT_LEAST = 1000;

const named = (names: readonly string[]): Expression[] =>
  names.map((name) => ({ key: name, c: name, needs: [name] }));
/** Function calls to the C library, other numbers to the kernel's headers. */
const COMPUTED = ['SIGRTMIN', 'SIGRTMAX'];

/** The size part of an ioctl's number grows with its struct. */
const withoutSize = (ioctl: number) => (ioctl & ~0x3fff0000) >>> 0;

for (const arch of ARCHITECTURES) {
  test(`constants, capabilities and errnos are those of the ${arch} headers`, () => {
    const sets = headersOf(arch);
    const ours = {
      ...capabilities,
      ...errnos,
      ...allConstants(),
      ...(arch === 'arm64' ? arm64Constants : {}),
    };
    const names = Object.keys(ours).filter((name) => !COMPUTED.includes(name));
    let found = 0;
    for (const { values } of sets) {
      // Some are other numbers to the C library (O_LARGEFILE): the kernel's headers come first.
      const rest = names.splice(0);
      const known = values(named(rest));
      names.push(...rest.filter((name) => !known.has(name)));
      found += known.size;
      for (const [name, value] of known) {
        if (name === 'PIDFD_GET_INFO') assert.is(withoutSize(ours[name]!), withoutSize(value));
        else assert.is(ours[name], value, name);
      }
    }
    if (sets.length > 0) assert.ok(found >= AT_LEAST, `${found} names found`);
  });

  test(`system call numbers are those of the ${arch} headers, and none is missing`, () => {
    const [kernel] = headersOf(arch);
    if (kernel === undefined) return;
    const names = [...kernel.known].filter((name) =>
      /^__NR_(?!(syscalls|arch_specific_syscall)$)/.test(name),
    );
    const numbers = kernel.values(named(names));
    const ours = syscallTable(arch);
    for (const [name, number] of numbers) assert.is(ours[name.slice('__NR_'.length)], number, name);
    const newer = Object.keys(ours).filter((name) => !numbers.has(`__NR_${name}`));
    const last = Math.max(...numbers.values());
    assert.equal(
      newer.filter((name) => ours[name]! <= last && !name.endsWith('probe')),
      [],
    );
  });

  test(`structs are laid out as in the ${arch} headers`, () => {
    const sets = headersOf(arch);
    const left = new Set(Object.keys(structs));
    for (const { values } of sets) {
      for (const [key, value] of values([...left].flatMap(layout))) {
        const [name, field, what] = key.split('.') as [string, string, 'at' | 'bytes' | 'size'];
        const struct = structs[name]!;
        assert.is(what === 'size' ? struct.size : struct.fields[field]![what], value, key);
        left.delete(name);
      }
    }
    if (sets.length > 0) assert.equal([...left], []);
  });
}

/** The C names of structs and fields that are not called as here. */
const TYPES: Readonly<Record<string, string>> = {
  user_cap_header: 'struct __user_cap_header_struct',
  user_cap_data: 'struct __user_cap_data_struct',
  timespec: 'struct __kernel_timespec',
  itimerspec: 'struct __kernel_itimerspec',
  kernel_sigaction: 'struct sigaction',
  sigset: 'sigset_t',
  siginfo: 'siginfo_t',
  bpf_prog_load: 'union bpf_attr',
};

/** Of dirent64 it is the place where the name begins, of a BPF program that behind what is needed. */
const SIZES: Readonly<Record<string, string>> = {
  dirent64: 'offsetof(struct dirent64, d_name)',
  bpf_prog_load: 'offsetof(union bpf_attr, log_buf) + 8',
};

function layout(name: string): Expression[] {
  const type = TYPES[name] ?? `struct ${name}`;
  const size = SIZES[name] ?? `sizeof(${type})`;
  const known = type.replace('union ', '');
  const expressions = [{ key: `${name}..size`, c: size, needs: [known] }];
  if (name === 'sigset') return expressions; // an integer here, an array there
  for (const field in structs[name]!.fields) {
    const member = memberOf(name, field);
    const needs = [known, member.replace(/\W.*/, '')];
    expressions.push(
      { key: `${name}.${field}.at`, c: `offsetof(${type}, ${member})`, needs },
      { key: `${name}.${field}.bytes`, c: `sizeof(((${type} *)0)->${member})`, needs },
    );
  }
  return expressions;
}

function memberOf(struct: string, field: string): string {
  if (struct === 'kernel_sigaction') return `sa_${field}`;
  if (struct === 'termios' && field.startsWith('V')) return `c_cc[${field}]`;
  const [, outer, unit] = /^(stx_\wtime|it_\w+)_(n?sec)$/.exec(field) ?? [];
  if (outer !== undefined) return `${outer}.tv_${unit}`;
  return field.replace(/^f_fsid(\d)$/, 'f_fsid.val[$1]');
}

test('arm64 differs from x64 only where it says so', () => {
  const constants = allConstants();
  for (const name in constants) {
    assert.is(constantValue(name, 'x64'), constants[name], name);
    assert.is(constantValue(name, 'arm64'), arm64Constants[name] ?? constants[name], name);
  }
  for (const name in arm64Constants) assert.is.not(arm64Constants[name], constants[name], name);
  assert.is(constantValue('O_FOO', 'x64'), undefined);
  assert.is(constantValue('toString', 'arm64'), undefined);
});

test.run();
