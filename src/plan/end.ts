// How the host program ends: with the container, or with a failure on the way. Either way nothing is left behind, but
// for containers that are kept. What nobody knew when this was planned cannot be removed by a program (that takes a loop): a
// tree of unknown contents, mounts that came while the container ran. So where a directory is not empty that is to be
// removed, of the upper layer or of the state, the executable itself is called for it.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { planRemoveCgroups } from './cgroup.ts';
import { planDetach } from './detach.ts';
import { planAskFailure } from './handshake.ts';
import { hasHooks } from './hook-points.ts';
import { hookRun, planHooksAt } from './hooks.ts';
import type { PlanInput } from './input.ts';
import { isKeptBundle, planKeepExit, planWriteExit } from './moments.ts';
import { planRemoveRdt } from './rdt.ts';
import { planGiveBackTerminal } from './relay.ts';
import { planUnmountOutside } from './rootfs.ts';
import { dataDirectory, planRemoveState } from './state.ts';
import { planUndo } from './undo.ts';
import { planRemoveUses, planRemoveUsesDirectory } from './uses.ts';
import { runtime } from './words.ts';

export const endBuffers = [{ name: 'exittext', size: 24 }];
const EXIT_CODE = "The container's exit code is ours: 128 + signal where a signal ended it, as in a shell.";

/** Host program: from the container's wait status to our own exit. Failures come in at `undo`. */
export function planEnd(input: PlanInput): Op[] {
  const why = EXIT_CODE;
  return [
    ...(input.lifecycle === 'foreground' ? [] : planDetach(input)),
    o.load(o.buf('status'), 4, 'status', runtime('take the wait status', why)),
    o.exitCode('status', 'exit', runtime('take the exit code', why)),
    ...(isKeptBundle(input)
      ? [
          ...planAskFailure(input),
          o.set('keep', 1, runtime('keep the container', 'It has a name: it stays until it is deleted.')),
        ]
      : []),
    o.jump('give-back', runtime('the container has ended', why)),
    ...planGiveBack(input),
  ];
}

/** Host program: removes what it has made, and ends with `exit`. Failures come in at `undo`, ended containers at `give-back`. */
export function planGiveBack(input: PlanInput): Op[] {
  const why = EXIT_CODE;
  const leave = { onError: { fail: 'leave' } };
  return [
    ...planUndo('init'),
    o.label('give-back'),
    ...planGiveBackTerminal(input),
    ...planWriteExit(input),
    ...planKeep(input),
    ...planUnmountOutside(input),
    ...planRemoveRdt(input),
    ...planRemoveCgroups(input),
    ...planRemoveData(input),
    ...planRemoveState(input),
    ...planPoststop(input),
    o.label('leave'),
    o.exit(o.reg('exit'), { ...runtime('end', why), ...leave }),
    ...planPurge(input),
  ];
}

/** A container that has a name stays as it is; one that could not be set up does not. */
function planKeep(input: PlanInput): Op[] {
  if (!isKeptBundle(input)) return [];
  const words = (what: string): Words => runtime(what, 'It has a name.');
  return [
    o.branch('keep', '!=', 1, 'not-kept', words('is it not kept?')),
    ...planKeepExit(),
    o.jump('leave', words('leave it as it is')),
    o.label('not-kept'),
  ];
}

/** Removes the directory of an overlay container's own files. */
function planRemoveData(input: PlanInput): Op[] {
  const { rootfs, uses } = input;
  if (rootfs.kind !== 'overlay')
    return uses === undefined ? [] : [...planRemoveUses(input), planRemoveUsesDirectory(input)];
  const { own } = rootfs;
  if (own.kept) {
    if (own.remove) return [o.jump('purge', runtime('remove the container', 'It was started with --rm.'))];
    return own.release
      ? [o.jump('purge', runtime('give its volumes back', 'Their drivers have mounted them for it.'))]
      : [];
  }
  const why = 'A container without a name is gone when it ends, and its own layer with it.';
  const data = o.reg('data');
  const rmdir = (name: string): Op =>
    o.unlinkat(data, name, ['AT_REMOVEDIR'], {
      ...runtime(`remove ${name}`, why),
      onError: { goto: { ENOTEMPTY: 'purge' }, ignore: ['ENOENT'], fail: 'leave' },
    });
  const path = dataDirectory(input);
  return [
    ...planRemoveUses(input),
    o.branch(
      'data',
      '<',
      0,
      uses === undefined ? 'no-data' : 'data-gone',
      runtime('is there anything?', why),
    ),
    rmdir('upper'),
    rmdir('work/work'),
    rmdir('work'),
    rmdir('merged'),
    ...Object.keys(own.files).map((name) =>
      o.unlinkat(data, name, [], {
        ...runtime(`remove ${name}`, why),
        onError: { ignore: ['ENOENT'], fail: 'leave' },
      }),
    ),
    ...(uses === undefined ? [] : [o.label('data-gone')]),
    o.unlinkat(o.AT_FDCWD, path, ['AT_REMOVEDIR'], {
      ...runtime(`remove ${path}`, why),
      onError: { goto: { ENOTEMPTY: 'purge' }, ignore: ['ENOENT'], fail: 'leave' }, // volumes that were attached
    }),
    ...(uses === undefined ? [o.label('no-data')] : []),
  ];
}

/** Host program, when nothing is left of the container; not if there was none. */
function planPoststop(input: PlanInput): Op[] {
  if (!hasHooks(input, 'poststop')) return [];
  const words = {
    what: 'was there an init?',
    why: 'Without one nothing has begun.',
    from: '/hooks/poststop',
  };
  return [
    o.label('removed'),
    o.branch('pid', '<', 1, 'leave', words),
    ...planHooksAt(hookRun(input, 'poststop')),
  ];
}

/**
 * Becomes `tinyrun purge ID CODE`, which removes a tree, or undoes mounts, and ends with the container's exit code; where
 * hooks are to run behind it, a child does.
 */
function planPurge(input: PlanInput): Op[] {
  if (!hasHooks(input, 'poststop')) return [o.label('purge'), ...planBecomePurge(input)];
  const words = (what: string): Words => ({
    what,
    why: 'The hooks run when nothing is left of the container: so we outlive the removal.',
    from: '/hooks/poststop',
  });
  const leave = { onError: { fail: 'leave' } };
  return [
    o.label('purge'),
    o.flock(o.reg('state'), ['LOCK_UN'], { ...words('unlock the state directory'), ...leave }),
    o.clone3([], { ...words('start a process that removes what is left'), to: 'purger', ...leave }),
    o.branch('purger', '!=', 0, 'purging', words('are we it?')),
    ...planBecomePurge(input),
    o.label('purging'),
    o.wait4(o.reg('purger'), o.buf('status'), [], { ...words('wait until it is removed'), ...leave }),
    o.jump('removed', words('all of it is gone')),
  ];
}

function planBecomePurge({ self, stateRoot, dataRoot, id }: PlanInput): Op[] {
  const why =
    'The container has left files, cgroups or mounts of its own: to find them takes a program that can loop.';
  const argv = [...self, '--root', stateRoot, '--data-root', dataRoot, 'purge', id, o.buf('exittext')];
  return [
    o.format('exit', o.buf('exittext'), {}, runtime('write the exit code as digits', why)),
    o.call('rt_sigprocmask', [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: {} }, 0, 8], {
      ...runtime('unblock all signals', why),
      onError: { fail: 'leave' },
    }),
    o.call('execve', [self[0]!, { vec: argv }, { vec: [] }], {
      ...runtime(`remove what container ${id} has left`, why),
      onError: { fail: 'leave' },
    }),
  ];
}
