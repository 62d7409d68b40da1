// The host program gives back what it no longer needs before it waits, perhaps for years, beside the container.
//
// The kernel maps up to 16 pages around one that is touched, within one mapping: so the program, read from its first
// page to its last while all was set up, would stay in memory as a whole. Another attribute on all but its first pages
// makes a mapping of its own of them; then everything is dropped, and what the waiting needs comes back: the first pages.

import { PROGRAM_ADDRESS } from '../program/layout.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';

/** Bytes at the start of the program: header and the ops of most host programs, of which waiting is a part. */
const FIRST = 16384;
/** More than a program is long: what is not mapped there is no matter (ENOMEM). */
const ALL = 0x1000000;

/** Host program, before it waits. */
export function planShrink(): Op[] {
  const extra = (what: string) => ({
    what,
    why: 'What waits beside a container should cost kilobytes, however long its program was.',
    from: 'runtime',
    onError: { ignore: ['ENOMEM'] },
  });
  return [
    o.call(
      'madvise',
      [PROGRAM_ADDRESS + FIRST, ALL, o.flags('MADV_DONTDUMP')],
      extra('set the rest of the program apart'),
    ),
    o.call(
      'madvise',
      [PROGRAM_ADDRESS, ALL, o.flags('MADV_DONTNEED')],
      extra('drop the program from memory'),
    ),
  ];
}
