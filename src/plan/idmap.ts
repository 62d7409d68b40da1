// Idmapped mounts: a bind whose files have other owners than on disk. OCI config.md, "Mounts" (uidMappings, gidMappings,
// idmap, ridmap); mount_setattr(2), "ID-mapped mounts". The kernel takes a mapping by the descriptor of a user namespace
// that has it, so one is made for each mapping of the config:
//
//   host ──clone3(CLONE_NEWUSER)──> holder                   reads a pipe, and does nothing else
//     ─ writes its uid_map and gid_map, opens its ns/user
//     ─ closes the pipe ──────────> ends                     the descriptor keeps the namespace
//
// A mount without mappings of its own has those of the container's user namespace: the same ids as in config.linux, or
// the very namespace, where one is joined.

import { TinyrunError } from '../errors.ts';
import type { IdMapping } from '../oci/config.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import type { PlannedMount } from './mount-list.ts';
import { planMap } from './namespaces.ts';
import { PROC_PID } from './pid.ts';

/** Which ids a mount maps: those of two lists, or those of a user namespace that there is. */
type Ids = { uids: readonly IdMapping[]; gids: readonly IdMapping[] } | { path: string };

interface UserNamespace {
  /** Register of its descriptor. */
  reg: string;
  ids: Ids;
  /** Of the first mount that wants it. */
  from: string;
}

/** The user namespaces that a container's mounts need: one for each different mapping. */
export type IdMaps = ReadonlyMap<string, UserNamespace>;

const WHY =
  'An idmapped mount shows the files of one range of ids as those of another; the kernel reads both off a user namespace.';

/** What the mounts need; the keys are `idsOf`, as text. */
export function listIdMaps(
  mounts: readonly PlannedMount[],
  input: Pick<PlanInput, 'config' | 'rootless'>,
): IdMaps {
  const maps = new Map<string, UserNamespace>();
  for (const mount of mounts) {
    const ids = idsOf(mount, input);
    const key = JSON.stringify(ids);
    if (ids !== undefined && input.rootless !== undefined)
      throw new TinyrunError('CONFIG', `${mount.from}: idmapped mounts take root`);
    if (ids !== undefined && !maps.has(key))
      maps.set(key, { reg: `idmap-${maps.size}`, ids, from: mount.from });
  }
  return maps;
}

function idsOf({ mount, options }: PlannedMount, { config }: Pick<PlanInput, 'config'>): Ids | undefined {
  const { uidMappings: uids = [], gidMappings: gids = [] } = mount;
  if (uids.length > 0) return { uids, gids };
  if (options.idmap === false) return undefined;
  const { namespaces = [], uidMappings = [], gidMappings = [] } = config.linux ?? {};
  const path = namespaces.find(({ type }) => type === 'user')?.path;
  return path === undefined || path === '' ? { uids: uidMappings, gids: gidMappings } : { path };
}

const FILES = ['uid_map', 'gid_map'] as const;

export function idMapBuffers(maps: IdMaps): { name: string; size: number; init?: string | Uint8Array }[] {
  if (maps.size === 0) return [];
  const proc = (name: string, file: string) => ({
    name,
    size: PROC_PID.length + file.length + 2,
    init: `${PROC_PID}/${file}\0`,
  });
  return [
    { name: 'mount-attr', size: 32 },
    proc('holder-user', 'ns/user'),
    ...FILES.map((file) => proc(`holder-${file}`, file)),
  ];
}

/** Host program: a descriptor of each user namespace. */
export function planOpenIdMaps(maps: IdMaps): Op[] {
  return [...maps.values()].flatMap((namespace) =>
    'path' in namespace.ids
      ? planJoined(namespace, namespace.ids.path)
      : planHolder(namespace, namespace.ids),
  );
}

function planJoined({ reg, from }: UserNamespace, path: string): Op[] {
  return [
    o.openat(o.AT_FDCWD, path, ['O_RDONLY'], {
      what: `open user namespace ${path}`,
      why: WHY,
      from,
      to: reg,
    }),
  ];
}

function planHolder({ reg, from }: UserNamespace, { uids, gids }: Exclude<Ids, { path: string }>): Op[] {
  const words = (what: string): Words => ({ what, why: WHY, from });
  const made = `holder-of-${reg}`;
  const proc = { width: 10, pad: '/' };
  const map = (file: 'uid_map' | 'gid_map', mappings: readonly IdMapping[]): Op[] =>
    planMap(file, mappings, { pid: 'holder', buffer: `holder-${file}` }, { why: WHY, from });
  return [
    ...o.pipe('hold-r', 'hold-w', words('make a pipe that a process waits at')),
    o.clone3(['CLONE_NEWUSER'], {
      ...words('start a process in a new user namespace, to take it from'),
      to: 'holder',
    }),
    o.branch('holder', '!=', 0, made, words('are we it?')),
    o.close(o.reg('hold-w'), { ...words('close the writing end'), onError: { fail: 'leave' } }),
    o.read(o.reg('hold-r'), o.buf('byte'), 1, {
      ...words('wait until the namespace is taken, or nobody is left to do it'),
      onError: { fail: 'leave' },
    }),
    o.exit(0, words('end: the namespace is held by its descriptor now')),
    o.label(made),
    o.close(o.reg('hold-r'), words('close the reading end')),
    ...map('uid_map', uids),
    ...map('gid_map', gids),
    o.format('holder', o.buf('holder-user', 6), proc, words('put its pid into /proc/PID/ns/user')),
    o.openat(o.AT_FDCWD, o.buf('holder-user'), ['O_RDONLY'], {
      ...words('open its user namespace'),
      to: reg,
    }),
    o.close(o.reg('hold-w'), words('let it end')),
    o.wait4(o.reg('holder'), 0, [], words('wait for its end')),
  ];
}

/** Host program: maps the ids of a detached bind, where its mount wants that. */
export function planIdMapped(
  planned: PlannedMount,
  input: Pick<PlanInput, 'config'>,
  maps: IdMaps,
  what: string,
  source: string,
): Op[] {
  const namespace = maps.get(JSON.stringify(idsOf(planned, input)));
  if (namespace === undefined) return [];
  const { index, options, from } = planned;
  const words = (text: string): Words => ({ what: text, why: WHY, from });
  const recursive = options.idmap === 'ridmap';
  const [unsupported, mapped] = [`not-idmapped-${index}`, `idmapped-${index}`];
  return [
    o.set('idmap', { flags: ['MOUNT_ATTR_IDMAP'] }, words('ask for mapped ids')),
    o.store('idmap', o.buf('mount-attr', 0), 8, words('put it into the attributes')),
    o.store(namespace.reg, o.buf('mount-attr', 24), 8, words('put the user namespace into the attributes')),
    o.call(
      'mount_setattr',
      [
        o.reg('bind'),
        '',
        { flags: ['AT_EMPTY_PATH', ...(recursive ? ['AT_RECURSIVE'] : [])] },
        o.buf('mount-attr'),
        32,
      ],
      { ...words(`${what}: map its ids`), onError: { goto: { EINVAL: unsupported } } },
    ),
    o.jump(mapped, words('its files have their new owners')),
    o.label(unsupported),
    o.fail(
      words(
        `${what}: map its ids: the filesystem of ${source}${recursive ? ', or one mounted below,' : ''} does not support idmapped mounts, or is idmapped already`,
      ),
    ),
    o.label(mapped),
  ];
}

/** Host program: behind the last mount. */
export const planCloseIdMaps = (maps: IdMaps): Op[] =>
  [...maps.values()].map(({ reg, from }) =>
    o.close(o.reg(reg), {
      what: 'close the user namespace',
      why: 'The mounts keep what they need of it.',
      from,
    }),
  );
