import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import type { Mount } from '../../src/oci/config.ts';
import { planBindSources } from '../../src/plan/bind-sources.ts';
import type { FlagMount } from '../../src/plan/input.ts';
import { bindSource, listMounts } from '../../src/plan/mount-list.ts';
import { planMounts } from '../../src/plan/mounts.ts';
import { Places } from '../../src/plan/place.ts';
import {
  type Change,
  errno,
  minimalConfig,
  planInput,
  run,
  stepsOf,
  textsOf,
} from '../support/plan-input.ts';

/** The input of a container with these mounts alone. */
const withMounts = (mounts: Mount[], change: Change = {}): Change => ({
  ...change,
  config: minimalConfig((config) => {
    config.mounts = mounts;
  }),
});

/** What the host program does for binds; it makes those of a container with a user namespace. */
function binds(mounts: Mount[], change: Change = {}): string[] {
  const input = planInput(withMounts(mounts, change));
  input.config.linux!.namespaces!.push({ type: 'user' });
  return textsOf(planBindSources(listMounts(input), input));
}

/** What the init program does for mounts. */
function attached(mounts: Mount[], change: Change = {}): string[] {
  const input = planInput(withMounts(mounts, change));
  return textsOf(planMounts(listMounts(input), input, new Places(input.present)));
}

const bind = (...options: string[]): Mount => ({ destination: '/d', source: '/srv/data', options });
const TREE = '$bind = open_tree(AT_FDCWD, "/srv/data", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC';
const SLAVE = 'mount_setattr($bind, "", AT_EMPTY_PATH|AT_RECURSIVE, mount_attr{propagation: MS_SLAVE}, 32)';
const KEEP = 'store4 $bind &binds+0';
const own = (attributes: string) => `mount_setattr($bind, "", AT_EMPTY_PATH, mount_attr{${attributes}}, 32)`;
const all = (attributes: string) =>
  `mount_setattr($bind, "", AT_EMPTY_PATH|AT_RECURSIVE, mount_attr{${attributes}}, 32)`;

test('planBindSources: a bind is a detached copy, never shared unless asked for, with its options set on it', () => {
  const rows: [Mount, string[]][] = [
    [bind('bind'), [`${TREE})`, SLAVE, KEEP]],
    [bind('rbind'), [`${TREE}|AT_RECURSIVE)`, SLAVE, KEEP]],
    [bind('bind', 'rbind'), [`${TREE}|AT_RECURSIVE)`, SLAVE, KEEP]],
    [
      bind('bind', 'ro', 'nosuid', 'dev'),
      [
        `${TREE})`,
        SLAVE,
        own('attr_set: MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID, attr_clr: MOUNT_ATTR_NODEV'),
        KEEP,
      ],
    ],
    [bind('rbind', 'rro'), [`${TREE}|AT_RECURSIVE)`, SLAVE, all('attr_set: MOUNT_ATTR_RDONLY'), KEEP]],
    [
      bind('rbind', 'ro', 'rnoexec'),
      [
        `${TREE}|AT_RECURSIVE)`,
        SLAVE,
        own('attr_set: MOUNT_ATTR_RDONLY'),
        all('attr_set: MOUNT_ATTR_NOEXEC'),
        KEEP,
      ],
    ],
    [
      bind('bind', 'noatime'),
      [`${TREE})`, SLAVE, own('attr_set: MOUNT_ATTR_NOATIME, attr_clr: MOUNT_ATTR__ATIME'), KEEP],
    ],
    [bind('bind', 'private'), [`${TREE})`, SLAVE, own('propagation: MS_PRIVATE'), KEEP]],
    [bind('rbind', 'runbindable'), [`${TREE}|AT_RECURSIVE)`, SLAVE, all('propagation: MS_UNBINDABLE'), KEEP]],
    [bind('rbind', 'rshared'), [`${TREE}|AT_RECURSIVE)`, all('propagation: MS_SHARED'), KEEP]],
    [
      bind('rbind', 'rslave', 'rshared'),
      [`${TREE}|AT_RECURSIVE)`, all('propagation: MS_SLAVE'), all('propagation: MS_SHARED'), KEEP],
    ],
    [bind('bind', 'mode=755'), [`${TREE})`, SLAVE, KEEP]], // data has no meaning for a bind
    [bind('remount', 'bind', 'ro'), []],
    [{ destination: '/d', type: 'tmpfs' }, []],
  ];
  for (const [mount, expected] of rows) assert.equal(binds([mount]), expected, String(mount.options));
});

test('planBindSources: each bind keeps its own place in the table', () => {
  const kept = binds([
    bind('bind'),
    { destination: '/t', type: 'tmpfs' },
    bind('bind'),
    bind('rbind'),
  ]).filter((text) => text.startsWith('store4'));
  assert.equal(kept, ['store4 $bind &binds+0', 'store4 $bind &binds+4', 'store4 $bind &binds+8']);
});

test('bindSource: a relative source is below the bundle', () => {
  const rows = { '/a': '/a', data: '/bundle/data', '../x': '/bundle/../x', '': '/bundle/' };
  for (const [source, expected] of Object.entries(rows))
    assert.is(bindSource({ destination: '/d', source }, '/bundle'), expected);
  assert.match(binds([{ destination: '/d', source: 'data', options: ['bind'] }])[0]!, '"/bundle/data"');
});

test('planBindSources: -v makes a missing source, --mount does not', () => {
  const flag = (createSource: boolean): FlagMount => ({
    mount: { destination: '/d', source: '/srv/new', options: ['rbind'] },
    createSource,
    from: '--volume',
  });
  const sources = new Map([['/srv/new', 'missing' as const]]);
  assert.equal(binds([], { sources, flagMounts: [flag(true)] }).slice(0, 2), [
    'mkdirat(AT_FDCWD, "/srv", 0755)  ignore EEXIST',
    'mkdirat(AT_FDCWD, "/srv/new", 0755)  ignore EEXIST',
  ]);
  assert.match(binds([], { sources, flagMounts: [flag(false)] })[0]!, /^\$bind = open_tree/);
  assert.match(
    binds([], { flagMounts: [flag(true)], sources: new Map([['/srv/new', 'directory']]) })[0]!,
    'open_tree',
  );
});

const DIRECTORY =
  '$target = openat2($root, "d", open_how{flags: O_PATH|O_DIRECTORY|O_CLOEXEC, resolve: RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS}, 24)';
const ATTACH = 'move_mount($mount, "", $target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)';
const PRESENT = { present: new Set(['d']) };

test('planMounts: a new filesystem gets its options while it is attached nowhere', () => {
  assert.equal(
    attached(
      [
        {
          destination: '/d',
          type: 'ext4',
          source: '/dev/vdb',
          options: [
            'ro',
            'nosuid',
            'sync',
            'data=journal',
            'frobnicate',
            'a=b=c',
            'silent',
            'iversion',
            'slave',
          ],
        },
      ],
      PRESENT,
    ),
    [
      '$fs = fsopen("ext4", FSOPEN_CLOEXEC)',
      'fsconfig($fs, FSCONFIG_SET_STRING, "source", "/dev/vdb", 0)',
      'fsconfig($fs, FSCONFIG_SET_FLAG, "sync", 0, 0)',
      'fsconfig($fs, FSCONFIG_SET_FLAG, "ro", 0, 0)',
      'fsconfig($fs, FSCONFIG_SET_STRING, "data", "journal", 0)',
      'fsconfig($fs, FSCONFIG_SET_FLAG, "frobnicate", 0, 0)',
      'fsconfig($fs, FSCONFIG_SET_STRING, "a", "b=c", 0)',
      'fsconfig($fs, FSCONFIG_CMD_CREATE, 0, 0, 0)',
      '$mount = fsmount($fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID)',
      'close($fs)',
      'mount_setattr($mount, "", AT_EMPTY_PATH, mount_attr{propagation: MS_SLAVE}, 32)',
      DIRECTORY,
      ATTACH,
      'close($target)',
      'close($mount)',
    ],
  );
});

test('planMounts: without a source none is set', () => {
  assert.equal(attached([{ destination: '/d', type: 'mqueue' }], PRESENT).slice(0, 2), [
    '$fs = fsopen("mqueue", FSOPEN_CLOEXEC)',
    'fsconfig($fs, FSCONFIG_CMD_CREATE, 0, 0, 0)',
  ]);
});

const NOT_PROC = [
  'fstatfs($target, &statfs+0)',
  '$fstype = load8 &statfs+0',
  'if $fstype != PROC_SUPER_MAGIC -> not-proc-0',
  'fail',
  'not-proc-0:',
];

test('planMounts: a bind that is a peer of the host is a copy of what the host program has made', () => {
  assert.equal(attached([bind('bind', 'shared')], PRESENT).slice(0, 6), [
    '$peer = load4 &binds+0',
    'move_mount($peer, "", AT_FDCWD, "/srv/data", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_SYMLINKS)',
    '$mount = open_tree($peer, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH)',
    'mount_setattr($peer, "", AT_EMPTY_PATH|AT_RECURSIVE, mount_attr{propagation: MS_PRIVATE}, 32)',
    'umount2("/srv/data", MNT_DETACH)',
    'close($peer)',
  ]);
});

test('planMounts: a bind is a copy that is never attached to a file of proc', () => {
  assert.equal(attached([bind('bind', 'ro')], PRESENT), [
    '$mount = open_tree(AT_FDCWD, "/srv/data", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC)',
    'mount_setattr($mount, "", AT_EMPTY_PATH, mount_attr{attr_set: MOUNT_ATTR_RDONLY}, 32)',
    DIRECTORY,
    ...NOT_PROC,
    ATTACH,
    'close($target)',
    'close($mount)',
  ]);
});

test('planMounts: a bind of a file stands on a file', () => {
  const file = { destination: '/d', source: '/srv/file', options: ['bind'] };
  assert.is(attached([file], PRESENT)[1], DIRECTORY.replace('O_DIRECTORY|', ''));
  assert.ok(attached([file]).includes('mknodat($root, "d", 0100755, 0)  ignore EEXIST'));
  assert.ok(attached([bind('bind')]).includes('mkdirat($root, "d", 0755)  ignore EEXIST'));
});

test('planMounts: remount gives what is there other attributes, and mounts nothing', () => {
  assert.equal(attached([{ destination: '/d', options: ['remount', 'bind', 'ro', 'exec'] }]), [
    DIRECTORY.replace('O_DIRECTORY|', '').replace('|RESOLVE_NO_SYMLINKS', ''),
    'mount_setattr($target, "", AT_EMPTY_PATH, mount_attr{attr_set: MOUNT_ATTR_RDONLY, attr_clr: MOUNT_ATTR_NOEXEC}, 32)',
    'close($target)',
  ]);
});

const tmpfs = (destination: string): Mount => ({ destination, type: 'tmpfs', source: 'tmpfs' });

test('planMounts: in a tmpfs of our own the place is one name, and nothing is checked', () => {
  assert.equal(attached([tmpfs('/t'), { destination: '/t/x', type: 'mqueue' }]).slice(-5), [
    '$mount = fsmount($fs, FSMOUNT_CLOEXEC, none)',
    'close($fs)',
    'mkdirat($tree-0, "x", 0755)  ignore EEXIST',
    'move_mount($mount, "", $tree-0, "x", MOVE_MOUNT_F_EMPTY_PATH)',
    'close($mount)',
  ]);
});

test('planMounts: deeper in a tmpfs the place is resolved inside the root', () => {
  const texts = attached([tmpfs('/t'), { destination: '/t/x/y', type: 'mqueue' }]);
  assert.ok(texts.some((text) => text.startsWith('$target = openat2($root, "t/x/y"')));
  assert.not.ok(texts.some((text) => text.includes('"x/y"')));
});

test('planMounts: below a bind nothing is trusted, even over a tmpfs', () => {
  const texts = attached([
    tmpfs('/t'),
    { ...bind('bind'), destination: '/t' },
    { destination: '/t/x', type: 'mqueue' },
  ]);
  assert.ok(texts.some((text) => text.startsWith('$target = openat2($root, "t/x"')));
});

function refusal(mounts: Mount[], change: Change = {}): TinyrunError {
  try {
    attached(mounts, change);
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('planMounts: / itself is refused, however it is written', () => {
  for (const destination of ['/', '//', '/.', '/a/..', '/../..']) {
    const error = refusal([tmpfs('/ok'), tmpfs(destination)]);
    assert.is(error.code, 'CONFIG');
    assert.is(error.message, '/mounts/1: cannot mount on /: it is the rootfs itself');
  }
  const error = refusal([], {
    flagMounts: [{ mount: bind('bind'), createSource: true, from: '--volume' }],
    resolved: new Map([['d', '/']]),
  });
  assert.is(error.message, '--volume: cannot mount on /: it is the rootfs itself');
});

test('planMounts: .. stops at the root', () => {
  for (const destination of ['/../../d', '/x/../d', '//./d/', 'd'])
    assert.is(attached([{ destination, type: 'mqueue' }], PRESENT)[4], DIRECTORY, destination);
});

const proc: Mount = { destination: '/proc', type: 'proc', source: 'proc' };

test('planMounts: of our own proc only files that tell numbers may be covered', () => {
  for (const path of ['/proc/meminfo', '/proc/net/dev', '/proc/sys/kernel/ns_last_pid']) {
    const texts = attached([proc, { destination: path, source: '/srv/file', options: ['bind'] }]);
    const name = path.slice('/proc/'.length);
    const move = `move_mount($mount, "", $tree-0, "${name}", MOVE_MOUNT_F_EMPTY_PATH)`;
    assert.ok(
      texts.some((text) => text.startsWith(move)),
      path,
    );
  }
  for (const path of ['/proc/self/attr/exec', '/proc/sys', '/proc/1', '/x/../proc/sysrq-trigger']) {
    for (const mount of [{ destination: path, source: '/srv/file', options: ['bind'] }, tmpfs(path)]) {
      const error = refusal([proc, mount]);
      assert.is(error.code, 'CONFIG');
      assert.match(error.message, /^\/mounts\/1: mount on \/proc\/\S+: it is inside of proc$/);
    }
  }
});

test('planMounts: where proc comes by a link of the image, the kernel is asked', () => {
  const change = withMounts([proc, { ...bind('bind'), destination: '/link' }]);
  const PROC_SUPER_MAGIC = 0x9fa0;
  const recording = run(change, (call) => {
    if (call.call !== 'fstatfs') return undefined;
    call.memory(1).set([PROC_SUPER_MAGIC & 0xff, PROC_SUPER_MAGIC >> 8, 0, 0, 0, 0, 0, 0]);
    return 0;
  });
  assert.is(recording.exit, 125);
  assert.equal(recording.printed, [{ fd: 2, line: 'tinyrun: mount on /link: it is inside of proc\n' }]);
});

test('a missing mount point is made, each part in the descriptor of the part before', () => {
  let missing = true;
  const steps = stepsOf(withMounts([{ ...bind('bind'), destination: '/a/b/c' }]), (call) => {
    if (call.call !== 'openat2' || call.string(1) !== 'a/b/c' || !missing) return undefined;
    missing = false;
    return errno('ENOENT');
  });
  const texts = steps.filter(({ op }) => op.from === '/mounts/0' && /openat2|mkdirat|close/.test(op.call));
  assert.equal(
    texts.map(({ text }) => text.replace(/, open_how.*/, '')),
    [
      '$target = openat2($root, "a/b/c"',
      'mkdirat($root, "a", 0755)  ignore EEXIST',
      '$parent = openat2($root, "a"',
      'mkdirat($parent, "b", 0755)  ignore EEXIST',
      'close($parent)',
      '$parent = openat2($root, "a/b"',
      'mkdirat($parent, "c", 0755)  ignore EEXIST',
      'close($parent)',
      '$target = openat2($root, "a/b/c"',
      'close($target)',
      'close($mount)',
    ],
  );
});

test('a mount point that is there is not made', () => {
  const steps = stepsOf(withMounts([{ ...bind('bind'), destination: '/a/b/c' }]));
  assert.equal(
    steps.filter(({ op }) => op.from === '/mounts/0' && op.call === 'mkdirat'),
    [],
  );
});

test('a mount point that was there and has vanished is a failure, not a new one', () => {
  const change = withMounts([{ ...bind('bind'), destination: '/a' }], { present: new Set(['a']) });
  const { exit, printed } = run(change, (call) =>
    call.call === 'openat2' && call.string(1) === 'a' ? errno('ENOENT') : undefined,
  );
  assert.is(exit, 125);
  assert.equal(printed, [
    { fd: 2, line: 'tinyrun: open /a in the rootfs: ENOENT no such file or directory\n' },
  ]);
});

test('planMounts: a tmpfs without a mode has that of the directory it covers', () => {
  const modes = (mount: Mount, change: Change = {}) =>
    attached([mount], change).filter((text) => /fchmodat|"mode"/.test(text));
  const given = { ...tmpfs('/d'), options: ['mode=700'] };
  assert.equal(modes(given), ['fsconfig($fs, FSCONFIG_SET_STRING, "mode", "700", 0)']);
  assert.equal(modes(tmpfs('/d')), ['fchmodat($tree-0, ".", $mode)  ignore EROFS']);
  const nothing = run(withMounts([tmpfs('/d')]), (call) =>
    call.call === 'openat2' && call.string(1) === 'd' && call.op.what.startsWith('look')
      ? errno('ENOENT')
      : undefined,
  );
  assert.is(nothing.exit, 0);
  assert.not.ok(nothing.calls.some(({ call }) => call === 'fchmodat'));
});

test.run();
