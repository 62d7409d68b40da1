// What waits, perhaps for years, gives back what it no longer needs: the host program beside a container, and the init of a
// container that is only created.
//
// The kernel maps up to 16 pages around one that is touched, within one mapping: so the program, read from its first
// page to its last while all was set up, would stay in memory as a whole. Another attribute on all but the pages of the
// waiting makes mappings of their own of the rest; then everything is dropped, and what the waiting needs comes back.

import { HEADER_SIZE, OP_SIZE, PROGRAM_ADDRESS } from '../program/layout.ts';
import type { Op } from '../program/op.ts';
import * as o from '../program/ops.ts';

const PAGE = 4096;
/** Bytes of a part: the ops of waiting with room to spare. */
const PART = 16384;
/** More than a program is long: what is not mapped there is no matter (ENOMEM). */
const ALL = 0x1000000;
/** How many pairs of parts are made where the waiting op may be anywhere: enough for half a megabyte. */
const PAIRS = 16;

/**
 * Before the host program waits for signals. The header, on the first page, is needed for each op.
 * @param before what the program has before these ops
 */
export function planShrink(before: readonly Op[]): Op[] {
  const at = HEADER_SIZE + OP_SIZE * before.filter(({ op }) => op !== 'label').length;
  const start = Math.max(at - (at % PAGE), PAGE);
  return [
    ...(start > PAGE ? [setApart('what is done', PAGE, start - PAGE)] : []),
    setApart('the rest of the program', start + PART, ALL),
    dropAll,
  ];
}

/** Where several wait, or their ops stand anywhere: every other part gets the attribute. */
export function planShrinkParts(): Op[] {
  const pairs = Array.from({ length: PAIRS }, (_, i) => setApart(`part ${i}`, (2 * i + 1) * PART, PART));
  return [...pairs, dropAll];
}

const extra = (what: string) => ({
  what,
  why: 'What waits should cost kilobytes, however long its program was.',
  from: 'runtime',
  onError: { ignore: ['ENOMEM'] },
});
const setApart = (what: string, at: number, size: number): Op =>
  o.call('madvise', [PROGRAM_ADDRESS + at, size, o.flags('MADV_DONTDUMP')], extra(`set ${what} apart`));
const dropAll: Op = o.call(
  'madvise',
  [PROGRAM_ADDRESS, ALL, o.flags('MADV_DONTNEED')],
  extra('drop the program from memory'),
);
