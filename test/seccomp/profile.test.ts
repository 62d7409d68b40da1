// What is wrong with a profile, and what of it makes a filter. OCI config-linux.md, "Seccomp".

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import type { Seccomp } from '../../src/oci/config.ts';
import { canonicalProfile, readFlags, readProfile } from '../../src/seccomp/profile.ts';
import { allowing, dockerShaped } from '../support/seccomp.ts';

function refusalOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof TinyrunError && error.code === 'CONFIG') return error.message;
    throw error;
  }
  return 'none';
}

const REFUSED: Readonly<Record<string, [RegExp, Seccomp]>> = {
  'an unknown default action': [
    /^\/linux\/seccomp\/defaultAction: "ALLOW" is not an action: SCMP_ACT_KILL, /,
    { defaultAction: 'ALLOW' },
  ],
  'a name of JavaScript as an action': [/"toString" is not an action/, { defaultAction: 'toString' }],
  'an unknown action of a rule': [
    /^\/linux\/seccomp\/syscalls\/1\/action: "SCMP_ACT_NO" is not an action/,
    allowing({ names: ['read'], action: 'SCMP_ACT_LOG' }, { names: ['read'], action: 'SCMP_ACT_NO' }),
  ],
  'an unknown operator': [
    /^\/linux\/seccomp\/syscalls\/0\/args\/0\/op: "==" is not an operator: SCMP_CMP_NE, /,
    allowing({ names: ['read'], action: 'SCMP_ACT_LOG', args: [{ index: 0, value: 1, op: '==' }] }),
  ],
  'an unknown architecture': [
    /^\/linux\/seccomp\/architectures\/0: "amd64" is not an architecture: SCMP_ARCH_X86, /,
    { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['amd64'] },
  ],
  'a seventh argument': [
    /^\/linux\/seccomp\/syscalls\/0\/args\/0\/index: 6 is more than 5/,
    allowing({ names: ['read'], action: 'SCMP_ACT_LOG', args: [{ index: 6, value: 1, op: 'SCMP_CMP_EQ' }] }),
  ],
  'a rule for no call': [
    /^\/linux\/seccomp\/syscalls\/0\/names: is empty/,
    allowing({ names: [], action: 'SCMP_ACT_LOG' }),
  ],
  'an empty name': [
    /^\/linux\/seccomp\/syscalls\/0\/names\/1: /,
    allowing({ names: ['read', ''], action: 'SCMP_ACT_LOG' }),
  ],
  'errnoRet with an action that takes none': [
    /^\/linux\/seccomp\/syscalls\/0\/errnoRet: SCMP_ACT_KILL takes no errno$/,
    allowing({ names: ['read'], action: 'SCMP_ACT_KILL', errnoRet: 1 }),
  ],
  'defaultErrnoRet with an action that takes none': [
    /^\/linux\/seccomp\/defaultErrnoRet: SCMP_ACT_ALLOW takes no errno$/,
    { defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 },
  ],
  'an errno of more than 16 bits': [
    /^\/linux\/seccomp\/defaultErrnoRet: 65536 has more than 16 bits$/,
    { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 65536 },
  ],
  'NOTIFY for write': [
    /^\/linux\/seccomp\/syscalls\/0\/names: SCMP_ACT_NOTIFY cannot be used for the write syscall$/,
    allowing({ names: ['mkdir', 'write'], action: 'SCMP_ACT_NOTIFY' }),
  ],
  'NOTIFY as the default': [
    /^\/linux\/seccomp\/defaultAction: SCMP_ACT_NOTIFY cannot be used as default action$/,
    { defaultAction: 'SCMP_ACT_NOTIFY' },
  ],
};

for (const [name, [message, profile]] of Object.entries(REFUSED))
  test(`${name} is refused`, () =>
    assert.match(
      refusalOf(() => readProfile(profile)),
      message,
    ));

const notifying = allowing({ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' });
const REFUSED_FLAGS: Readonly<Record<string, [RegExp, Seccomp]>> = {
  'an unknown flag': [
    /^\/linux\/seccomp\/flags\/0: "LOG" is not a flag: SECCOMP_FILTER_FLAG_TSYNC, /,
    { ...allowing(), flags: ['LOG'] },
  ],
  'NEW_LISTENER, which is not for a profile to say,': [
    /is not a flag/,
    { ...allowing(), flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'] },
  ],
  'metadata without a path': [
    /^\/linux\/seccomp\/listenerMetadata: there is no listenerPath to send it to$/,
    { ...allowing(), listenerMetadata: 'x' },
  ],
  'NOTIFY without a path': [/^\/linux\/seccomp\/listenerPath: is missing/, notifying],
  'WAIT_KILLABLE_RECV without NOTIFY': [
    /^\/linux\/seccomp\/flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for profiles with SCMP_ACT_NOTIFY only$/,
    { ...allowing(), flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] },
  ],
};

for (const [name, [message, profile]] of Object.entries(REFUSED_FLAGS))
  test(`${name} is refused`, () =>
    assert.match(
      refusalOf(() => readFlags(profile)),
      message,
    ));

test('the flags of a profile are those of the call, and a listener adds its own', () => {
  const flags = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_TSYNC'];
  assert.equal(readFlags({ ...allowing(), flags: [...flags, ...flags] }), flags);
  assert.equal(readFlags({ ...notifying, listenerPath: '/s' }), ['SECCOMP_FILTER_FLAG_NEW_LISTENER']);
  assert.equal(readFlags({ ...notifying, listenerPath: '/s', flags: ['SECCOMP_FILTER_FLAG_TSYNC'] }), [
    'SECCOMP_FILTER_FLAG_TSYNC',
    'SECCOMP_FILTER_FLAG_TSYNC_ESRCH',
    'SECCOMP_FILTER_FLAG_NEW_LISTENER',
  ]);
});

test('a listenerPath without NOTIFY is for nobody', () => {
  assert.equal(readFlags({ ...allowing(), listenerPath: '/s' }), []);
});

test('the text of a profile differs where its filter may differ, and only there', () => {
  const base = dockerShaped();
  const text = canonicalProfile(base);
  const same: Seccomp[] = [
    structuredClone(base),
    { ...base, listenerPath: '/s', listenerMetadata: 'm', flags: ['SECCOMP_FILTER_FLAG_LOG'] },
    { syscalls: base.syscalls!, ...base },
  ];
  for (const profile of same) assert.is(canonicalProfile(profile), text);
  const change = (how: (profile: Seccomp) => void): string => {
    const profile = structuredClone(base);
    how(profile);
    return canonicalProfile(profile);
  };
  const texts = [
    text,
    change((profile) => void Object.assign(profile, { defaultAction: 'SCMP_ACT_LOG' })),
    change((profile) => void Object.assign(profile, { defaultErrnoRet: 2 })),
    change((profile) => void profile.architectures!.pop()),
    change((profile) => void profile.syscalls!.pop()),
    change((profile) => void profile.syscalls![0]!.names.pop()),
    change((profile) => void Object.assign(profile.syscalls![1]!, { action: 'SCMP_ACT_LOG' })),
    change((profile) => void Object.assign(profile.syscalls![1]!, { errnoRet: 2 })),
    change((profile) => void Object.assign(profile.syscalls![1]!.args![0]!, { index: 2 })),
    change((profile) => void Object.assign(profile.syscalls![1]!.args![0]!, { value: 2n ** 60n })),
    change((profile) => void Object.assign(profile.syscalls![1]!.args![0]!, { value: 2n ** 60n + 1n })),
    change((profile) => void Object.assign(profile.syscalls![1]!.args![0]!, { valueTwo: 2 })),
    change((profile) => void Object.assign(profile.syscalls![1]!.args![0]!, { op: 'SCMP_CMP_EQ' })),
  ];
  assert.is(new Set(texts).size, texts.length);
});

test.run();
