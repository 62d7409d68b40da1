import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Linux, Namespace, NamespaceType } from '../../src/oci/config.ts';
import { CLONE_FLAGS, listNamespaces } from '../../src/plan/namespaces.ts';
import { constants } from '../../src/sys/constants.ts';
import {
  type Change,
  errno,
  minimalConfig,
  plan,
  registerOf,
  run,
  sectionOf,
  stepsOf,
  textsOf,
} from '../support/plan-input.ts';

const withNamespaces = (namespaces: Namespace[], linux: Partial<Linux> = {}): Change => ({
  config: minimalConfig((config) => {
    config.linux = { namespaces, ...linux };
  }),
});

const MAPS = {
  uidMappings: [{ containerID: 0, hostID: 100000, size: 1000 }],
  gidMappings: [{ containerID: 0, hostID: 200000, size: 1000 }],
};

const TYPES: readonly NamespaceType[] = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'];

const clones = (change: Change): string[] =>
  stepsOf(change).flatMap(({ text }) => {
    const flags = /clone_args\{flags: ([^,]+),/.exec(text)?.[1];
    return flags === undefined ? [] : [flags];
  });

test('a new namespace of each type is made by clone3, but for time and cgroup, which need something done first', () => {
  for (const type of TYPES) {
    const expected = type === 'time' || type === 'cgroup' ? 'none' : CLONE_FLAGS[type];
    assert.equal(clones(withNamespaces([{ type }], type === 'user' ? MAPS : {})), [expected], type);
  }
  const types = TYPES.map((type) => ({ type }));
  assert.equal(clones(withNamespaces(types, MAPS)), [
    'CLONE_NEWPID|CLONE_NEWNET|CLONE_NEWNS|CLONE_NEWIPC|CLONE_NEWUTS|CLONE_NEWUSER',
  ]);
  assert.equal(clones(withNamespaces([])), ['none']);
  assert.equal(clones(withNamespaces([{ type: 'uts', path: '' }])), ['CLONE_NEWUTS']); // an empty path is none
});

test('an existing namespace of each type is opened, checked to be of it, and joined', () => {
  for (const type of TYPES) {
    const steps = stepsOf(withNamespaces([{ type, path: `/ns/${type}` }]));
    const texts = steps.filter(({ op }) => op.from === '/linux/namespaces/0/path').map(({ text }) => text);
    assert.equal(
      texts,
      [
        `$ns-${type} = openat(AT_FDCWD, "/ns/${type}", O_RDONLY|O_CLOEXEC, 0)`,
        `$type = ioctl($ns-${type}, NS_GET_NSTYPE, 0)`,
        `setns($ns-${type}, ${CLONE_FLAGS[type]})  fail -> leave`,
      ],
      type,
    );
    assert.equal(clones(withNamespaces([{ type, path: '/x' }])), ['none', 'CLONE_PARENT'], type);
  }
});

test('the user namespace is joined last, the others in their order', () => {
  const { fresh, joined } = listNamespaces({
    config: minimalConfig((config) => {
      config.linux!.namespaces = [
        { type: 'user', path: '/u' },
        { type: 'uts' },
        { type: 'network', path: '/n' },
        { type: 'ipc', path: '' },
        { type: 'pid', path: '/p' },
      ];
    }),
  });
  assert.equal(fresh, ['uts', 'ipc']);
  assert.equal(
    joined.map(({ type, from }) => `${type} ${from}`),
    ['network /linux/namespaces/2/path', 'pid /linux/namespaces/4/path', 'user /linux/namespaces/0/path'],
  );
});

test('a namespace file of another type is refused, and nothing was started', () => {
  const change = withNamespaces([{ type: 'network', path: '/ns/uts' }]);
  const { exit, printed, calls } = run(change, (call) =>
    registerOf(call, 0) === 'ns-network' && call.call === 'ioctl' ? constants['CLONE_NEWUTS'] : undefined,
  );
  assert.is(exit, 125);
  assert.is(printed[0]?.line, 'tinyrun: join network namespace /ns/uts: it is a namespace of another type\n');
  assert.not.ok(calls.some(({ call }) => call === 'clone3'));
});

test('a file that is no namespace is refused', () => {
  const { exit, printed } = run(withNamespaces([{ type: 'network', path: '/etc/passwd' }]), ({ call }) =>
    call === 'ioctl' ? errno('ENOTTY') : undefined,
  );
  assert.is(exit, 125);
  assert.match(printed[0]!.line, 'join network namespace /etc/passwd: it is no namespace: ENOTTY');
});

test('a stage that cannot join says so once, and the id is free again', () => {
  const { exit, printed, calls } = run(withNamespaces([{ type: 'network', path: '/n' }]), (call) => {
    if (call.call === 'setns') return errno('EPERM');
    return call.call === 'read' && registerOf(call, 0) === 'pid-r' ? 0 : undefined; // the stage has ended
  });
  assert.is(exit, 125);
  assert.equal(
    printed.map(({ line }) => line),
    ['tinyrun: join network namespace /n: EPERM operation not permitted\n'],
  );
  assert.ok(
    calls.some(({ process, call, args }) => process === 0 && call === 'unlinkat' && args[1] === 'c1'),
  );
});

// User namespaces

/** What the host program writes into files of /proc/PID. */
const written = (change: Change): string[] =>
  stepsOf(change)
    .filter(({ op, process }) => process === 0 && op.call === 'write' && /^write [ug]id_map/.test(op.what))
    .map(({ op }) => String(op.args[1]));

test('id maps are a line for each range, uids before gids', () => {
  assert.equal(written(withNamespaces([{ type: 'user' }], MAPS)), ['0 100000 1000\n', '0 200000 1000\n']);
  assert.equal(
    written(
      withNamespaces([{ type: 'user' }], {
        ...MAPS,
        uidMappings: [
          { containerID: 0, hostID: 1000, size: 1 },
          { containerID: 1, hostID: 100000, size: 65536 },
        ],
      }),
    ),
    ['0 1000 1\n1 100000 65536\n', '0 200000 1000\n'],
  );
  assert.equal(written(withNamespaces([{ type: 'user', path: '/u' }])), []); // it has its own
});

test("id maps are written to the file of init's pid", () => {
  const paths: string[] = [];
  const { calls } = run(withNamespaces([{ type: 'user' }], MAPS), (call) => {
    if (call.call === 'openat' && call.op.what.startsWith('write ')) paths.push(call.string(1));
    return undefined;
  });
  const pid = calls.find(({ call }) => call === 'clone3')!.value;
  assert.equal(
    paths.map((path) => path.replace(/\/+/g, '/')),
    [`/proc/${pid}/uid_map`, `/proc/${pid}/gid_map`],
  );
});

test('init becomes root of a user namespace, new or joined, and of no other', () => {
  const becomes = (change: Change) =>
    stepsOf(change).some(({ op, text }) => text === 'setresuid(0, 0, 0)' && op.from === '/linux/uidMappings');
  assert.ok(becomes(withNamespaces([{ type: 'user' }], MAPS)));
  assert.ok(becomes(withNamespaces([{ type: 'user', path: '/u' }])));
  assert.not.ok(becomes(withNamespaces([{ type: 'pid' }])));
});

// Time namespaces

const timeSteps = (linux: Partial<Linux>): string[] =>
  stepsOf(withNamespaces([{ type: 'time' }], linux))
    .filter(({ process }) => process === 1)
    .map(({ text }) => text)
    .filter((text) => /TIME|time|^write/.test(text) && !text.includes('ppoll'));

test('the clocks of a time namespace are set before it is entered', () => {
  const rows: [Partial<Linux>, string | undefined][] = [
    [{}, undefined],
    [{ timeOffsets: {} }, undefined],
    [{ timeOffsets: { monotonic: { secs: 86400, nanosecs: 5 } } }, 'monotonic 86400 5\\n'],
    [{ timeOffsets: { boottime: { secs: -10 } } }, 'boottime -10 0\\n'],
    [
      { timeOffsets: { boottime: { nanosecs: 7 }, monotonic: { secs: 2n ** 54n } } },
      `monotonic ${2n ** 54n} 0\\nboottime 0 7\\n`,
    ],
  ];
  for (const [linux, offsets] of rows) {
    assert.equal(
      timeSteps(linux),
      [
        'unshare(CLONE_NEWTIME)',
        ...(offsets === undefined
          ? []
          : [
              '$file = openat(AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY|O_CLOEXEC, 0)',
              `write($file, "${offsets}", ${offsets.replaceAll('\\n', '\n').length})`,
            ]),
        '$file = openat(AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY|O_CLOEXEC, 0)',
        'setns($file, CLONE_NEWTIME)',
      ],
      String(offsets),
    );
  }
});

test('a container without a mount namespace is chrooted, and mounts nothing', () => {
  const texts = textsOf(sectionOf(plan(withNamespaces([{ type: 'pid' }])), 'init'));
  assert.equal(
    texts.filter((text) => /mount|mknod|symlink|chroot|\$root/.test(text)),
    ['fchdir($root)', 'chroot(".")'],
  );
});

test('who lives in the same namespaces can look into neither stage nor init', () => {
  const hidden = (namespaces: Namespace[]): boolean => {
    const calls = stepsOf(withNamespaces(namespaces)).map(({ op, text }) => ({ call: op.call, text }));
    const at = calls.findIndex(({ text }) => text.includes('PR_SET_DUMPABLE, 0'));
    return at >= 0 && at < calls.findIndex(({ call }) => call === 'clone3');
  };
  assert.ok(hidden([{ type: 'pid' }, { type: 'user', path: '/ns/user' }]));
  assert.ok(hidden([{ type: 'pid', path: '/ns/pid' }]));
  assert.ok(hidden([{ type: 'mount' }]), "the host's pid namespace is shared");
  assert.not.ok(hidden([{ type: 'pid' }, { type: 'mount' }]), 'in a new one nobody else is');
});

test.run();
