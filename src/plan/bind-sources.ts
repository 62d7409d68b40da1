// The host program's part in binds (mounts.ts): source directories that are to be made, and detached copies of the mounts
// that init cannot copy itself. open_tree(2).

import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import {
  type IdMaps,
  idMapBuffers,
  listIdMaps,
  planCloseIdMaps,
  planIdMapped,
  planOpenIdMaps,
} from './idmap.ts';
import type { PlanInput } from './input.ts';
import { bindSource, describeMount, isShared, type PlannedMount } from './mount-list.ts';
import { planOverlayMount } from './mount-overlay.ts';
import { planAttributes } from './mounts.ts';
import { makeDirectories } from './state.ts';

/** What binds depend on. */
export type BindInput = Pick<PlanInput, 'config' | 'rootless' | 'bundle' | 'sources'>;

/** The buffer that keeps the descriptors of detached binds, four bytes each, and those of idmapped ones. */
export function bindBuffers(mounts: readonly PlannedMount[], input: BindInput): Buffer[] {
  const binds = mounts.filter((mount) => mount.slot !== undefined).length;
  return binds === 0 ? [] : [{ name: 'binds', size: 4 * binds }, ...idMapBuffers(listIdMaps(mounts, input))];
}

/** Host program: a detached copy of every bind's source. */
export function planBindSources(mounts: readonly PlannedMount[], input: BindInput): Op[] {
  const maps = listIdMaps(mounts, input);
  return [
    ...planOpenIdMaps(maps),
    ...mounts.flatMap((mount) => planMissingSource(mount, input)),
    ...mounts.flatMap((mount) =>
      mount.slot === undefined || mount.options.remount ? [] : planBindSource(mount, input, maps),
    ),
    ...planCloseIdMaps(maps),
  ];
}

function planMissingSource({ mount, options, from, createSource }: PlannedMount, input: BindInput): Op[] {
  const source = bindSource(mount, input.bundle);
  if (options.bind === false || !createSource || input.sources.get(source) !== 'missing') return [];
  const why = 'Docker makes a missing host directory of -v; --mount refuses.';
  return makeDirectories(source, 0o755, why).map((op) => ({ ...op, from }));
}

function planBindSource(planned: PlannedMount, input: BindInput, maps: IdMaps): Op[] {
  const { mount, options, from, slot } = planned;
  const source = bindSource(mount, input.bundle);
  const what = describeMount(planned, input.bundle);
  const words = (why: string): Words => ({ what, why, from });
  const bind = o.reg('bind');
  return [
    ...planSource(planned, source, words),
    ...(isShared(options)
      ? []
      : [
          o.mountSetattr(bind, { propagation: 'MS_SLAVE' }, true, {
            ...words('The copy of a shared mount would hand our mounts back to the host.'),
          }),
        ]),
    ...planIdMapped(planned, input, maps, what, source),
    ...planAttributes(bind, options, words),
    o.store('bind', o.buf('binds', 4 * slot!), 4, {
      ...words('Kept for the init program, which inherits the descriptor.'),
      what: `keep the bind of ${source}`,
    }),
  ];
}

/** The mount itself, attached nowhere, into register `bind`. */
function planSource(
  { options, fd, overlay, index, from }: PlannedMount,
  source: string,
  words: (why: string) => Words,
): Op[] {
  const why = 'A detached copy of the mount, made before any namespace: the host never sees it attached.';
  const recursive = options.bind === 'rbind';
  const close =
    fd === undefined
      ? []
      : [o.close(fd, { what: `close ${source}`, why: 'The mount keeps what it needs of it.', from })];
  if (overlay !== undefined) return [...planOverlayMount(overlay, index, words), ...close];
  return fd === undefined
    ? [o.openTree(o.AT_FDCWD, source, recursive, { ...words(why), to: 'bind' })]
    : [o.openTree(fd, '', recursive, { ...words(`${why} ${PINNED}`), to: 'bind' }), ...close];
}

const PINNED = 'What was found there when it was looked for is mounted, whatever has the name by now.';
