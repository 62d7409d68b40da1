// Keys that let go of a container's terminal while it goes on: `ctrl-p,ctrl-q`. Each is held back until it is certain that
// the next ones do not follow. Docker's `--detach-keys`.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';

const why = 'Some keys, one after the other, mean the client and not the container.';
const words = (what: string): Words => ({ what, why, from: '--detach-keys' });

/**
 * Behind the reading of one key into buffer `typed`: goes on where it is to be written, to `more` if it is held back, to
 * `all` if it was the last of them. Register `held` is how many are held back.
 */
export function planDetachKeys(keys: readonly number[], more: string, all: string): Op[] {
  if (keys.length === 0) return [];
  const place = (i: number): string => `keys-held-${i}`;
  return [
    o.load(o.buf('typed'), 1, 'key', words('which key is it?')),
    ...keys
      .slice(1)
      .map((_, i) => o.branch('held', '==', i + 1, place(i + 1), words(`are ${i + 1} held back?`))),
    o.label(place(0)),
    ...keys.flatMap((key, i) => [
      ...(i === 0 ? [] : [o.label(place(i))]),
      ...planPlace(keys, i, key, more, all),
    ]),
    o.label('keys-written'),
  ];
}

/** The key behind `i` that are held back. */
function planPlace(keys: readonly number[], i: number, key: number, more: string, all: string): Op[] {
  const last = i === keys.length - 1;
  const hit = `keys-hit-${i}`;
  const isKey = o.branch('key', '==', key, last ? all : hit, words(`is it key ${i + 1} of them?`));
  const hold = last
    ? []
    : [
        o.label(hit),
        o.set('held', i + 1, words('hold it back')),
        o.jump(more, words('wait for the next key')),
      ];
  if (i === 0) return [isKey, o.jump('keys-written', words('it is for the container')), ...hold];
  return [
    isKey,
    o.write(o.reg('sink'), { bytes: Uint8Array.from(keys.slice(0, i)) }, i, {
      ...words('type what was held back'),
      onError: { ignore: ['*'] }, // a terminal that takes no more: the keys are lost, as at any other
    }),
    o.set('held', 0, words('nothing is held back')),
    o.jump('keys-held-0', words('is it the first of them?')),
    ...hold,
  ];
}
