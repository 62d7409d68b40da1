import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import {
  assertLegal,
  type Fifo,
  type Operation,
  parseStat,
  statusOf,
  transitions,
} from '../../src/runtime/status.ts';

const stat = (state: string, startTime: string, name = 'sh'): string =>
  `42 (${name}) ${state} 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 ${startTime} 1000 100\n`;

test('parseStat: takes state and start time', () => {
  assert.equal(parseStat(stat('S', '12345')), { state: 'S', startTime: '12345' });
});

test('parseStat: a program may be called like fields of its own', () => {
  assert.equal(parseStat(stat('R', '7', 'x) Z 1 1 1 (y')), { state: 'R', startTime: '7' });
});

test('parseStat: what is no stat has nothing', () => {
  for (const text of ['', '42', '42 (sh)', '42 (sh) S 1 2 3']) assert.is(parseStat(text), undefined);
});

const started = (): Fifo => 'none';
const runs = (): boolean => false;
const frozen = (): boolean => true;

test('statusOf: the same process runs, once it is started, unless it is frozen', () => {
  const created = { state: 'S', startTime: '5' };
  assert.is(statusOf(created, { state: 'R', startTime: '5' }, started, runs), 'running');
  assert.is(statusOf(created, { state: 'T', startTime: '5' }, started, runs), 'running');
  assert.is(
    statusOf(created, created, () => 'created', runs),
    'created',
  );
  assert.is(
    statusOf(created, created, () => 'creating', frozen),
    'creating',
  );
  assert.is(statusOf(created, created, started, frozen), 'paused');
  assert.is(
    statusOf(created, created, () => 'created', frozen),
    'paused',
  );
});

test('statusOf: an ended process, a zombie and a reused pid are stopped', () => {
  const created = { state: 'S', startTime: '5' };
  const waits = (): Fifo => 'created';
  assert.is(statusOf(created, undefined, waits, frozen), 'stopped');
  assert.is(statusOf(undefined, created, waits, frozen), 'stopped');
  assert.is(statusOf(created, { state: 'Z', startTime: '5' }, waits, frozen), 'stopped');
  assert.is(statusOf(created, { state: 'X', startTime: '5' }, waits, frozen), 'stopped');
  assert.is(statusOf(created, { state: 'S', startTime: '6' }, waits, frozen), 'stopped');
});

test('assertLegal: allows what the table says, and nothing else', () => {
  const statuses = ['creating', 'created', 'running', 'paused', 'stopped'] as const;
  const allowed = (Object.keys(transitions) as Operation[]).map((operation) => [
    operation,
    statuses.filter((status) => {
      try {
        assertLegal(operation, 'c1', status);
        return true;
      } catch (error) {
        if (error instanceof TinyrunError && error.code === 'STATE') return false;
        throw error;
      }
    }),
  ]);
  assert.equal(Object.fromEntries(allowed), {
    start: ['created'],
    kill: ['created', 'running', 'paused'],
    delete: ['stopped'],
    pause: ['created', 'running'],
    resume: ['paused'],
    update: ['created', 'running', 'paused'],
    checkpoint: ['running'],
    exec: ['created', 'running'],
    'exec-ignore-paused': ['created', 'running', 'paused'],
    mount: ['created', 'running', 'paused'],
  });
});

test("assertLegal: speaks runc's words", () => {
  assert.throws(
    () => assertLegal('delete', 'c1', 'running'),
    (error: Error) => error.message === 'cannot delete container c1 that is not stopped: running',
  );
});

test.run();
