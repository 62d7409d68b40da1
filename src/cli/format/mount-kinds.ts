// What `tinyrun explain mounts` prints: how binds, volumes and tmpfs differ, and which of them a container has.

import { entriesHidden } from '../../inspect/hidden-entries.ts';
import type { MountEntry, MountTree } from '../../inspect/mount-tree.ts';
import type { Subject } from '../../inspect/subject.ts';
import { formatList } from './list.ts';

const COMPARISON = [
  ['', 'BIND MOUNT', 'VOLUME', 'TMPFS'],
  ['where the data is', 'any path of the host', 'in the data root, or where its driver has it', 'in memory'],
  [
    'what the image has there',
    'hides image content',
    'a new, empty volume takes a copy of it, and hides it then',
    'hides image content',
  ],
  ['a single file', 'yes, if the file is there', 'no, a directory', 'no, a directory'],
  ['read-only', ':ro, readonly', ':ro, readonly', 'readonly'],
  ['what is missing', '-v makes a directory, --mount refuses', 'is created', 'is always new'],
  ['outlives the container', 'yes', 'yes, until `volume rm`; anonymous ones go with --rm', 'no'],
  ['on another host', 'needs the same path', 'needs its name, and a driver that has it there', 'the same'],
  ['who else sees it', 'the host, and all that bind it', 'all that name it, and --volumes-from', 'nobody'],
] as const;

/** The comparison, then the container's own mounts of these kinds. */
export function formatComparison(subject: Subject, tree: MountTree): string {
  const rows = COMPARISON.slice(1).map(([what, bind, volume, tmpfs]) => ({
    ...{ What: what, Bind: bind, Volume: volume, Tmpfs: tmpfs },
  }));
  const [head, ...columns] = COMPARISON[0];
  const names = ['Bind', 'Volume', 'Tmpfs'];
  const table = formatList({
    ...{ format: undefined, quiet: false, id: 'What', rows },
    table: [[head, 'What'], ...columns.map((column, index): [string, string] => [column, names[index]!])],
  });
  return `${table}\n${formatOwn(subject, tree)}`;
}

const KINDS: readonly MountEntry['role'][] = ['bind', 'volume', 'tmpfs', 'image'];

function formatOwn(subject: Subject, { mounts }: MountTree): string {
  const own = mounts.filter(({ role }) => KINDS.includes(role));
  if (own.length === 0) return `container ${subject.id} has none of them\n`;
  const rows = own.map((mount) => ({
    Target: mount.target,
    Kind: mount.point?.Name === undefined ? mount.role : `${mount.role} ${mount.point.Name}`,
    Source: mount.hostPath ?? 'memory',
    Access: mount.options.includes('ro') ? 'ro' : 'rw',
    Hides: hidesWords(subject, mount),
    By: mount.by,
  }));
  return formatList({
    ...{ format: undefined, quiet: false, id: 'Target', rows },
    table: [
      ['MOUNTED ON', 'Target'],
      ['KIND', 'Kind'],
      ['DATA', 'Source'],
      ['ACCESS', 'Access'],
      ['HIDES OF THE IMAGE', 'Hides'],
      ['ASKED FOR BY', 'By'],
    ],
  });
}

function hidesWords({ layers }: Subject, { target }: MountEntry): string {
  const hidden = entriesHidden(layers, target);
  if (hidden === undefined || hidden.count === 0) return 'nothing';
  return hidden.names.join(', ') + (hidden.count > hidden.names.length ? `, ... (${hidden.count})` : '');
}
