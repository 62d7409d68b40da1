// Namespaces: which are new, which are joined, and the process that gets there. OCI config-linux.md, "Namespaces",
// "User namespace mappings", "Offset for Time Namespace"; namespaces(7), user_namespaces(7).
//
//   host ──clone3(new namespaces)──> init                        nothing to join
//
//   host ──clone3()──> stage ──setns(joined)──clone3(new, CLONE_PARENT)──> init      something to join
//     <── init's pid, by a pipe ──┘ (and it is gone)
//
// The stage exists because joining changes the one who joins, and the host program must stay what it is, to clean up.
// CLONE_PARENT makes init the host's child all the same. The user namespace is joined last: before, root may enter all.

import type { IdMapping, Namespace, NamespaceType } from '../oci/config.ts';
import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { constants } from '../sys/constants.ts';
import type { PlanInput } from './input.ts';
import { PROC_PID } from './pid.ts';
import { planStage, stageBuffers } from './stage.ts';
import { runtime } from './words.ts';

export const CLONE_FLAGS: Readonly<Record<NamespaceType, string>> = {
  pid: 'CLONE_NEWPID',
  network: 'CLONE_NEWNET',
  mount: 'CLONE_NEWNS',
  ipc: 'CLONE_NEWIPC',
  uts: 'CLONE_NEWUTS',
  user: 'CLONE_NEWUSER',
  cgroup: 'CLONE_NEWCGROUP',
  time: 'CLONE_NEWTIME',
};

interface Joined extends Namespace {
  path: string;
  from: string;
}

/** Without root the user namespace is neither new nor joined, but entered before (rootless.ts). */
type NamespaceInput = Pick<PlanInput, 'config'> & Partial<Pick<PlanInput, 'rootless'>>;

/** The namespaces of the config, as what is done with them. */
export function listNamespaces({ config, rootless }: NamespaceInput): {
  fresh: NamespaceType[];
  joined: Joined[];
} {
  const fresh: NamespaceType[] = [];
  const joined: Joined[] = [];
  (config.linux?.namespaces ?? []).forEach(({ type, path }, i) => {
    if (type === 'user' && rootless !== undefined) return; // the host program is in it already
    if (path === undefined || path === '') fresh.push(type);
    else joined.push({ type, path, from: `/linux/namespaces/${i}/path` });
  });
  joined.sort((a, b) => Number(a.type === 'user') - Number(b.type === 'user'));
  return { fresh, joined };
}

export const hasNew = (input: NamespaceInput, type: NamespaceType): boolean =>
  listNamespaces(input).fresh.includes(type);
/**
 * Whether a container without any mount namespace is to have mounts all the same: they are made in the caller's, on a copy of
 * the rootfs that is mounted on itself, and go with that.
 */
export const mountsOutside = ({ config }: Pick<PlanInput, 'config'>): boolean =>
  !(config.linux?.namespaces ?? []).some(({ type }) => type === 'mount') &&
  [config.mounts, config.linux?.maskedPaths, config.linux?.readonlyPaths].some((list) => list?.length);

export const hasUser = ({ config }: Pick<PlanInput, 'config'>): boolean =>
  (config.linux?.namespaces ?? []).some(({ type }) => type === 'user');

/**
 * Those that clone3 makes with init. The clocks of a time namespace are set before anybody is in it; the root of a cgroup
 * namespace is the cgroup of who makes it, which init joins first: both come later.
 */
const bornWith = (fresh: readonly NamespaceType[]): NamespaceType[] =>
  fresh.filter((type) => type !== 'time' && type !== 'cgroup');
const cloneFlags = (fresh: readonly NamespaceType[]): string[] =>
  bornWith(fresh).map((type) => CLONE_FLAGS[type]);

/** Whether clone3 puts the child into a cgroup: then its arguments are in buffer `clone`, for a descriptor is among them. */
const isBornInCgroup = ({ cgroup }: PlanInput): boolean =>
  cgroup?.places.some(({ controllers }) => controllers === '') ?? false;
/** Where the descriptor of the cgroup stands in struct clone_args. */
export const CLONE_ARGS_CGROUP = 80;

/** struct clone_args but for the cgroup. */
export function cloneArguments(names: readonly string[]): Uint8Array {
  const flags = [...names, 'CLONE_INTO_CGROUP'].map((name) => BigInt(constants[name]!));
  const fields = new BigUint64Array(11);
  fields[0] = flags.reduce((all, bits) => all | bits, 0n);
  fields[4] = BigInt(constants['SIGCHLD']!);
  return new Uint8Array(fields.buffer);
}

const planChild = (input: PlanInput, names: readonly string[], extra: Parameters<typeof o.clone3>[1]): Op =>
  isBornInCgroup(input) ? o.call('clone3', [o.buf('clone'), CLONE_ARGS_SIZE], extra) : o.clone3(names, extra);
export const CLONE_ARGS_SIZE = 88;

/** The flags in buffer `clone`, which the call does not show. */
const bornFlags = (input: PlanInput, names: readonly string[]): string =>
  isBornInCgroup(input) ? `, in its cgroup (${[...names, 'CLONE_INTO_CGROUP'].join('|')})` : '';

/**
 * Host program, before planClone: hides stage and init from whoever lives in the same namespaces already. Without it,
 * root of a joined user namespace could trace init while that is the host's root still, on the host's mounts, or take
 * its descriptors (CVE-2016-9962). In a pid namespace of its own nobody but the host sees init. execve ends it.
 */
export function planHide(input: PlanInput): Op[] {
  return hasNew(input, 'pid') && listNamespaces(input).joined.length === 0 ? [] : [HIDE];
}
export const HIDE: Op = o.prctl('PR_SET_DUMPABLE', [0], {
  ...runtime(
    'hide from processes in the same namespaces',
    'Who is in a joined namespace is not trusted: it may not trace init, nor open what is in its /proc/PID.',
  ),
});

/** Host program: makes init; its pid in register `pid`, and the child goes on at label `init`. */
export function planClone(input: PlanInput): Op[] {
  const { fresh, joined } = listNamespaces(input);
  const names = bornWith(fresh).join(', ') || 'no';
  if (joined.length > 0) return [...joined.flatMap(planOpenNamespace), ...planJoined(input, fresh, joined)];
  return [
    planChild(input, cloneFlags(fresh), {
      what: `start init in new namespaces (${names})`,
      why: `One system call makes the process and all its namespaces${bornFlags(input, cloneFlags(fresh))}; from here two programs run.`,
      from: '/linux/namespaces',
      to: 'pid',
    }),
    o.branch(
      'pid',
      '==',
      0,
      'init',
      runtime('are we init?', 'clone3 returns twice: 0 in the child, its pid in the parent.'),
    ),
  ];
}

function planOpenNamespace({ type, path, from }: Joined): Op[] {
  const words = (what: string): Words => ({
    what,
    why: 'The kernel tells of which type a namespace file is: a wrong one would be joined in the place of the right one.',
    from,
  });
  const right = `joinable-${type}`;
  return [
    o.openat(o.AT_FDCWD, path, ['O_RDONLY'], {
      ...words(`open ${type} namespace ${path}`),
      to: `ns-${type}`,
    }),
    o.call('ioctl', [o.reg(`ns-${type}`), o.flags('NS_GET_NSTYPE'), 0], {
      ...words(`join ${type} namespace ${path}: it is no namespace`),
      to: 'type',
    }),
    o.branch('type', '==', { flags: [CLONE_FLAGS[type]] }, right, words(`is it a ${type} namespace?`)),
    o.fail(words(`join ${type} namespace ${path}: it is a namespace of another type`)),
    o.label(right),
  ];
}

function planJoined(input: PlanInput, fresh: readonly NamespaceType[], joined: readonly Joined[]): Op[] {
  const why =
    'The stage joins what exists, and makes init from inside: init is born with all its namespaces.';
  const leave = { onError: { fail: 'leave' } };
  return planStage(
    'init',
    planChild(input, [], { ...runtime('start the stage', why), to: 'stage' }),
    joined.map(({ type, path, from }) =>
      o.setns(o.reg(`ns-${type}`), CLONE_FLAGS[type], {
        what: `join ${type} namespace ${path}`,
        why,
        from,
        ...leave,
      }),
    ),
    o.clone3([...cloneFlags(fresh), 'CLONE_PARENT'], {
      what: `start init in ${joined.map(({ type }) => type).join(', ')} (joined) and ${fresh.join(', ') || 'nothing'} (new)`,
      why,
      from: '/linux/namespaces',
      to: 'pid',
      ...leave,
    }),
  );
}

/** Host program: id maps, written from outside while init waits. */
export function planIdMaps(input: PlanInput): Op[] {
  const { uidMappings = [], gidMappings = [] } = input.config.linux ?? {};
  if (!hasNew(input, 'user')) return [];
  const why =
    'Who is who: ids inside the user namespace and outside. It can be written once, by a process outside.';
  const map = (file: 'uid_map' | 'gid_map', mappings: readonly IdMapping[], from: string): Op[] =>
    planMap(file, mappings, { pid: 'pid', buffer: `proc-${file}` }, { why, from });
  return [
    ...map('uid_map', uidMappings, '/linux/uidMappings'),
    ...map('gid_map', gidMappings, '/linux/gidMappings'),
  ];
}

/**
 * Writes an id map of another process.
 * @param of the register of its pid, and a buffer that holds the path of its file, for PROC_PID's digits
 */
export function planMap(
  file: 'uid_map' | 'gid_map',
  mappings: readonly IdMapping[],
  { pid, buffer }: { pid: string; buffer: string },
  { why, from }: Pick<Words, 'why' | 'from'>,
): Op[] {
  const text = mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`).join('');
  const words: Words = { what: `write ${file}: ${text.trim().replaceAll('\n', ', ')}`, why, from };
  return [
    o.format(
      pid,
      o.buf(buffer, 6),
      { width: 10, pad: '/' },
      { ...words, what: `put the pid into /proc/PID/${file}` },
    ),
    o.openat(o.AT_FDCWD, o.buf(buffer), ['O_WRONLY'], { ...words, to: 'file' }),
    o.write(o.reg('file'), text, text.length, words),
    o.close(o.reg('file'), words),
  ];
}

/** Buffers of this module. */
export function namespaceBuffers(input: PlanInput): Buffer[] {
  const proc = (file: string) => ({
    name: `proc-${file}`,
    size: PROC_PID.length + 20,
    init: `${PROC_PID}/${file}\0`,
  });
  const { fresh, joined } = listNamespaces(input);
  const names = joined.length > 0 ? [] : cloneFlags(fresh);
  return [
    ...(joined.length > 0 ? stageBuffers : []),
    ...(isBornInCgroup(input) ? [{ name: 'clone', size: CLONE_ARGS_SIZE, init: cloneArguments(names) }] : []),
    ...(hasUser(input) ? [proc('oom_score_adj')] : []),
    ...(hasNew(input, 'user') ? [proc('uid_map'), proc('gid_map')] : []),
  ];
}

/** Init program: root of the user namespace, instead of whoever the host's root is in it. */
export function planBecomeRoot(input: Pick<PlanInput, 'config'>): Op[] {
  if (!hasUser(input)) return [];
  const words = (what: string): Words => ({
    what,
    why: 'All that follows is done as root of the user namespace: over what is in it, that is root enough.',
    from: '/linux/uidMappings',
  });
  return [
    o.call('setresgid', [0, 0, 0], words('become group 0 of the user namespace')),
    o.call('setresuid', [0, 0, 0], words('become user 0 of the user namespace')),
  ];
}

/** Init program: the time namespace, whose clocks can be set only while nobody lives in it. time_namespaces(7). */
export function planTimeNamespace(input: PlanInput): Op[] {
  if (!hasNew(input, 'time')) return [];
  const { timeOffsets } = input.config.linux ?? {};
  const text = (['monotonic', 'boottime'] as const)
    .filter((clock) => timeOffsets?.[clock] !== undefined)
    .map((clock) => `${clock} ${timeOffsets?.[clock]?.secs ?? 0} ${timeOffsets?.[clock]?.nanosecs ?? 0}\n`)
    .join('');
  const words = (what: string, why: string, from = '/linux/namespaces'): Words => ({ what, why, from });
  const enter = 'unshare makes the namespace for children only; by its file we enter it ourselves.';
  const offsets: Op[] =
    text === ''
      ? []
      : [
          o.openat(o.AT_FDCWD, '/proc/self/timens_offsets', ['O_WRONLY'], {
            ...words(
              'open /proc/self/timens_offsets',
              'Nobody is in it yet: now its clocks can be set.',
              '/linux/timeOffsets',
            ),
            to: 'file',
          }),
          o.write(o.reg('file'), text, text.length, {
            ...words(
              `set clocks: ${text.trim().replaceAll('\n', ', ')}`,
              'The container sees its own uptime.',
              '/linux/timeOffsets',
            ),
          }),
          o.close(o.reg('file'), words('close timens_offsets', 'It has served.', '/linux/timeOffsets')),
        ];
  return [
    o.call(
      'unshare',
      [o.flags('CLONE_NEWTIME')],
      words('make a time namespace', 'Its clocks must be set before anybody is in it.'),
    ),
    ...offsets,
    o.openat(o.AT_FDCWD, '/proc/self/ns/time_for_children', ['O_RDONLY'], {
      ...words('open the new time namespace', enter),
      to: 'file',
    }),
    o.setns(o.reg('file'), 'CLONE_NEWTIME', words('enter the time namespace', enter)),
    o.close(o.reg('file'), words('close the namespace file', 'It has served.')),
  ];
}
