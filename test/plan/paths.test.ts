import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers } from '../../src/engine/recorder.ts';
import type { Linux, Mount } from '../../src/oci/config.ts';
import { type Change, errno, minimalConfig, run, stepsOf } from '../support/plan-input.ts';

const PROC: Mount = { destination: '/proc', type: 'proc' };

const withPaths = (linux: Partial<Linux>, mounts: Mount[] = [PROC]): Change => ({
  config: minimalConfig((config) => {
    config.mounts = mounts;
    Object.assign(config.linux!, linux);
  }),
});

/** What is done for the paths, with the arguments of openat2 cut. */
const done = (change: Change, special?: Answers): string[] =>
  stepsOf(change, special)
    .filter(({ op }) => /^\/linux\/(masked|readonly)Paths\/\d/.test(op.from))
    .map(({ text }) => text.replace(/, resolve:.*/, ''));

const EMPTY = [
  '$fs = fsopen("tmpfs", FSOPEN_CLOEXEC)',
  'fsconfig($fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0)',
  'fsconfig($fs, FSCONFIG_SET_FLAG, "ro", 0, 0)',
  'fsconfig($fs, FSCONFIG_CMD_CREATE, 0, 0, 0)',
  '$mount = fsmount($fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY)',
  'close($fs)',
];
const NULL = '$mount = open_tree($null, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH)';
const ATTACH = 'move_mount($mount, "", $target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)';
const opened = (path: string, how: string) =>
  `$target = openat2($root, "${path}", open_how{flags: ${how}|O_CLOEXEC`;

test('in proc the host tells of which kind a masked path is', () => {
  assert.equal(done(withPaths({ maskedPaths: ['/proc/acpi'] })), [
    ...EMPTY,
    'move_mount($mount, "", $tree-0, "acpi", MOVE_MOUNT_F_EMPTY_PATH)  goto ENOENT -> masked-0',
    'close($mount)',
  ]);
  for (const path of ['/proc/kcore', '/proc/unheard-of'])
    assert.equal(done(withPaths({ maskedPaths: [path] })), [
      NULL,
      `move_mount($mount, "", $tree-0, "${path.slice(6)}", MOVE_MOUNT_F_EMPTY_PATH)  goto ENOENT -> masked-0`,
      'close($mount)',
    ]);
});

test('in the rootfs opening it shows of which kind a masked path is', () => {
  const change = withPaths({ maskedPaths: ['/a/../etc//x'] });
  const directory = [
    `${opened('etc/x', 'O_PATH|O_DIRECTORY')}`,
    ...EMPTY,
    ATTACH,
    'close($mount)',
    'close($target)',
  ];
  assert.equal(done(change), directory);
  const file = done(change, ({ call, text }) =>
    call === 'openat2' && text.includes('O_DIRECTORY') && text.includes('etc/x')
      ? errno('ENOTDIR')
      : undefined,
  );
  assert.equal(file, [
    opened('etc/x', 'O_PATH|O_DIRECTORY'),
    opened('etc/x', 'O_PATH'),
    NULL,
    ATTACH,
    'close($mount)',
    'close($target)',
  ]);
});

test('what is not there needs no mask, and is no failure', () => {
  const change = withPaths({
    maskedPaths: ['/etc/x', '/proc/kcore', '/etc/y'],
    readonlyPaths: ['/etc/x', '/proc/sys'],
  });
  for (const missing of ['ENOENT', 'ENOTDIR']) {
    const special: Answers = (call) => {
      const gone = call.call === 'openat2' && call.string(1).startsWith('etc/');
      return gone ? errno(missing) : undefined;
    };
    // A file on the way (ENOTDIR) is looked at a second time, as a possible file itself.
    assert.is(run(change, special).exit, 0, missing);
    assert.not.ok(
      done(change, special).some((text) => text.startsWith(ATTACH)),
      missing,
    );
  }
  const noProcFiles: Answers = (call) => {
    const path =
      call.call === 'move_mount' ? call.string(3) : call.call === 'open_tree' ? call.string(1) : '';
    return ['kcore', 'sys'].includes(path) ? errno('ENOENT') : undefined;
  };
  assert.is(run(change, noProcFiles).exit, 0);
});

test('a mask that cannot be attached ends the container', () => {
  for (const path of ['/proc/kcore', '/etc/x']) {
    const { exit, printed } = run(withPaths({ maskedPaths: [path] }), ({ call, op }) =>
      call === 'move_mount' && op.from === '/linux/maskedPaths/0' ? errno('ENOTDIR') : undefined,
    );
    assert.is(exit, 125);
    assert.match(printed[0]!.line, `tinyrun: mask ${path}: ENOTDIR`);
  }
});

test("the host's null device is checked to be it, once, and only where something is masked", () => {
  const looks = (change: Change) => stepsOf(change).filter(({ op }) => op.from === '/linux/maskedPaths');
  assert.equal(
    looks(withPaths({ maskedPaths: ['/proc/kcore', '/proc/keys'] })).map(({ text }) => text),
    [
      '$null = openat(AT_FDCWD, "/dev/null", O_PATH|O_NOFOLLOW|O_CLOEXEC, 0)',
      'statx($null, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &statx+0)',
    ],
  );
  assert.equal(looks(withPaths({ maskedPaths: [] })), []);
  for (const [major, minor] of [
    [1, 5],
    [2, 3],
  ]) {
    const { exit, printed } = run(withPaths({ maskedPaths: ['/proc/kcore'] }), (call) => {
      if (call.call !== 'statx' || call.op.from !== '/linux/maskedPaths') return undefined;
      call.memory(4).set([major!, 0, 0, 0, minor!, 0, 0, 0], 128);
      return 0;
    });
    assert.is(exit, 125);
    assert.is(printed[0]?.line, 'tinyrun: mask paths: /dev/null of the host is not the null device\n');
  }
});

const READONLY =
  'mount_setattr($mount, "", AT_EMPTY_PATH|AT_RECURSIVE, mount_attr{attr_set: MOUNT_ATTR_RDONLY}, 32)';

test('a read-only path is bound on itself, with all that is mounted below', () => {
  assert.equal(done(withPaths({ readonlyPaths: ['/proc/sys', '/usr/lib/'] })), [
    '$mount = open_tree($tree-0, "sys", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)  goto ENOENT -> readonly-0, ENOTDIR -> readonly-0',
    READONLY,
    'move_mount($mount, "", $tree-0, "sys", MOVE_MOUNT_F_EMPTY_PATH)',
    'close($mount)',
    opened('usr/lib', 'O_PATH'),
    '$mount = open_tree($target, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH|AT_RECURSIVE)',
    READONLY,
    ATTACH,
    'close($mount)',
    'close($target)',
  ]);
});

test('below a volume in proc no kind is believed', () => {
  const bound: Mount = { destination: '/proc/net/dev', source: '/srv/file', options: ['bind'] };
  const texts = done(withPaths({ maskedPaths: ['/proc/net/dev'] }, [PROC, bound]));
  assert.is(texts[0], opened('proc/net/dev', 'O_PATH|O_DIRECTORY'));
});

test.run();
