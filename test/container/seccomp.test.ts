// The default seccomp profile, and profiles of the user in Docker's form.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULT_CAPABILITIES } from '../../src/container/defaults.ts';
import { readSeccompProfile } from '../../src/container/seccomp-file.ts';
import { defaultSeccomp } from '../../src/container/seccomp-profile.ts';
import type { Seccomp } from '../../src/oci/config.ts';

const allowed = ({ syscalls = [] }: Seccomp): Set<string> =>
  new Set(
    syscalls.flatMap(({ names, action, args }) =>
      action === 'SCMP_ACT_ALLOW' && !args?.length ? names : [],
    ),
  );

test('the default allows what programs need, and neither namespaces, modules nor io_uring', () => {
  const profile = defaultSeccomp(DEFAULT_CAPABILITIES, 'x64');
  const names = allowed(profile);
  for (const name of [
    'read',
    'openat2',
    'execve',
    'futex_waitv',
    'chroot',
    'arch_prctl',
    'ptrace',
    'fchmodat2',
  ])
    assert.ok(names.has(name), name);
  for (const name of [
    'mount',
    'unshare',
    'setns',
    'clone',
    'clone3',
    'bpf',
    'init_module',
    'io_uring_setup',
    'keyctl',
    'add_key',
    'userfaultfd',
    'kexec_load',
    'reboot',
    'socket',
    'personality',
    'open_by_handle_at',
    'perf_event_open',
  ])
    assert.not.ok(names.has(name), name);
  assert.equal([profile.defaultAction, profile.defaultErrnoRet], ['SCMP_ACT_ERRNO', 1]);
  const clone3 = profile.syscalls?.find((rule) => rule.names.includes('clone3'));
  assert.equal([clone3?.action, clone3?.errnoRet], ['SCMP_ACT_ERRNO', 38], 'so that clone(2) is tried');
});

test('a capability brings its calls', () => {
  const names = allowed(defaultSeccomp(['CAP_SYS_ADMIN', 'CAP_SYS_TIME'], 'x64'));
  for (const name of ['mount', 'unshare', 'clone', 'clone3', 'clock_settime'])
    assert.ok(names.has(name), name);
  assert.not.ok(names.has('chroot'), 'without CAP_SYS_CHROOT');
});

test('each machine has its own calls and architectures', () => {
  const arm = defaultSeccomp([], 'arm64');
  assert.equal(arm.architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  assert.ok(allowed(arm).has('sync_file_range2'));
  assert.not.ok(allowed(arm).has('modify_ldt'));
});

test('socket(2): AF_ALG and AF_VSOCK are for nobody', () => {
  const rules = defaultSeccomp([], 'x64').syscalls?.filter(({ names }) => names.includes('socket')) ?? [];
  const isAllowed = (family: number): boolean =>
    rules.some(({ args = [] }) =>
      args.every(({ op, value }) =>
        op === 'SCMP_CMP_LT' ? family < Number(value) : family === Number(value),
      ),
    );
  for (const family of [1, 2, 10, 16, 17, 29]) assert.ok(isAllowed(family), String(family));
  for (const family of [12, 38, 40, 46]) assert.not.ok(isAllowed(family), String(family));
});

const HOST = { arch: 'x64', kernel: [6, 18] } as const;
const PROFILE = {
  defaultAction: 'SCMP_ACT_ERRNO',
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: null },
  ],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW', args: null, comment: 'x', includes: {}, excludes: {} },
    { name: 'write', action: 'SCMP_ACT_ALLOW' },
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['clone'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['set_tls'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm64'] } },
    { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
    { names: ['future'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '6.19' } },
  ],
};
const read = (profile: unknown, granted: string[] = []): Seccomp =>
  readSeccompProfile(JSON.stringify(profile), granted, HOST);

test("Docker's conditions: capabilities, machines, kernels", () => {
  const { architectures, syscalls } = read(PROFILE);
  assert.equal(architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  assert.equal(
    syscalls?.flatMap(({ names }) => names),
    ['read', 'write', 'clone', 'ptrace'],
  );
  assert.equal(
    read(PROFILE, ['CAP_SYS_ADMIN']).syscalls?.flatMap(({ names }) => names),
    ['read', 'write', 'mount', 'ptrace'],
  );
  assert.equal(Object.keys(syscalls?.[0] ?? {}), ['names', 'action']);
});

test('a profile that is none is refused', () => {
  assert.throws(() => readSeccompProfile('{', [], HOST), 'the profile of --security-opt seccomp');
  for (const wrong of [{}, { defaultAction: 'x', syscalls: 1 }, { defaultAction: 'x', syscalls: [null] }])
    assert.throws(() => read(wrong), 'the profile has no list of rules');
  assert.throws(() => read({ ...PROFILE, architectures: [] }), "use either 'architectures' or 'archMap'");
});

test("podman's profile, which has Docker's form, is read", () => {
  const text = readFileSync('/usr/share/containers/seccomp.json', 'utf8');
  const names = allowed(readSeccompProfile(text, DEFAULT_CAPABILITIES, HOST));
  assert.ok(names.has('read') && names.has('chroot') && !names.has('bpf'));
});

test.run();
