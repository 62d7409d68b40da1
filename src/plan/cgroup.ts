// The container's own cgroup: made and limited before anything runs in it, joined by init first of all, removed at the
// end. OCI config-linux.md, "Control groups"; cgroups(7); spec/cgroups.md.
//
//   host program   make a directory in each hierarchy ─ write limits ─ open what joins ─ clone3
//   init           join ─ cgroup namespace: what was joined is its root
//   host program   ... the container has ended: remove the directories
//
// On v2 clone3 puts init there by itself. On v1 init writes 0, itself, to `tasks`: for `cgroup.procs` the kernel would
// hold up every fork of the machine. The host program opened the files: whose rights count, a user namespace or not.

import { ancestors, type CgroupPlace, isUnified } from '../cgroup/path.ts';
import type { CgroupWrite } from '../cgroup/row.ts';
import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import {
  ATTACH,
  hasController,
  legacyPlaces,
  limitsOf,
  planDeviceRules,
  planWrites,
} from './cgroup-limits.ts';
import type { PlanInput } from './input.ts';
import { CLONE_ARGS_CGROUP, hasNew, listNamespaces } from './namespaces.ts';

const FROM = '/linux/cgroupsPath';
const words = (what: string, why: string, from = FROM): Words => ({ what, why, from });
const MAKE = 'What the container uses is counted and limited in a cgroup of its own.';
const JOIN = 'All that init starts will be in the cgroup with it.';
const REMOVE = 'Nothing runs in it any more.';

/** The container's place in the unified hierarchy, also where that has no controllers. */
const unifiedPlace = ({ cgroup }: Pick<PlanInput, 'cgroup'>): CgroupPlace | undefined =>
  cgroup?.places.find(({ controllers }) => controllers === '');

/** Host program: the cgroup with its limits, and in register `cgroup` or buffer `joins` what init gets into it by. */
export function planCgroups(input: PlanInput): Op[] {
  const { cgroup } = input;
  if (cgroup === undefined) return [];
  const unified = unifiedPlace(input);
  return [
    ...cgroup.places.flatMap((place, i) => planMake(place, i)),
    ...(unified === undefined ? [] : planUnified(unified, cgroup.available)),
    ...legacyPlaces(input)
      .filter((place) => hasController(place, 'cpuset'))
      .flatMap(planCpuset),
    ...planWrites(
      limitsOf(input).filter((write) => !isLate(write, input)),
      input,
    ),
    ...planDeviceRules(input),
    ...legacyPlaces(input).flatMap(({ path }, i) => [
      o.openat(o.AT_FDCWD, `${path}/tasks`, ['O_WRONLY'], {
        ...words(`open ${path}/tasks`, 'Init gets in by it, whatever rights it has then.'),
        to: 'file',
      }),
      o.store('file', o.buf('joins', 4 * i), 4, words(`keep the file for ${path}`, JOIN)),
    ]),
  ];
}

/** Whether it must wait until init is born in the cgroup: a limit that would forbid just that. */
const isLate = ({ file, value }: CgroupWrite, input: PlanInput): boolean =>
  file === 'pids.max' && isUnified(input.cgroup!.places) && Number(value) < bornInside(input);
/** More than bornInside ever is. */
const MOST_BORN = 4;
/** How many processes are in the cgroup while init is made: the stage is one, a placeholder of systemd's is one. */
const bornInside = (input: PlanInput): number =>
  (listNamespaces(input).joined.length > 0 ? 2 : 1) + (input.cgroup?.scope === undefined ? 0 : 1);

/** Whether init has to wait until limits are written that it could not have been born under. */
export function hasLateLimits(input: PlanInput): boolean {
  const { pids, unified } = input.config.linux?.resources ?? {};
  if (pids === undefined || input.cgroup === undefined || !isUnified(input.cgroup.places)) return false;
  // It is asked often, and there hardly ever is one.
  if (Number(pids.limit) >= MOST_BORN && unified?.['pids.max'] === undefined) return false;
  return limitsOf(input).some((write) => isLate(write, input));
}

/** Host program, behind clone3 and before init goes on. */
export const planLateLimits = (input: PlanInput): Op[] =>
  hasLateLimits(input)
    ? planWrites(
        limitsOf(input).filter((write) => isLate(write, input)),
        input,
      )
    : [];

// Directories

/** mkdir of the cgroup; of those above it only where they are missing. Register `cgroup-made-N` is 0 if it is ours. */
function planMake(place: CgroupPlace, index: number): Op[] {
  const { path } = place;
  const above = ancestors(place);
  const make: Op = o.mkdirat(o.AT_FDCWD, path, 0o755, {
    ...words(`make cgroup ${path}`, MAKE),
    to: `cgroup-made-${index}`,
    onError: {
      ignore: ['EEXIST'],
      ...(above.length > 0 ? { goto: { ENOENT: `cgroup-above-${index}` } } : {}),
    },
  });
  if (above.length === 0) return [make];
  return [
    make,
    o.jump(`cgroup-there-${index}`, words('it is there', MAKE)),
    o.label(`cgroup-above-${index}`),
    ...above.map((part) =>
      o.mkdirat(o.AT_FDCWD, part, 0o755, {
        ...words(`make cgroup ${part}`, 'The way to the own cgroup leads through it.'),
        onError: { ignore: ['EEXIST'] },
      }),
    ),
    o.mkdirat(o.AT_FDCWD, path, 0o755, {
      ...words(`make cgroup ${path}`, MAKE),
      to: `cgroup-made-${index}`,
      onError: { ignore: ['EEXIST'] },
    }),
    o.label(`cgroup-there-${index}`),
  ];
}

/** v2: opens the cgroup, and has its controllers switched on above it, unless all of them are. */
function planUnified(place: CgroupPlace, available: readonly string[]): Op[] {
  const why = 'A controller is in a cgroup if it is handed on all the way down to it.';
  const open = o.openat(o.AT_FDCWD, place.path, ['O_RDONLY', 'O_DIRECTORY'], {
    ...words(`open cgroup ${place.path}`, 'Its files, and init, get there by this descriptor.'),
    to: 'cgroup',
  });
  if (available.length === 0) return [open, ...planCloneInto()];
  const all = available.map((name) => `+${name}`).join(' ');
  const levels = [place.mountPoint, ...ancestors(place)];
  return [
    open,
    o.openat(o.reg('cgroup'), 'cgroup.controllers', ['O_RDONLY'], {
      ...words('open cgroup.controllers', why),
      to: 'file',
    }),
    o.read(o.reg('file'), o.buf('controllers'), CONTROLLERS, {
      ...words('which controllers are there?', why),
      to: 'size',
    }),
    o.close(o.reg('file'), words('close cgroup.controllers', why)),
    o.branch(
      'size',
      '==',
      available.join(' ').length + 1,
      'cgroup-controlled',
      words('are these all?', 'All of them have just this many letters.'),
    ),
    ...levels.flatMap((level, i) => [
      o.openat(o.AT_FDCWD, `${level}/cgroup.subtree_control`, ['O_WRONLY'], {
        ...words(`open ${level}/cgroup.subtree_control`, why),
        to: 'file',
      }),
      o.write(o.reg('file'), all, all.length, {
        ...words(`hand on all controllers of ${level}`, why),
        onError: { goto: { '*': `cgroup-one-by-one-${i}` } },
      }),
      o.jump(`cgroup-handed-on-${i}`, words('they are', why)),
      o.label(`cgroup-one-by-one-${i}`),
      ...available.map((name) =>
        o.write(o.reg('file'), `+${name}`, name.length + 1, {
          ...words(
            `hand on controller ${name} of ${level}`,
            'Some may not be to be had; a limit that needs one of those will fail with its name.',
          ),
          onError: { ignore: ['*'] },
        }),
      ),
      o.label(`cgroup-handed-on-${i}`),
      o.close(o.reg('file'), words('close cgroup.subtree_control', why)),
    ]),
    o.label('cgroup-controlled'),
    ...planCloneInto(),
  ];
}

const CONTROLLERS = 256; // bytes: longer than all names together

const planCloneInto = (): Op[] => [
  o.store(
    'cgroup',
    o.buf('clone', CLONE_ARGS_CGROUP),
    8,
    words('put the cgroup into the arguments of clone3', JOIN),
  ),
];
/**
 * v1: a new cpuset has no CPU and no memory node, and nobody can be in it: it gets what the one above it has. So do
 * those above it, where they are new or were never used.
 */
function planCpuset(place: CgroupPlace): Op[] {
  const why = 'A new cpuset is empty, and nothing can run on no CPU: it starts with what is above it.';
  const above = ancestors(place);
  const access = (dir: string, file: string, how: 'O_RDONLY' | 'O_WRONLY'): Op[] => [
    o.openat(o.AT_FDCWD, `${dir}/${file}`, [how], { ...words(`open ${dir}/${file}`, why), to: 'file' }),
    how === 'O_RDONLY'
      ? o.read(o.reg('file'), o.buf('cpuset'), CPUSET, { ...words(`read ${dir}/${file}`, why), to: 'size' })
      : o.write(o.reg('file'), o.buf('cpuset'), o.reg('size'), words(`copy it to ${dir}/${file}`, why)),
    o.close(o.reg('file'), words(`close ${dir}/${file}`, why)),
  ];
  /** Copies a file down unless it has something. */
  const fill = (dir: string, from: string, file: string, full: string): Op[] => {
    return [
      ...access(dir, file, 'O_RDONLY'),
      o.branch('size', '>=', 2, full, words('is it empty?', 'An empty file is a newline.')),
      ...access(from, file, 'O_RDONLY'),
      ...access(dir, file, 'O_WRONLY'),
      o.label(full),
    ];
  };
  const files = ['cpuset.cpus', 'cpuset.mems'];
  const levels = [place.mountPoint, ...above, place.path];
  return levels
    .slice(1)
    .flatMap((dir, i) => files.flatMap((file) => fill(dir, levels[i]!, file, `cgroup-has-${file}-${i}`)));
}

const CPUSET = 4096; // bytes

// Joining

/** Init program, before it does anything else: into the cgroups, and out of reach of those above them. */
export function planJoinCgroups(input: PlanInput): Op[] {
  const own = hasNew(input, 'cgroup')
    ? [
        o.call(
          'unshare',
          [o.flags('CLONE_NEWCGROUP')],
          words(
            'make a cgroup namespace',
            'Its root is the cgroup that one is in at that moment: so it is made here, and not by clone3.',
            '/linux/namespaces',
          ),
        ),
      ]
    : [];
  return [
    ...legacyPlaces(input).flatMap(({ path }, i) => [
      o.load(o.buf('joins', 4 * i), 4, 'file', words(`take the file for ${path}`, JOIN)),
      o.write(o.reg('file'), '0', 1, words(`join cgroup ${path}`, JOIN)),
      o.close(o.reg('file'), words(`close ${path}/tasks`, 'It is a way to the host.')),
    ]),
    ...(unifiedPlace(input) === undefined
      ? []
      : [o.close(o.reg('cgroup'), words('close the cgroup', 'An open directory of the host is a way out.'))]),
    ...own,
  ];
}

// Removal

/** How often, and after how many nanoseconds each, it is tried to remove a cgroup whose processes are dying. */
const [TRIES, PAUSE] = [10, 1_000_000];

/** Host program, when init is gone: removes what it made. What is not empty then goes to label `purge`. */
export function planRemoveCgroups({ cgroup }: PlanInput): Op[] {
  if (cgroup === undefined || cgroup.existing) return [];
  const wait = 'A process is in its cgroup a moment longer than it can be waited for.';
  return [
    o.label('cgroup-remove'),
    ...cgroup.places.flatMap(({ path }, i) => [
      o.branch(`cgroup-made-${i}`, '<', 0, `cgroup-not-ours-${i}`, words('did we make it?', REMOVE)),
      o.unlinkat(o.AT_FDCWD, path, ['AT_REMOVEDIR'], {
        ...words(`remove cgroup ${path}`, REMOVE),
        onError: { ignore: ['ENOENT'], goto: { EBUSY: 'cgroup-busy' }, fail: 'leave' },
      }),
      o.label(`cgroup-not-ours-${i}`),
    ]),
    o.jump('cgroup-gone', words('all are gone', REMOVE)),
    o.label('cgroup-busy'),
    o.branch('tries', '>=', 0, 'cgroup-wait', words('have we tried before?', wait)),
    o.call('eventfd2', [TRIES, o.flags('EFD_SEMAPHORE', 'EFD_NONBLOCK', 'EFD_CLOEXEC')], {
      ...words('make a counter', 'Each reading takes one from it: it will not be tried for ever.'),
      to: 'tries',
      onError: { fail: 'leave' },
    }),
    o.label('cgroup-wait'),
    o.read(o.reg('tries'), o.buf('byte'), 8, {
      ...words('try once more', wait),
      onError: { goto: { EAGAIN: 'purge' }, fail: 'leave' },
    }),
    o.call('ppoll', [0, 0, { struct: 'timespec', fields: { tv_nsec: PAUSE } }, 0, 0], {
      ...words('wait for a millisecond', wait),
      onError: { fail: 'leave' },
    }),
    o.jump('cgroup-remove', words('remove the rest', REMOVE)),
    o.label('cgroup-gone'),
  ];
}

/** Buffers of this module. */
export function ownCgroupBuffers(input: PlanInput): Buffer[] {
  if (input.cgroup === undefined) return [];
  const legacy = legacyPlaces(input);
  return [
    ...(legacy.length > 0 ? [{ name: 'joins', size: 4 * legacy.length }] : []),
    ...(legacy.some((place) => hasController(place, 'cpuset')) ? [{ name: 'cpuset', size: CPUSET }] : []),
    ...(input.cgroup.available.length > 0 ? [{ name: 'controllers', size: CONTROLLERS }] : []),
    ...(isUnified(input.cgroup.places) ? [{ name: 'attach', size: ATTACH.length, init: ATTACH }] : []),
  ];
}
