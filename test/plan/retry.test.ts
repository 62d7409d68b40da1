// openat2 is made again where the kernel could not tell whether its way stayed inside.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { retryRaces } from '../../src/plan/retry.ts';
import * as o from '../../src/program/ops.ts';
import { errno, INPUTS, plan, run, sectionOf, textsOf } from '../support/plan-input.ts';

const words = { what: 'open', why: 'a test', from: 'runtime' };

test('retryRaces: an openat2 goes to itself, and keeps its own policy', () => {
  const ops = [
    o.openInRoot(o.reg('root'), 'a', ['O_PATH'], {
      ...words,
      to: 'a',
      onError: { goto: { ENOENT: 'x' }, fail: 'y' },
    }),
    o.openInRoot(o.reg('root'), 'b', ['O_PATH'], { ...words, to: 'b', onError: { goto: { EAGAIN: 'x' } } }),
    o.close(o.reg('a'), words),
  ];
  const [again, first, ...rest] = retryRaces(ops, 'init');
  assert.equal(again, { op: 'label', name: 'again-init-0' });
  assert.equal(first?.op === 'call' && first.onError, {
    goto: { ENOENT: 'x', EAGAIN: 'again-init-0' },
    fail: 'y',
  });
  assert.equal(rest, ops.slice(1));
});

test('every path inside a rootfs is opened again, and what comes of it is used', () => {
  for (const [name, change] of Object.entries(INPUTS))
    for (const text of textsOf(sectionOf(plan(change), 'init')))
      if (text.includes('openat2(')) assert.match(text, 'EAGAIN -> ', `${name}: ${text}`);
  let raced = 0;
  const { exit, calls } = run({}, ({ call }) =>
    call === 'openat2' && raced++ % 3 !== 2 ? errno('EAGAIN') : undefined,
  );
  assert.is(exit, 0);
  assert.is(calls.filter(({ call }) => call === 'openat2').length % 3, 0);
});

test.run();
