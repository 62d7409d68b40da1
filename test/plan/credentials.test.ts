import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CapabilitySets, Process } from '../../src/oci/config.ts';
import { planCredentials, planStdioOwner, ungrantableCapabilities } from '../../src/plan/credentials.ts';
import { type Change, minimalConfig, planInput, stepsOf, textsOf } from '../support/plan-input.ts';

const withProcess = (process: Partial<Process>, capBounding?: bigint): Change => ({
  config: minimalConfig((config) => {
    Object.assign(config.process, process);
  }),
  ...(capBounding === undefined ? {} : { host: { capBounding } }),
});
const texts = (change: Change): string[] => textsOf(planCredentials(planInput(change)));

/** The words of capset: [effective, permitted, inheritable] of the low and of the high 32 bits. */
function capset(capabilities: CapabilitySets, capBounding?: bigint): number[][] {
  const text = texts(withProcess({ capabilities }, capBounding)).find((text) => text.startsWith('capset('));
  const words = [...text!.matchAll(/effective: (\d+), permitted: (\d+), inheritable: (\d+)/g)];
  return words.map((match) => match.slice(1).map(Number));
}

test('planCredentials: sets are masks of two words', () => {
  const rows: [CapabilitySets, number[][]][] = [
    [
      {},
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
    ],
    [
      { effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN', 'CAP_KILL'] },
      [
        [1, 0x21, 0],
        [0, 0, 0],
      ],
    ],
    [
      { inheritable: ['CAP_SETFCAP'] },
      [
        [0, 0, 0x80000000],
        [0, 0, 0],
      ],
    ], // bit 31
    [
      { permitted: ['CAP_MAC_OVERRIDE'] },
      [
        [0, 0, 0],
        [0, 1, 0],
      ],
    ], // bit 32
    [
      { permitted: ['CAP_CHECKPOINT_RESTORE', 'CAP_BPF'] },
      [
        [0, 0, 0],
        [0, 0x180, 0],
      ],
    ],
    [
      { effective: ['CAP_KILL', 'CAP_KILL'] },
      [
        [0x20, 0, 0],
        [0, 0, 0],
      ],
    ],
  ];
  for (const [sets, expected] of rows) assert.equal(capset(sets), expected, JSON.stringify(sets));
});

test('planCredentials: without capabilities in the config the process gets none', () => {
  assert.equal(texts(withProcess({})).filter((text) => text.startsWith('prctl(PR_CAPBSET_DROP')).length, 41);
  assert.match(
    texts(withProcess({})).find((text) => text.startsWith('capset'))!,
    'effective: 0, permitted: 0',
  );
});

test('planCredentials: what the host cannot grant is in no set, and is not dropped', () => {
  const names = ['CAP_CHOWN', 'CAP_KILL'];
  const sets = { bounding: names, effective: names, permitted: names, inheritable: names, ambient: names };
  assert.equal(capset(sets, 0b100001n), [
    [0x21, 0x21, 0x21],
    [0, 0, 0],
  ]);
  assert.equal(capset(sets, 0b100000n), [
    [0x20, 0x20, 0x20],
    [0, 0, 0],
  ]);
  const raised = texts(withProcess({ capabilities: sets }, 0b100000n)).filter((text) =>
    /BSET|RAISE/.test(text),
  );
  assert.equal(raised, ['prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0)']);
  const dropped = texts(withProcess({ capabilities: {} }, 0b100010n)).filter((text) => /BSET/.test(text));
  assert.equal(dropped, ['prctl(PR_CAPBSET_DROP, 1)', 'prctl(PR_CAPBSET_DROP, 5)']);
});

test('ungrantableCapabilities: names of all sets, once, for a warning', () => {
  const capabilities = {
    bounding: ['CAP_CHOWN', 'CAP_KILL'],
    effective: ['CAP_KILL'],
    permitted: ['CAP_BPF'],
    inheritable: ['CAP_CHOWN'],
    ambient: ['CAP_SETFCAP'],
  };
  const of = (capBounding: bigint) =>
    ungrantableCapabilities(planInput(withProcess({ capabilities }, capBounding)));
  assert.equal(of(1n), ['CAP_KILL', 'CAP_BPF', 'CAP_SETFCAP']);
  assert.equal(of((1n << 41n) - 1n), []);
  assert.equal(ungrantableCapabilities(planInput(withProcess({}))), []);
});

test('planCredentials: the bounding set loses what the config does not name', () => {
  const dropped = texts(withProcess({ capabilities: { bounding: ['CAP_CHOWN', 'CAP_BPF'] } })).filter(
    (text) => /BSET/.test(text),
  );
  assert.is(dropped.length, 39);
  for (const bit of [0, 39]) assert.not.ok(dropped.includes(`prctl(PR_CAPBSET_DROP, ${bit})`));
});

test('planCredentials: only what is permitted and inheritable is raised as ambient', () => {
  const raised = (sets: CapabilitySets) =>
    texts(withProcess({ capabilities: sets })).flatMap((text) => /RAISE, (\d+)/.exec(text)?.[1] ?? []);
  const both = { permitted: ['CAP_KILL', 'CAP_CHOWN'], inheritable: ['CAP_KILL', 'CAP_CHOWN'] };
  assert.equal(raised({ ...both, ambient: ['CAP_KILL'] }), ['5']);
  assert.equal(raised({ ambient: ['CAP_KILL'] }), []);
  assert.equal(raised({ permitted: ['CAP_KILL'], ambient: ['CAP_KILL'] }), []);
  assert.equal(raised({ inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] }), []);
  assert.ok(texts(withProcess({})).includes('prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)'));
});

test('planCredentials: exactly the groups of the config', () => {
  const groups = (additionalGids?: number[]) =>
    texts(withProcess({ user: { uid: 1, gid: 2, ...(additionalGids && { additionalGids }) } })).filter(
      (text) => /^setg|^setres/.test(text),
    );
  const ids = ['setresgid(2, 2, 2)', 'setresuid(1, 1, 1)'];
  assert.equal(groups(), ['setgroups(0, base64"")', ...ids]);
  assert.equal(groups([]), ['setgroups(0, base64"")', ...ids]);
  const bytes = new Uint8Array(new Uint32Array([10, 4294967294]).buffer).toBase64();
  assert.equal(groups([10, 4294967294]), [`setgroups(2, base64"${bytes}")`, ...ids]);
  const absent = texts(withProcess({})).filter((text) => /^setres/.test(text));
  assert.equal(absent, ['setresgid(0, 0, 0)', 'setresuid(0, 0, 0)']); // no user is root
});

test('planCredentials: no_new_privs only where the config wants it, after all else', () => {
  assert.is(texts(withProcess({ noNewPrivileges: true })).at(-1), 'prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)');
  assert.not.ok(texts(withProcess({ noNewPrivileges: false })).some((text) => text.includes('NO_NEW_PRIVS')));
});

/** The descriptors that get an owner where statx gives these major numbers of 0, 1 and 2 (undefined: EBADF). */
function owned(user: Process['user'], majors: (number | undefined)[]): string[] {
  return stepsOf(withProcess(user === undefined ? {} : { user }), (call) => {
    if (call.call !== 'statx' || call.op.from !== '/process/user/uid') return undefined;
    const major = majors[Number(call.args[0])];
    if (major === undefined) return -9; // EBADF
    call.memory(4).set([major, 0, 0, 0], 128);
    return 0;
  }).flatMap(({ text }) => (text.startsWith('fchown(') ? [text.replace(/ {2}.*/, '')] : []));
}

test("planStdioOwner: stdio belongs to the container's user, but for devices such as /dev/null", () => {
  const user = { uid: 1000, gid: 1000 };
  const all = [0, 1, 2].map((fd) => `fchown(${fd}, 1000, -1)`);
  assert.equal(owned(user, [0, 0, 136]), all); // pipes, a terminal
  assert.equal(owned(user, [1, 0, 1]), [all[1]]);
  assert.equal(owned(user, [undefined, 0, undefined]), [all[1]]);
  assert.equal(owned({ uid: 0, gid: 1000 }, [0, 0, 0]), []);
  assert.equal(planStdioOwner(planInput(withProcess({}))), []);
});

test.run();
