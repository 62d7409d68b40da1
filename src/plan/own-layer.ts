// A container's own layer and files: the upper layer of its overlay, and hosts, hostname and resolv.conf, which are bound
// over the init layer's empty files. They are made for one run and go with it; or they were made with the container, and are
// there before it starts and after it ends (KeptLayer): then they are only opened.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { INIT_LAYER } from './init-layer.ts';
import type { KeptLayer, NewLayer, OverlayInput, PlanInput } from './input.ts';
import { planTarget } from './mount-point.ts';
import type { OverlayRootfs } from './overlay.ts';
import type { Places } from './place.ts';
import { idInside } from './rootless.ts';
import { dataDirectory, makeDirectories, planWriteWhole } from './state.ts';
import { runtime } from './words.ts';

const OWN_FILES = ['hosts', 'hostname', 'resolv.conf'] as const;
export const ownLayerBuffers = [{ name: 'own', size: 4 * OWN_FILES.length }];

const DATA = o.reg('data');
const LAYER = "The container's own layer and files live here; nothing of them is in the layers below.";
const FILE = "The container's own file, bound over the init layer's: what it writes there is in no layer.";

/** The directories that the overlay of a container is made of. */
export function overlayRootfs(
  input: Pick<PlanInput, 'dataRoot' | 'id'>,
  { layers, own }: OverlayInput,
): OverlayRootfs {
  if (own.kept) return { layers, upper: own.upper, work: own.work, merged: own.merged };
  const data = dataDirectory(input);
  return {
    layers: [...layers, `${input.dataRoot}/init-layer`],
    upper: `${data}/upper`,
    work: `${data}/work`,
    merged: `${data}/merged`,
  };
}

/** Host program: the own layer and files; registers `data`, the directory of the files, and `mount`s in buffer `own`. */
export function planOwnLayer(input: PlanInput, { own }: OverlayInput): Op[] {
  const { dataRoot } = input;
  const directory = dataDirectory(input);
  const open = o.openat(o.AT_FDCWD, directory, ['O_PATH', 'O_DIRECTORY'], {
    ...runtime(`open directory ${directory}`, LAYER),
    to: 'data',
  });
  if (own.kept) return [open, ...OWN_FILES.flatMap(planBindFile)];
  return [
    ...planInitLayer(dataRoot),
    ...makeDirectories(`${dataRoot}/containers`, 0o711, LAYER),
    o.mkdirat(o.AT_FDCWD, directory, 0o700, {
      ...runtime(`make directory ${directory}`, LAYER),
      ...(input.uses === undefined ? {} : { onError: { ignore: ['EEXIST'] } }), // it says already what is used
    }),
    open,
    ...planNewLayer(input, own),
    ...OWN_FILES.flatMap((name) => [...planWriteFile(name, own.files[name]), ...planBindFile(name)]),
  ];
}

function planNewLayer(input: PlanInput, own: NewLayer): Op[] {
  const [uid, gid] = [idInside(input, 'uid', own.uid), idInside(input, 'gid', own.gid)];
  return [
    o.mkdirat(DATA, 'upper', own.mode, runtime('make the upper directory', LAYER)),
    ...(uid === 0 && gid === 0
      ? []
      : [
          o.fchownat(DATA, 'upper', uid, gid, ['AT_SYMLINK_NOFOLLOW'], {
            ...runtime('give the upper directory its owner', 'The merged root takes mode and owner from it.'),
          }),
        ]),
    o.mkdirat(DATA, 'work', 0o700, {
      ...runtime('make the work directory', 'overlayfs prepares files here before they appear in upper.'),
    }),
  ];
}

function planWriteFile(name: string, text: string): Op[] {
  const words = (what: string) => runtime(what, FILE);
  const bytes = new TextEncoder().encode(text);
  return [
    o.openat(
      DATA,
      name,
      ['O_WRONLY', 'O_CREAT', 'O_EXCL'],
      { ...words(`create ${name}`), to: 'file' },
      0o644,
    ),
    ...planWriteWhole(name, { bytes }, bytes.length, words),
    o.close(o.reg('file'), words(`close ${name}`)),
  ];
}

function planBindFile(name: (typeof OWN_FILES)[number]): Op[] {
  const words = (what: string) => runtime(what, FILE);
  return [
    o.openTree(DATA, name, false, { ...words(`bind ${name}`), to: 'bind' }),
    o.mountSetattr(
      o.reg('bind'),
      { propagation: 'MS_PRIVATE' },
      false,
      words(`make the bind of ${name} private`),
    ),
    o.store('bind', o.buf('own', 4 * OWN_FILES.indexOf(name)), 4, words(`keep the bind of ${name}`)),
  ];
}

/** Before Linux 6.8, with many layers: the directory that the overlay is mounted on. */
export function planMerged({ kept }: NewLayer | KeptLayer, why: string): Op[] {
  return kept ? [] : [o.mkdirat(DATA, 'merged', 0o755, runtime('make the merged directory', why))];
}

/** Host program, when the id is taken: others may look at the container again, and find that it runs. */
export function planUnlockContainer({ rootfs, id }: PlanInput): Op[] {
  if (rootfs.kind !== 'overlay' || !rootfs.own.kept) return [];
  return [
    o.close(
      rootfs.own.lock,
      runtime(`unlock container ${id}`, 'Its state directory tells all others that it is being started.'),
    ),
  ];
}

/** The init layer is empty files and directories, so all containers share one. */
function planInitLayer(dataRoot: string): Op[] {
  const why = 'Mount points come from here: neither the image nor the upper layer gets one.';
  const at = `${dataRoot}/init-layer`;
  const layer = o.reg('initlayer');
  return [
    ...makeDirectories(at, 0o755, why),
    o.openat(o.AT_FDCWD, at, ['O_PATH', 'O_DIRECTORY'], {
      ...runtime('open the init layer', why),
      to: 'initlayer',
    }),
    ...INIT_LAYER.map((entry) => {
      const extra = {
        ...runtime(`make ${entry.path} in the init layer`, why),
        onError: { ignore: ['EEXIST'] },
      };
      const name = entry.path.slice(1);
      if (entry.type === 'directory') return o.mkdirat(layer, name, entry.mode, extra);
      if (entry.type === 'link') return o.symlinkat(entry.target, layer, name, extra);
      return o.mknodat(layer, name, 'S_IFREG', entry.mode, 0, extra);
    }),
    o.close(layer, runtime('close the init layer', why)),
  ];
}

/** Init program: binds the container's own hosts, hostname and resolv.conf over the init layer's empty files. */
export function planOwnFiles({ rootfs }: PlanInput, places: Places): Op[] {
  if (rootfs.kind !== 'overlay') return [];
  return OWN_FILES.flatMap((name) => {
    const words = (what: string): Words =>
      runtime(
        what,
        "The container's own file: what it writes there is in neither the image nor the upper layer.",
      );
    const path = `etc/${name}`;
    const target = planTarget(places.find(path), path, 'file', `own-${name}`, 'runtime');
    return [
      ...target.ops,
      o.load(o.buf('own', 4 * OWN_FILES.indexOf(name)), 4, 'mount', words(`take the bind of ${name}`)),
      o.moveMount(o.reg('mount'), target.dir, words(`mount ${name} on /etc/${name}`), target.path),
      o.close(o.reg('mount'), words(`close the mount of ${name}`)),
      ...target.close,
    ];
  });
}
