// What says that a container uses volumes, as far as its host program is concerned: the file is there when the program
// begins, and goes with the container.

import { UNDO, USES } from '../oci/state.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import { dataDirectory } from './state.ts';
import { runtime } from './words.ts';

/** Host program, when the id is taken: from now on the state directory tells others that the container is there. */
export function planUnlockUses(input: PlanInput): Op[] {
  const { uses } = input;
  if (uses === undefined) return [];
  const why = 'Others may look at what the container uses; that it is there, its state directory tells.';
  return [o.close(uses.lock, runtime(`unlock ${dataDirectory(input)}`, why))];
}

/** Host program, at the end: where nothing else is to be undone, the file that says what the container used. */
export function planRemoveUses(input: PlanInput): Op[] {
  if (input.uses === undefined) return [];
  const directory = dataDirectory(input);
  const why = 'The container has ended, and uses nothing any more.';
  return [
    o.call('faccessat', [o.AT_FDCWD, `${directory}/${UNDO}`, 0], {
      ...runtime('look whether there is more to undo: volumes of its own, mounts of drivers', why),
      onError: { goto: { ENOENT: 'no-undo' }, fail: 'leave' },
    }),
    o.jump('purge', runtime('undo it', 'That takes a program that can loop.')),
    o.label('no-undo'),
    o.unlinkat(o.AT_FDCWD, `${directory}/${USES}`, [], {
      ...runtime(`remove ${directory}/${USES}`, why),
      onError: { ignore: ['ENOENT'], fail: 'leave' },
    }),
  ];
}

/** Host program: the directory, where nothing but that was in it. */
export function planRemoveUsesDirectory(input: PlanInput): Op {
  const directory = dataDirectory(input);
  return o.unlinkat(o.AT_FDCWD, directory, ['AT_REMOVEDIR'], {
    ...runtime(`remove ${directory}`, 'The container has ended, and uses nothing any more.'),
    onError: { goto: { ENOTEMPTY: 'purge' }, ignore: ['ENOENT'], fail: 'leave' },
  });
}
