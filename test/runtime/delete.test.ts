import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { close } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../../src/errors.ts';
import { deleteContainer } from '../../src/runtime/delete.ts';
import { lockContainer } from '../../src/runtime/removal.ts';
import { readContainer } from '../../src/runtime/store.ts';
import { ENDED, type StateRoot, withStateRoot } from './state-root.ts';

/** Deletes with roots of the test's own and no log. */
const remove = (roots: Pick<StateRoot, 'root' | 'dataRoot'>, id: string, force: boolean): Promise<void> =>
  deleteContainer(
    {
      root: roots.root,
      dataRoot: roots.dataRoot,
      log: undefined,
      logFormat: 'text',
      debug: false,
      rootless: 'auto',
      cgroupManager: 'cgroupfs',
    },
    id,
    force,
  );

const messageOf = async (act: () => Promise<unknown>): Promise<string> => {
  try {
    await act();
  } catch (error) {
    if (error instanceof TinyrunError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
};

/** Runs a process that stands for a container's init, and ends it. */
async function withProcess(use: (child: ChildProcess, pid: number) => void | Promise<void>): Promise<void> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  try {
    await use(child, child.pid!);
  } finally {
    child.kill('SIGKILL');
  }
}

test('deleteContainer: a stopped container goes, with its own files', async () => {
  await withStateRoot(async (roots) => {
    roots.add('c1', { ...ENDED, dataDirectory: roots.addData('c1') });
    await remove(roots, 'c1', false);
    assert.equal(readdirSync(roots.root), []);
    assert.equal(readdirSync(join(roots.dataRoot, 'containers')), []);
  });
});

test('deleteContainer: directories of resource control go, and one that is gone already is no error', async () => {
  await withStateRoot(async (roots) => {
    const [group, gone] = [join(roots.dataRoot, 'group'), join(roots.dataRoot, 'gone')];
    mkdirSync(group);
    roots.add('c1', { ...ENDED, resctrl: [gone, group] });
    await remove(roots, 'c1', false);
    assert.equal([readdirSync(roots.root), readdirSync(roots.dataRoot)], [[], ['containers']]);
  });
});

test('deleteContainer: an unknown id is an error, but not with force', async () => {
  await withStateRoot(async (roots) => {
    assert.is(await messageOf(() => remove(roots, 'c1', false)), 'NOT_FOUND container does not exist: c1');
    await remove(roots, 'c1', true);
    await remove({ ...roots, root: `${roots.root}/missing` }, 'c1', true);
  });
});

test('deleteContainer: a running container stays', async () => {
  await withStateRoot(async (roots) => {
    roots.add('c1');
    assert.is(
      await messageOf(() => remove(roots, 'c1', false)),
      'STATE cannot delete container c1 that is not stopped: running',
    );
    assert.is(readContainer(roots.root, 'c1').state.status, 'running');
  });
});

test('deleteContainer: with force a running container is killed', async () => {
  await withProcess(async (child, pid) => {
    await withStateRoot(async (roots) => {
      roots.add('c1', { pid });
      const exit = once(child, 'exit');
      await remove(roots, 'c1', true);
      assert.equal(readdirSync(roots.root), []);
      assert.equal(await exit, [null, 'SIGKILL']);
    });
  });
});

test('deleteContainer: with force a process that only has the pid of an ended init lives on', async () => {
  await withProcess(async (child, pid) => {
    await withStateRoot(async (roots) => {
      roots.add('c1', { pid, stat: ENDED.stat });
      await remove(roots, 'c1', true);
      assert.equal(readdirSync(roots.root), []);
    });
    assert.is(process.kill(pid, 0), true);
    assert.is(child.exitCode, null);
  });
});

test('deleteContainer: one that is being made is not stopped', async () => {
  await withStateRoot(async (roots) => {
    mkdirSync(join(roots.root, 'c1'), 0o711);
    const lock = lockContainer(roots.root, 'c1');
    const message = 'STATE cannot delete container c1 that is not stopped: creating';
    assert.is(await messageOf(() => remove(roots, 'c1', false)), message);
    if (typeof lock !== 'string') close(lock.fd);
  });
});

test('deleteContainer: with force, one that is being made is waited for, and goes', async () => {
  await withStateRoot(async (roots) => {
    const directory = join(roots.root, 'c1');
    mkdirSync(directory, 0o711);
    const script = 'echo locked; sleep 0.2; echo unlocked';
    const maker = spawn('flock', [directory, '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    maker.stdout.on('data', (text) => {
      said += text;
    });
    await once(maker.stdout, 'data');
    await remove(roots, 'c1', true);
    await once(maker, 'exit');
    assert.is(said, 'locked\nunlocked\n');
    assert.equal(readdirSync(roots.root), []);
  });
});

test('deleteContainer: of a damaged one, init is known by init.stat, and with force all goes', async () => {
  await withProcess(async (child, pid) => {
    await withStateRoot(async (roots) => {
      for (const damage of ['', '{"id":', '{"id":"c2"}']) {
        const directory = roots.add('c1', damage === '' ? { pid } : {});
        if (damage !== '') writeFileSync(join(directory, 'init.stat'), 'no process');
        writeFileSync(join(directory, 'state.json'), damage);
        roots.addData('c1');
        const message = `HOST read state of container c1: ${directory}/state.json is damaged`;
        assert.is(await messageOf(() => remove(roots, 'c1', false)), message);
        await remove(roots, 'c1', true);
        assert.equal(readdirSync(roots.root), []);
        assert.equal(readdirSync(join(roots.dataRoot, 'containers')), []);
      }
    });
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.is(child.signalCode, 'SIGKILL');
  });
});

test('deleteContainer: a directory that is no container stays, also with force', async () => {
  await withStateRoot(async (roots) => {
    const directory = join(roots.root, 'home');
    mkdirSync(join(directory, 'letters'), { recursive: true });
    const message = `HOST ${directory} is no container: "letters" is in it`;
    for (const state of ['', '{"id":"home"}']) {
      if (state !== '') writeFileSync(join(directory, 'state.json'), state);
      assert.is(await messageOf(() => remove(roots, 'home', true)), message);
      assert.ok(readdirSync(directory).includes('letters'));
    }
  });
});

test('deleteContainer: a half-made leftover goes', async () => {
  await withStateRoot(async (roots) => {
    mkdirSync(join(roots.root, 'c1'), 0o711);
    roots.addData('c1');
    await remove(roots, 'c1', false);
    assert.equal(readdirSync(roots.root), []);
    assert.equal(readdirSync(join(roots.dataRoot, 'containers')), []);
  });
});

test.run();
