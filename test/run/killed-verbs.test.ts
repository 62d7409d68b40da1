// SIGKILL in the middle of commands that work on a container that is there: before each system call that changes
// something, by strace(1); without it, at some times. Whatever is left, the same command can be given again, `list` has
// no word to say, and `delete --force` gets rid of all. With JavaScript and with programs (plan/verbs.ts). A sample of
// the calls; all of them with TINYRUN_TEST_ALL=1.

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, withBundle } from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { leftovers } from '../support/refusal.ts';
import { hasEnded } from '../support/steps.ts';
import { hasWon, say, sayVia, share, stateOf, succeeds } from '../support/verbs.ts';

const MOST = process.env['TINYRUN_TEST_ALL'] === '1' ? Number.POSITIVE_INFINITY : 10;
/** Bundles that are worked on at once. */
const WORKERS = 2;
const strace = Bun.which('strace');
const CALLS = 'flock,unlinkat,write,renameat2,mkdirat,pidfd_send_signal,kill,openat';

type Status = 'created' | 'running' | 'paused' | 'stopped' | 'killed';

interface Killed {
  words: readonly string[];
  before: Status;
  /** The status when the command has been given once more; undefined: the container is gone. */
  after: string | undefined;
  /** What it may say then: the first time it had done its work. */
  again?: RegExp;
}

const cases: Killed[] = [
  {
    words: ['start'],
    before: 'created',
    after: 'running',
    again: /cannot start an already running container/,
  },
  { words: ['kill', 'KILL'], before: 'running', after: 'stopped', again: /container not running: stopped/ },
  { words: ['delete'], before: 'stopped', after: undefined, again: /container does not exist/ },
  { words: ['delete', '--force'], before: 'running', after: undefined },
  { words: ['delete', '--force'], before: 'paused', after: undefined },
  { words: ['pause'], before: 'running', after: 'paused', again: /container not running: paused/ },
  { words: ['resume'], before: 'paused', after: 'running', again: /container not paused: running/ },
  { words: ['update', '--pids-limit', '99'], before: 'running', after: 'running' },
  { words: ['list'], before: 'killed', after: undefined },
];

const wordsOf = ({ id }: Bundle, [verb = '', ...rest]: readonly string[]): string[] => {
  if (verb === 'list') return [verb];
  return verb === 'kill' ? [verb, id, ...rest] : [verb, ...rest, id];
};

/** Makes a container, with an overlay every other time. */
async function prepare(bundle: Bundle, before: Status, round: number): Promise<void> {
  const flags = round % 2 === 0 ? [] : ['--overlay'];
  const where = ['--bundle', bundle.dir, bundle.id];
  if (before === 'killed') return await leave(bundle, [...flags, ...where]);
  await succeeds(bundle, 'create', ...flags, ...where);
  if (before === 'created') return;
  await succeeds(bundle, 'start', bundle.id);
  if (before === 'paused') await succeeds(bundle, 'pause', bundle.id);
  if (before !== 'stopped') return;
  const { pid = 0 } = (await stateOf(bundle)) ?? {};
  await succeeds(bundle, 'kill', bundle.id, 'KILL');
  await until('it is stopped', () => hasEnded(pid));
}

/** The leftover of a `run` that was killed. */
async function leave(bundle: Bundle, words: readonly string[]): Promise<void> {
  const script = 'exec 3>&1 >/dev/null 2>&1; "$@" & echo $! >&3';
  const host = Number((await sayOf(bundle, ['sh', '-c', script, 'sh'], ['run', ...words])).trim());
  let pid = 0;
  for (let tries = 0; pid === 0 && tries < 1000; tries++) pid = (await stateOf(bundle))?.pid ?? 0;
  process.kill(host, 'SIGKILL');
  await until('its container has ended', () => hasEnded(pid));
}

const sayOf = async (bundle: Bundle, via: readonly string[], words: readonly string[]): Promise<string> =>
  (await sayVia(bundle, via, words)).stdout;

/** What keeps the launcher from using a program, and is of no matter to these commands otherwise. */
const JAVASCRIPT = 'NOTIFY_SOCKET=/nowhere';
type By = 'JavaScript' | 'programs';

/** A system call: the n-th of this name that a process makes. */
interface Call {
  name: string;
  n: number;
}

/** The calls of the process that makes most, from the first on that has to do with the state root. */
async function listCalls(bundle: Bundle, by: By, words: readonly string[]): Promise<Call[]> {
  if (strace === null) return Array.from({ length: 20 }, (_, n) => ({ name: 'milliseconds', n }));
  const file = join(bundle.dir, 'calls');
  await sayVia(bundle, [...traced(strace, by), '-o', file, '-e', `trace=${CALLS}`], words);
  const lines = Map.groupBy(readFileSync(file, 'utf8').matchAll(/^(\d+) +(\w+)\(.*$/gm), ([, pid]) => pid);
  rmSync(file);
  const [most = []] = [...lines.values()].toSorted((a, b) => b.length - a.length);
  const first = most.findIndex(([line]) => line.includes(bundle.root));
  assert.ok(first >= 0 && most.length - first > 2, 'there are some calls');
  const names = most.map(([, , name = '']) => name);
  const calls = names.map((name, i) => ({
    name,
    n: names.slice(0, i + 1).filter((one) => one === name).length,
  }));
  return calls.slice(first);
}

const traced = (program: string, by: By): string[] => [
  ...[program, '-f', '-qq'],
  ...(by === 'JavaScript' ? ['-E', JAVASCRIPT] : []),
];

/** Runs a command that is killed before such a call; without strace, after some time. */
async function kill(bundle: Bundle, by: By, words: string[], { name, n }: Call): Promise<void> {
  const inject = ['-e', `trace=${name}`, '-e', `inject=${name}:signal=KILL:when=${n}`];
  const killer =
    strace === null
      ? ['env', JAVASCRIPT, 'timeout', '--signal=KILL', `${n / 2000}`]
      : [...traced(strace, by), '-o', '/dev/null', ...inject];
  const { code } = await sayVia(bundle, killer, words);
  if (strace !== null && by === 'JavaScript') assert.is(code, 137, `${name} ${n}`);
}

async function round(bundle: Bundle, how: Killed, by: By, call: Call, index: number): Promise<void> {
  const words = wordsOf(bundle, how.words);
  const at = `killed before ${call.name} ${call.n}`;
  await prepare(bundle, how.before, index);
  await kill(bundle, by, words, call);
  const list = await say(bundle, 'list', '--quiet');
  assert.equal([list.code, list.stderr], [0, ''], at);
  await stateOf(bundle); // says it, or that there is none
  if (index % 2 === 0) {
    const again = await say(bundle, ...words);
    if (again.code === 0 || how.again === undefined) assert.equal([again.code, again.stderr], [0, '']);
    else hasWon(again, how.again);
    let status = (await stateOf(bundle))?.status;
    for (let tries = 0; status !== how.after && tries < 200; tries++) {
      await Bun.sleep(5);
      status = (await stateOf(bundle))?.status;
    }
    assert.is(status, how.after, at);
  }
  await succeeds(bundle, 'delete', '--force', bundle.id);
  await until(`nothing is left, ${at}`, () => leftovers(bundle).length === 0);
}

const asTrap = (config: Config): void => {
  config.process.args = ['/payload', 'trap'];
};

for (const by of ['JavaScript', 'programs'] as const)
  for (const how of cases) {
    if (by === 'programs' && !['start', 'kill', 'delete'].includes(how.words[0]!)) continue;
    test(`${how.words.join(' ')} of what is ${how.before}, by ${by}, can be killed at any call`, () =>
      share(WORKERS, WORKERS, (worker) =>
        withBundle((bundle) => atCalls(bundle, how, by, worker), { config: asTrap }),
      ));
  }

/** One worker's share of the calls. */
async function atCalls(bundle: Bundle, how: Killed, by: By, worker: number): Promise<void> {
  const words = wordsOf(bundle, how.words);
  const whole = async (use: () => Promise<unknown>) => {
    await prepare(bundle, how.before, 0);
    await use();
    await succeeds(bundle, 'delete', '--force', bundle.id);
  };
  await whole(() => succeeds(bundle, ...words)); // the program is made
  let calls: Call[] = [];
  await whole(async () => {
    calls = await listCalls(bundle, by, words);
  });
  const step = Math.max(1, calls.length / MOST);
  const sample = calls.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
  for (let i = worker; i < sample.length; i += WORKERS) await round(bundle, how, by, sample[i]!, i);
}

test.run();
