// What the host sees of a container's mounts, and how mounts spread between the two: mount_namespaces(7), "Shared
// subtrees". A container has a mount namespace of its own, so the host's list has none of its mounts; but a mount may be a
// peer of one of the host's, or its slave.

import { flag, rawSyscall } from '../../native-bindings/libc.ts';
import { readText } from '../runtime/probe.ts';
import type { MountTree } from './mount-tree.ts';
import { isWithin, type MountInfo, parseMountinfo } from './mountinfo.ts';
import type { Subject } from './subject.ts';

export interface HostView {
  /** The container's and the host's mount namespace: `mnt:[4026531841]`; undefined: it does not run. */
  namespaces: { container: string; host: string } | undefined;
  /** How many mounts the host has. */
  count: number;
  /** Those of the host that are in the container's root or in one of its layers, whoever made them. */
  seen: { target: string; type: string }[];
  groups: PeerGroup[];
}

export interface PeerGroup {
  /** `shared:N` or `master:N`, as mountinfo writes it. */
  group: string;
  /** Mount points in the container, and of mounts of that group in the host. */
  container: string[];
  host: string[];
  meaning: string;
}

/** @throws TinyrunError HOST where the host's own list cannot be read */
export function hostView(subject: Subject, { live, mounts }: MountTree): HostView {
  const text = readText('/proc/self/mountinfo', 1 << 26);
  const host = parseMountinfo(typeof text === 'number' ? '' : text);
  const roots = subject.layers.map(({ path }) => path);
  return {
    namespaces: live ? namespacesOf(subject) : undefined,
    count: host.length,
    seen: host
      .filter(({ target }) => roots.some((root) => root !== '/' && isWithin(target, root)))
      .map(({ target, type }) => ({ target, type })),
    groups: groupsOf(mounts, host),
  };
}

function namespacesOf({ init }: Subject): HostView['namespaces'] {
  const container = namespaceLink(init?.pid ?? 0);
  const host = namespaceLink('self');
  return container === undefined || host === undefined ? undefined : { container, host };
}

function groupsOf(mounts: MountTree['mounts'], host: readonly MountInfo[]): PeerGroup[] {
  const groups = new Map<string, PeerGroup>();
  for (const { target, propagation } of mounts)
    for (const kind of ['shared', 'master'] as const) {
      const number = propagation[kind];
      if (number === undefined) continue;
      const name = `${kind}:${number}`;
      const peers = host.filter((one) => one.propagation.shared === number).map((one) => one.target);
      const group = groups.get(name) ?? {
        group: name,
        container: [],
        host: peers,
        meaning: meaningOf(kind, peers),
      };
      group.container.push(target);
      groups.set(name, group);
    }
  return [...groups.values()];
}

function meaningOf(kind: 'shared' | 'master', peers: readonly string[]): string {
  const where =
    peers.length === 0 ? undefined : peers.slice(0, 3).join(', ') + (peers.length > 3 ? ', ...' : '');
  if (kind === 'shared')
    return where === undefined
      ? 'peers are in no namespace that the host sees here: the host gets none of its mounts'
      : `what is mounted below it appears on the host below ${where} as well, and the other way round`;
  return where === undefined
    ? "gets mounts of a group that is not in the host's list"
    : `what the host mounts below ${where} appears below it, and nothing the other way`;
}

/** A mount namespace by its inode, as readlink(1) shows it. */
function namespaceLink(pid: number | 'self'): string | undefined {
  const bytes = new Uint8Array(64);
  const length = rawSyscall('readlinkat', flag('AT_FDCWD'), `/proc/${pid}/ns/mnt`, bytes, bytes.length);
  return length < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length));
}
