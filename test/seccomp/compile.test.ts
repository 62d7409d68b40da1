// Profiles compiled by libseccomp and asked about made-up calls: no root, and no call is made. OCI config-linux.md,
// "Seccomp"; what runc does where that leaves something open.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Seccomp, SeccompCondition } from '../../src/oci/config.ts';
import { compileProfile } from '../../src/runtime/seccomp-compile.ts';
import { runFilter, simulate } from '../../src/seccomp/simulate.ts';
import { actions, architectures, MOST_INSTRUCTIONS, operators } from '../../src/seccomp/tables.ts';
import { syscallNumber } from '../../src/sys/syscalls.ts';
import { allowing, ask, audit, compile, dockerShaped, says } from '../support/seccomp.ts';
import { skip } from '../support/skip.ts';

/** A test of filters that are compiled here: the numbers are those of x86_64. */
function filterTest(name: string, run: () => void): void {
  test(name, () => {
    if (process.arch !== 'x64') return skip(name, 'needs an x86_64 host');
    run();
  });
}

const EPERM = 'ERRNO 1';

filterTest('the default action is for calls without a rule, and a rule for its own calls only', () => {
  const filter = compile(allowing({ names: ['getcwd', 'chdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }));
  assert.is(ask(filter, 'getcwd'), 'ERRNO 13');
  assert.is(ask(filter, 'chdir'), 'ERRNO 13');
  assert.is(ask(filter, 'getpid'), 'ALLOW');
});

filterTest('every action is what the filter answers', () => {
  const expected: Record<string, string> = {
    SCMP_ACT_KILL: 'KILL_THREAD',
    SCMP_ACT_KILL_THREAD: 'KILL_THREAD',
    SCMP_ACT_KILL_PROCESS: 'KILL_PROCESS',
    SCMP_ACT_TRAP: 'TRAP',
    SCMP_ACT_ERRNO: EPERM,
    SCMP_ACT_NOTIFY: 'NOTIFY',
    SCMP_ACT_TRACE: 'TRACE 1',
    SCMP_ACT_LOG: 'LOG',
  };
  for (const [action, answer] of Object.entries(expected))
    assert.is(ask(compile(allowing({ names: ['getcwd'], action })), 'getcwd'), answer, action);
  const allow = compile({
    defaultAction: 'SCMP_ACT_KILL_PROCESS',
    syscalls: [{ names: ['getcwd', 'epoll_pwait2'], action: 'SCMP_ACT_ALLOW' }],
  });
  assert.is(ask(allow, 'getcwd'), 'ALLOW');
  assert.is(ask(allow, 'getpid'), 'KILL_PROCESS');
  assert.equal(Object.keys({ ...expected, SCMP_ACT_ALLOW: '' }).sort(), Object.keys(actions).sort());
});

filterTest('every action but NOTIFY can be the default', () => {
  for (const [defaultAction, { takesErrno }] of Object.entries(actions)) {
    if (defaultAction === 'SCMP_ACT_NOTIFY') continue;
    const filter = compile({
      defaultAction,
      ...(takesErrno ? { defaultErrnoRet: 77 } : {}),
      syscalls: [{ names: ['epoll_pwait2'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 }],
    });
    const name = defaultAction === 'SCMP_ACT_KILL' ? 'KILL_THREAD' : defaultAction.slice('SCMP_ACT_'.length);
    assert.is(ask(filter, 'getpid'), takesErrno ? `${name} 77` : name);
  }
});

const TOP = 0xffff_ffff_ffff_ffffn;
/** On both sides of where 32 bits, and the integers of a double, end. */
const VALUES = [
  0n,
  1n,
  5n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 32n + 5n,
  2n ** 53n + 1n,
  2n ** 63n,
  TOP,
];
const HOLDS: Record<string, (argument: bigint, value: bigint) => boolean> = {
  SCMP_CMP_NE: (a, b) => a !== b,
  SCMP_CMP_LT: (a, b) => a < b,
  SCMP_CMP_LE: (a, b) => a <= b,
  SCMP_CMP_EQ: (a, b) => a === b,
  SCMP_CMP_GE: (a, b) => a >= b,
  SCMP_CMP_GT: (a, b) => a > b,
};

const conditional = (...args: SeccompCondition[]): Uint8Array =>
  compile(allowing({ names: ['getcwd'], action: 'SCMP_ACT_ERRNO', args }));

for (const [op, holds] of Object.entries(HOLDS))
  filterTest(`${op} compares all 64 bits`, () => {
    for (const value of VALUES) {
      const filter = conditional({ index: 1, value, op });
      for (const argument of VALUES.flatMap((near) => [near - 1n, near, near + 1n])) {
        if (argument < 0n || argument > TOP) continue;
        const answer = holds(argument, value) ? EPERM : 'ALLOW';
        assert.is(ask(filter, 'getcwd', 0n, argument), answer, `${argument} ${op} ${value}`);
      }
    }
  });

filterTest('SCMP_CMP_MASKED_EQ compares the bits of the mask `value` with `valueTwo`, all 64 of them', () => {
  const masks = [0xffn, 0xff00000000n, 2n ** 53n + 1n, 2n ** 63n + 3n, TOP];
  for (const mask of masks) {
    for (const wanted of [0n, mask, mask & -mask]) {
      const filter = conditional({ index: 5, value: mask, valueTwo: wanted, op: 'SCMP_CMP_MASKED_EQ' });
      for (const argument of [...masks, ...VALUES]) {
        const answer = (argument & mask) === wanted ? EPERM : 'ALLOW';
        const args = [0n, 0n, 0n, 0n, 0n, argument];
        assert.is(ask(filter, 'getcwd', ...args), answer, `${argument} & ${mask} == ${wanted}`);
      }
    }
  }
  assert.equal(Object.keys(operators).sort(), [...Object.keys(HOLDS), 'SCMP_CMP_MASKED_EQ'].sort());
});

filterTest('conditions on different arguments must all hold', () => {
  const filter = conditional(
    { index: 0, value: 7, op: 'SCMP_CMP_EQ' },
    { index: 3, value: 9, op: 'SCMP_CMP_GT' },
  );
  assert.is(ask(filter, 'getcwd', 7n, 0n, 0n, 10n), EPERM);
  assert.is(ask(filter, 'getcwd', 7n, 0n, 0n, 9n), 'ALLOW');
  assert.is(ask(filter, 'getcwd', 8n, 0n, 0n, 10n), 'ALLOW');
});

filterTest('of conditions on the same argument one is enough, as in runc', () => {
  const filter = conditional(
    { index: 0, value: 7, op: 'SCMP_CMP_EQ' },
    { index: 0, value: 9, op: 'SCMP_CMP_EQ' },
    { index: 1, value: 100, op: 'SCMP_CMP_EQ' },
  );
  for (const [first, second, answer] of [
    [7n, 0n, EPERM],
    [9n, 0n, EPERM],
    [8n, 0n, 'ALLOW'],
    [8n, 100n, EPERM],
  ] as const)
    assert.is(ask(filter, 'getcwd', first, second), answer, `${first} ${second}`);
});

filterTest('a rule that says what the default says is left out', () => {
  const profile = allowing(
    { names: ['getcwd'], action: 'SCMP_ACT_ALLOW' },
    { names: ['chdir'], action: 'SCMP_ACT_ERRNO' },
  );
  assert.equal(compile(profile), compile(allowing({ names: ['chdir'], action: 'SCMP_ACT_ERRNO' })));
});

filterTest('names that nobody knows are told and left out', () => {
  const { filter, unknown } = compileProfile(
    allowing({ names: ['no_such_call', 'getcwd', 'x'.repeat(300)], action: 'SCMP_ACT_ERRNO' }),
    'x64',
  );
  assert.equal(unknown, ['no_such_call', 'x'.repeat(300)]);
  assert.is(ask(filter, 'getcwd'), EPERM);
});

filterTest('rules hold for every architecture that is listed, by its own numbers', () => {
  const filter = compile(allowing({ names: ['getcwd', 'waitpid'], action: 'SCMP_ACT_ERRNO' }));
  const x86 = (nr: number) => says(simulate(filter, { nr, arch: audit('X86') }));
  assert.is(x86(183), EPERM, 'getcwd');
  assert.is(x86(7), EPERM, 'waitpid, which x86_64 lacks');
  assert.is(x86(79), 'ALLOW', 'what is getcwd on x86_64');
  assert.is(ask(filter, 79 + 0x40000000), EPERM, 'x32');
  assert.is(ask(filter, 'getcwd'), EPERM);
});

filterTest('an architecture that is not listed is killed, and the own one is always there', () => {
  const filter = compile({ ...allowing(), architectures: ['SCMP_ARCH_X86'] });
  assert.is(says(simulate(filter, { nr: 183, arch: audit('AARCH64') })), 'KILL_THREAD');
  assert.is(ask(filter, 79 + 0x40000000), 'KILL_THREAD', 'x32');
  assert.is(ask(filter, 'getcwd'), 'ALLOW');
});

filterTest('each architecture of the spec is compiled, or said to be none of this host or library', () => {
  for (const name of Object.keys(architectures)) {
    try {
      const filter = compile({ ...allowing(), architectures: [name] });
      const nr = name === 'SCMP_ARCH_X32' ? 0x40000000 : 1;
      assert.is(
        says(simulate(filter, { nr, arch: audit(name === 'SCMP_ARCH_X32' ? 'X86_64' : name.slice(10)) })),
        'ALLOW',
        name,
      );
    } catch (error) {
      assert.match(
        String(error),
        /\/linux\/seccomp\/architectures: SCMP_ARCH_\w+: (its byte order is not that of this host|libseccomp [\d.]+ \(API level \d+\) does not know it)/,
      );
    }
  }
});

// Calls that are newer than the profile

const LARGEST = 441;
const denying = (change: Partial<Seccomp> = {}): Uint8Array =>
  compile({
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [{ names: ['getcwd', 'epoll_pwait2'], action: 'SCMP_ACT_ALLOW' }],
    ...change,
  });

filterTest('calls with a larger number than any of the profile are ENOSYS, others have the default', () => {
  const filter = denying();
  for (const [bit, kind] of [
    [0, 'x86_64'],
    [0x40000000, 'x32'],
  ] as const) {
    assert.is(ask(filter, LARGEST + bit), 'ALLOW', kind);
    assert.is(ask(filter, LARGEST - 1 + bit), EPERM, kind);
    assert.is(ask(filter, LARGEST + 1 + bit), 'ERRNO 38', kind);
    assert.is(ask(filter, 9999 + bit), 'ERRNO 38', kind);
  }
  const x86 = (nr: number) => says(simulate(filter, { nr, arch: audit('X86') }));
  assert.equal([x86(LARGEST - 1), x86(LARGEST), x86(LARGEST + 1)], [EPERM, 'ALLOW', 'ERRNO 38']);
  assert.is(says(simulate(filter, { nr: 9999, arch: audit('AARCH64') })), 'KILL_THREAD');
});

filterTest('the own architecture has its ENOSYS also where the profile lists none', () => {
  const filter = denying({ architectures: [] });
  assert.equal([ask(filter, LARGEST), ask(filter, LARGEST + 1)], ['ALLOW', 'ERRNO 38']);
  assert.is(ask(filter, LARGEST + 1 + 0x40000000), 'KILL_THREAD', 'x32 is none of the profile');
});

filterTest('a name that is refused is known all the same: no ENOSYS for what lies below it', () => {
  const filter = denying({
    syscalls: [
      { names: ['getcwd'], action: 'SCMP_ACT_ALLOW' },
      { names: ['epoll_pwait2'], action: 'SCMP_ACT_ERRNO' },
    ],
  });
  assert.is(ask(filter, LARGEST), EPERM);
  assert.is(ask(filter, LARGEST + 1), 'ERRNO 38');
});

filterTest(
  'a default that kills or traps has ENOSYS for newer calls, one that lets through or traces has not',
  () => {
    for (const [defaultAction, answer] of [
      ['SCMP_ACT_KILL', 'ERRNO 38'],
      ['SCMP_ACT_KILL_PROCESS', 'ERRNO 38'],
      ['SCMP_ACT_TRAP', 'ERRNO 38'],
      ['SCMP_ACT_TRACE', 'TRACE 1'],
      ['SCMP_ACT_LOG', 'LOG'],
    ] as const)
      assert.is(ask(denying({ defaultAction }), 9999), answer, defaultAction);
    assert.is(ask(compile(allowing({ names: ['getcwd'], action: 'SCMP_ACT_ERRNO' })), 9999), 'ALLOW');
  },
);

filterTest('a default of ENOSYS needs nothing in front', () => {
  const filter = denying({ defaultErrnoRet: 38 });
  assert.is(ask(filter, 9999), 'ERRNO 38');
  assert.ok(filter.length < denying().length);
});

// A whole profile

filterTest("a profile of the shape of Docker's lets through what it should", () => {
  const filter = compile(dockerShaped());
  const count = filter.length / 8;
  assert.ok(count > 100 && count < MOST_INSTRUCTIONS, `${count} instructions`);
  for (const name of ['read', 'execve', 'capset', 'prctl', 'epoll_pwait2', 'seccomp', 'close_range'])
    assert.is(ask(filter, name), 'ALLOW', name);
  for (const name of ['mount', 'bpf', 'keyctl', 'ptrace', 'unshare', 'setns', 'umount2'])
    assert.is(ask(filter, name), EPERM, name);
  assert.is(ask(filter, 'clone3'), 'ERRNO 38');
  assert.is(ask(filter, 'clone', 0x11n), 'ALLOW');
  assert.is(ask(filter, 'clone', 0x10000011n), EPERM, 'CLONE_NEWUSER');
  assert.is(ask(filter, 'clone', 0x1_0000_0011n), 'ALLOW', 'bits above the mask do not count');
  assert.is(ask(filter, 'personality', 0xffffffffn), 'ALLOW');
  assert.is(ask(filter, 'personality', 8n), 'ALLOW');
  assert.is(ask(filter, 'personality', 1n), EPERM);
  assert.is(ask(filter, 'socket', 2n), 'ALLOW');
  assert.is(ask(filter, 'socket', 40n), EPERM);
  assert.is(ask(filter, syscallNumber('landlock_create_ruleset', 'x64')!), 'ERRNO 38');
});

filterTest('every number of every architecture has an answer', () => {
  const filter = compile(dockerShaped());
  for (const arch of [audit('X86_64'), audit('X86'), audit('ARM'), 0])
    for (const bit of [0, 0x40000000])
      for (let nr = 0; nr < 600; nr++) runFilter(filter, { nr: nr + bit, arch });
  assert.is(says(simulate(filter, { nr: -1, arch: audit('X86_64') })), 'ERRNO 38');
});

test.run();
