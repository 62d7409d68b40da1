// `volume attach` and `volume detach`: a mount that comes into a container while it runs, or goes (hot-stage.ts). What comes
// is attached to a descriptor of its place, opened inside the root. What goes is known by what it shows: the container may
// have moved directories meanwhile, or have put symlinks in their place, to have another mount taken away.

import type { Op, Program, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { assertMayCover, planAttach } from './attach.ts';
import { bindBuffers, planBindSources } from './bind-sources.ts';
import { cleanInside } from './clean-inside.ts';
import { type HotInput, planStaged } from './hot-stage.ts';
import type { FlagMount } from './input.ts';
import { mountContext } from './labels.ts';
import { describeMount, planHotMount } from './mount-list.ts';
import { planCoveredMode } from './mount-mode.ts';
import { CLOSE } from './mount-point.ts';
import { planNewFilesystem } from './mounts.ts';
import type { ReadOnlyMount } from './place.ts';

/** What a mount shows, the directory or file at its root, as words of 32 bits in a struct statx. */
export type MountRoot = Readonly<Record<(typeof ROOT_AT)[number][0], number>>;
/** stx_ino, stx_dev_major, stx_dev_minor */
const ROOT_AT = [
  ['inodeLow', 32],
  ['inodeHigh', 36],
  ['major', 136],
  ['minor', 140],
] as const;
export const STATX_BYTES = 256;

/**
 * Plans that a mount is attached. Pure.
 * @param around the read-only mount that its destination is in, if any
 * @param told a descriptor to which the struct statx of its root is written, when it is attached
 * @throws TinyrunError CONFIG where it would cover a part of proc
 */
export function planHotAttach(
  input: HotInput,
  mount: FlagMount,
  around: ReadOnlyMount | undefined,
  told: number,
): Program {
  const planned = planHotMount(mount);
  if (input.config.mounts?.some(({ type, destination }) => type === 'proc' && destination === '/proc'))
    assertMayCover(planned);
  const binds = { ...input, rootless: undefined };
  const words = (why: string): Words => ({
    what: describeMount(planned, input.bundle),
    why,
    from: mount.from,
  });
  const place = { known: 'unknown', ...(around && { readOnly: around }) } as const;
  const isBind = planned.options.bind !== false;
  const bind = o.reg('bind');
  const look = words('What it shows tells it from all others, when it is to be taken away.');
  return planStaged(
    input,
    isBind ? planBindSources([planned], binds) : [],
    [
      ...(isBind
        ? []
        : [
            ...planNewFilesystem(planned, 'bind', words, mountContext(input, planned.mount.type)),
            ...planCoveredMode(planned, place, 'bind'),
          ]),
      ...planAttach(planned, place, 'bind', input, words),
      o.fstatx(bind, o.buf('statx'), { ...look, what: `look at the root of what is on /${planned.target}` }),
      o.write(told, o.buf('statx'), STATX_BYTES, { ...look, what: 'tell which it is' }),
      o.close(bind, { ...words(CLOSE), what: `close the mount of /${planned.target}` }),
    ],
    isBind ? bindBuffers([planned], binds) : [],
  );
}

/**
 * Plans that a mount is taken away. Pure.
 * @param destination where it is by now: no part of it is a symlink
 * @param root what it shows
 * @param lazily also if it is in use: then it goes when it no longer is
 */
export function planHotDetach(
  input: HotInput,
  destination: string,
  root: MountRoot,
  lazily: boolean,
): Program {
  const path = cleanInside(destination);
  const slash = path.lastIndexOf('/');
  const [parent, name] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
  const why =
    'By its name in its directory, which is open: what is mounted on can be neither renamed nor removed meanwhile.';
  const words = (what: string): Words => ({ what, why, from: destination });
  return planStaged(
    input,
    [],
    [
      o.openInRoot(
        o.reg('root'),
        parent === '' ? '.' : parent,
        ['O_PATH', 'O_DIRECTORY'],
        { ...words(`open /${parent}, through no symlink`), to: 'parent' },
        ['RESOLVE_NO_SYMLINKS'],
      ),
      ...planIsRoot(name, path, root),
      o.call('fchdir', [o.reg('parent')], words(`go to /${parent}`)),
      ...planUnmount(name, lazily, `unmount /${path} in container ${input.id}`, words),
    ],
  );
}

function planUnmount(name: string, lazily: boolean, what: string, words: (what: string) => Words): Op[] {
  const busy =
    'EBUSY it is in use: a process has a file of it open or works in it, or something is mounted below: ' +
    'end that, or use --force';
  return [
    o.call('umount2', [name, o.flags('UMOUNT_NOFOLLOW', ...(lazily ? ['MNT_DETACH'] : []))], {
      ...words(what),
      onError: { goto: { EBUSY: 'busy', EINVAL: 'no-mount' } },
    }),
    o.jump('unmounted', words('it is gone')),
    o.label('busy'),
    o.fail(words(`${what}: ${busy}`)),
    o.label('no-mount'),
    o.fail(words(`${what}: it is not mounted there`)),
    o.label('unmounted'),
  ];
}

/** Goes to `no-mount` where a name in the directory of register `parent` shows anything else. */
function planIsRoot(name: string, path: string, root: MountRoot): Op[] {
  const why = 'The container may have put another of its mounts there: one that hides what it is not to see.';
  const words = (what: string): Words => ({ what, why, from: `/${path}` });
  const target = o.reg('target');
  return [
    o.openat(o.reg('parent'), name, ['O_PATH', 'O_NOFOLLOW'], { ...words(`open /${path}`), to: 'target' }),
    o.fstatx(target, o.buf('statx'), words(`look at what is on /${path}`)),
    o.close(target, words('close it: it would keep the mount in use')),
    ...ROOT_AT.flatMap(([field, at]) => [
      o.load(o.buf('statx', at), 4, 'word', words(`take its ${field}`)),
      o.branch('word', '!=', root[field], 'no-mount', words('is it that of what was mounted?')),
    ]),
  ];
}
