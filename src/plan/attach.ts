// A mount that is made, attached nowhere yet -> onto its place in the container's tree; and what may not be its place.

import { TinyrunError } from '../errors.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput, SourceKind } from './input.ts';
import { bindSource, type PlannedMount } from './mount-list.ts';
import { type Kind, planTarget, type Target } from './mount-point.ts';
import { isKernelFilesystem, type Place } from './place.ts';

/**
 * The kind of mount point that a mount needs: a directory, but for binds of anything else. Security labels and sysctls
 * are written to proc and sysfs by path: their mount points must be what they seem (CVE-2019-19921, CVE-2023-27561).
 */
function targetKind({ mount, options }: PlannedMount, input: Pick<PlanInput, 'sources' | 'bundle'>): Kind {
  if (options.bind === false) return isKernelFilesystem(mount.type) ? 'ordinary' : 'directory';
  const kind: SourceKind | undefined = input.sources.get(bindSource(mount, input.bundle));
  return kind === 'file' ? 'file' : 'directory';
}

/** Attaches the mount of a register. */
export function planAttach(
  planned: PlannedMount,
  place: Place,
  register: string,
  input: Pick<PlanInput, 'sources' | 'bundle'>,
  words: (why: string) => Words,
): Op[] {
  const inKernels = place.known === 'trusted' && place.type === 'kernel';
  if (inKernels) assertMayCover(planned);
  const kind = targetKind(planned, input);
  const target = planTarget(place, planned.target, kind, `mount-${planned.index}`, planned.from);
  const onFile = kind === 'directory' && planned.options.bind !== false && planned.from.startsWith('--');
  const onto = words(
    'Attached to a descriptor, not to a path: it lands where we looked, whatever was swapped since.',
  );
  // Who asks for a mount in proc or sysfs by a flag learns what the ENOENT of a missing mount point means there.
  const attached =
    inKernels && planned.from.startsWith('--')
      ? { ...onto, what: `${onto.what}, where nothing can be made` }
      : onto;
  return [
    ...(onFile ? planOnDirectory(planned, target.ops, attached) : target.ops),
    ...(place.known === 'trusted' ? [] : refuseProc(planned)),
    ...(kind === 'file'
      ? planAttachFile(planned, register, target, attached)
      : [o.moveMount(o.reg(register), target.dir, attached, target.path)]),
    ...target.close,
  ];
}

/** The kernel's word for a directory on a file is ENOTDIR, which does not say what is one. */
function planOnDirectory({ index, target }: PlannedMount, ops: readonly Op[], words: Words): Op[] {
  const [mismatch, done] = [`on-file-${index}`, `on-directory-${index}`];
  const looked = ops.map((op): Op => {
    if (op.op !== 'call' || op.to !== 'target') return op;
    return { ...op, onError: { ...op.onError, goto: { ...op.onError?.goto, ENOTDIR: mismatch } } };
  });
  return [
    ...looked,
    o.jump(done, { ...words, what: 'a directory lies on a directory' }),
    o.label(mismatch),
    o.fail({
      ...words,
      what:
        `${words.what}: the source is a directory, but /${target} in the container, or something on the way to it, is a file: ` +
        'are you trying to mount a directory onto a file (or vice-versa)? Name a file as source, or a directory as destination',
    }),
    o.label(done),
  ];
}

/** The kernel's word for a file on a directory is EINVAL, which says nothing. */
function planAttachFile(
  { index, target: path }: PlannedMount,
  register: string,
  target: Target,
  words: Words,
): Op[] {
  const [mismatch, done] = [`mismatch-${index}`, `attached-${index}`];
  const onError = { goto: { EINVAL: mismatch } };
  return [
    o.moveMount(o.reg(register), target.dir, { ...words, onError }, target.path),
    o.jump(done, { ...words, what: 'a file lies on a file' }),
    o.label(mismatch),
    o.fail({
      ...words,
      what: `${words.what}: the source is a file, but /${path} in the rootfs is a directory: name a file in it as destination`,
    }),
    o.label(done),
  ];
}

/** Files of proc that lxcfs and the like may cover: they only tell numbers. The list is runc's. */
const PROC_ALLOWED = new Set(
  [
    'cpuinfo',
    'diskstats',
    'meminfo',
    'stat',
    'swaps',
    'uptime',
    'loadavg',
    'slabinfo',
    'net/dev',
    'sys/kernel/ns_last_pid',
    'sys/crypto/fips_enabled',
  ].map((name) => `proc/${name}`),
);

/**
 * Refuses a bind or tmpfs over a part of our own proc.
 * @throws TinyrunError CONFIG
 */
export function assertMayCover({ target, options, mount, from }: PlannedMount): void {
  if (
    (options.bind === false && mount.type !== 'tmpfs') ||
    !target.startsWith('proc/') ||
    PROC_ALLOWED.has(target)
  )
    return;
  throw new TinyrunError('CONFIG', `${from}: mount on /${target}: it is inside of proc`, {
    hint: 'of proc only files that tell numbers may be covered, such as /proc/meminfo',
  });
}

/** Binds and volumes must not lie over files of proc: security labels are written there (CVE-2019-16884). */
function refuseProc(planned: PlannedMount): Op[] {
  const { target, from, options, mount } = planned;
  if (options.bind === false && mount.type !== 'tmpfs') return [];
  const why =
    'A mount over a file of proc could defeat what is written there: labels, sysctls (CVE-2019-16884).';
  const words = (what: string): Words => ({ what, why, from });
  const safe = `not-proc-${planned.index}`;
  return [
    o.call('fstatfs', [o.reg('target'), o.buf('statfs')], words(`look at the filesystem of /${target}`)),
    o.load(o.buf('statfs'), 8, 'fstype', words('take its type')),
    o.branch('fstype', '!=', { flags: ['PROC_SUPER_MAGIC'] }, safe, words(`/${target} is not in proc`)),
    o.fail(words(`mount on /${target}: it is inside of proc`)),
    o.label(safe),
  ];
}
