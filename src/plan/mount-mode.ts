// A tmpfs without a mode -> the ops that give it the mode of the directory that it covers, as runc and crun do: a tmpfs
// over /run is then as the image's /run, and not writable by everybody (1777, tmpfs(5)), which it is over nothing.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlannedMount } from './mount-list.ts';
import type { Place } from './place.ts';

const MODE_AT = 28; // struct statx, stx_mode

/**
 * Init program, before the mount is attached.
 * @param place where it is going to be; a filesystem of our own has nothing to cover
 * @param register the mount's
 */
export function planCoveredMode(
  { mount, options, target, index, from }: PlannedMount,
  place: Place,
  register: string,
): Op[] {
  if (options.bind !== false || mount.type !== 'tmpfs' || place.known === 'trusted') return [];
  if (options.data.some((option) => option.startsWith('mode='))) return [];
  const words = (what: string): Words => ({
    what,
    why: 'A tmpfs without a mode of its own has that of the directory it covers.',
    from,
  });
  const fresh = `uncovered-${index}`;
  return [
    o.openInRoot(o.reg('root'), target, ['O_PATH', 'O_DIRECTORY'], {
      ...words(`look for a directory /${target}`),
      to: 'target',
      onError: { goto: { ENOENT: fresh } },
    }),
    o.fstatx(o.reg('target'), o.buf('statx'), words(`look at /${target}`)),
    o.load(o.buf('statx', MODE_AT), 2, 'mode', words('take its mode')),
    o.close(o.reg('target'), words(`close /${target}`)),
    o.call('fchmodat', [o.reg(register), '.', o.reg('mode')], {
      ...words(`give the tmpfs the mode of /${target}`),
      onError: { ignore: ['EROFS'] }, // of a read-only tmpfs nobody writes to
    }),
    o.label(fresh),
  ];
}
