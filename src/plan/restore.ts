// `tinyrun restore`: criu makes a container's processes again, from files and from the bundle they came from. All around
// them is as in `run` (plan.ts): the id, the state, the cgroups, the waiting, the end. spec/checkpoint.md.
//
//   host                                          criu
//   ─ id, state.json, cgroups, rootfs
//   ─ mount points: there, and no symlinks
//   ─ clone3 ───────────────────────────────────> joins the cgroups; a mount namespace of its own, the rootfs mounted in it
//                                                 execve: makes namespaces, mounts, processes as they were
//                                        init <── born as the host program's child (CLONE_PARENT)
//   ─ waits for criu's end; reads init's pid
//   ─ waits for init and forwards signals, or leaves it
//
// The rootfs is hostile, and criu mounts by path: so every mount point in it is looked at before, in the root and through no
// symlink (CVE-2026-119101 and its kin). Who can still change the rootfs meanwhile is the bundle's owner's affair.

import { TinyrunError } from '../errors.ts';
import type { Mount } from '../oci/config.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import { CRIU_PID } from '../oci/state.ts';
import type { Op, Program, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { ownCgroupBuffers, planCgroups, planLateLimits } from './cgroup.ts';
import type { CheckpointNote } from './checkpoint.ts';
import { cleanInside } from './clean-inside.ts';
import { type ExternalMount, RESTORE_LOG, type RestoreOptions, restoreArguments } from './criu.ts';
import { planChild, planTellFailure } from './criu-process.ts';
import { endBuffers, planGiveBack } from './end.ts';
import type { PlanInput } from './input.ts';
import { handshakeBuffers } from './lifeline.ts';
import { momentBuffers } from './moments.ts';
import { bindSource } from './mount-list.ts';
import { CLOSE, type Kind, planParts, ROOT } from './mount-point.ts';
import { namespaceBuffers } from './namespaces.ts';
import { planPidFile } from './pid.ts';
import { HOST_NAME, planName, planUmask } from './process.ts';
import { planLog } from './program.ts';
import { MAKE_SLAVES, planRootTree } from './rootfs.ts';
import { planReleaseScope } from './scope.ts';
import { planBlockSignals, planWaitAndForward, signalBuffers } from './signals.ts';
import {
  makeDirectories,
  planTakeId,
  planTaken,
  planWritePid,
  planWriteState,
  type StateFile,
  stateBuffers,
  stateFile,
} from './state.ts';
import { planVerbFiles, verbBuffers } from './verb-files.ts';
import { runtime } from './words.ts';

export interface RestoreInput extends PlanInput {
  /** Path of the criu to run. */
  criu: string;
  options: RestoreOptions;
  external: readonly ExternalMount[];
  note: CheckpointNote;
  /** Mounts whose destination is in the rootfs itself, clean. */
  onRootfs: readonly Mount[];
}

/** Where criu finds the network namespace: a number that nothing else has. */
const NETWORK_FD = 200;

/** Plans a restore. Pure. */
export function planRestore(input: RestoreInput): Program {
  if (input.rootfs.kind !== 'directory')
    throw new TinyrunError(
      'UNSUPPORTED',
      'restore a container with an overlay of its own: it is gone with it',
    );
  const state = stateFile(input);
  const ops = [
    ...planSetUp(input, input.rootfs.path, state),
    ...planWait(input),
    ...planGiveBack(input),
    ...planTaken(input),
  ];
  return {
    sections: [{ name: 'host', ops, onFail: 'undo', exit: input.exits.failure }],
    buffers: [
      ...stateBuffers(input, state),
      ...handshakeBuffers,
      ...signalBuffers,
      ...namespaceBuffers(input),
      ...ownCgroupBuffers(input),
      ...endBuffers,
      ...momentBuffers(input),
      ...verbBuffers(input),
      { name: 'statx', size: 256 },
    ],
    reports: input.reports,
    ...(input.trace === undefined ? {} : { trace: input.trace }),
    ...(input.step === undefined ? {} : { step: input.step }),
  };
}

function planSetUp(input: RestoreInput, rootfs: string, state: StateFile): Op[] {
  const { options, self, id, host, exits } = input;
  return [
    ...planLog(input),
    planName(HOST_NAME),
    ...planBlockSignals(),
    planUmask(0, 'Files get the modes that are asked for.', 'runtime'),
    ...planTakeId(input),
    ...planWriteState(input, state),
    ...planCgroups(input),
    ...planRootTree(input),
    ...input.onRootfs.flatMap((mount, i) => planPoint(mount, i, input)),
    ...makeDirectories(options.workPath, 0o700, 'criu writes its log there.'),
    ...planCriu(input, rootfs),
    o.branch('code', '==', 0, 'restored', runtime('has criu succeeded?', 'It exits with 0 then.')),
    ...planTellFailure(
      self,
      ['criu-failed', 'restore', id, `${options.workPath}/${RESTORE_LOG}`],
      { host, from: '--image-path' },
      'not-restored',
    ),
    o.label('not-restored'),
    o.set('exit', exits.failure, runtime('fail, as it has been said', 'criu has ended what it had made.')),
    ...planForgetPid({ onError: { ignore: ['ENOENT'] } }),
    o.jump('undo', runtime('undo everything', 'A container that could not be restored is none.')),
    o.label('restored'),
    ...planReadPid(),
    ...planLateLimits(input),
    ...planReleaseScope(input),
    ...planWritePid(state),
    ...planVerbFiles(input),
    ...planPidFile(input),
  ];
}

/** A mount point as criu will find it by its path: there, of the right kind, and no part of the way a symlink. */
function planPoint(mount: Mount, index: number, input: RestoreInput): Op[] {
  const path = cleanInside(mount.destination);
  const from = `/mounts/${input.config.mounts?.findIndex(({ destination }) => cleanInside(destination) === path)}`;
  const words = (what: string, why: string): Words => ({ what, why, from });
  const isBind = parseMountOptions(mount.options ?? []).bind !== false;
  const kind: Kind =
    isBind && input.sources.get(bindSource(mount, input.bundle)) === 'file' ? 'file' : 'directory';
  const why =
    'criu mounts by path, with the rights of the host: a symlink of the image would lead it out (CVE-2026-119101).';
  const [make, have] = [`make-point-${index}`, `have-point-${index}`];
  const open = (goto?: string): Op =>
    o.openInRoot(
      ROOT,
      path,
      kind === 'file' ? ['O_PATH'] : ['O_PATH', 'O_DIRECTORY'],
      {
        ...words(`open mount point /${path} in the rootfs, through no symlink`, why),
        to: 'target',
        ...(goto === undefined ? {} : { onError: { goto: { ENOENT: goto } } }),
      },
      ['RESOLVE_NO_SYMLINKS'],
    );
  return [
    open(make),
    o.jump(have, words(`/${path} is there`, 'Nothing has to be made.')),
    o.label(make),
    ...planParts(path, kind, words),
    open(),
    o.label(have),
    o.close(o.reg('target'), words(`close /${path}`, CLOSE)),
  ];
}

/** Runs criu, in a mount namespace in which the rootfs is a mount, as criu wants it. */
function planCriu(input: RestoreInput, rootfs: string): Op[] {
  const { criu, options, external, note, stateRoot, id, config, host, cgroup } = input;
  const network = config.linux?.namespaces?.find(({ type, path }) => type === 'network' && path);
  const argv = restoreArguments(options, {
    ...{ rootfs, external, pidFile: `${stateRoot}/${id}/${CRIU_PID}` },
    stdio: note.stdio.map((name) => name ?? undefined),
    cgroups: cgroup?.places ?? [],
    networkFd: network === undefined ? undefined : NETWORK_FD,
  });
  const joins = 'What criu makes is where criu is: the container is counted and limited from its birth on.';
  const mounts = 'criu wants the root to be a mount; the host has to see none of it.';
  return [
    ...(network === undefined
      ? []
      : [
          o.openat(o.AT_FDCWD, network.path!, ['O_RDONLY'], {
            ...runtime(`open network namespace ${network.path}`, 'criu is given what it is to join.'),
            from: '/linux/namespaces',
            to: 'network',
          }),
        ]),
    ...planChild('criu', {
      ...{ name: 'criu restore', argv: [criu, ...argv], host, from: '--image-path' },
      why: 'It makes the processes again, as they were when they were written to files.',
      before: () => [
        ...(cgroup?.places ?? []).flatMap(({ path }) => [
          o.openat(o.AT_FDCWD, `${path}/cgroup.procs`, ['O_WRONLY'], {
            ...runtime(`open ${path}/cgroup.procs`, joins),
            to: 'file',
          }),
          o.write(o.reg('file'), '0', 1, runtime(`join cgroup ${path}`, joins)),
          o.close(o.reg('file'), runtime(`close ${path}/cgroup.procs`, joins)),
        ]),
        o.call('unshare', [o.flags('CLONE_NEWNS')], runtime('make a mount namespace', mounts)),
        MAKE_SLAVES,
        o.call(
          'move_mount',
          [ROOT, '', o.AT_FDCWD, rootfs, o.flags('MOVE_MOUNT_F_EMPTY_PATH', 'MOVE_MOUNT_T_SYMLINKS')],
          { ...runtime('attach the rootfs', mounts), from: '/root/path' },
        ),
        ...(config.process.noNewPrivileges
          ? [
              o.prctl('PR_SET_NO_NEW_PRIVS', [1, 0, 0, 0], {
                what: 'set no_new_privs',
                why: 'criu before 4.0 does not make it again; but what criu makes inherits it.',
                from: '/process/noNewPrivileges',
              }),
            ]
          : []),
      ],
      keep: network === undefined ? [] : [{ fd: o.reg('network'), as: NETWORK_FD }],
    }),
  ];
}

const planForgetPid = (extra: Pick<o.Extra, 'onError'> = {}): Op[] => [
  o.unlinkat(o.reg('state'), CRIU_PID, [], {
    ...runtime(`remove ${CRIU_PID}`, 'It has served.'),
    ...extra,
  }),
];

const [ZERO, TEN] = ['0'.charCodeAt(0), 10];

/**
 * The pid that criu has written as digits, into register `pid`. A program cannot calculate; but a file's offset can, which
 * lseek(2) adds to: ten times what there is, and the next digit.
 */
function planReadPid(): Op[] {
  const why = 'criu tells the pid of init in digits; a file offset adds up what they are worth.';
  const words = (what: string): Words => runtime(what, why);
  /** Moves the offset; where it is then, the kernel says. */
  const seek = (offset: number | { reg: string }, whence: string, what: string, to?: string): Op =>
    o.call('lseek', [o.reg('number'), offset, o.flags(whence)], { ...words(what), to });
  return [
    o.openat(o.reg('state'), CRIU_PID, ['O_RDONLY', 'O_NOFOLLOW'], {
      ...words(`open ${CRIU_PID}`),
      to: 'file',
    }),
    o.call('memfd_create', ['number', o.flags('MFD_CLOEXEC')], { ...words('make a file'), to: 'number' }),
    o.set('sum', 0, words('begin with 0')),
    o.label('digit'),
    o.read(o.reg('file'), o.buf('byte'), 1, { ...words('read a digit'), to: 'size' }),
    o.branch('size', '!=', 1, 'number-read', words('was that all?')),
    o.load(o.buf('byte'), 1, 'digit', words('take the digit')),
    o.branch('digit', '<', ZERO, 'number-read', words('or is it the end of the line?')),
    seek(0, 'SEEK_SET', 'go back to 0'),
    ...Array.from({ length: TEN }, () =>
      seek(o.reg('sum'), 'SEEK_CUR', 'add what there was, ten times in all'),
    ),
    seek(o.reg('digit'), 'SEEK_CUR', 'add the digit'),
    seek(-ZERO, 'SEEK_CUR', 'which counts from 0', 'sum'),
    o.jump('digit', words('the next one')),
    o.label('number-read'),
    o.branch('sum', '>=', 1, 'have-pid', words('is there a pid?')),
    o.fail(words('read the pid of the restored process: criu has told none')),
    o.label('have-pid'),
    // Not before it is complete: whatever fails kills the process of this number.
    seek(o.reg('sum'), 'SEEK_SET', 'take it as the pid', 'pid'),
    o.close(o.reg('number'), words('close the file')),
    o.close(o.reg('file'), words(`close ${CRIU_PID}`)),
    ...planForgetPid(),
  ];
}

/** Until the container has ended; or not at all. */
function planWait({ lifecycle }: RestoreInput): Op[] {
  const why = "The container's exit code is ours: 128 + signal where a signal ended it, as in a shell.";
  if (lifecycle !== 'foreground')
    return [o.jump('leave', runtime('leave the container to itself', 'It stands by itself.'))];
  return [
    ...planWaitAndForward(),
    o.load(o.buf('status'), 4, 'status', runtime('take the wait status', why)),
    o.exitCode('status', 'exit', runtime('take the exit code', why)),
    o.jump('give-back', runtime('the container has ended', why)),
  ];
}
