// kill -9 at any moment of making, starting and removing a container: the next command finds it whole, or takes away what is
// left. And a reboot.

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCgroups, removeCgroup } from '../support/cgroup.ts';
import { all } from '../support/killed.ts';
import { leftOf, type Store, withStore } from '../support/store.ts';

/** Milliseconds after which it is killed: a command takes some tens. */
const MOMENTS = Array.from({ length: all ? 120 : 24 }, (_, i) => (all ? i : i * 4));

async function killAfter(store: Store, delay: number, ...words: string[]): Promise<void> {
  const child = store.spawn(...words);
  await Bun.sleep(delay);
  child.kill('SIGKILL');
  await child.exited;
}

/** What the next command does: it makes a container, which it may keep. */
function next(store: Store): void {
  store.out('rm', store.out('create', 'bb'));
}

async function nothingSoon(store: Store): Promise<void> {
  for (let tries = 0; leftOf(store).length > 0 && tries < 200; tries++) {
    await Bun.sleep(25);
    next(store);
  }
  assert.equal(leftOf(store), []);
}

test('create: it is there as a whole, or not at all', async () => {
  await withStore(async (store) => {
    for (const delay of MOMENTS) {
      await killAfter(store, delay, 'create', '--name', 'one', '-v', '/d', 'bb', 'true');
      next(store);
      if (store.t('start', 'one').code === 0) store.out('rm', '-f', '-v', 'one');
      assert.equal(leftOf(store), [], `killed after ${delay} ms`);
    }
    assert.is(store.out('volume', 'ls', '-q'), '');
  });
});

test('run --rm: it ends by itself, and goes', async () => {
  await withStore(async (store) => {
    for (const delay of MOMENTS) {
      await killAfter(store, delay, 'run', '--rm', '-v', '/d', 'bb', 'true');
      await nothingSoon(store);
    }
    assert.is(store.out('volume', 'ls', '-q'), '');
  });
});

test('rm: a second one, or anybody’s next command, does the rest', async () => {
  await withStore(async (store) => {
    for (const delay of MOMENTS) {
      store.out('create', '--name', 'one', '-v', '/d', 'bb', 'true');
      await killAfter(store, delay, 'rm', '-v', 'one');
      next(store);
      if (store.t('start', 'one').code === 0) store.out('rm', '-f', '-v', 'one');
      assert.equal(leftOf(store), [], `killed after ${delay} ms`);
      assert.is(store.out('volume', 'ls', '-q'), '');
    }
  });
});

/** Kills the host program of a container, which is the parent of its process: that ends with it. */
async function killMonitor(store: Store, id: string): Promise<void> {
  const { pid } = JSON.parse(store.out('state', id));
  const status = await Bun.file(`/proc/${pid}/status`).text();
  process.kill(Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), 'SIGKILL');
  for (let tries = 0; existsSync(`/proc/${pid}`) && tries < 200; tries++) await Bun.sleep(10);
}

/** The state root, cgroups and all processes are gone; the data root is what it was. */
async function reboot(store: Store): Promise<void> {
  for (const id of readdirSync(store.root).filter((name) => !name.startsWith('.'))) {
    const { pid } = JSON.parse(store.out('state', id));
    const cgroups = [...parseCgroups(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).values()];
    await killMonitor(store, id);
    for (const path of new Set(cgroups)) if (path.endsWith(id)) removeCgroup(path);
  }
  rmSync(store.root, { recursive: true });
}

test('after a reboot what was running has ended, starts again, and what was to go at its end goes', async () => {
  await withStore(async (store) => {
    store.out('run', '-d', '--name', 'stays', 'bb', 'sleep', '100');
    store.out('run', '-d', '--rm', '--name', 'goes', 'bb', 'sleep', '100');
    store.out('create', '--rm', '--name', 'new', 'bb', 'true');
    await reboot(store);
    assert.match(
      store.out('ps', '-a', '--format', '{{.Names}} {{.Status}}'),
      /stays Exited \(255|stays Exited \(137/,
    );
    next(store);
    assert.equal(readdirSync(join(store.dataRoot, 'names')).sort(), ['new', 'stays']);
    assert.is(store.out('start', 'stays'), 'stays');
    store.out('rm', '-f', 'stays', 'new');
    assert.equal(leftOf(store), []);
  });
});

test('the host program is killed: its container ends, and starts again', async () => {
  await withStore(async (store) => {
    const id = store.out('run', '-d', '--name', 'one', 'bb', 'sleep', '100');
    await killMonitor(store, id);
    assert.is(store.out('start', id), id);
    store.out('rm', '-f', 'one');
    assert.equal(leftOf(store), []);
  });
});

test.run();
