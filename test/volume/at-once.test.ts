// Many processes that create, use, rename and remove the same volumes at once: the store is whole afterwards, and all that
// they were told are Docker's errors.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leftAside, mountsIn, storeCommand, withStore } from '../support/volumes.ts';

const PROCESSES = 100;

interface Done {
  code: number;
  stdout: string;
  stderr: string;
}

/** Starts all commands, then waits for all. */
async function atOnce(top: string, commands: readonly (readonly string[])[]): Promise<Done[]> {
  const started = commands.map((args) =>
    Bun.spawn(storeCommand(top, args), { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' }),
  );
  return Promise.all(
    started.map(async (child) => ({
      stdout: await new Response(child.stdout).text(),
      stderr: await new Response(child.stderr).text(),
      code: await child.exited,
    })),
  );
}

test('a hundred create one name: all have it, one has made it', () =>
  withStore(async ({ top, output, ...store }) => {
    const commands = Array.from({ length: PROCESSES }, (_, i) => [
      'volume',
      'create',
      '--label',
      `by=${i}`,
      'one',
    ]);
    const done = await atOnce(top, commands);
    assert.equal(
      [...new Set(done.map(({ stdout, stderr, code }) => `${code} ${stderr}${stdout}`))],
      ['0 one\n'],
    );
    assert.equal(leftAside({ top, output, ...store }), []);
    assert.match(output('inspect', '-f', '{{json .Labels}}', 'one'), /^\{"by":"\d+"\}$/);
  }));

test('a hundred remove one name: it is gone, and one of them has done it', () =>
  withStore(async (store) => {
    store.output('create', 'one');
    for (let i = 0; i < 100; i++) writeFileSync(join(store.data('one'), `file${i}`), '');
    const done = await atOnce(
      store.top,
      Array.from({ length: PROCESSES }, () => ['volume', 'rm', 'one']),
    );
    const winners = done.filter(({ code }) => code === 0);
    assert.is(winners.length, 1);
    for (const { stderr, code } of done)
      if (code !== 0)
        assert.match(
          stderr,
          /^tinyrun: (get one: no such volume|remove one: volume is in use - another tinyrun)/,
        );
    assert.equal(readdirSync(store.volumes), ['.aside']);
    assert.equal(leftAside(store), []);
  }));

test('a hundred that create, use, rename, list, prune and remove the same names', () =>
  withStore(async (store) => {
    store.output('create', 'precious');
    writeFileSync(join(store.data('precious'), 'kept'), 'x');
    const turns: readonly (readonly string[])[] = [
      ['create', 'aa'],
      ['create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'bb'],
      ['rm', 'aa'],
      ['mount', 'bb'],
      ['unmount', 'bb'],
      ['rename', 'aa', 'cc'],
      ['rename', 'cc', 'aa'],
      ['ls'],
      ['rm', '-f', 'bb'],
      ['create'],
      ['prune', '-f'],
      ['inspect', 'aa'],
    ];
    const commands = Array.from({ length: PROCESSES }, (_, i) => [
      'volume',
      ...turns[(i * 7) % turns.length]!,
    ]);
    const expected =
      /^(tinyrun: (get \w+: no such volume|remove \w+: volume is in use - .*|rename \w+: (a volume \w+ is there already|volume is in use - .*))\n)?$/;
    for (const { stderr } of await atOnce(store.top, commands)) assert.match(stderr, expected, stderr);
    assert.ok(existsSync(join(store.data('precious'), 'kept')));
    if (store.volume('exists', 'bb').code === 0) store.output('unmount', 'bb');
    assert.equal(mountsIn(store.top), []);
    for (const name of ['aa', 'bb', 'cc']) store.output('rm', '-f', name);
    store.output('prune', '-f');
    assert.equal(leftAside(store), []);
    assert.equal(readdirSync(store.volumes).sort(), ['.aside', 'precious']);
  }));

test.run();
