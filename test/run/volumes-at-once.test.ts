// A hundred processes that run containers with the same few volumes at once, while others create, remove and prune those: each
// has its volume or a clear error, and nothing is left. What the store alone makes of it: test/volume/at-once.test.ts.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Result, withBundle } from '../support/bundle.ts';
import { type Store, withStore } from '../support/store.ts';
import { mountsIn } from '../support/volumes.ts';

const PROCESSES = 100;

interface Done extends Result {
  words: readonly string[];
}

/** Starts all commands, and waits for all. */
const atOnce = ({ start }: Store, commands: readonly (readonly string[])[]): Promise<Done[]> =>
  Promise.all(commands.map(async (words) => ({ words, ...(await start(...words)) })));

const names = (path: string): string[] =>
  existsSync(path) ? readdirSync(path).filter((name) => !name.startsWith('.')) : [];

/** All that containers and volumes may have left, but for the volumes. */
function assertNothingLeft({ root, dataRoot }: Store): void {
  assert.equal(mountsIn(dataRoot), []);
  for (const path of [root, join(dataRoot, 'containers'), join(dataRoot, 'containers/.unfinished')])
    assert.equal(names(path), [], path);
  assert.equal(readdirSync(join(dataRoot, 'volumes/.aside')), []);
}

/** How many use a volume that its driver mounts. */
function holders({ dataRoot }: Store, volume: string): number {
  const file = join(dataRoot, 'volumes', volume, 'mounts.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).holders.length : 0;
}

const withBoth = (use: (store: Store, bundle: string) => Promise<void>): Promise<void> =>
  withBundle(({ dir }) => withStore((store) => use(store, dir)));

const IN_MEMORY = ['-o', 'type=tmpfs', '-o', 'device=tmpfs'];

test('a hundred run with volumes that others make, remove and prune: each has its volumes', () =>
  withBoth(async (store, bundle) => {
    const { out, dataRoot } = store;
    out('volume', 'create', '--label', 'keep', 'counted');
    const count = ['-v', 'counted:/c'];
    const turns: readonly ((i: number) => string[])[] = [
      (i) => ['run', '--rm', '-v', 'aa:/a', ...count, bundle, '--', '/payload', 'write', `/c/${i}`, ''],
      (i) => [
        'run',
        '-v',
        'bb:/b',
        '-v',
        '/nameless',
        ...count,
        bundle,
        '--',
        '/payload',
        'write',
        `/c/${i}`,
        '',
      ],
      (i) => ['run', '--rm', '-v', 'bb:/b', '-v', '/nameless', ...count, 'bb', 'touch', `/c/${i}`],
      () => ['volume', 'create', 'aa'],
      () => ['volume', 'create', ...IN_MEMORY, 'bb'],
      () => ['volume', 'rm', 'aa'],
      () => ['volume', 'rm', 'bb'],
      () => ['volume', 'prune', '-a', '-f', '--filter', 'label!=keep'],
    ];
    const commands = Array.from({ length: PROCESSES }, (_, i) => turns[i % turns.length]!(i));
    const done = await atOnce(store, commands);
    for (const { words, code, stderr } of done) {
      const refused = /^tinyrun: (get \w+: no such volume|remove \w+: volume is in use - [^\n]+)\n$/;
      if (words[1] === 'rm' && code !== 0) assert.match(stderr, refused);
      else assert.equal([code, stderr], [0, ''], words.join(' '));
    }
    const runs = done.filter(({ words }) => words[0] === 'run').length;
    assert.is(names(join(dataRoot, 'volumes/counted/_data')).length, runs);
    assertNothingLeft(store);
    assert.is(holders(store, 'bb'), 0);
    for (const name of ['aa', 'bb', 'counted']) out('volume', 'rm', '-f', name);
    assert.equal(names(join(dataRoot, 'volumes')), [], 'nor volumes without names');
  }));

test('a hundred run one name with one volume: one gets it, the others are told, and one uses the volume', () =>
  withBoth(async (store, bundle) => {
    const { out, t, dataRoot } = store;
    out('volume', 'create', ...IN_MEMORY, 'shared');
    const words = ['run', '--name', 'one', '-v', 'shared:/s', '-v', '/nameless', bundle];
    const done = await atOnce(
      store,
      Array.from({ length: PROCESSES }, () => words),
    );
    const lost = done.filter(({ code }) => code !== 0);
    assert.is(lost.length, PROCESSES - 1);
    for (const { stderr } of lost)
      assert.is(stderr, 'tinyrun: container with given ID already exists: one\n');
    assert.equal(names(store.root), ['one']);
    assert.match(t('volume', 'rm', 'shared').stderr, 'volume is in use - [one]');
    assert.is(names(join(dataRoot, 'volumes')).length, 2, 'one without a name, of the winner');
    out('delete', 'one');
    assertNothingLeft(store);
    out('volume', 'rm', 'shared');
    assert.is(
      out('volume', 'prune', '-f')
        .split('\n')
        .filter((line) => /^[0-9a-f]{64}$/.test(line)).length,
      1,
    );
  }));

test.run();
