// What `tinyrun where` prints: a line for each thing that is known of a path.

import { S_IFDIR, S_IFLNK, S_IFREG } from '../../disk/inode.ts';
import { printable } from '../../errors.ts';
import type { LayerCopy } from '../../inspect/layers.ts';
import type { Seen } from '../../inspect/look.ts';
import type { MountEntry } from '../../inspect/mount-tree.ts';
import { joined } from '../../inspect/mountinfo.ts';
import type { RootLayer } from '../../inspect/subject.ts';
import type { Where } from '../../inspect/where.ts';
import type { User } from '../../volume/uses.ts';
import { humanSize, shortId, shortPath } from './human.ts';
import { nameOfLayer } from './mount-tree.ts';

/**
 * For people.
 * @param users other containers that have the volume that the path is in
 */
export function formatWhere(where: Where, users: readonly User[]): string {
  const { resolved, seen, mount, hostPath } = where;
  const rows: [string, string[]][] = [
    ['symlinks', where.links.map(({ path, target }) => `${path} -> ${target}`)],
    ['is', [seen === undefined ? absenceOf(where) : describe(seen)]],
    ['from', [originOf(where)]],
    [
      'also used by',
      users.map(({ id, name, destinations }) => `${name ?? shortId(id)} (${destinations.join(', ')})`),
    ],
    ['on the host', hostPath === undefined ? [] : [hostPath, ...(where.replaced ? [REPLACED] : [])]],
    ['mount', [mountWords(mount), ...(where.locked === undefined ? [] : [mountWords(where.locked)])]],
    ['hides', hidden(where)],
    ['writable', writableWords(where)],
  ];
  const lines = rows.flatMap(([head, texts]) =>
    texts.map((text, index) => `  ${(index === 0 ? head : '').padEnd(12)}  ${text}`),
  );
  return `${printable([resolved, ...lines].join('\n'))}\n`;
}

const REPLACED =
  'which is another one by now, or gone: the container has what was there when it was mounted, as where an editor has saved ' +
  'the file; start it again, or bind the directory instead';

const KINDS: Readonly<Record<number, string>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
  ...{ [0o020000]: 'character device', [0o060000]: 'block device', [0o010000]: 'fifo', [0o140000]: 'socket' },
};

function describe({ type, mode, uid, gid, size, link, device }: Seen): string {
  const kind = KINDS[type] ?? 'file of an unknown kind';
  const more =
    link !== undefined
      ? ` to ${link}`
      : type === S_IFREG
        ? `, ${humanSize(size)}`
        : device !== 0
          ? ` ${device >> 8}:${device & 0xff}`
          : '';
  return `${kind}${more}, mode ${octal(mode)}, owner ${uid}:${gid}`;
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

function absenceOf({ copies, mount, live }: Where): string {
  const [top] = copies;
  if (mount.role === 'rootfs' && top?.state === 'whiteout')
    return `not there: a whiteout in ${nameOfLayer(top.layer)} hides it`;
  const by = copies.find(({ hiddenBy }) => hiddenBy !== undefined)?.hiddenBy;
  if (mount.role === 'rootfs' && by !== undefined)
    return `not there: ${by.as === 'copy' ? 'another file' : `the ${by.as}`} ${by.path} in ${nameOfLayer(by.layer)} hides it`;
  return !live && mount.role !== 'rootfs' && mount.hostPath === undefined
    ? 'not there yet: the mount is made when the container starts'
    : 'not there';
}

const ORIGINS: Readonly<Record<MountEntry['role'], string>> = {
  rootfs: 'the root',
  bind: 'a bind of a directory or file of the host',
  volume: 'a volume',
  tmpfs: 'a tmpfs: memory, gone when the container ends',
  image: 'an image',
  filesystem: 'the kernel',
  'own-file': "the container's own file, which is in no layer",
  device: 'a device of the host',
  console: "the container's terminal",
  mask: 'a mask: nothing of what is below shows',
  'readonly-path': 'a path that is locked',
  below: 'a mount that came along',
  unknown: 'a mount that the config does not have',
};

function originOf({ layer, mount, seen, copies }: Where): string {
  if (mount.role === 'rootfs' && layer !== undefined) return layerOrigin(layer, seen, copies);
  const over = mount.layered ? ', under a layer that takes what is written' : '';
  return mountOrigin(mount) + over;
}

function mountOrigin({ role, type, point }: MountEntry): string {
  if (role === 'volume' && point?.Name !== undefined)
    return `volume ${point.Name} (driver ${point.Driver ?? 'local'})`;
  if (role === 'image') return `image ${shortId(point?.Source ?? '')}, which nothing can be written to`;
  return role === 'filesystem' ? `the kernel's ${type}` : ORIGINS[role];
}

function layerOrigin(layer: RootLayer, seen: Seen | undefined, copies: readonly LayerCopy[]): string {
  if (seen === undefined) return "nothing: it would be made in the container's own layer";
  const name = nameOf(layer);
  const merged = copies.filter(({ state }) => state === 'merged').map((copy) => nameOfLayer(copy.layer));
  return merged.length === 0 ? name : `${name}, merged with ${merged.join(', ')}`;
}

function nameOf(layer: RootLayer): string {
  const { role, image, diffId, chainId } = layer;
  if (role === 'upper') return "the container's own layer (upper)";
  if (role === 'rootfs') return 'the root directory, which is no overlay';
  if (role === 'init') return 'the init layer: mount points that the runtime makes';
  const digests = [diffId && `diff id ${shortId(diffId)}`, chainId && `chain id ${shortId(chainId)}`]
    .filter(Boolean)
    .join(', ');
  return `${nameOfLayer(layer)}${image === undefined ? '' : ` of image ${image}`}${digests === '' ? '' : ` (${digests})`}`;
}

function mountWords({ target, type, options, by }: MountEntry): string {
  return `${target}${type === undefined ? '' : ` type ${type}`} (${options.join(',')}), asked for by ${by}`;
}

function hidden({ copies, covered, hidden: entries, mount, resolved }: Where): string[] {
  const inLayers = copies.filter(({ state }) => mount.role !== 'rootfs' || state === 'hidden');
  return [
    ...covered.map((one) => `the mount on ${one.target}, asked for by ${one.by}`),
    ...inLayers.filter(({ seen }) => seen !== undefined).map((copy) => hiddenCopy(copy, resolved)),
    ...(entries === undefined || entries.count === 0
      ? []
      : [
          `below ${entries.path}, image content: ${entries.names.join(', ')}` +
            (entries.count > entries.names.length ? `, ... (${entries.count} entries)` : ''),
        ]),
  ];
}

function hiddenCopy({ layer, seen, hiddenBy }: LayerCopy, path: string): string {
  const by =
    hiddenBy === undefined
      ? ''
      : `, hidden by the ${hiddenBy.as === 'copy' ? 'one' : `${hiddenBy.as} ${hiddenBy.path}`} in ${nameOfLayer(hiddenBy.layer)}`;
  return `${shortPath(joined(layer.path, path.slice(1)))} in ${nameOfLayer(layer)}: ${describe(seen!)}${by}`;
}

function writableWords({ writable, layer, mount, seen }: Where): string[] {
  if (writable.writable === undefined)
    return ['as far as the mount goes: its files are made when the container starts'];
  if (!writable.writable)
    return writable.reasons.map((reason, index) => (index === 0 ? `no: ${reason}` : `and ${reason}`));
  const copiedUp =
    mount.role === 'rootfs' && (layer?.role === 'image' || layer?.role === 'init') && seen?.type === S_IFREG;
  return [copiedUp ? "yes: the first write copies the whole file to the container's own layer" : 'yes'];
}

/** For programs. */
export function whereJson(where: Where, users: readonly User[]): object {
  const {
    path,
    resolved,
    links,
    seen,
    mount,
    locked,
    layer,
    hostPath,
    copies,
    covered,
    hidden: entries,
  } = where;
  return {
    ...{ path, resolved, links },
    file: seen === undefined ? null : fileJson(seen),
    source: {
      kind: mount.role === 'rootfs' ? (layer?.role ?? 'none') : mount.role,
      layer,
      hostPath,
      replaced: where.replaced,
      point: mount.point,
      users,
    },
    ...{ mount, locked },
    layers: copies.map(({ layer: of, seen: there, state, hiddenBy }) => ({
      ...{ layer: of, state, hiddenBy },
      file: there === undefined ? null : fileJson(there),
    })),
    hides: { mounts: covered, entries },
    writable: where.writable.writable ?? null,
    reasons: where.writable.reasons,
  };
}

const fileJson = ({ type, mode, uid, gid, size, link }: Seen): object => ({
  kind: KINDS[type] ?? 'unknown',
  ...{ mode: octal(mode), uid, gid, size, link },
});
