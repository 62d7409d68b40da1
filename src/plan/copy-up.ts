// The mount option tmpcopyup: a tmpfs that starts with what is in the directory that it covers. OCI config.md, "Mounts".
// A program of ops cannot loop over a directory, so the executable itself is called for it, while the tmpfs is attached
// nowhere yet:
//
//   init ──clone3()──> tinyrun copy-up FROM TO DESTINATION [KEEP]     disk/copy-tree.ts
//     └─ waits <─────────────┘ has said why it failed, if it did
//
// The copying process has init's namespaces and rights, and sees nothing of the container's programs: there are none yet.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import type { PlannedMount } from './mount-list.ts';

/** Descriptors as digits, all of one length: what an earlier mount has left in the buffer is written over. */
const DIGITS = { width: 10, pad: '0' };
const SIGNALLED = 128; // exit codes from here on are of signals
const READONLY = 'MOUNT_ATTR_RDONLY';

/** Whether a mount is to be filled. Only a tmpfs can be: others ignore the option, as in runc and crun. */
export const wantsCopyUp = ({ mount, options }: PlannedMount): boolean =>
  options.tmpcopyup && options.bind === false && !options.remount && mount.type === 'tmpfs';

export function copyUpBuffers(mounts: readonly PlannedMount[]): { name: string; size: number }[] {
  if (!mounts.some(wantsCopyUp)) return [];
  return [
    { name: 'copy-from', size: DIGITS.width + 1 },
    { name: 'copy-to', size: DIGITS.width + 1 },
  ];
}

/** The same mount, writable: it becomes read-only when it is filled. */
export function writable(planned: PlannedMount): PlannedMount {
  const { set, recSet, superblock } = planned.options;
  const without = (names: readonly string[], name: string): string[] =>
    names.filter((other) => other !== name);
  const options = {
    set: without(set, READONLY),
    recSet: without(recSet, READONLY),
    superblock: without(superblock, 'ro'),
  };
  return { ...planned, options: { ...planned.options, ...options } };
}

/**
 * Init program: fills the tmpfs of a register, which is attached nowhere, with what it is going to cover. Its root gets
 * the mode and owner of the directory that it covers, but for those that its options name.
 * @param register the mount's
 */
export function planCopyUp(planned: PlannedMount, register: string, input: PlanInput): Op[] {
  const { target, index, from, options } = planned;
  const why = 'tmpcopyup: the tmpfs starts with what the image has in that directory.';
  const words = (what: string): Words => ({ what, why, from });
  const [parent, filled] = [`copying-${index}`, `filled-${index}`];
  return [
    o.openInRoot(o.reg('root'), target, ['O_RDONLY', 'O_DIRECTORY'], {
      ...words(`open /${target} to copy it`),
      to: 'copy-from',
      onError: { goto: { ENOENT: filled } },
    }),
    o.format('copy-from', o.buf('copy-from'), DIGITS, words('write the descriptor of the source as digits')),
    o.format(register, o.buf('copy-to'), DIGITS, words('write the descriptor of the tmpfs as digits')),
    o.clone3([], {
      ...words('start the process that copies'),
      why: 'A tree of unknown contents takes a program that can loop.',
      to: 'copier',
    }),
    o.branch('copier', '!=', 0, parent, { ...words('are we it?'), why: 'clone3 returns twice.' }),
    ...planCopier(planned, register, input),
    o.label(parent),
    o.close(o.reg('copy-from'), words('close the source')),
    o.wait4(o.reg('copier'), o.buf('status'), [], words('wait until all is copied')),
    o.load(o.buf('status'), 4, 'status', words('take its wait status')),
    o.exitCode('status', 'copied', words('take its exit code')),
    o.branch('copied', '==', 0, filled, words('is all copied?')),
    o.branch('copied', '<', SIGNALLED, `unfilled-${index}`, words('has it said why not?')),
    o.fail(words(`fill the tmpfs on /${target}: the process that copies was ended by a signal`)),
    o.label(`unfilled-${index}`),
    o.set('exit', input.exits.failure, words('fail, as it has said')),
    o.jump('give-up', words('make no container of it')),
    o.label(filled),
    ...([...options.set, ...options.recSet].includes(READONLY)
      ? [o.mountSetattr(o.reg(register), { set: [READONLY] }, false, words('make the tmpfs read-only'))]
      : []),
  ];
}

/** The child: becomes `tinyrun copy-up`. A failure ends it alone; undoing the container is up to its parent. */
function planCopier({ target, from, options }: PlannedMount, register: string, input: PlanInput): Op[] {
  const words = (what: string, why: string): o.Extra => ({ what, why, from, onError: { fail: 'end-init' } });
  const inherit = (fd: string): Op =>
    o.call(
      'fcntl',
      [o.reg(fd), o.flags('F_SETFD'), 0],
      words(`let it inherit ${fd}`, 'Ours are closed at execve.'),
    );
  const keep = ['mode', 'uid', 'gid'].filter((name) =>
    options.data.some((option) => option.startsWith(`${name}=`)),
  );
  const args = [
    o.buf('copy-from'),
    o.buf('copy-to'),
    `/${target}`,
    ...(keep.length > 0 ? [keep.join()] : []),
  ];
  const argv = [...input.self, ...logOptions(input), 'copy-up', ...args];
  return [
    o.prctl('PR_SET_PDEATHSIG', [o.flags('SIGKILL')], words('die with init', 'Nobody would need the copy.')),
    inherit('copy-from'),
    inherit(register),
    o.call('rt_sigprocmask', [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: {} }, 0, 8], {
      ...words('unblock all signals', 'The mask survives execve, and this process may be interrupted.'),
    }),
    o.call('execve', [input.self[0]!, { vec: argv }, { vec: [] }], {
      ...words(`copy /${target} into the tmpfs`, 'A tree of unknown contents takes a program that can loop.'),
    }),
  ];
}

/** The log file of failures, which the copying process inherits open. */
function logOptions({ logFd, reports }: PlanInput): string[] {
  if (logFd === undefined) return [];
  const json = reports.some(({ reg, prefix }) => reg === 'log' && prefix.startsWith('{'));
  return ['--log', `/proc/self/fd/${logFd}`, '--log-format', json ? 'json' : 'text'];
}
