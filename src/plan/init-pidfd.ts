// Init of a container that is there, as a program finds it: by a file that names one process for ever (pidfs, Linux 6.9).
// The kernel counts inodes anew after a reboot, side by side with pids, so the boot is named as well.
//
//   STATE_ROOT/ID/init.pidfd    pid of init, number of its pidfd's inode, start of the boot id, eight bytes each. Only an
//                               ordinary container has it: one with a pid namespace of its own, without hooks that
//                               `start` and `delete` run, and that is not paused
//
// verb-files.ts writes it.

import { INIT_PIDFD } from '../oci/state.ts';
import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { PROC_PID } from './pid.ts';
import { runtime } from './words.ts';

/** What the ops below take besides a buffer `statx`. */
export const initBuffers: readonly Buffer[] = [
  { name: 'init', size: 24 },
  { name: 'boot', size: 8 },
  { name: 'init-poll', size: 8 },
  { name: 'digits', size: 24 },
  { name: 'exe', size: PROC_PID.length + 5, init: `${PROC_PID}/exe\0` },
];

/**
 * Opens the state directory; registers `root`, `dir`.
 * @param alien where to go if it is not root's
 */
export function planOpenState(stateRoot: string, id: o.Text, alien: string): Op[] {
  const why = 'All that is known of a container is in its state directory.';
  return [
    o.openat(o.AT_FDCWD, stateRoot, ['O_RDONLY', 'O_DIRECTORY'], {
      ...runtime(`open the state root ${stateRoot}`, why),
      to: 'root',
    }),
    o.openat(o.reg('root'), id, ['O_RDONLY', 'O_DIRECTORY', 'O_NOFOLLOW'], {
      ...runtime('open the state directory', why),
      to: 'dir',
    }),
    o.fstatx(o.reg('dir'), o.buf('statx'), runtime('look at the state directory', OWN)),
    o.load(o.buf('statx', STX_UID), 4, 'owner', runtime('take its owner', OWN)),
    o.branch('owner', '!=', 0, alien, runtime("is it root's?", OWN)),
  ];
}

const STX_UID = 20;
/** Where struct statx has stx_ino. */
export const STX_INO = 32;
const OWN = 'Who else has put it there must not say who is killed, and what is removed.';

/** A file of the state directory is read without waiting: nobody would write to a fifo in its place. */
export const READ = ['O_RDONLY', 'O_NONBLOCK', 'O_NOFOLLOW'];

/**
 * Opens a pidfd of init; registers `init-pid`, `init-fd`.
 * @param gone where to go if it has ended
 * @param damaged where to go if the file is not whole
 * @param missing where to go if there is none; otherwise that is a failure
 */
export function planInit(gone: string, damaged: string, missing?: string): Op[] {
  const why = 'Another process may have got the pid meanwhile: the inode of the pidfd tells them apart.';
  return [
    o.openat(o.reg('dir'), INIT_PIDFD, READ, {
      ...runtime('open init.pidfd', why),
      to: 'file',
      ...(missing === undefined ? {} : { onError: { goto: { ENOENT: missing } } }),
    }),
    o.read(o.reg('file'), o.buf('init'), 24, { ...runtime('read init.pidfd', why), to: 'size' }),
    o.close(o.reg('file'), runtime('close init.pidfd', why)),
    o.branch('size', '!=', 24, damaged, runtime('is it whole?', why)),
    ...planReadBoot('file', o.buf('boot')),
    ...[0, 4].flatMap((at) => [
      o.load(o.buf('init', 16 + at), 4, 'boot', runtime('take a part of its boot id', BOOT)),
      planCompare(o.buf('boot', at), 'boot', gone, runtime('is it that of now?', BOOT)),
    ]),
    o.load(o.buf('init', 0), 8, 'init-pid', runtime('take the pid', why)),
    o.load(o.buf('init', 8), 4, 'inode', runtime('take the number of the inode', why)),
    o.call('pidfd_open', [o.reg('init-pid'), 0], {
      ...runtime('open a pidfd', why),
      to: 'init-fd',
      onError: { goto: { ESRCH: gone } },
    }),
    o.fstatx(o.reg('init-fd'), o.buf('statx'), runtime('look at its inode', why)),
    planCompare(o.buf('statx', STX_INO), 'inode', gone, runtime('is it the inode of init?', why)),
    ...planIsAlive(gone),
  ];
}

const POLLIN = 0x1;
const EXITING = 'A process on its way out has given up its memory, and its program with it.';

function planIsAlive(gone: string): Op[] {
  const why = 'A process that has ended stays until its parent asks for its exit code.';
  return [
    // An init that waits for the end of all in its pid namespace has ended for everybody else; its pidfd does not say so yet.
    o.format(
      'init-pid',
      o.buf('exe', 6),
      { width: 10, pad: '/' },
      runtime('put the pid into /proc/PID/exe', EXITING),
    ),
    o.call('readlinkat', [o.AT_FDCWD, o.buf('exe'), o.buf('digits'), 24], {
      ...runtime('has it a program?', EXITING),
      onError: { goto: { ENOENT: gone, ESRCH: gone } },
    }),
    o.store('init-fd', o.buf('init-poll'), 4, runtime('put the pidfd into the poll list', why)),
    o.set('events', POLLIN, runtime('wait for its end', why)),
    o.store('events', o.buf('init-poll', 4), 2, runtime('say so in the poll list', why)),
    o.call('ppoll', [o.buf('init-poll'), 1, { struct: 'timespec', fields: {} }, 0, 0], {
      ...runtime('has it ended?', why),
      to: 'ended',
    }),
    o.branch('ended', '!=', 0, gone, runtime('it has', why)),
  ];
}

/** Goes to a label where a word in memory is not the number in a register: futex(2) says EAGAIN then. */
const planCompare = (at: ReturnType<typeof o.buf>, register: string, differs: string, why: Words): Op =>
  o.call('futex', [at, o.flags('FUTEX_WAIT'), o.reg(register), { struct: 'timespec', fields: {} }, 0, 0], {
    ...why,
    onError: { ignore: ['ETIMEDOUT'], goto: { EAGAIN: differs } },
  });

const BOOT =
  'After a reboot pids and inodes are counted anew: a state root that outlives it would name others.';

/** The first eight characters of the boot id, which are random, into a buffer. */
export const planReadBoot = (register: string, to: ReturnType<typeof o.buf>): Op[] => [
  o.openat(o.AT_FDCWD, '/proc/sys/kernel/random/boot_id', ['O_RDONLY'], {
    ...runtime('open the boot id', BOOT),
    to: register,
  }),
  o.read(o.reg(register), to, 8, runtime('read the start of the boot id', BOOT)),
  o.close(o.reg(register), runtime('close the boot id', BOOT)),
];
