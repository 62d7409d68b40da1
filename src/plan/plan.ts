// The planner's entry: config, flags and host facts in, a program out. Read these two lists to know how a container is
// made; each line is a module of this folder, and the order is the contract (spec/lifecycle.md).

import type { Buffer, Op, Program } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { bindBuffers, planBindSources } from './bind-sources.ts';
import { ownCgroupBuffers, planCgroups, planJoinCgroups, planLateLimits } from './cgroup.ts';
import { clientBuffers, planClient } from './client.ts';
import { planPart, planUp } from './client-part.ts';
import { copyUpBuffers } from './copy-up.ts';
import { planCredentials, planStdioOwner } from './credentials.ts';
import { planCloseAll, planReady, planSayKnown, planStandAlone } from './detach.ts';
import { deviceBuffers, planDeviceSources, planDevices } from './devices.ts';
import { endBuffers, planEnd } from './end.ts';
import {
  planAwaitExecve,
  planHold,
  planInitStart,
  planPipes,
  planReleaseInit,
  planReportFailure,
  planWhileHeld,
} from './handshake.ts';
import { hasHooks, isHeld } from './hook-points.ts';
import { hookBuffers, hookRun, planHookState, planHooks, planHooksAt } from './hooks.ts';
import type { MonitorInput, PlanInput } from './input.ts';
import { planNames, planSysctls } from './kernel.ts';
import { planKeyring } from './keyring.ts';
import { planOpenLabels, planSetLabels } from './labels.ts';
import { handshakeBuffers, planDeathWatch } from './lifeline.ts';
import { planOomScore, planRlimits, planRlimitsFromOutside, planScheduling } from './limits.ts';
import { loopbackBuffers, planLoopback } from './loopback.ts';
import { planMemoryPolicy } from './memory-policy.ts';
import { momentBuffers, planOpenKept, planWriteStarted } from './moments.ts';
import { monitorBuffers, planMonitor } from './monitor.ts';
import { cgroupBuffers, planCgroupSources } from './mount-cgroup.ts';
import { listMounts, type PlannedMount } from './mount-list.ts';
import { planMounts } from './mounts.ts';
import {
  hasNew,
  hasUser,
  mountsOutside,
  namespaceBuffers,
  planBecomeRoot,
  planClone,
  planHide,
  planIdMaps,
  planTimeNamespace,
} from './namespaces.ts';
import { netDeviceBuffers, planMoveDevices, planSetUpDevices } from './net-devices.ts';
import { ownLayerBuffers, planOwnFiles, planUnlockContainer } from './own-layer.ts';
import { planMaskedPaths, planReadonlyPaths } from './paths.ts';
import { planPidFile } from './pid.ts';
import { Places } from './place.ts';
import {
  HOST_NAME,
  planCloseDescriptors,
  planCwd,
  planExec,
  planLookup,
  planName,
  planUmask,
  processBuffers,
} from './process.ts';
import { planLog, planProgram } from './program.ts';
import { planJoinRdt, planRdtGroups, rdtBuffers } from './rdt.ts';
import { planReaper, reaperBuffers } from './reaper.ts';
import { planKeys, planRelay, planTakeTerminal, relayBuffers } from './relay.ts';
import { planAttachRoot, planFinishRoot, planPivot, planRootTree } from './rootfs.ts';
import { planEnterRootless, rootlessBuffers } from './rootless.ts';
import { planReleaseScope } from './scope.ts';
import { planCloseListener, planHandListener, planListenerSockets, seccompBuffers } from './seccomp.ts';
import { planShrink, planShrinkParts } from './shrink.ts';
import { planBlockSignals, planRestoreSignals, planWaitAndForward, signalBuffers } from './signals.ts';
import { planConnect, planSendPidfd, socketBuffers } from './sockets.ts';
import {
  planTakeId,
  planTaken,
  planWritePid,
  planWriteState,
  type StateFile,
  stateBuffers,
  stateFile,
} from './state.ts';
import { planCloseStdio, planPipedStdio, planStdioPipes } from './stdio.ts';
import {
  isRelayed,
  planKeepStderr,
  planTerminal,
  planTerminalSockets,
  planTerminalStdio,
} from './terminal.ts';
import { planUnlockUses } from './uses.ts';
import { planVerbFiles, verbBuffers } from './verb-files.ts';
import { runtime } from './words.ts';

/** Plans `tinyrun run`: the host program ends with the container, whose exit code it takes. Pure. */
export function planContainer(input: PlanInput): Program {
  const mounts = listMounts(input);
  const state = stateFile(input);
  return planProgram(
    input,
    planHost(input, mounts, state),
    planInit(input, mounts),
    planBuffers(input, mounts, state),
  );
}

function planHost(input: PlanInput, mounts: readonly PlannedMount[], state: StateFile): Op[] {
  const setUp = planSetUp(input, mounts, state);
  return [
    ...setUp,
    ...planWait(input, setUp),
    ...planEnd(input),
    ...planTaken(input),
    ...planKeys(input),
    ...planClient(input),
  ];
}

/** What the host program does until there is a container. */
function planSetUp(input: PlanInput, mounts: readonly PlannedMount[], state: StateFile): Op[] {
  return [
    ...planLog(input),
    planName(HOST_NAME),
    ...planBlockSignals(),
    ...planPart(input), // here the caller's process and ours part
    planUmask(0, 'Files get the modes that are asked for.', 'runtime'),
    ...planEnterRootless(input),
    ...planTakeId(input), // before anything exists that would have to be undone
    ...planUnlockContainer(input),
    ...planUnlockUses(input),
    ...planOpenKept(input),
    ...planWriteState(input, state), // and this before anything else is made
    ...planConnect(input),
    ...planCgroups(input),
    ...planRootTree(input), // what needs the host's rights and paths is prepared here, attached nowhere
    ...planBindSources(mounts, input),
    ...planCgroupSources(mounts, input),
    ...planDeviceSources(input),
    ...planRdtGroups(input),
    ...planPipes(input),
    ...planStdioPipes(input),
    ...planTerminalSockets(input),
    ...planListenerSockets(input),
    ...planHide(input),
    ...planClone(input), // the child goes on at `init`
    ...planReleaseScope(input),
    ...planCloseStdio(input),
    ...planReleaseInit(input, [
      ...planIdMaps(input),
      ...(hasUser(input) ? planFromOutside(input) : []), // init has no right to raise these itself
      ...planMoveDevices(input),
      ...planJoinRdt(input),
      ...planLateLimits(input),
    ]),
    ...planWritePid(state),
    ...planVerbFiles(input),
    ...planSayKnown(input),
    ...planSendPidfd(input),
    ...planRuntimeHooks(input),
    ...(input.lifecycle === 'foreground' ? planPidFile(input) : []),
  ];
}

function planInit(input: PlanInput, mounts: readonly PlannedMount[]): Op[] {
  return [
    o.label('init'),
    planName('tinyrun:init'),
    ...planKeepStderr(input),
    ...planInitStart(input),
    ...planCloseListener(input),
    ...planJoinCgroups(input),
    ...planReleaseScope(input),
    ...planTimeNamespace(input), // who has changed his user cannot open the files of his own /proc/self (proc(5))
    ...planBecomeRoot(input),
    ...(hasUser(input) ? planDeathWatch('root') : []), // the change of user has cleared the watch
    ...planKeyring(input),
    o.call(
      'setsid',
      [],
      runtime('start a session', "The caller's terminal and job control are not the container's."),
    ),
    ...(hasUser(input) ? [] : planOomScore(input, '/proc/self/oom_score_adj')), // this and the next go through the host's proc
    ...planLoopback(input),
    ...planSetUpDevices(input), // before sysctls, which may be of a network device
    ...(isHeld(input) ? [] : planSysctls(input)),
    ...planNames(input),
    ...planOpenLabels(input), // in the host's proc, too
    ...(hasNew(input, 'mount') || mountsOutside(input)
      ? planTree(input, mounts)
      : [...planInsideHooks(input), ...planPivot(true)]),
    ...planHookState(hookRun(input, 'startContainer')), // while init may do everything
    ...planRlimits(input),
    ...planScheduling(input),
    ...planMemoryPolicy(input),
    ...planCwd(input, true),
    ...planTerminalStdio(input),
    ...planPipedStdio(input),
    ...planStdioOwner(input),
    planUmask(
      input.config.process.user?.umask ?? 0o022,
      'Which rights new files do not get.',
      '/process/user/umask',
    ),
    ...planSetLabels(input),
    // From here on init has the container's rights only, and what follows must get through its seccomp filter.
    ...planCredentials(input, [
      // So has this change of user.
      ...(input.lifecycle === 'foreground' ? planDeathWatch('last') : planStandAlone()),
      ...(input.init ? [] : planRestoreSignals(input.host.sigIgnored)),
      ...(input.lifecycle === 'foreground' ? [] : planLookup(input)),
      ...planCloseDescriptors(input),
      ...planCloseAll(input),
    ]),
    ...planReady(input),
    ...planHooks(hookRun(input, 'startContainer')),
    ...planReaper(input),
    ...planExec(input),
    o.label('give-up'),
    ...planReportFailure(input),
    o.label('end-init'),
    o.exit(o.reg('exit'), runtime('end init', 'It has said why; the host program cleans up.')),
  ];
}

/** What waits for mounts, and must not wait for the pivot; interfaces that sysctls name may come from a hook. */
const planInsideHooks = (input: PlanInput): Op[] => [
  ...planHold(input),
  ...(isHeld(input) ? planSysctls(input) : []),
  ...planHooksAt(hookRun(input, 'createContainer')),
];

/** The container's tree of mounts. No mount of this reaches the host: the first op cuts its namespace off. */
function planTree(input: PlanInput, mounts: readonly PlannedMount[]): Op[] {
  const fromConfig = ({ from }: PlannedMount) => from.startsWith('/');
  const places = new Places(input.present);
  return [
    ...planAttachRoot(input),
    ...planMounts(mounts.filter(fromConfig), input, places),
    ...planOwnFiles(input, places),
    ...planDevices(input, places),
    ...planMounts(
      mounts.filter((mount) => !fromConfig(mount)),
      input,
      places,
    ), // volumes: last, and before pivot_root
    ...planTerminal(input, places),
    ...planMaskedPaths(input, places), // needs the host's /dev/null: before pivot_root
    ...planReadonlyPaths(input, places),
    ...planInsideHooks(input), // with the host's files in sight: before pivot_root
    ...planPivot(input.noPivot || mountsOutside(input)),
    ...planFinishRoot(input),
  ];
}

/** Host program: beside the container until its end, or not at all. */
function planWait(input: PlanInput, before: readonly Op[]): Op[] {
  const unborn = isHeld(input) ? [o.label('unborn')] : []; // init has failed while its hooks were waited for
  if (input.lifecycle !== 'foreground') return [...planHandListener(input), ...unborn];
  if (input.monitor !== undefined) return planWaitKept(input, input.monitor);
  const relayed = isRelayed(input);
  /** What comes is read by several processes with a terminal, and else by the host program alone. */
  const shrink = (done: readonly Op[]): Op[] => (relayed ? planShrinkParts() : planShrink(done));
  const hooks = hasHooks(input, 'poststart')
    ? [...planAwaitExecve(), ...planHooksAt(hookRun(input, 'poststart')), o.label('unborn')]
    : [];
  const first = [
    ...shrink(before),
    ...(relayed && !isHeld(input) ? planTakeTerminal(input) : []),
    ...planHandListener(input), // init waits for that when its filter is loaded: behind the terminal, before execve
  ];
  return [
    ...first,
    ...(hooks.length > 0
      ? [...hooks, ...shrink([...before, ...first, ...hooks])] // once more: their ops have been read
      : unborn),
    ...(relayed ? planRelay(input) : planWaitAndForward()),
  ];
}

/** The same of a container with a monitor: whether its program runs is told to the client. */
function planWaitKept(input: PlanInput, monitor: MonitorInput): Op[] {
  return [
    ...(isRelayed(input) && !isHeld(input) ? planTakeTerminal(input) : []),
    ...planHandListener(input),
    ...planAwaitExecve(),
    ...planHooksAt(hookRun(input, 'poststart')),
    ...planWriteStarted(),
    ...planUp(input, monitor),
    o.label('unborn'),
    ...planShrinkParts(),
    ...planMonitor(input, monitor),
  ];
}

/** Host program: hooks that find the container's mounts made, and init still outside of its root. */
function planRuntimeHooks(input: PlanInput): Op[] {
  if (!isHeld(input)) return [];
  return [
    ...(isRelayed(input) ? planTakeTerminal(input) : []), // init hands it over before it waits
    ...planWhileHeld(input, [
      ...planHooksAt(hookRun(input, 'prestart')),
      ...planHooksAt(hookRun(input, 'createRuntime')),
    ]),
  ];
}

/** Limits that init, root of a user namespace only, could not raise itself. */
function planFromOutside(input: PlanInput): Op[] {
  const score = planOomScore(input, o.buf('proc-oom_score_adj'));
  const format = o.format(
    'pid',
    o.buf('proc-oom_score_adj', 6),
    { width: 10, pad: '/' },
    {
      ...runtime('put the pid into /proc/PID/oom_score_adj', 'Only root of the host may lower it.'),
    },
  );
  return [...planRlimitsFromOutside(input, o.reg('pid')), ...(score.length === 0 ? [] : [format, ...score])];
}

function planBuffers(input: PlanInput, mounts: readonly PlannedMount[], state: StateFile): Buffer[] {
  return [
    ...stateBuffers(input, state),
    ...handshakeBuffers,
    ...signalBuffers,
    ...namespaceBuffers(input),
    ...loopbackBuffers(input),
    ...netDeviceBuffers(input),
    ...rootlessBuffers(input),
    ...rdtBuffers(input),
    ...deviceBuffers(input),
    ...bindBuffers(mounts, input),
    ...copyUpBuffers(mounts),
    ...cgroupBuffers(mounts, input),
    ...ownCgroupBuffers(input),
    ...processBuffers,
    ...endBuffers,
    ...hookBuffers(input),
    ...(input.rootfs.kind === 'overlay' ? ownLayerBuffers : []),
    ...relayBuffers(input),
    ...monitorBuffers(input),
    ...momentBuffers(input),
    ...clientBuffers(input),
    ...reaperBuffers(input),
    ...socketBuffers(input),
    ...verbBuffers(input),
    ...seccompBuffers(input),
    { name: 'statfs', size: 128 },
  ];
}
