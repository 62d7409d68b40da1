// Without root: the host program itself enters the container's user namespace, and a mount namespace of its own, before
// anything else. There it is root enough for all that follows, which is planned as if it were root; the container has
// no further user namespace, it lives in this one. user_namespaces(7); OCI config-linux.md, "User namespace mappings".
//
//   host ──clone3()──> two mappers                         stay outside, wait at a pipe
//     ─ unshare(user, mount) ─ two bytes ─> become newuidmap PID ... and newgidmap PID ...
//     ─ waits for both                      setuid programs: they look into /etc/subuid and /etc/subgid
//     ─ becomes user 0
//
// Who maps nothing but himself needs no help: he writes his maps himself, for the price that the groups of the process
// can't be changed any more (`deny` in /proc/PID/setgroups, against taking a group away that is meant to lock one out).

import { TinyrunError } from '../errors.ts';
import type { IdMapping } from '../oci/config.ts';
import type { Arg, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';

type RootlessInput = Pick<PlanInput, 'config' | 'rootless'>;

const LEAVE = { onError: { fail: 'leave' } };
const MAPPERS = [
  { id: 'uid', program: '/usr/bin/newuidmap', field: 'uidMappings', subids: '/etc/subuid' },
  { id: 'gid', program: '/usr/bin/newgidmap', field: 'gidMappings', subids: '/etc/subgid' },
] as const;

const words = (what: string, why: string, from = '/linux/namespaces'): Words => ({ what, why, from });
const ENTER =
  "Without root, one is root of a user namespace of one's own: enough for all that the container needs.";
const MAP =
  'Ids of others may only be mapped by setuid programs of the system, and from outside of the namespace.';

/** Whether the caller maps himself, and nobody else: then no setuid program is needed. */
function isAlone({ config, rootless }: RootlessInput): boolean {
  const { uidMappings = [], gidMappings = [] } = config.linux ?? {};
  const own = (mappings: readonly IdMapping[], id: number | undefined): boolean =>
    mappings.length === 1 && mappings[0]!.size === 1 && mappings[0]!.hostID === id;
  return own(uidMappings, rootless?.uid) && own(gidMappings, rootless?.gid);
}

/** Whether the kernel forbids setgroups(2) in the container's user namespace. */
export const deniesGroups = (input: RootlessInput): boolean => input.rootless !== undefined && isAlone(input);

/** Throws CONFIG for what cannot be without root, in runc's words where it has some. */
function assertPossible({ config }: RootlessInput, denied: boolean): void {
  const { additionalGids = [] } = config.process.user ?? {};
  if (denied && additionalGids.length > 0)
    throw new TinyrunError(
      'CONFIG',
      '/process/user/additionalGids: cannot set any additional groups in a rootless container',
      { hint: 'with ranges of ids in /etc/subuid and /etc/subgid, mapped in the config, they can be set' },
    );
  if (Object.keys(config.linux?.netDevices ?? {}).length > 0)
    throw new TinyrunError('CONFIG', '/linux/netDevices: network devices cannot be moved without root');
}

export const rootlessBuffers = (input: RootlessInput): { name: string; size: number }[] =>
  input.rootless === undefined || isAlone(input) ? [] : [{ name: 'own-pid', size: 24 }];

/** Host program, before it makes anything: into the user namespace. */
export function planEnterRootless(input: RootlessInput): Op[] {
  if (input.rootless === undefined) return [];
  const alone = isAlone(input);
  assertPossible(input, alone);
  const unshare = o.call('unshare', [o.flags('CLONE_NEWUSER', 'CLONE_NEWNS')], {
    ...words('enter a user namespace of our own (the kernel may forbid it to users who are not root)', ENTER),
    ...LEAVE,
  });
  return [
    ...(alone ? [unshare, ...planOwnMaps(input)] : planMappers(input, unshare)),
    o.call('setresgid', [0, 0, 0], {
      ...words('become group 0 of it', ENTER, '/linux/gidMappings'),
      ...LEAVE,
    }),
    o.call('setresuid', [0, 0, 0], {
      ...words('become user 0 of it', ENTER, '/linux/uidMappings'),
      ...LEAVE,
    }),
  ];
}

const textOf = (mappings: readonly IdMapping[]): string =>
  mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');

function planOwnMaps({ config }: RootlessInput): Op[] {
  const { uidMappings = [], gidMappings = [] } = config.linux ?? {};
  const write = (file: string, text: string, from: string, why: string): Op[] => {
    const extra = { ...words(`write ${file}: ${text.trim()}`, why, from), ...LEAVE };
    return [
      o.openat(o.AT_FDCWD, `/proc/self/${file}`, ['O_WRONLY'], { ...extra, to: 'file' }),
      o.write(o.reg('file'), text, text.length, extra),
      o.close(o.reg('file'), extra),
    ];
  };
  const deny = 'The kernel wants it before a user maps his group: to drop a group could open what it locks.';
  const own = 'Who maps nobody but himself may do so himself.';
  return [
    ...write('setgroups', 'deny', '/linux/gidMappings', deny),
    ...write('uid_map', textOf(uidMappings), '/linux/uidMappings', own),
    ...write('gid_map', textOf(gidMappings), '/linux/gidMappings', own),
  ];
}

function planMappers({ config }: RootlessInput, unshare: Op): Op[] {
  const extra = (what: string): o.Extra => ({ ...words(what, MAP), ...LEAVE });
  return [
    o.call('getpid', [], { ...extra('ask for our pid'), to: 'self' }),
    o.format('self', o.buf('own-pid'), {}, extra('write it as digits')),
    ...o.pipe('mapper-r', 'mapper-w', extra('make a pipe that the mappers wait at')),
    ...MAPPERS.flatMap((mapper) => planMapper(mapper, config.linux?.[mapper.field] ?? [])),
    o.close(o.reg('mapper-r'), extra('close the reading end')),
    unshare,
    o.write(o.reg('mapper-w'), 'go', 2, extra('let both mappers go on')),
    o.close(o.reg('mapper-w'), extra('close the pipe')),
    ...MAPPERS.flatMap(planAwaitMapper),
  ];
}

function planMapper({ id, program, field }: (typeof MAPPERS)[number], mappings: readonly IdMapping[]): Op[] {
  const from = `/linux/${field}`;
  const extra = (what: string): o.Extra => ({ ...words(what, MAP, from), ...LEAVE });
  const [parent, ready] = [`${id}-mapper-made`, `${id}-mapper-ready`];
  const numbers = mappings.flatMap(({ containerID, hostID, size }) =>
    [containerID, hostID, size].map(String),
  );
  const argv: Arg[] = [program, o.buf('own-pid'), ...numbers];
  return [
    o.clone3([], { ...extra(`start the process that becomes ${program}`), to: `${id}-mapper` }),
    o.branch(`${id}-mapper`, '!=', 0, parent, extra('are we it?')),
    o.close(o.reg('mapper-w'), extra('close the writing end')),
    o.read(o.reg('mapper-r'), o.buf('byte'), 1, {
      ...extra('wait until there is a namespace to map'),
      to: 'size',
    }),
    o.branch('size', '==', 1, ready, extra('is there one?')),
    o.exit(1, extra('end: there is none')),
    o.label(ready),
    o.call(
      'rt_sigprocmask',
      [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: {} }, 0, 8],
      extra('unblock all signals'),
    ),
    o.call('execve', [program, { vec: argv }, { vec: [] }], {
      ...extra(`become ${program} (of Debian's package uidmap; others call it shadow or shadow-utils)`),
    }),
    o.label(parent),
  ];
}

function planAwaitMapper({ id, program, field, subids }: (typeof MAPPERS)[number]): Op[] {
  const extra = (what: string): o.Extra => ({ ...words(what, MAP, `/linux/${field}`), ...LEAVE });
  const done = `${id}s-mapped`;
  return [
    o.wait4(o.reg(`${id}-mapper`), o.buf('status'), [], extra(`wait for ${program}`)),
    o.load(o.buf('status'), 4, 'status', extra('take its wait status')),
    o.branch('status', '==', 0, done, extra('has it mapped them?')),
    o.fail(
      words(
        `map ${id}s: ${program} refuses the mappings of the config: ${subids} gives a user his ranges`,
        MAP,
        `/linux/${field}`,
      ),
      { fail: 'leave' },
    ),
    o.label(done),
  ];
}

/** An id of the host as the host program sees it in the namespace that it has entered; what is not mapped is 0's. */
export function idInside({ config, rootless }: RootlessInput, kind: 'uid' | 'gid', id: number): number {
  if (rootless === undefined) return id;
  const mappings = config.linux?.[`${kind}Mappings`] ?? [];
  const range = mappings.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return range === undefined ? 0 : range.containerID + id - range.hostID;
}
