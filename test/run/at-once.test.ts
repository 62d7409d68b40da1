// Two callers at once, for every transition of one container: where it means that, one wins, and the other is told in one
// line; nothing is left, and nobody waits for ever.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, type Result, withBundle } from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { assertSucceeds, leftovers } from '../support/refusal.ts';
import { hasWon, say, stateOf, succeeds } from '../support/verbs.ts';

const ROUNDS = process.env['TINYRUN_TEST_ALL'] === '1' ? 200 : 12;
/** Bundles that are worked on at once: much of the time a test waits. */
const WORKERS = 3;

type Verb = readonly [verb: string, ...flags: string[]];
type Before = 'nothing' | 'created' | 'running' | 'paused' | 'stopped';

interface Pair {
  /** What there is when the two begin. */
  before: Before;
  first: Verb;
  second: Verb;
  /** What the loser may be told; `undefined`: it must win. */
  firstFails?: RegExp;
  secondFails?: RegExp;
  /** How many win. */
  winners?: number;
  /** Whether there is a container when both have ended; undefined: that depends. */
  after?: (won: readonly boolean[]) => Before | undefined;
}

const GONE = /container does not exist/;
const TAKEN = /container with given ID already exists/;
/** What `create` says where its init is killed, or what it has just made is removed. */
const KILLED = /its init was killed|: E[A-Z]+ /;

const pairs: Pair[] = [
  {
    before: 'nothing',
    first: ['create'],
    second: ['create'],
    firstFails: TAKEN,
    secondFails: TAKEN,
    winners: 1,
    after: () => 'created',
  },
  { before: 'nothing', first: ['create'], second: ['delete', '--force'], firstFails: KILLED },
  {
    before: 'nothing',
    first: ['run', '--detach'],
    second: ['delete', '--force'],
    firstFails: KILLED,
  },
  {
    before: 'created',
    first: ['start'],
    second: ['start'],
    firstFails: /cannot start an already running container/,
    secondFails: /cannot start an already running container/,
    winners: 1,
    after: () => 'running',
  },
  {
    before: 'created',
    first: ['start'],
    second: ['delete'],
    secondFails: /cannot delete container \S+ that is not stopped: (created|running)/,
    winners: 1,
    after: () => 'running',
  },
  {
    before: 'created',
    first: ['start'],
    second: ['delete', '--force'],
    firstFails: /container does not exist|cannot start a container that has stopped/,
    after: () => 'nothing',
  },
  {
    before: 'created',
    first: ['start'],
    second: ['kill', 'KILL'],
    firstFails: /cannot start a container that has stopped/,
    after: () => 'stopped',
  },
  {
    before: 'created',
    first: ['start'],
    second: ['pause'],
    firstFails: /cannot start a container in the paused state/,
    after: () => 'paused',
  },
  {
    before: 'running',
    first: ['kill', 'KILL'],
    second: ['delete'],
    secondFails: /cannot delete container \S+ that is not stopped: running/,
    after: ([, deleted]) => (deleted ? 'nothing' : 'stopped'),
  },
  {
    before: 'running',
    first: ['kill', 'KILL'],
    second: ['delete', '--force'],
    firstFails: /container does not exist|cannot kill container \S+: container not running: stopped/,
    after: () => 'nothing',
  },
  {
    before: 'running',
    first: ['pause'],
    second: ['delete', '--force'],
    firstFails: /container does not exist|container not running: stopped/,
    after: () => 'nothing',
  },
  {
    before: 'paused',
    first: ['resume'],
    second: ['delete', '--force'],
    firstFails: /container does not exist|container not paused: (stopped|running)/,
    after: () => 'nothing',
  },
  {
    before: 'running',
    first: ['pause'],
    second: ['pause'],
    firstFails: /container not running: paused/,
    secondFails: /container not running: paused/,
    winners: 1,
    after: () => 'paused',
  },
  {
    before: 'paused',
    first: ['resume'],
    second: ['resume'],
    firstFails: /container not paused: running/,
    secondFails: /container not paused: running/,
    winners: 1,
    after: () => 'running',
  },
  {
    before: 'running',
    first: ['update', '--pids-limit', '77'],
    second: ['update', '--memory', '100000000'],
    winners: 2,
    after: () => 'running',
  },
  {
    before: 'running',
    first: ['update', '--pids-limit', '77'],
    second: ['delete', '--force'],
    firstFails: /container does not exist|container not running: stopped/,
    after: () => 'nothing',
  },
  {
    before: 'stopped',
    first: ['delete'],
    second: ['delete'],
    firstFails: GONE,
    secondFails: GONE,
    winners: 1,
    after: () => 'nothing',
  },
  {
    before: 'running',
    first: ['delete', '--force'],
    second: ['delete', '--force'],
    winners: 2,
    after: () => 'nothing',
  },
  {
    before: 'stopped',
    first: ['delete'],
    second: ['create'],
    firstFails: /that is not stopped: (creating|created)/,
    secondFails: TAKEN,
    after: ([deleted, created]) => (created ? 'created' : deleted ? 'nothing' : undefined),
  },
  {
    before: 'running',
    first: ['delete', '--force'],
    second: ['create'],
    secondFails: new RegExp(`${TAKEN.source}|${KILLED.source}`),
    after: ([, created]) => (created ? undefined : 'nothing'),
  },
];

const EXEC_FAILED =
  /^tinyrun: exec failed: ([^\n]*it was killed; the container has ended|cannot exec in a (stopped|paused) container|container does not exist|container [^ ]+ was paused or deleted just now|[^\n]+: E(SRCH|NOENT|NODEV|NOMEM) )/;
pairs.push(
  ...(
    [
      ['kill', 'KILL'],
      ['delete', '--force'],
    ] as const
  ).map(
    (second): Pair => ({
      before: 'running',
      first: ['exec', '/payload', 'true'],
      second,
      firstFails: EXEC_FAILED,
      after: () => (second[0] === 'kill' ? 'stopped' : 'nothing'),
    }),
  ),
  {
    before: 'running',
    first: ['exec', '--detach', '/payload', 'sleep', '60'],
    second: ['delete', '--force'],
    firstFails: EXEC_FAILED,
    after: () => 'nothing',
  },
  {
    before: 'paused',
    first: ['exec', '/payload', 'true'],
    second: ['resume'],
    firstFails: EXEC_FAILED,
    after: () => 'running',
  },
);

/** Words of a verb for the bundle's container. */
const wordsOf = ({ dir, id }: Bundle, [verb, ...rest]: Verb): string[] => {
  if (verb === 'kill') return [verb, id, ...rest];
  if (verb === 'exec') {
    const program = rest.indexOf('/payload');
    return [verb, ...rest.slice(0, program), id, ...rest.slice(program)];
  }
  const bundle = verb === 'create' || verb === 'run' ? ['--bundle', dir] : [];
  return [verb, ...rest, ...bundle, id];
};

/** Makes the container as it shall be before. */
async function prepare(bundle: Bundle, before: Before): Promise<void> {
  if (before === 'nothing') return;
  await succeeds(bundle, ...wordsOf(bundle, ['create']));
  if (before === 'created') return;
  await succeeds(bundle, 'start', bundle.id);
  if (before === 'paused') await succeeds(bundle, 'pause', bundle.id);
  if (before !== 'stopped') return;
  const state = await stateOf(bundle);
  await succeeds(bundle, 'kill', bundle.id, 'KILL');
  await until('it is stopped', () => hasEnded(state!.pid));
}

const hasEnded = (pid: number): boolean =>
  !existsSync(`/proc/${pid}/stat`) || / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** One round: the second begins somewhat later, each time a little more. */
async function race(bundle: Bundle, pair: Pair, round: number): Promise<void> {
  await prepare(bundle, pair.before);
  const later = async (verb: Verb, milliseconds: number): Promise<Result> => {
    await Bun.sleep(milliseconds);
    return say(bundle, ...wordsOf(bundle, verb));
  };
  const ahead = (round % 16) - 4;
  const results = await Promise.all([
    later(pair.first, Math.max(0, -ahead)),
    later(pair.second, Math.max(0, ahead)),
  ]);
  const won = results.map((result, i) => {
    const fails = [pair.firstFails, pair.secondFails][i];
    if (fails !== undefined) return hasWon(result, fails);
    assertSucceeds(result);
    return true;
  });
  if (pair.winners !== undefined)
    assert.is(won.filter(Boolean).length, pair.winners, JSON.stringify(results));
  const after = pair.after?.(won);
  if (after !== undefined) {
    const status = async () => (await stateOf(bundle))?.status ?? 'nothing';
    let now = await status();
    // A killed init is not gone at once.
    for (let tries = 0; now !== after && tries < 500; tries++) {
      await Bun.sleep(5);
      now = await status();
    }
    assert.is(now, after, JSON.stringify(results));
  }
  const list = await say(bundle, 'list');
  assert.is(list.stderr, '');
  await succeeds(bundle, 'delete', '--force', bundle.id);
  await until('nothing is left', () => leftovers(bundle).length === 0);
}

for (const pair of pairs)
  test(`${pair.before}: ${pair.first.join(' ')} and ${pair.second.join(' ')} at once`, async () => {
    const worker = (first: number) =>
      withBundle(
        async (bundle) => {
          for (let round = first; round < ROUNDS; round += WORKERS) await race(bundle, pair, round);
        },
        { config: ({ process }) => Object.assign(process, { args: ['/payload', 'trap'] }) },
      );
    const results = await Promise.allSettled(Array.from({ length: WORKERS }, (_, i) => worker(i)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  });

test('poststop hooks run once, however many callers delete the container', () =>
  withBundle(async (bundle) => {
    const counted = join(bundle.dir, 'hooks');
    const script = `echo >> ${counted}`;
    bundle.config.hooks = { poststop: [{ path: '/bin/sh', args: ['sh', '-c', script] }] };
    writeFileSync(join(bundle.dir, 'config.json'), JSON.stringify(bundle.config));
    for (let round = 0; round < ROUNDS / 2; round++) {
      writeFileSync(counted, '');
      await succeeds(bundle, 'create', '--bundle', bundle.dir, bundle.id);
      const flags = round % 2 === 0 ? ['--force'] : [];
      if (round % 2 === 1) {
        const state = await stateOf(bundle);
        await succeeds(bundle, 'kill', bundle.id, 'KILL');
        await until('it is stopped', () => hasEnded(state!.pid));
      }
      const all = await Promise.all([1, 2, 3].map(() => say(bundle, 'delete', ...flags, bundle.id)));
      for (const result of all) hasWon(result, GONE);
      assert.is(readFileSync(counted, 'utf8'), '\n');
      assert.equal(leftovers(bundle), []);
    }
  }));

test.run();
