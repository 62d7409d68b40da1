// `tinyrun exec`: one more process in a container that is there. The program has the form of a container's (plan.ts), and
// most of its modules; but nothing is made here: the process joins what init lives in, and gets its credentials.
//
//   host                            stage                              exec
//   ─ pipes, clone3 ──────────────> limits, cgroups
//                                   setns(pidfd of init), chroot
//     <────────── pid ───────────── clone3(CLONE_PARENT), ends ──────> born: inside, and the host program's child
//   ─ waits, or reads `ready`                                          terminal, cwd, credentials, seccomp
//     <──────────────────────────────────────────────────────────── r  all is set up
//   ─ exit code, or pid file; ends                                     execve closes the pipe
//
// Who lives in the container is hostile: the process is in its pid namespace from its birth on, so it has left the host's
// mounts by then, holds none of the host's directories, and is not dumpable: nobody traces it or opens its /proc/PID/fd
// (CVE-2016-9962, CVE-2024-21626).

import type { Buffer, Op, Program, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { planCpuAffinity } from './affinity.ts';
import { planCredentials, planStdioOwner } from './credentials.ts';
import { execStageBuffers, planFindInit, planJoin, planOpenCgroup, planStartStage } from './exec-join.ts';
import type { ExecInput } from './input.ts';
import { planKeyring } from './keyring.ts';
import { hasLabels, planOpenLabels, planSetLabels } from './labels.ts';
import { handshakeBuffers, planDeathWatch, READY } from './lifeline.ts';
import { planRlimits, planScheduling } from './limits.ts';
import { HIDE, hasUser, planBecomeRoot } from './namespaces.ts';
import { planPidFile } from './pid.ts';
import {
  HOST_NAME,
  planCloseDescriptors,
  planCwd,
  planExec,
  planName,
  planUmask,
  processBuffers,
} from './process.ts';
import { planLog, planProgram } from './program.ts';
import { planGiveBackTerminal, planKeys, planRelay, planTakeTerminal, relayBuffers } from './relay.ts';
import { planHandListener, planListenerSockets, seccompBuffers } from './seccomp.ts';
import { planShrink, planShrinkParts } from './shrink.ts';
import { planBlockSignals, planRestoreSignals, planWaitAndForward, signalBuffers } from './signals.ts';
import { planConnect, planSendPidfd, socketBuffers } from './sockets.ts';
import { planStage } from './stage.ts';
import {
  isRelayed,
  planKeepStderr,
  planTerminalInside,
  planTerminalSockets,
  planTerminalStdio,
} from './terminal.ts';
import { planUndo } from './undo.ts';
import { runtime } from './words.ts';

const FAILED = 'The caller must learn what has become of the process, also where it ends at once.';
const LEAVE = { onError: { fail: 'leave' } };

/** Plans `tinyrun exec`. Pure. */
export function planExecProgram(input: ExecInput): Program {
  return planProgram(input, planHost(input), planProcess(input), planBuffers(input));
}

function planHost(input: ExecInput): Op[] {
  const setUp = planSetUp(input);
  return [
    ...setUp,
    ...(input.lifecycle === 'foreground' ? planWait(input, setUp) : planDetach(input)),
    ...planUndo('the process'),
    o.label('give-back'),
    ...planGiveBackTerminal(input),
    o.label('leave'),
    o.exit(o.reg('exit'), { ...runtime('end', 'The exit code of the process is ours.'), ...LEAVE }),
    ...planKeys(input),
  ];
}

function planSetUp(input: ExecInput): Op[] {
  const close = (fd: string): Op =>
    o.close(o.reg(fd), runtime(`close ${fd}`, 'Only the process has this end: so its closing can be seen.'));
  return [
    ...planLog(input),
    planName(HOST_NAME),
    ...planBlockSignals(),
    planUmask(0, 'Files get the modes that are asked for.', 'runtime'),
    ...planFindInit(input),
    ...planConnect(input),
    ...o.pipe(
      'life-r',
      'life-w',
      runtime('make the lifeline', 'Should we be killed, the process ends as well.'),
    ),
    ...o.pipe('failed-r', 'failed-w', runtime('make the failure pipe', FAILED)),
    ...planTerminalSockets(input),
    ...planListenerSockets(input),
    HIDE,
    ...planOpenCgroup(input),
    ...planStage(
      'the process',
      planStartStage(input),
      planJoin(input),
      o.clone3(['CLONE_PARENT'], {
        ...runtime('start the process in the container', 'A pid namespace is joined by being born in it.'),
        to: 'pid',
        ...LEAVE,
      }),
    ),
    // With a terminal the process that reads keys watches it as well: it is closed behind that one's start.
    ...(isRelayed(input) ? [] : [close('life-r')]),
    close('failed-w'),
    ...planSendPidfd(input),
    ...(input.lifecycle === 'foreground' ? planPidFile(input) : []),
  ];
}

/** Host program in the foreground: until the process has ended. */
function planWait(input: ExecInput, before: readonly Op[]): Op[] {
  const why = 'Its exit code is ours: 128 + signal where a signal ended it, as in a shell.';
  return [
    ...(isRelayed(input)
      ? [...planShrinkParts(), ...planTakeTerminal(input), ...planHandListener(input), ...planRelay(input)]
      : [...planHandListener(input), ...planShrink(before), ...planWaitAndForward()]),
    o.set('pid', -1, runtime('forget the pid', 'It is free: another process may get it.')),
    o.read(o.reg('failed-r'), o.buf('byte'), 1, { ...runtime('was it set up at all?', FAILED), to: 'size' }),
    o.branch('size', '==', 1, 'ended-well', runtime('it was, or has said why not', FAILED)),
    planKilled(input),
    o.label('ended-well'),
    ...planExitCode(why),
  ];
}

/** Host program, detached: until the program runs. */
function planDetach(input: ExecInput): Op[] {
  const why = 'Our work is done when the program runs: execve closes the pipe.';
  const said = (what: string): Op =>
    o.read(o.reg('failed-r'), o.buf('byte'), 1, { ...runtime(what, why), to: 'size' });
  return [
    ...planHandListener(input),
    said('wait until the process is set up'),
    o.branch('size', '==', 1, 'process-said', runtime('has it said anything?', why)),
    planKilled(input),
    o.label('process-said'),
    o.load(o.buf('byte'), 1, 'said', runtime('what does it say?', why)),
    o.branch('said', '!=', READY, 'process-failed', runtime('that it has failed?', 'It has printed why.')),
    said('wait until the program runs'),
    o.branch('size', '==', 1, 'process-failed', runtime('has execve failed?', 'It has printed why.')),
    ...planPidFile(input),
    o.jump('leave', runtime('leave the process to itself', why)),
    o.label('process-failed'),
    o.wait4(o.reg('pid'), o.buf('status'), [], runtime('wait for its end', why)),
    o.set('pid', -1, runtime('forget the pid', 'It is free: another process may get it.')),
    ...planExitCode('It ends with our own code for failures.'),
  ];
}

const planKilled = ({ id }: ExecInput): Op =>
  o.fail(
    runtime(
      `set up a process in container ${id}: it was killed; the container has ended, in all likelihood`,
      'When init ends, the kernel kills all that is in its pid namespace.',
    ),
  );

function planExitCode(why: string): Op[] {
  return [
    o.load(o.buf('status'), 4, 'status', runtime('take the wait status', why)),
    o.exitCode('status', 'exit', runtime('take the exit code', why)),
    o.jump('give-back', runtime('the process has ended', why)),
  ];
}

/** The process, inside from its birth on. */
function planProcess(input: ExecInput): Op[] {
  const { process } = input.config;
  return [
    o.label('init'),
    planName('tinyrun:exec'),
    ...planKeepStderr(input),
    ...planDeathWatch('first'),
    ...(hasLabels(input)
      ? [
          ...planOpenLabels(input, o.reg('hostproc')),
          o.close(o.reg('hostproc'), runtime("close the host's proc", 'It would be a way out of the root.')),
        ]
      : []),
    ...planBecomeRoot(input),
    ...(hasUser(input) ? planDeathWatch('root') : []), // the change of user has cleared the watch
    // Its SELinux label would have to go to a file of proc, as the container's had.
    ...(input.config.process.selinuxLabel ? [] : planKeyring(input)),
    o.call(
      'setsid',
      [],
      runtime('start a session', "The caller's terminal and job control are not the container's."),
    ),
    o.openat(o.AT_FDCWD, '/', ['O_PATH', 'O_DIRECTORY'], {
      ...runtime('open the root', "Paths are resolved inside it: it is the container's already."),
      to: 'root',
    }),
    ...planTerminalInside(input),
    ...planRlimits(input),
    ...planScheduling(input),
    ...planCpuAffinity(process.execCPUAffinity?.final, '/process/execCPUAffinity/final'),
    ...planCwd(input, false),
    ...planTerminalStdio(input),
    ...planStdioOwner(input),
    ...planSetLabels(input),
    planUmask(process.user?.umask ?? 0o022, 'Which rights new files do not get.', '/process/user/umask'),
    // From here on it has the container's rights only, and what follows must get through the seccomp filter.
    ...planCredentials(input, [
      ...(input.lifecycle === 'foreground' ? planDeathWatch('last') : [planStandAlone]),
      ...planRestoreSignals(input.host.sigIgnored),
      ...planListenPid(input),
      ...planCloseDescriptors(input),
    ]),
    o.write(o.reg('failed-w'), 'r', 1, {
      ...runtime('tell the host program that all is set up', FAILED),
      onError: { ignore: ['EPIPE'] }, // it was killed just now: so are we, if we belong to it
    }),
    ...planExec(input, listenPid(input)),
    o.label('give-up'),
    o.write(o.reg('failed-w'), '!', 1, {
      ...runtime('tell the host program that setting up failed', FAILED),
      onError: { goto: { '*': 'end-init' } },
    }),
    o.label('end-init'),
    o.exit(o.reg('exit'), runtime('end the process', 'It has said why.')),
  ];
}

const planStandAlone: Op = o.prctl(
  'PR_SET_PDEATHSIG',
  [0],
  runtime('no longer die with the host program', 'Detached, it stands by itself.'),
);

const LISTEN_PID = 'LISTEN_PID=';

/** LISTEN_PID is the pid that the process sees itself: sd_listen_fds(3). */
function planListenPid({ listenFds }: ExecInput): Op[] {
  if (listenFds === 0) return [];
  const why = 'The process takes sockets only if they are meant for it.';
  const words = (what: string): Words => ({ what, why, from: '--preserve-fds' });
  return [
    o.call('getpid', [], { ...words('ask for our pid'), to: 'own-pid' }),
    o.format('own-pid', o.buf('listenpid', LISTEN_PID.length), {}, words('put it into LISTEN_PID')),
  ];
}

const listenPid = ({ listenFds }: ExecInput): o.Text[] => (listenFds === 0 ? [] : [o.buf('listenpid')]);

function planBuffers(input: ExecInput): Buffer[] {
  return [
    ...handshakeBuffers,
    ...signalBuffers,
    ...execStageBuffers(input),
    ...processBuffers,
    ...relayBuffers(input),
    ...socketBuffers(input),
    ...seccompBuffers(input),
    ...(input.pidFile === undefined ? [] : [{ name: 'pidtext', size: 24 }]),
    ...(input.listenFds === 0 ? [] : [{ name: 'listenpid', size: 40, init: LISTEN_PID }]),
    { name: 'statfs', size: 128 },
    { name: 'statx', size: 256 },
  ];
}
