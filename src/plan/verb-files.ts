// What an ordinary container has in its state directory for the programs of verbs.ts, which also says what each file is.
// Written by the host program of the container.

import { CGROUP_PATHS, formatState, INIT_PIDFD, STATE_TEXT, type State } from '../oci/state.ts';
import { OCI_VERSION } from '../oci/version.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { hasHooks } from './hook-points.ts';
import { planReadBoot, STX_INO } from './init-pidfd.ts';
import type { PlanInput } from './input.ts';
import { hasNew, mountsOutside } from './namespaces.ts';
import { rdtDirectories } from './rdt.ts';
import { createFile, planWriteWhole, rootfsPath } from './state.ts';
import { runtime } from './words.ts';

/** How cgroup.paths is laid out: that many paths, each with that many bytes. */
export const [SLOTS, SLOT] = [16, 256];

const utf8 = new TextEncoder();

/** Whether a container is one that programs may deal with. */
const isOrdinary = (input: PlanInput): boolean =>
  (input.lifecycle !== 'foreground' || !input.transient) &&
  hasNew(input, 'pid') &&
  !hasHooks(input, 'poststart', 'poststop') &&
  !mountsOutside(input) &&
  input.rootless === undefined &&
  (input.host.kernel[0] > 6 || (input.host.kernel[0] === 6 && input.host.kernel[1] >= 9));

export const verbBuffers = (input: PlanInput): { name: string; size: number }[] =>
  isOrdinary(input) ? [{ name: 'init-pidfd', size: 24 }] : [];

/** Host program, when init is born: the files that the programs go by. */
export function planVerbFiles(input: PlanInput): Op[] {
  if (!isOrdinary(input)) return [];
  const why = 'start, kill, state and delete go by these files, without reading any JSON.';
  const inode = 'The inode of a pidfd has a number that no other process ever gets: pidfs.';
  const [head, tail] = stateText(input);
  const lengths = new BigUint64Array([head, tail].map((text) => BigInt(utf8.encode(text).length)));
  const write = (name: string, ops: readonly Op[]): Op[] => [
    createFile(name, why),
    ...ops,
    o.close(o.reg('file'), runtime(`close ${name}`, why)),
  ];
  const text = head + tail;
  const paths = cgroupPaths(input);
  return [
    ...(paths === undefined
      ? []
      : write(CGROUP_PATHS, [
          o.write(o.reg('file'), { bytes: paths }, paths.length, runtime(`write ${CGROUP_PATHS}`, why)),
        ])),
    ...write(STATE_TEXT, [
      o.write(
        o.reg('file'),
        { bytes: new Uint8Array(lengths.buffer) },
        16,
        runtime('write two lengths', why),
      ),
      ...planWriteWhole(STATE_TEXT, text, utf8.encode(text).length, (what) => runtime(what, why)),
    ]),
    o.call('pidfd_open', [o.reg('pid'), 0], { ...runtime('open a pidfd of init', inode), to: 'pidfd' }),
    o.fstatx(o.reg('pidfd'), o.buf('statx'), runtime('look at its inode', inode)),
    o.close(o.reg('pidfd'), runtime('close the pidfd', inode)),
    o.load(o.buf('statx', STX_INO), 8, 'inode', runtime('take the number of the inode', inode)),
    o.store('pid', o.buf('init-pidfd', 0), 8, runtime('put the pid into a buffer', inode)),
    o.store('inode', o.buf('init-pidfd', 8), 8, runtime('put the number of the inode behind it', inode)),
    ...planReadBoot('boot', o.buf('init-pidfd', 16)),
    ...write(INIT_PIDFD, [
      o.write(o.reg('file'), o.buf('init-pidfd'), 24, runtime(`write ${INIT_PIDFD}`, inode)),
    ]),
  ];
}

/** The cgroups in their slots; undefined where they do not fit, or there is more to be removed. */
function cgroupPaths(input: PlanInput): Uint8Array | undefined {
  const { cgroup, rootfs, uses } = input;
  const paths = cgroup?.existing ? [] : (cgroup?.places ?? []).map(({ path }) => utf8.encode(path));
  if (rootfs.kind !== 'directory' || uses !== undefined || rdtDirectories(input).length > 0) return undefined;
  if (paths.length > SLOTS || paths.some((path) => path.length >= SLOT)) return undefined;
  const bytes = new Uint8Array(SLOTS * SLOT);
  for (const [i, path] of paths.entries()) bytes.set(path, i * SLOT);
  return bytes;
}

/** What stands in front of the pid, and behind the status. */
function stateText(input: PlanInput): [string, string] {
  const { id, bundle, config, host } = input;
  const state: State = {
    ...{ ociVersion: OCI_VERSION, id, pid: 0, status: 'stopped', bundle },
    ...{ rootfs: rootfsPath(input), created: new Date(host.now).toISOString() },
    ...(Object.keys(config.annotations ?? {}).length > 0 ? { annotations: config.annotations! } : {}),
    owner: '',
  };
  const gap = '0,\n  "status": "stopped"';
  const text = formatState(state);
  const at = text.indexOf(gap);
  return [text.slice(0, at), text.slice(at + gap.length)];
}
