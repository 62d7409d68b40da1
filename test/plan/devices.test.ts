import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Device, Mount } from '../../src/oci/config.ts';
import { bufferOf, type Change, errno, INPUTS, minimalConfig, run, stepsOf } from '../support/plan-input.ts';

const DEV: Mount = { destination: '/dev', type: 'tmpfs', source: 'tmpfs' };

/** A container with these devices, and a tmpfs on /dev unless told otherwise. */
const withDevices = (
  devices: Device[],
  mounts: Mount[] = [DEV],
  change?: (config: Config) => void,
): Change => ({
  config: minimalConfig((config) => {
    config.mounts = mounts;
    config.linux!.devices = devices;
    change?.(config);
  }),
});

/** The calls that make something, of ops that neither the config's mounts nor state ask for. */
const made = (change: Change): string[] =>
  stepsOf(change)
    .filter(({ text }) => /^(mknodat|symlinkat|fchownat|unlinkat\(\$(dev|tree))/.test(text))
    .map(({ text }) => text);

const NODES = [
  '"null", 020666, 0x103',
  '"zero", 020666, 0x105',
  '"full", 020666, 0x107',
  '"random", 020666, 0x108',
  '"urandom", 020666, 0x109',
  '"tty", 020666, 0x500',
];
const LINKS = [
  '"/proc/self/fd", $tree-0, "fd"',
  '"/proc/self/fd/0", $tree-0, "stdin"',
  '"/proc/self/fd/1", $tree-0, "stdout"',
  '"/proc/self/fd/2", $tree-0, "stderr"',
  '"pts/ptmx", $tree-0, "ptmx"',
];

test('every container has the default devices and links', () => {
  assert.equal(made(withDevices([])), [
    ...NODES.map((node) => `mknodat($tree-0, ${node})`),
    ...LINKS.map((link) => `symlinkat(${link})`),
  ]);
});

test("in a /dev of the rootfs links may be there already, and the image's ptmx goes", () => {
  const texts = made(withDevices([], [])).slice(6);
  assert.equal(texts, [
    ...LINKS.slice(0, 4).map((link) => `symlinkat(${link.replace('tree-0', 'dev')})  ignore EEXIST`),
    'unlinkat($dev, "ptmx", none)  ignore ENOENT',
    'symlinkat("pts/ptmx", $dev, "ptmx")  ignore EEXIST',
  ]);
});

test('a listed device replaces the default of its path, however that is written', () => {
  for (const path of ['/dev/null', '//dev/./null', '/x/../dev/null']) {
    const nulls = made(withDevices([{ type: 'c', path, major: 1, minor: 3, fileMode: 0o600 }])).filter(
      (text) => text.includes('"null"'),
    );
    assert.equal(nulls, ['mknodat($tree-0, "null", 020600, 0x103)'], path);
  }
});

test("a listed /dev/ptmx is the container's own all the same", () => {
  const ptmx: Device = { type: 'c', path: '/dev/ptmx', major: 5, minor: 2, fileMode: 0o666 };
  assert.equal(made(withDevices([ptmx])), made(withDevices([])));
});

test("where the caller is in a user namespace already, the host's nodes are bound", () => {
  const change: Change = { host: { inUserNamespace: true } };
  const texts = stepsOf(change).map(({ text }) => text);
  assert.not.ok(texts.some((text) => /^mknodat.*, 020666/.test(text)));
  assert.ok(texts.some((text) => text.includes('open_tree(AT_FDCWD, "/dev/null"')));
});

test('nodes: types, numbers, modes and owners', () => {
  const rows: [Device, string[]][] = [
    [{ type: 'c', path: '/dev/x', major: 10, minor: 229 }, ['mknodat($tree-0, "x", 020666, 0xae5)']],
    [{ type: 'u', path: '/dev/x', major: 1, minor: 2 }, ['mknodat($tree-0, "x", 020666, 0x102)']],
    [
      { type: 'b', path: '/dev/x', major: 8, minor: 0, fileMode: 0o660 },
      ['mknodat($tree-0, "x", 060660, 0x800)'],
    ],
    // Minors above 255 have their upper bits behind the major (mkdev of <linux/kdev_t.h>).
    [
      { type: 'b', path: '/dev/x', major: 259, minor: 0x12345 },
      ['mknodat($tree-0, "x", 060666, 0x12310345)'],
    ],
    [{ type: 'b', path: '/dev/x', major: 1, minor: 0xfffff }, ['mknodat($tree-0, "x", 060666, 0xfff001ff)']],
    [{ type: 'p', path: '/dev/x', fileMode: 0o600 }, ['mknodat($tree-0, "x", 010600, 0)']],
    // Podman gives the type in the mode as well.
    [
      { type: 'c', path: '/dev/x', major: 1, minor: 2, fileMode: 0o20640 },
      ['mknodat($tree-0, "x", 020640, 0x102)'],
    ],
    [
      { type: 'b', path: '/dev/x', major: 1, minor: 2, fileMode: 0o61640 },
      ['mknodat($tree-0, "x", 061640, 0x102)'],
    ],
    [
      { type: 'c', path: '/dev/x', major: 1, minor: 2, fileMode: 0 },
      ['mknodat($tree-0, "x", 020000, 0x102)'],
    ],
    [
      { type: 'c', path: '/dev/x', major: 1, minor: 2, uid: 1, gid: 2 },
      ['mknodat($tree-0, "x", 020666, 0x102)', 'fchownat($tree-0, "x", 1, 2, AT_SYMLINK_NOFOLLOW)'],
    ],
  ];
  for (const [device, expected] of rows)
    assert.equal(
      made(withDevices([device])).filter((text) => text.includes('"x"')),
      expected,
      JSON.stringify(device),
    );
});

test('a device outside of /dev, or deeper, gets its directory', () => {
  const rows: [string, string, string][] = [
    ['/fuse', 'mknodat($root, "fuse"', ''],
    ['/run/x/fuse', 'mknodat($dir, "fuse"', '$dir = openat2($root, "run/x"'],
    ['/dev/net/tun', 'mknodat($dir, "tun"', '$dir = openat2($root, "dev/net"'],
    ['/dev/../fuse', 'mknodat($root, "fuse"', ''],
  ];
  for (const [path, node, directory] of rows) {
    const texts = stepsOf(withDevices([{ type: 'c', path, major: 10, minor: 229 }])).flatMap(
      ({ op, text }) => (op.from === '/linux/devices/0' ? [text] : []),
    );
    assert.ok(
      texts.some((text) => text.startsWith(node)),
      path,
    );
    if (directory !== '') assert.ok(texts[0]!.startsWith(directory), path);
    else assert.ok(texts[0]!.startsWith(node), path);
  }
});

test('a bound /dev brings its own devices: nothing is made', () => {
  for (const options of [['bind'], ['rbind', 'ro']]) {
    const bound = withDevices(
      [{ type: 'c', path: '/dev/x', major: 1, minor: 2 }],
      [{ destination: '/dev/', source: '/dev', options }],
    );
    assert.equal(made(bound), []);
  }
});

// What is there already

/** Runs a container whose rootfs has something at /dev/x, of this mode and these numbers. */
function runOver(device: Device, mode: number, major: number, minor: number) {
  return run(withDevices([device], []), (call) => {
    if (call.call === 'mknodat' && call.string(1) === 'x') return errno('EEXIST');
    if (call.call !== 'statx' || bufferOf(call, 4) !== 'statx' || call.string(1) !== 'x') return undefined;
    const view = new DataView(call.memory(4).buffer, call.memory(4).byteOffset);
    view.setUint16(28, mode, true);
    view.setUint32(128, major, true);
    view.setUint32(132, minor, true);
    return 0;
  });
}

test('what is there already must be this very device', () => {
  const c: Device = { type: 'c', path: '/dev/x', major: 10, minor: 229 };
  const p: Device = { type: 'p', path: '/dev/x' };
  const rows: [Device, number, number, number, boolean][] = [
    [c, 0o020666, 10, 229, true],
    [c, 0o020000, 10, 229, true],
    [{ ...c, type: 'u' }, 0o020600, 10, 229, true],
    [c, 0o020666, 10, 228, false],
    [c, 0o020666, 11, 229, false],
    [c, 0o060666, 10, 229, false], // a block device
    [c, 0o100666, 10, 229, false], // a file
    [c, 0o120777, 10, 229, false], // a symlink
    [c, 0o010666, 10, 229, false], // a fifo
    [{ ...c, type: 'b' }, 0o060660, 10, 229, true],
    [{ ...c, type: 'b' }, 0o020660, 10, 229, false],
    [p, 0o010600, 0, 0, true],
    [p, 0o140600, 0, 0, false], // a socket
  ];
  for (const [device, mode, major, minor, fine] of rows) {
    const { exit, printed } = runOver(device, mode, major, minor);
    const name = `${device.type} over ${mode.toString(8)} ${major}:${minor}`;
    assert.is(exit, fine ? 0 : 125, name);
    assert.equal(
      printed.map(({ line }) => line),
      fine ? [] : ['tinyrun: make device /dev/x: another file is there\n'],
      name,
    );
  }
});

// With a user namespace

test("in a user namespace the host's nodes are bound, made ready before clone3", () => {
  const steps = stepsOf(INPUTS['a user namespace']);
  assert.not.ok(steps.some(({ text }) => /^mknodat\([^,]+, "[^"]+", 0[26]/.test(text)));
  const opened = steps.filter(({ op }) => op.call === 'open_tree' && op.what.startsWith('bind device'));
  const paths = [
    '/dev/null',
    '/dev/zero',
    '/dev/full',
    '/dev/random',
    '/dev/urandom',
    '/dev/tty',
    '/var/run/fuse',
  ];
  assert.equal(
    opened.map(({ op }) => op.args[1]),
    paths,
  );
  assert.equal([...new Set(opened.map(({ process }) => process))], [0]);
  const onto = steps.filter(({ op }) => op.call === 'move_mount' && op.what.startsWith('bind device'));
  assert.equal(
    onto.map(({ text }) => text),
    [
      ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map(
        (name) => `move_mount($mount, "", $tree-1, "${name}", MOVE_MOUNT_F_EMPTY_PATH)`,
      ),
      'move_mount($mount, "", $target, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)',
    ],
  );
});

test.run();
