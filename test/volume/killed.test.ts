// kill -9 at any moment: each command is killed at every system call that changes something, one after the other, by
// strace. The next command repairs what was left; no data is lost that nobody asked to remove.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/container.ts';
import { skip } from '../support/skip.ts';
import { leftAside, mountsIn, type Store, storeCommand, withStore } from '../support/volumes.ts';

/** The system calls by which anything is changed; `write` only writes to files that nobody sees yet. */
const CHANGES = [
  ...['mkdirat', 'fchmod', 'fchmodat', 'flock', 'ftruncate', 'renameat2', 'unlinkat', 'fsync'],
  ...['fsopen', 'fsmount', 'move_mount', 'umount2', 'ioctl', 'copy_file_range', 'linkat', 'fchownat'],
];
const MOST = 400;

/** Runs a command that is killed as it makes this call for the Nth time. Returns whether it lived to its end. */
function runKilled(store: Store, args: readonly string[], call: string, when: number): boolean {
  const { code } = runCommand([
    ...['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`],
    ...['-e', `inject=${call}:signal=KILL:when=${when}`],
    ...storeCommand(store.top, args),
  ]);
  return code === 0;
}

/** Kills a command at each of its changes, in a store that is as `prepare` leaves it, and checks what the next one finds. */
async function killEverywhere(
  name: string,
  prepare: (store: Store) => void,
  args: readonly string[] | ((store: Store) => readonly string[]),
  check: (store: Store, lived: boolean) => void | Promise<void>,
): Promise<void> {
  if (Bun.which('strace') === null) return skip(name, 'strace is not installed');
  let kills = 0;
  for (const call of CHANGES)
    for (let when = 1, lived = false; !lived; when++) {
      assert.ok(when < MOST, 'it never lives');
      await withStore(async (store) => {
        prepare(store);
        lived = runKilled(store, typeof args === 'function' ? args(store) : args, call, when);
        await check(store, lived);
        store.output('create', 'next');
        store.output('rm', '-f', 'next');
        assert.equal(leftAside(store), [], `killed at ${call} ${when}`);
        for (const left of readdirSync(store.volumes).filter((entry) => entry !== '.aside'))
          assert.ok(JSON.parse(readFileSync(join(store.volumes, left, 'volume.json'), 'utf8')).driver, left);
      });
      if (!lived) kills++;
    }
  assert.ok(kills >= 3, `killed at ${kills} calls only`);
}

const kept = (store: Store, name: string): boolean => existsSync(join(store.data(name), 'kept'));
const fill = (store: Store, name: string, ...options: string[]): void => {
  store.output('create', ...options, name);
  writeFileSync(join(store.data(name), 'kept'), 'x');
};

test('create', () =>
  killEverywhere(
    'kill create',
    (store) => fill(store, 'other'),
    ['volume', 'create', 'new'],
    (store, lived) => {
      if (lived) store.output('inspect', 'new');
      assert.is(store.output('create', 'new'), 'new');
      assert.ok(kept(store, 'other'));
    },
  ));

test('create with a filesystem of its own', () =>
  killEverywhere(
    'kill create -o size',
    () => undefined,
    ['volume', 'create', '-o', 'size=4m', 'new'],
    (store) => {
      store.output('create', '-o', 'size=4m', 'new');
      store.output('mount', 'new');
      store.output('unmount', 'new');
    },
  ));

test('rm', () =>
  killEverywhere(
    'kill rm',
    (store) => {
      fill(store, 'gone');
      fill(store, 'other');
    },
    ['volume', 'rm', 'gone'],
    (store, lived) => {
      if (lived) assert.not(existsSync(join(store.volumes, 'gone')));
      // Either it is whole, or it is gone.
      assert.is(existsSync(join(store.volumes, 'gone')), kept(store, 'gone'));
      store.output('rm', '-f', 'gone');
      assert.ok(kept(store, 'other'));
    },
  ));

test('rename', () =>
  killEverywhere(
    'kill rename',
    (store) => fill(store, 'old'),
    ['volume', 'rename', 'old', 'new'],
    (store) => {
      assert.is(['old', 'new'].filter((name) => kept(store, name)).length, 1);
    },
  ));

test('mount and unmount', async () => {
  const create = (store: Store): string =>
    store.output('create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'mem');
  const check = (store: Store): void => {
    store.output('mount', 'mem');
    assert.equal(mountsIn(store.top), [store.data('mem')]);
    store.output('unmount', 'mem');
    assert.equal(mountsIn(store.top), []);
    store.output('rm', 'mem');
  };
  await killEverywhere('kill mount', (store) => create(store), ['volume', 'mount', 'mem'], check);
  const mounted = (store: Store): void => {
    create(store);
    store.output('mount', 'mem');
  };
  await killEverywhere('kill unmount', mounted, ['volume', 'unmount', 'mem'], check);
});

test('clone', () =>
  killEverywhere(
    'kill clone',
    (store) => {
      fill(store, 'from');
      writeFileSync(join(store.data('from'), 'large'), new Uint8Array(100_000).fill(1));
    },
    ['volume', 'clone', 'from', 'to'],
    (store) => {
      assert.ok(kept(store, 'from'));
      // It is whole, or not there.
      if (existsSync(join(store.volumes, 'to')))
        assert.equal(readdirSync(store.data('to')).sort(), ['kept', 'large']);
    },
  ));

test('clone into a filesystem of its own', () =>
  killEverywhere(
    'kill clone of a volume with a size',
    (store) => {
      store.output('create', '-o', 'size=4m', 'from');
      writeFileSync(join(store.output('mount', 'from'), 'kept'), 'x');
      store.output('unmount', 'from');
    },
    ['volume', 'clone', 'from', 'to'],
    (store) => {
      store.output('rm', '-f', 'to');
      store.output('mount', 'from');
      assert.ok(kept(store, 'from'));
      store.output('unmount', 'from');
      assert.equal(
        mountsIn(store.top).filter((path) => !path.includes('/.aside/')),
        [],
      );
    },
  ));

test('import', () =>
  killEverywhere(
    'kill import',
    (store) => {
      fill(store, 'old');
      writeFileSync(join(store.top, 'file'), 'x');
      runCommand(['tar', '-cf', join(store.top, 'a.tar'), '-C', store.top, 'file']);
    },
    (store) => ['volume', 'import', 'old', join(store.top, 'a.tar')],
    (store, lived) => {
      assert.ok(kept(store, 'old'));
      const [{ Status }] = JSON.parse(store.output('inspect', 'old'));
      const whole = existsSync(join(store.data('old'), 'file'));
      // What may be a part of the archive is told; without a word it is there, or nothing of it.
      assert.ok(Status !== undefined || whole || readdirSync(store.data('old')).length === 1);
      if (lived) assert.equal([Status, whole], [undefined, true]);
    },
  ));

test.run();
