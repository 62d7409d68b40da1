// Device nodes and the links of /dev, made in the rootfs by the init program. OCI config-linux.md, "Devices", "Default
// Devices". In a user namespace mknod(2) is refused: there the host's nodes are bound.

import type { Device } from '../oci/config.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import type { ErrorPolicy, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { cleanInside } from './clean-inside.ts';
import type { PlanInput } from './input.ts';
import { CLOSE, planMountPoint, planTarget } from './mount-point.ts';
import { hasUser } from './namespaces.ts';
import type { Place, Places } from './place.ts';

const DEFAULT_DEVICES: readonly [path: string, major: number, minor: number][] = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
];

const DEFAULT_LINKS: readonly [target: string, path: string][] = [
  ['/proc/self/fd', 'dev/fd'],
  ['/proc/self/fd/0', 'dev/stdin'],
  ['/proc/self/fd/1', 'dev/stdout'],
  ['/proc/self/fd/2', 'dev/stderr'],
];

interface Node {
  device: Device;
  from: string;
  /** The host's node that is bound, or undefined: mknod. */
  index: number;
}

/** A bind of a whole /dev brings its own devices: nothing is added (runc's rule). */
function devIsBound({ config }: PlanInput): boolean {
  return (config.mounts ?? []).some(
    ({ destination, options }) =>
      cleanInside(destination) === 'dev' && parseMountOptions(options ?? []).bind !== false,
  );
}

/** In a user namespace, the container's or the caller's, nobody may make nodes. */
const bindsNodes = (input: PlanInput): boolean => hasUser(input) || input.host.inUserNamespace;

/** A listed /dev/ptmx is left out: it is always the container's own (engines list all devices of the host, privileged). */
function listNodes(input: PlanInput): Node[] {
  const given = (input.config.linux?.devices ?? [])
    .map((device, i) => ({ device, from: `/linux/devices/${i}` }))
    .filter(({ device }) => cleanInside(device.path) !== 'dev/ptmx');
  const named = new Set(given.map(({ device }) => cleanInside(device.path)));
  const defaults = DEFAULT_DEVICES.filter(([path]) => !named.has(cleanInside(path))).map(
    ([path, major, minor]) => ({
      device: { type: 'c' as const, path, major, minor, fileMode: 0o666, uid: 0, gid: 0 },
      from: 'runtime',
    }),
  );
  return [...defaults, ...given].map((node, index) => ({ ...node, index }));
}

/** The buffer for the descriptors of bound devices. */
export function deviceBuffers(input: PlanInput): { name: string; size: number }[] {
  const buffers = [{ name: 'statx', size: 256 }];
  if (!devIsBound(input) && bindsNodes(input))
    buffers.push({ name: 'nodes', size: 4 * listNodes(input).length });
  return buffers;
}

/** Host program, with a user namespace: detached binds of the host's own nodes. */
export function planDeviceSources(input: PlanInput): Op[] {
  if (devIsBound(input) || !bindsNodes(input)) return [];
  return listNodes(input).flatMap(({ device, from, index }) => {
    const words = {
      what: `bind device ${device.path}`,
      why: 'In a user namespace nobody may make device nodes: the host lends its own.',
      from,
    };
    return [
      o.openTree(o.AT_FDCWD, device.path, false, { ...words, to: 'bind' }),
      o.mountSetattr(o.reg('bind'), { propagation: 'MS_PRIVATE' }, false, words),
      o.store('bind', o.buf('nodes', 4 * index), 4, { ...words, what: `keep the bind of ${device.path}` }),
    ];
  });
}

/** Init program: nodes, then the links and ptmx. */
export function planDevices(input: PlanInput, places: Places): Op[] {
  if (devIsBound(input)) return [];
  const dev = planDevDirectory(places);
  const make = bindsNodes(input) ? planBoundNode : planNode;
  return [...dev.ops, ...listNodes(input).flatMap((node) => make(node, dev)), ...planLinks(dev)];
}

/** /dev, opened once for all that is made in it. */
interface Dev {
  ops: Op[];
  fd: { reg: string };
  /** It is a tmpfs of our own: nothing can be there yet. */
  empty: boolean;
}

function planDevDirectory(places: Places): Dev {
  const place = places.find('dev/null');
  if (place.known === 'trusted' && place.path === 'null')
    return { ops: [], fd: o.reg(place.reg), empty: true };
  // Not through a symlink of the image: it may lead into a volume, whose files on the host would be changed.
  return { ops: planMountPoint('dev', 'ordinary', 'dev', 'dev', 'runtime'), fd: o.reg('dev'), empty: false };
}

/** mkdev(3): how the kernel packs the numbers for mknod(2). */
const mkdev = (major: number, minor: number): number =>
  ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
const NODE_TYPES = { c: 'S_IFCHR', u: 'S_IFCHR', b: 'S_IFBLK', p: 'S_IFIFO' } as const;

/** The directory of a node: /dev itself, or opened for it. */
function planParent(
  path: string,
  index: number,
  from: string,
  dev: Dev,
): { ops: Op[]; fd: o.Fd; name: string; close: Op[]; empty: boolean } {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  const directory = path.slice(0, Math.max(slash, 0));
  if (directory === 'dev') return { ops: [], fd: dev.fd, name, close: [], empty: dev.empty };
  if (directory === '') return { ops: [], fd: o.reg('root'), name, close: [], empty: false };
  const fd = o.reg('dir');
  return {
    ops: planMountPoint(directory, 'directory', 'dir', `device-${index}`, from),
    fd,
    name,
    close: [o.close(fd, { what: `close /${directory}`, why: CLOSE, from })],
    empty: false,
  };
}

function planNode({ device, from, index }: Node, dev: Dev): Op[] {
  const path = cleanInside(device.path);
  const { type, major = 0, minor = 0, uid = 0, gid = 0 } = device;
  const words = (what: string, why: string): Words => ({ what, why, from });
  const parent = planParent(path, index, from, dev);
  const there = `there-${index}`;
  const done = `made-${index}`;
  const mode = (device.fileMode ?? 0o666) & 0o7777;
  const number = type === 'p' ? 0 : mkdev(major, minor);
  const what = `make device /${path} (${type === 'p' ? 'fifo' : `${type} ${major}:${minor}`})`;
  const own = 'A node of our own making: mknod never follows a symlink that the image put there.';
  const chown = o.fchownat(
    parent.fd,
    parent.name,
    uid,
    gid,
    ['AT_SYMLINK_NOFOLLOW'],
    words(`give /${path} its owner`, 'As the config says.'),
  );
  const make = (onError?: ErrorPolicy): Op[] => [
    o.mknodat(parent.fd, parent.name, NODE_TYPES[type], mode, number, {
      ...words(what, own),
      ...(onError ? { onError } : {}),
    }),
    ...(uid !== 0 || gid !== 0 ? [chown] : []),
  ];
  if (parent.empty) return make();
  return [
    ...parent.ops,
    ...make({ goto: { EEXIST: there } }),
    o.jump(done, words(`/${path} is made`, 'The check below is for a node that was there before.')),
    o.label(there),
    ...planCheckNode(parent.fd, parent.name, device, index, words),
    o.label(done),
    ...parent.close,
  ];
}

const S_IFMT = { c: 0o020000, u: 0o020000, b: 0o060000, p: 0o010000 } as const;

/** What is there already must be this very device: "the runtime MUST generate an error" otherwise. */
function planCheckNode(
  dir: o.Fd,
  name: string,
  device: Device,
  index: number,
  words: (what: string, why: string) => Words,
): Op[] {
  const why =
    'Something of that name is in the rootfs: it must be this very device, not a file or link of the image.';
  const path = cleanInside(device.path);
  const wrong = `wrong-${index}`;
  const right = `right-${index}`;
  const numbers: Op[] =
    device.type === 'p'
      ? []
      : [
          o.load(o.buf('statx', 128), 4, 'major', words('take its major number', why)),
          o.branch('major', '!=', device.major ?? 0, wrong, words('is it the one asked for?', why)),
          o.load(o.buf('statx', 132), 4, 'minor', words('take its minor number', why)),
          o.branch('minor', '!=', device.minor ?? 0, wrong, words('is it the one asked for?', why)),
        ];
  return [
    o.call(
      'statx',
      [dir, name, o.flags('AT_SYMLINK_NOFOLLOW'), o.flags('STATX_BASIC_STATS'), o.buf('statx')],
      words(`look at /${path}`, why),
    ),
    // The type is the upper four bits of the mode: one byte with the setuid bits, which a device has not.
    o.load(o.buf('statx', 29), 1, 'type', words('take its type', why)),
    o.branch('type', '<', S_IFMT[device.type] >> 8, wrong, words('is it of this type?', why)),
    o.branch('type', '>=', (S_IFMT[device.type] >> 8) + 16, wrong, words('is it of this type?', why)),
    ...numbers,
    o.jump(right, words(`/${path} is the device asked for`, why)),
    o.label(wrong),
    o.fail(words(`make device /${path}: another file is there`, why)),
    o.label(right),
  ];
}

function planBoundNode({ device, from, index }: Node, dev: Dev): Op[] {
  const path = cleanInside(device.path);
  const words = (what: string): Words => ({
    what,
    why: "The host's node, bound over an empty file: it works although we could not make one.",
    from,
  });
  const parent = planParent(path, index, from, dev);
  const place: Place = parent.empty
    ? { known: 'trusted', reg: dev.fd.reg, path: parent.name, type: 'tmpfs' }
    : { known: 'unknown' };
  const target = planTarget(place, path, 'file', `device-${index}`, from);
  return [
    ...target.ops,
    o.load(o.buf('nodes', 4 * index), 4, 'mount', words(`take the bind of /${path}`)),
    o.moveMount(o.reg('mount'), target.dir, words(`bind device /${path}`), target.path),
    o.close(o.reg('mount'), words(`close the bind of /${path}`)),
    ...target.close,
  ];
}

/** /dev/fd and the like; /dev/ptmx leads to the container's own devpts. */
function planLinks({ fd, empty }: Dev): Op[] {
  const why = 'Programs expect these names (OCI config-linux.md, "Dev symbolic links").';
  const words = (what: string): Words => ({ what, why, from: 'runtime' });
  const exists = empty ? {} : { onError: { ignore: ['EEXIST'] } };
  const link = (target: string, path: string): Op =>
    o.symlinkat(target, fd, path.slice(4), { ...words(`link /${path} to ${target}`), ...exists });
  const foreign = o.unlinkat(fd, 'ptmx', [], {
    ...words('remove /dev/ptmx'),
    why: "The image's ptmx would open terminals of the host's devpts.",
    onError: { ignore: ['ENOENT'] },
  });
  return [
    ...DEFAULT_LINKS.map(([target, path]) => link(target, path)),
    ...(empty ? [] : [foreign]),
    link('pts/ptmx', 'dev/ptmx'),
  ];
}
