// What `tinyrun mounts` prints: the tree in the words of mount(8), then what the root consists of and what the host sees.

import type { HostView } from '../../inspect/host-view.ts';
import type { MountEntry, MountTree } from '../../inspect/mount-tree.ts';
import type { RootLayer, Subject } from '../../inspect/subject.ts';
import { shortPath } from './human.ts';
import { formatList } from './list.ts';

/** The whole of it for people. */
export function formatMounts(subject: Subject, tree: MountTree, host: HostView): string {
  const rows = inTree(tree.mounts).map(({ mount, branch }) => ({
    Mount: branch + describe(mount),
    Propagation: propagationOf(mount),
    By: mount.by + (mount.point?.Name === undefined ? '' : ` (volume ${mount.point.Name})`),
  }));
  const table: [string, string][] = [
    [tree.live ? 'MOUNT' : 'MOUNT (PLANNED)', 'Mount'],
    ['PROPAGATION', 'Propagation'],
    ['ASKED FOR BY', 'By'],
  ];
  return [
    formatList({ format: undefined, quiet: false, table, id: 'Mount', rows }),
    ...(subject.layers[0]?.role === 'upper' ? [formatLayers(subject.layers)] : []),
    formatHostView(host, tree.live),
  ].join('\n');
}

/** The same for programs. */
export const mountsJson = (subject: Subject, tree: MountTree, host: HostView): object => ({
  id: subject.id,
  status: subject.status,
  live: tree.live,
  layers: subject.layers,
  mounts: tree.mounts,
  host,
});

/**
 * `/srv/data on /d type ext4 (rw,relatime)`; what is not mounted yet has no type but that of its source. Of ids in paths
 * only the beginning is shown.
 */
function describe({ source, hostPath, target, type, options }: MountEntry): string {
  const kind = type === undefined ? '' : ` type ${type}`;
  return `${shortPath(hostPath ?? source)} on ${target}${kind} (${options.join(',')})`;
}

/** Every mount behind the one that it is in, with the lines of a tree before it. */
function inTree(mounts: readonly MountEntry[]): { mount: MountEntry; branch: string }[] {
  const ids = new Set(mounts.map(({ id }) => id));
  const isTop = ({ id, parent }: MountEntry): boolean => parent === id || !ids.has(parent);
  const below = (parent: MountEntry, indent: string): { mount: MountEntry; branch: string }[] => {
    const children = mounts.filter((mount) => !isTop(mount) && mount.parent === parent.id);
    return children.flatMap((mount, index) => {
      const isLast = index === children.length - 1;
      const branch = `${indent}${isLast ? '└─ ' : '├─ '}`;
      return [{ mount, branch }, ...below(mount, `${indent}${isLast ? '   ' : '│  '}`)];
    });
  };
  return mounts.filter(isTop).flatMap((mount) => [{ mount, branch: '' }, ...below(mount, '')]);
}

/** As mountinfo has it; of a planned one, as it is asked for. */
function propagationOf({ propagation, options }: MountEntry): string {
  const { shared, master, from, unbindable } = propagation;
  const groups = [
    ...(shared === undefined ? [] : [`shared:${shared}`]),
    ...(master === undefined ? [] : [`master:${master}`]),
    ...(from === undefined ? [] : [`propagate_from:${from}`]),
    ...(unbindable ? ['unbindable'] : []),
  ];
  if (groups.length > 0) return groups.join(' ');
  return options.find((option) => /^r?(shared|slave|unbindable)$/.test(option)) ?? 'private';
}

function formatLayers(layers: readonly RootLayer[]): string {
  const lines = layers.map(
    (layer) => `    ${nameOfLayer(layer).replace('the ', '').padEnd(11)}  ${layer.path}`,
  );
  return `the root is an overlay of these, topmost first:\n${lines.join('\n')}\n`;
}

/** Within a sentence: `the upper layer`, `layer 2`. */
export function nameOfLayer({ role, number }: RootLayer): string {
  if (role === 'image') return `layer ${number}`;
  return role === 'rootfs' ? 'the root directory' : `the ${role} layer`;
}

function formatHostView({ namespaces, count, seen, groups }: HostView, live: boolean): string {
  const lines = [];
  if (!live)
    lines.push('it does not run: these mounts are made when it starts, in a mount namespace of its own');
  else if (namespaces !== undefined && namespaces.container === namespaces.host)
    lines.push(`it has the host's mount namespace ${namespaces.host}: the host sees all of these mounts`);
  else
    lines.push(
      `the host, in mount namespace ${namespaces?.host}, has ${count} mounts: ` +
        `none of these, which are in ${namespaces?.container}`,
    );
  for (const { target, type } of seen) lines.push(`the host itself has mounted ${type} on ${target}`);
  for (const { group, container, meaning } of groups)
    lines.push(`${group} (${container.join(', ')}): ${meaning}`);
  if (live && groups.length === 0)
    lines.push('all are private: no mount made on either side appears on the other');
  return `${lines.join('\n')}\n`;
}
