// User, groups and capabilities, last before the program starts: up to here the init program needs its rights.
// OCI config.md, "User", "Linux Process"; capabilities(7), credentials(7).
//
// The order matters: the bounding set while CAP_SETPCAP is there; groups and ids while CAP_SETGID and CAP_SETUID are
// there, keeping the permitted set over the change of uid (PR_SET_KEEPCAPS); then the other sets; ambient at the very
// end, since only what is permitted and inheritable may be raised.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { capabilities } from '../sys/capabilities.ts';
import type { ProcessInput } from './input.ts';
import { hasUser } from './namespaces.ts';
import { deniesGroups } from './rootless.ts';
import { needsAdmin, planSeccomp } from './seccomp.ts';

const FROM = '/process/capabilities';

/**
 * Which capabilities can be granted at all: those of the caller's bounding set. But who enters a user namespace has a
 * full set of its own, whatever the caller had (user_namespaces(7)): there, all are to be granted, or dropped.
 */
function isGrantable({ config, host }: Pick<ProcessInput, 'config' | 'host'>): (bit: number) => boolean {
  if (hasUser({ config })) return () => true;
  const words = [Number(host.capBounding & 0xffffffffn), Number(host.capBounding >> 32n)];
  return (bit) => ((words[bit >> 5]! >>> (bit & 31)) & 1) === 1;
}

/** Names of the config that cannot be granted: the spec wants a warning, not a failure. */
export function ungrantableCapabilities({ config, host }: Pick<ProcessInput, 'config' | 'host'>): string[] {
  const grantable = isGrantable({ config, host });
  const {
    bounding = [],
    effective = [],
    permitted = [],
    inheritable = [],
    ambient = [],
  } = config.process.capabilities ?? {};
  const missing = new Set<string>();
  for (const name of [...bounding, ...effective, ...permitted, ...inheritable, ...ambient]) {
    const bit = capabilities[name];
    if (bit !== undefined && !grantable(bit)) missing.add(name);
  }
  return [...missing];
}

/**
 * Init program: user, capabilities, no_new_privs, and the seccomp filter where the kernel takes it.
 * @param late what needs the container's rights, but is not to be hindered by that filter
 */
export function planCredentials(input: ProcessInput, late: readonly Op[] = []): Op[] {
  const {
    bounding,
    effective = [],
    permitted = [],
    inheritable = [],
  } = input.config.process.capabilities ?? {};
  const grantable = isGrantable(input);
  const user = [...planBounding(bounding ?? [], grantable), ...planIds(input)];
  const last = planCapabilities(input, grantable);
  if (!needsAdmin(input)) return [...user, ...last, ...late, ...planSeccomp(input)];
  const plus = (names: readonly string[]) => [...names, 'CAP_SYS_ADMIN'];
  const first = planCapset(plus(effective), plus(permitted), inheritable, grantable, {
    what: 'set the capabilities, and CAP_SYS_ADMIN for a moment',
    why: 'Without no_new_privs, loading a seccomp filter takes it.',
    from: '/linux/seccomp',
  });
  return [...user, first, ...late, ...planSeccomp(input), ...last];
}

/** The capabilities, no_new_privs. */
function planCapabilities(input: ProcessInput, grantable: Grantable): Op[] {
  const { effective, permitted, inheritable, ambient } = input.config.process.capabilities ?? {};
  return [
    planCapset(effective ?? [], permitted ?? [], inheritable ?? [], grantable, {
      what: 'set the effective, permitted and inheritable capabilities',
      why: 'The container keeps what the config grants, and nothing else.',
      from: FROM,
    }),
    ...planAmbient(
      (ambient ?? []).filter((name) => permitted?.includes(name) && inheritable?.includes(name)),
      grantable,
    ),
    ...planNoNewPrivs(input),
  ];
}

type Grantable = (bit: number) => boolean;

function planBounding(bounding: readonly string[], grantable: Grantable): Op[] {
  const ops: Op[] = [];
  for (const name in capabilities) {
    const bit = capabilities[name]!;
    if (!grantable(bit) || bounding.includes(name)) continue;
    ops.push(
      o.prctl('PR_CAPBSET_DROP', [bit], {
        what: `drop ${name} from the bounding set`,
        why: 'What is not in the bounding set cannot be gained by any program in the container, setuid or not.',
        from: `${FROM}/bounding`,
      }),
    );
  }
  return ops;
}

function planIds(input: ProcessInput): Op[] {
  const { uid = 0, gid = 0, additionalGids = [] } = input.config.process.user ?? {};
  const from = '/process/user';
  return [
    o.prctl('PR_SET_KEEPCAPS', [1], {
      what: 'keep capabilities over the change of user',
      why: 'Leaving uid 0 would drop them all; which ones remain is decided below.',
      from,
    }),
    ...(deniesGroups(input) ? [] : [planGroups(additionalGids, from)]),
    o.call('setresgid', [gid, gid, gid], {
      what: `become group ${gid}`,
      why: 'Real, effective and saved at once: there is no way back.',
      from: `${from}/gid`,
    }),
    o.call('setresuid', [uid, uid, uid], {
      what: `become user ${uid}`,
      why: 'Real, effective and saved at once: there is no way back.',
      from: `${from}/uid`,
    }),
    o.prctl('PR_SET_KEEPCAPS', [0], {
      what: 'stop keeping capabilities',
      why: 'The flag has served; the program gets it cleared.',
      from,
    }),
  ];
}

const planGroups = (additionalGids: readonly number[], from: string): Op =>
  o.call(
    'setgroups',
    [additionalGids.length, { bytes: new Uint8Array(new Uint32Array(additionalGids).buffer) }],
    {
      what:
        additionalGids.length === 0
          ? 'drop all supplementary groups'
          : `set groups ${additionalGids.join(',')}`,
      why: 'Exactly these: a group left over from the caller opens files, and a missing one can, too.',
      from: `${from}/additionalGids`,
    },
  );

/** The two 32-bit words of a set, as capset(2) takes them. */
function words(names: readonly string[], grantable: Grantable): [number, number] {
  const set: [number, number] = [0, 0];
  for (const name of names) {
    const bit = capabilities[name];
    if (bit !== undefined && grantable(bit)) set[bit >> 5]! |= 1 << (bit & 31);
  }
  return set;
}

function planCapset(
  effective: readonly string[],
  permitted: readonly string[],
  inheritable: readonly string[],
  grantable: Grantable,
  why: Words,
): Op {
  const [e, p, i] = [words(effective, grantable), words(permitted, grantable), words(inheritable, grantable)];
  const half = (n: 0 | 1) => ({ effective: e[n] >>> 0, permitted: p[n] >>> 0, inheritable: i[n] >>> 0 });
  return o.call(
    'capset',
    [
      { struct: 'user_cap_header', fields: { version: o.flags('_LINUX_CAPABILITY_VERSION_3') } },
      { structs: 'user_cap_data', items: [half(0), half(1)] },
    ],
    why,
  );
}

function planAmbient(ambient: readonly string[], grantable: Grantable): Op[] {
  const ops: Op[] = [
    o.prctl('PR_CAP_AMBIENT', [o.flags('PR_CAP_AMBIENT_CLEAR_ALL'), 0, 0, 0], {
      what: 'clear the ambient capabilities',
      why: "The caller's would pass through execve otherwise.",
      from: `${FROM}/ambient`,
    }),
  ];
  for (const name of ambient) {
    const bit = capabilities[name];
    if (bit === undefined || !grantable(bit)) continue;
    ops.push(
      o.prctl('PR_CAP_AMBIENT', [o.flags('PR_CAP_AMBIENT_RAISE'), bit, 0, 0], {
        what: `raise ${name} in the ambient set`,
        why: 'Ambient capabilities stay with a program that is not setuid and whose user is not root.',
        from: `${FROM}/ambient`,
      }),
    );
  }
  return ops;
}

function planNoNewPrivs({ config }: ProcessInput): Op[] {
  if (!config.process.noNewPrivileges) return [];
  return [
    o.prctl('PR_SET_NO_NEW_PRIVS', [1, 0, 0, 0], {
      what: 'set no_new_privs',
      why: 'From here on no execve can gain rights, whatever is setuid in the rootfs.',
      from: '/process/noNewPrivileges',
    }),
  ];
}

/** Init program: the container's user owns its stdio, so that /dev/stdout can be opened again by a user not root. */
export function planStdioOwner({ config }: ProcessInput): Op[] {
  const { uid = 0 } = config.process.user ?? {};
  if (uid === 0) return [];
  return [0, 1, 2].flatMap((fd) => {
    const words = (what: string): Words => ({
      what,
      why: "Programs open /dev/stdout; a pipe of root would refuse. Never /dev/null: that is the owner of the host's node.",
      from: '/process/user/uid',
    });
    const next = `owned-${fd}`;
    return [
      o.call('statx', [fd, '', o.flags('AT_EMPTY_PATH'), o.flags('STATX_BASIC_STATS'), o.buf('statx')], {
        ...words(`look at file descriptor ${fd}`),
        onError: { goto: { EBADF: next } },
      }),
      o.load(o.buf('statx', 128), 4, 'major', words('take its device number')),
      o.branch('major', '==', 1, next, words('a memory device such as /dev/null keeps its owner')),
      o.call('fchown', [fd, uid, -1], {
        ...words(`give file descriptor ${fd} to user ${uid}`),
        // Some kinds of file have no owner that could change, or are on a read-only filesystem.
        onError: { ignore: ['EINVAL', 'EPERM', 'EROFS', 'ENOSYS'] },
      }),
      o.label(next),
    ];
  });
}
