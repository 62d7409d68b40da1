// SIGKILL in the middle of volume attach and volume detach: before each system call that changes something, of tinyrun and of
// the program that works in the container, by strace(1). Whatever is left, the next command goes on from there, and the end of
// the container undoes all. A sample of the calls; all of them with TINYRUN_TEST_ALL=1.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { dataOf, detach, inside, tinyrun, usesOf } from '../support/hot-mounts.ts';
import { leftovers } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';
import { sayVia } from '../support/verbs.ts';
import { mountsIn } from '../support/volumes.ts';

const MOST = process.env['TINYRUN_TEST_ALL'] === '1' ? Number.POSITIVE_INFINITY : 12;
const strace = Bun.which('strace');
const CALLS = [
  ...['symlinkat', 'mkdirat', 'renameat2', 'unlinkat', 'mount', 'umount2', 'clone3', 'setns'],
  ...['open_tree', 'move_mount', 'execve', 'exit_group', 'pipe2'],
];

interface Call {
  name: string;
  /** The n-th of this name that a process makes. */
  n: number;
}

/** The calls of all processes of a command, each once. */
async function listCalls(bundle: Bundle, words: readonly string[]): Promise<Call[]> {
  const file = join(bundle.dir, 'calls');
  await sayVia(bundle, [strace!, '-f', '-qq', '-o', file, '-e', `trace=${CALLS.join()}`], words);
  const counts = new Map<string, number>();
  const calls = readFileSync(file, 'utf8')
    .matchAll(/^(\d+) +(\w+)\(/gm)
    .map(([, pid, name = '']) => {
      const n = (counts.get(`${pid} ${name}`) ?? 0) + 1;
      counts.set(`${pid} ${name}`, n);
      return { name, n };
    });
  const distinct = new Map([...calls].map((call) => [`${call.name} ${call.n}`, call]));
  rmSync(file);
  assert.ok(distinct.size > 8, 'there are some');
  return [...distinct.values()];
}

const sample = (calls: readonly Call[]): Call[] => {
  const step = Math.max(1, calls.length / MOST);
  return calls.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
};

const killBefore = ({ name, n }: Call, bundle: Bundle, words: readonly string[]) =>
  sayVia(
    bundle,
    [
      ...[strace!, '-f', '-qq', '-o', '/dev/null', '-e', `trace=${name}`],
      ...['-e', `inject=${name}:signal=KILL:when=${n}`],
    ],
    words,
  );

/** A container that runs; what it was given is there, and undone at its end. */
async function whileRunning(bundle: Bundle, use: () => Promise<void>, at: string): Promise<void> {
  const container = startTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]);
  await until('it runs', () => runTinyrun(bundle, ['exec', bundle.id, '/payload', 'true']).code === 0);
  await use();
  runTinyrun(bundle, ['kill', bundle.id, 'KILL']);
  assert.is(await container.exited, 137, at);
  assert.equal(await new Response(container.stderr).text(), '', at);
  assert.equal(mountsIn(bundle.dataRoot), [], at);
  tinyrun(bundle, 'volume', 'prune', '-a', '-f'); // also an empty directory that says nothing
  assert.equal(leftovers(bundle), [], at);
  assert.equal(readdirSync(join(bundle.dataRoot, 'volumes')), ['.aside'], at);
}

const SPEC = 'memory:/data';
const createVolume = (bundle: Bundle) =>
  tinyrun(bundle, 'volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'memory');
const attached = (bundle: Bundle): void => {
  tinyrun(bundle, 'volume', 'attach', bundle.id, SPEC);
  assert.is(inside(bundle, 'cat', '/data/file'), 'of the rootfs');
  assert.is(readFileSync(dataOf(bundle, 'memory', 'file'), 'utf8'), 'of the rootfs');
};

/** What is done when a command was killed, in turn: it is given again; the other one is; the container ends. */
const goOn: readonly ((bundle: Bundle, at: string) => void)[] = [
  (bundle, at) => {
    const { code, stderr } = runTinyrun(bundle, ['volume', 'attach', bundle.id, SPEC]);
    if (code !== 0) assert.match(stderr, 'Duplicate mount point: /data', at);
    assert.is(inside(bundle, 'cat', '/data/file'), 'of the rootfs', at);
    assert.is(usesOf(bundle).length, 1, at);
    detach(bundle, bundle.id, '/data');
    assert.equal(usesOf(bundle), [], at);
    assert.equal(mountsIn(bundle.dataRoot), [], at);
  },
  (bundle, at) => {
    const { code, stderr } = runTinyrun(bundle, ['volume', 'detach', bundle.id, '/data']);
    if (code !== 0) assert.match(stderr, 'has no volume at /data', at);
    assert.equal(usesOf(bundle), [], at);
    assert.not(inside(bundle, 'mountinfo').includes(' /data '), at);
    attached(bundle);
  },
  () => {},
];

const prepared = (use: (bundle: Bundle) => Promise<void>): Promise<void> =>
  withBundle(async (bundle) => {
    mkdirSync(join(bundle.rootfs, 'data'));
    writeFileSync(join(bundle.rootfs, 'data/file'), 'of the rootfs');
    bundle.config.process.args = ['/payload', 'trap'];
    writeConfig(bundle);
    await use(bundle);
  });

if (strace === null) skip('volume attach and detach, killed at each call', 'strace is missing');
else
  for (const verb of ['attach', 'detach'] as const)
    test(`volume ${verb}, killed at each call: the next command goes on, and the end undoes all`, () =>
      prepared(async (bundle) => {
        const words = ['volume', verb, bundle.id, verb === 'attach' ? SPEC : '/data'];
        const before = (): void => {
          createVolume(bundle);
          if (verb === 'detach') attached(bundle);
        };
        let calls: Call[] = [];
        await whileRunning(
          bundle,
          async () => {
            before();
            calls = await listCalls(bundle, words);
          },
          'not killed',
        );
        for (const [i, call] of sample(calls).entries()) {
          const at = `killed before ${call.name} ${call.n}`;
          const work = async () => {
            before();
            await killBefore(call, bundle, words);
            goOn[i % goOn.length]!(bundle, at);
          };
          await whileRunning(bundle, work, at);
        }
      }));

test.run();
