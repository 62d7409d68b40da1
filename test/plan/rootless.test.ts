// The way into a user namespace of a caller who is not root.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { IdMapping } from '../../src/oci/config.ts';
import { idInside } from '../../src/plan/rootless.ts';
import {
  bufferOf,
  type Change,
  INPUTS,
  ownedBy,
  plan,
  planInput,
  run,
  stepsOf,
} from '../support/plan-input.ts';

const ALONE = INPUTS['without root, alone']!;
const others: IdMapping = { containerID: 1, hostID: 100000, size: 65536 };
const RANGES: Change = {
  rootless: { uid: 1000, gid: 100 },
  config: (config) => {
    config.linux!.namespaces!.push({ type: 'user' });
    config.linux!.uidMappings = [{ containerID: 0, hostID: 1000, size: 1 }, others];
    config.linux!.gidMappings = [{ containerID: 0, hostID: 100, size: 1 }, others];
  },
};
const textsOf = (change: Change): string[] =>
  stepsOf(change).map(({ text }) => text.replace(/ {2}fail -> leave$/, ''));

test('who maps only himself writes his maps himself, before anything is made', () => {
  const texts = textsOf(ALONE);
  const from = texts.findIndex((text) => text.startsWith('unshare('));
  assert.equal(
    texts.slice(from, from + 12).filter((text) => !text.startsWith('close(')),
    [
      'unshare(CLONE_NEWUSER|CLONE_NEWNS)',
      '$file = openat(AT_FDCWD, "/proc/self/setgroups", O_WRONLY|O_CLOEXEC, 0)',
      'write($file, "deny", 4)',
      '$file = openat(AT_FDCWD, "/proc/self/uid_map", O_WRONLY|O_CLOEXEC, 0)',
      'write($file, "0 1000 1\\n", 9)',
      '$file = openat(AT_FDCWD, "/proc/self/gid_map", O_WRONLY|O_CLOEXEC, 0)',
      'write($file, "0 100 1\\n", 8)',
      'setresgid(0, 0, 0)',
      'setresuid(0, 0, 0)',
    ],
  );
  assert.match(texts[from + 12]!, /^mkdirat\(AT_FDCWD, "\/run"/);
  assert.not.ok(
    texts.some((text) => text.startsWith('setgroups(')),
    'the kernel would refuse',
  );
});

test('init gets no further user namespace, and its parent waits for no maps of it', () => {
  for (const change of [ALONE, RANGES]) {
    const texts = textsOf(change);
    const flags = texts.find((text) => text.startsWith('$pid = clone3('));
    assert.not.match(flags!, 'CLONE_NEWUSER');
    assert.not.ok(texts.some((text) => text.includes('&proc-uid_map')));
  }
});

test('ranges of ids are mapped by the setuid programs, which are started outside and told our pid', () => {
  const texts = textsOf(RANGES);
  const programs = texts.filter((text) => text.startsWith('execve("/usr/bin/new'));
  assert.equal(programs, [
    'execve("/usr/bin/newuidmap", ["/usr/bin/newuidmap", &own-pid+0, "0", "1000", "1", "1", "100000", "65536"], [])',
    'execve("/usr/bin/newgidmap", ["/usr/bin/newgidmap", &own-pid+0, "0", "100", "1", "1", "100000", "65536"], [])',
  ]);
  const at = (start: string): number => texts.findIndex((text) => text.startsWith(start));
  const order = [
    at('$uid-mapper = clone3'),
    at('$gid-mapper = clone3'),
    at('unshare('),
    at('write($mapper-w, "go", 2)'),
    at('wait4($uid-mapper'),
    at('setresuid('),
  ];
  assert.equal(
    order,
    order.toSorted((a, b) => a - b),
  );
  assert.ok(
    texts.some((text) => text.startsWith('setgroups(0')),
    'groups can be dropped',
  );
});

test('a mapping that is refused is told, and nothing was made', () => {
  const { printed, exit, calls } = run(RANGES, (call) => {
    if (call.call !== 'wait4' || bufferOf(call, 1) !== 'status') return undefined;
    call.memory(1)[1] = 1; // exit code 1
    return 5;
  });
  assert.is(exit, 125);
  assert.match(
    printed[0]!.line,
    'map uids: /usr/bin/newuidmap refuses the mappings of the config: /etc/subuid',
  );
  assert.not.ok(calls.some(({ call }) => call === 'mkdirat'));
});

test('owners of files are told as they are seen inside', () => {
  const input = planInput(RANGES);
  assert.equal(
    [1000, 100000, 165535, 7].map((id) => idInside(input, 'uid', id)),
    [0, 1, 65536, 0],
  );
  assert.is(idInside(planInput(), 'uid', 7), 7);
  const owned = textsOf({ ...RANGES, rootfs: ownedBy(1000, 100004) });
  assert.ok(owned.some((text) => text.startsWith('fchownat($data, "upper", 0, 5,')));
  assert.ok(owned.some((text) => text.includes('"userxattr"')));
});

test('what takes root is refused', () => {
  const mount = { destination: '/a', source: '/srv/data', options: ['bind', 'idmap'] };
  const rows: [Change, RegExp][] = [
    [{ config: (config) => void config.mounts!.push(mount) }, /^\/mounts\/\d: idmapped mounts take root$/],
    [
      { config: (config) => void Object.assign(config.linux!, { netDevices: { eth0: {} } }) },
      /^\/linux\/netDevices: network devices cannot/,
    ],
    [
      { config: (config) => void Object.assign(config.process, { user: { additionalGids: [5] } }) },
      /cannot set any additional groups in a rootless container$/,
    ],
  ];
  for (const [{ config: change }, message] of rows) {
    const config: Change['config'] = (config) => {
      for (const part of [ALONE.config, change]) if (typeof part === 'function') part(config);
    };
    assert.throws(() => plan({ ...ALONE, config }), message);
  }
});

test.run();
