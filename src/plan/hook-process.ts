// One hook, from the process that waits for it: a child with the state on stdin, and its end.
//
//   who plans this                                 the hook
//   ─ memfd with the state JSON, sealed
//   ─ clone(SIGCHLD) ────────────────────────────> born; dies with its parent
//                                                  stdin = state; signals, umask, limits as the caller had them
//   ─ reads the pipe `hook` <──────────────────── execve closes it; or: one byte, and it has said why not
//   ─ waits, at most `timeout` seconds             ... ends
//
// It is clone and not clone3: a seccomp filter of the container may know the flags of the one only, and startContainer
// hooks run behind it. What such a filter could forbid besides is done before (planHookState).

import { printable } from '../errors.ts';
import type { Hook } from '../oci/config.ts';
import type { Arg, Op, Report, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { type HookPoint, MOMENTS } from './hook-points.ts';
import type { HostFacts } from './host.ts';
import { planRestoreSignals } from './signals.ts';

/** All that the hooks of one point depend on. */
export interface HookRun {
  point: HookPoint;
  hooks: readonly Hook[];
  id: string;
  bundle: string;
  annotations: Readonly<Record<string, string>>;
  /** In the runtime's pid namespace; undefined: the container has none any more. */
  pid: { reg: string } | number | undefined;
  /** Where they start; undefined: where their parent is. */
  directory: string | { reg: string } | undefined;
  /** What those get that name no environment of their own. */
  environment: readonly string[];
  /** As the caller had it, for hooks outside of the container. */
  host: Pick<HostFacts, 'sigIgnored' | 'noFile'>;
  outside: boolean;
  reports: readonly Report[];
  /** Where a failure goes, and with which exit code; undefined: it is a warning, and the next one runs. */
  failure: { label: string; exit: number } | undefined;
}

/** Runs a hook, behind planHookState; `index` is its place among those of its point. */
export function planHook(run: HookRun, hook: Hook, index: number): Op[] {
  const { point, failure } = run;
  const { path, timeout } = hook;
  const name = `hook ${point} ${index} (${path})`;
  const at = `${point}-${index}`;
  const from = `/hooks/${point}/${index}`;
  const words = (what: string, why = MOMENTS[point].why): Words => ({ what, why, from });
  const executed = 'execve closes this pipe: what comes out of it is the news that there was none.';
  const failed = `failed-${at}`;
  const done = `done-${at}`;
  const pidfd: Arg = timeout === undefined ? 0 : o.buf('hook-poll');
  return [
    o.call(
      'lseek',
      [o.reg('hook-state'), 0, o.flags('SEEK_SET')],
      words('go back to the start of the state'),
    ),
    ...o.pipe('hook-r', 'hook-w', words('make a pipe for the news of a failed execve', executed)),
    o.call('clone', [o.flags(...(timeout === undefined ? [] : ['CLONE_PIDFD']), 'SIGCHLD'), 0, pidfd, 0, 0], {
      ...words(`start a process for ${name}`),
      to: 'hook',
    }),
    o.branch('hook', '!=', 0, `parent-${at}`, words('are we it?', 'clone returns twice.')),
    ...planChild(run, hook, index, name),
    o.label(`parent-${at}`),
    o.close(o.reg('hook-w'), words('close our end', executed)),
    o.read(o.reg('hook-r'), o.buf('byte'), 1, {
      ...words('wait for its execve', executed),
      to: 'unexecuted',
    }),
    o.close(o.reg('hook-r'), words('close the pipe', executed)),
    ...(timeout === undefined ? [] : planTimeout(run, timeout, index, name)),
    o.wait4(o.reg('hook'), o.buf('status'), [], words(`wait for the end of ${name}`)),
    o.branch('unexecuted', '==', 1, failed, words('has it said why it could not be executed?')),
    o.load(o.buf('status'), 4, 'status', words('take its wait status')),
    o.exitCode('status', 'hookcode', words('take its exit code')),
    o.branch('hookcode', '==', 0, done, words('did it succeed?')),
    ...planSay(run, name, at, words),
    o.label(failed),
    ...(failure === undefined
      ? []
      : [
          o.set('exit', failure.exit, words('fail, as it has been said')),
          o.jump(
            failure.label,
            words('undo everything', 'A hook that fails before its container runs ends it.'),
          ),
        ]),
    o.label(done),
  ];
}

/** The child of clone, up to its execve, and the end of one that does not get there. */
function planChild(
  { point, directory, environment, host, outside }: HookRun,
  hook: Hook,
  index: number,
  name: string,
): Op[] {
  const at = `${point}-${index}`;
  const lost = `lost-${at}`;
  const from = `/hooks/${point}/${index}`;
  const words = (what: string, why: string): Words => ({ what, why, from });
  const extra = (what: string, why: string, field = ''): o.Extra => ({
    ...{ what, why, from: from + field },
    onError: { fail: lost },
  });
  const orphan = 'Who kills tinyrun with SIGKILL gets rid of its hooks too: nobody else waits for them.';
  const given = 'A hook gets what the caller of tinyrun has, not what suits the making of a container.';
  const inherits = "Without an environment of its own it has its caller's, as with runc and crun.";
  return [
    o.prctl('PR_SET_PDEATHSIG', [o.flags('SIGKILL')], extra('die with its parent', orphan)),
    o.store(
      'hook-self',
      o.buf('hook-poll'),
      4,
      words('put the pidfd of the parent into the poll list', orphan),
    ),
    o.call('ppoll', [o.buf('hook-poll'), 1, { struct: 'timespec', fields: {} }, 0, 0], {
      ...extra('is the parent alive?', 'It may have died just before.'),
      to: 'dead',
    }),
    o.branch('dead', '!=', 0, lost, words('it is not', orphan)),
    o.call(
      'dup3',
      [o.reg('hook-state'), 0, 0],
      extra('make the state its stdin', 'OCI: a hook reads the state there.'),
    ),
    ...(directory === undefined
      ? []
      : typeof directory === 'string'
        ? [o.call('chdir', [directory], extra(`enter bundle ${directory}`, 'Where runc starts hooks.'))]
        : [
            o.call(
              'fchdir',
              [directory],
              extra('enter the rootfs', 'Where runc starts hooks of this moment.'),
            ),
          ]),
    ...(outside ? planHabits(host, extra, given) : []),
    ...planRestoreSignals(host.sigIgnored).map((op) =>
      op.op === 'call' ? { ...op, onError: { fail: lost } } : op,
    ),
    o.call('close_range', [3, 0xffffffff, o.flags('CLOSE_RANGE_CLOEXEC')], {
      ...extra('close descriptors from 3 at execve', 'Hooks get stdin, stdout and stderr.'),
    }),
    o.execve(
      hook.path,
      hook.args?.length ? hook.args : [hook.path],
      hook.env ?? environment,
      extra(`run ${name}`, hook.env === undefined ? inherits : MOMENTS[point].why, '/path'),
    ),
    o.label(lost),
    o.write(o.reg('hook-w'), '!', 1, {
      ...extra('tell the parent that there was no execve', 'It does not say again what has been said.'),
      onError: { ignore: ['*'] },
    }),
    o.exit(1, extra('end', 'It has said why.')),
  ];
}

/** What init sets for the container's process, and the host program has for itself. */
function planHabits(
  { noFile }: HookRun['host'],
  extra: (what: string, why: string) => o.Extra,
  given: string,
): Op[] {
  return [
    o.call('umask', [0o022], extra('set umask 0022', given)),
    ...(noFile === undefined
      ? []
      : [
          o.call(
            'prlimit64',
            [
              0,
              o.flags('RLIMIT_NOFILE'),
              { struct: 'rlimit64', fields: { rlim_cur: noFile.soft, rlim_max: noFile.hard } },
              0,
            ],
            extra(`set RLIMIT_NOFILE to ${noFile.soft}:${noFile.hard}`, given),
          ),
        ]),
  ];
}

/** Waits until the hook has ended, but not for ever: then it is killed. */
function planTimeout({ point, failure }: HookRun, timeout: number, index: number, name: string): Op[] {
  const at = `${point}-${index}`;
  const words = (what: string): Words => ({
    what,
    why: `It has ${timeout} s: a hook that hangs must not hold up everything.`,
    from: `/hooks/${point}/${index}/timeout`,
  });
  return [
    o.load(o.buf('hook-poll'), 4, 'hookfd', words('take its pidfd')),
    o.label(`again-${at}`),
    o.call('ppoll', [o.buf('hook-poll'), 1, { struct: 'timespec', fields: { tv_sec: timeout } }, 0, 0], {
      ...words(`wait for its end, at most ${timeout} s`),
      to: 'ended',
      onError: { goto: { EINTR: `again-${at}` } },
    }),
    o.close(o.reg('hookfd'), words('close its pidfd')),
    o.branch('ended', '!=', 0, `in-time-${at}`, words('has it ended?')),
    o.kill(o.reg('hook'), o.flags('SIGKILL'), words(`kill ${name}`)),
    o.wait4(o.reg('hook'), o.buf('status'), [], words('wait for its end')),
    o.fail(words(`${failure === undefined ? 'warning: ' : ''}${name}: did not end within ${timeout} s`), {
      ...(failure === undefined ? { fail: `done-${at}` } : { fail: failure.label, exit: failure.exit }),
    }),
    o.label(`in-time-${at}`),
  ];
}

/** Tells with which exit code the hook failed. Words of ops are fixed: so the number is written between two of them. */
function planSay(
  { reports, failure }: HookRun,
  name: string,
  at: string,
  words: (what: string, why?: string) => Words,
): Op[] {
  const say = (what: string): o.Extra => ({
    ...words(what, 'The words of an op are fixed: a number is written between two of them.'),
    onError: { ignore: ['*'] }, // as with all messages: who cannot be told is not told
  });
  const quoted = ({ format }: Report, text: string) =>
    format === 'json' ? JSON.stringify(text).slice(1, -1) : printable(text, false);
  const size = (text: string) => new TextEncoder().encode(text).length;
  const write = (report: Report, text: string, what: string): Op =>
    o.write(o.reg(report.reg), text, size(text), say(what));
  return [
    o.format('hookcode', o.buf('hook-digits'), { to: 'digits' }, words('write the exit code as digits')),
    ...reports.flatMap((report, i) => {
      const [signalled, told] = [`signalled-${at}-${i}`, `told-${at}-${i}`];
      const prefix =
        failure !== undefined
          ? report.prefix
          : report.format === 'json'
            ? report.prefix.replace('error', 'warning')
            : `${report.prefix}warning: `;
      return [
        o.branch(report.reg, '<', 0, told, words('is there anybody to tell?')),
        write(report, `${prefix}${quoted(report, `${name}: exit code `)}`, `say that ${name} failed`),
        o.write(o.reg(report.reg), o.buf('hook-digits'), o.reg('digits'), say('say the exit code')),
        o.branch('status', '&', 0x7f, signalled, words('did a signal end it?')),
        write(report, report.suffix, 'end the line'),
        o.jump(told, words('it is told')),
        o.label(signalled),
        write(
          report,
          `${quoted(report, ' (128 + the signal that ended it)')}${report.suffix}`,
          'say that it was a signal',
        ),
        o.label(told),
      ];
    }),
  ];
}
