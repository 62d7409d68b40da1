// What was attached to a container that had no volumes when it was made goes with it, as if it had been run with them: however
// it was made, whoever ends it.

import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { output, until } from '../support/container.ts';
import { launched } from '../support/launched.ts';
import { leftovers } from '../support/refusal.ts';
import { hasEnded } from '../support/steps.ts';
import { type Store, withStore } from '../support/store.ts';
import { say, stateOf, succeeds } from '../support/verbs.ts';
import { mountsIn } from '../support/volumes.ts';

const tinyrun = (bundle: Bundle, ...words: string[]) => output(runTinyrun(bundle, words));

/** Attaches a volume that its driver mounts, and one without a name. */
function attachTwo(bundle: Bundle): void {
  tinyrun(bundle, 'volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'memory');
  tinyrun(bundle, 'volume', 'attach', bundle.id, 'memory:/memory');
  tinyrun(bundle, 'volume', 'attach', bundle.id, '/anonymous');
  assert.is(mountsIn(bundle.dataRoot).length, 1);
}

/** What is there without any command that repairs. */
function assertUndone(bundle: Bundle, volumes: number): void {
  assert.equal(mountsIn(bundle.dataRoot), [], 'the driver has unmounted its volume');
  const containers = join(bundle.dataRoot, 'containers');
  assert.equal(existsSync(containers) ? readdirSync(containers) : [], []); // all may have come too late
  assert.equal(leftovers(bundle), []);
  const names = readdirSync(join(bundle.dataRoot, 'volumes')).filter((name) => name !== '.aside');
  assert.is(names.length, volumes);
}

const sleeping = (bundle: Bundle): void => {
  bundle.config.process.args = ['/payload', 'trap'];
  writeConfig(bundle);
};
const endInit = (bundle: Bundle) => runTinyrun(bundle, ['kill', bundle.id, 'KILL']);
const isRunning = (bundle: Bundle) =>
  until('it runs', () => runTinyrun(bundle, ['exec', bundle.id, '/payload', 'true']).code === 0);

for (const [name, flags] of [
  ['in the foreground', []],
  ['on an overlay', ['--overlay']],
  ['without cgroups', ['--cgroup-manager', 'disabled']],
] as const)
  test(`a container run ${name}: its host program undoes all at its end, and has its exit code`, () =>
    withBundle(async (bundle) => {
      sleeping(bundle);
      const global = flags.filter((flag) => flag !== '--overlay');
      const own = flags.filter((flag) => flag === '--overlay');
      const words = [...global, 'run', ...own, '--bundle', bundle.dir, bundle.id];
      const container = startTinyrun(bundle, words);
      await isRunning(bundle);
      attachTwo(bundle);
      endInit(bundle);
      assert.is(await container.exited, 137);
      assertUndone(bundle, 1);
    }));

test('poststop hooks find all undone', () =>
  withBundle(async (bundle) => {
    const seen = join(bundle.dir, 'seen');
    const script = `ls ${bundle.dataRoot}/containers > ${seen}; grep -c ${bundle.dataRoot} /proc/self/mounts >> ${seen}`;
    bundle.config.hooks = { poststop: [{ path: '/bin/sh', args: ['sh', '-c', `${script}; true`] }] };
    sleeping(bundle);
    const container = startTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]);
    await isRunning(bundle);
    attachTwo(bundle);
    endInit(bundle);
    assert.is(await container.exited, 137);
    assert.is(readFileSync(seen, 'utf8'), '0\n');
    assertUndone(bundle, 1);
  }));

for (const how of ['a kept program', 'JavaScript'] as const)
  test(`create, start, delete by ${how}: the same; what nobody named stays, as of any that is kept`, () =>
    withBundle(async (bundle) => {
      sleeping(bundle);
      const make = async (): Promise<void> => {
        await succeeds(bundle, 'create', '--bundle', bundle.dir, bundle.id);
        await succeeds(bundle, 'start', bundle.id);
      };
      const stop = async (): Promise<void> => {
        const { pid = 0 } = (await stateOf(bundle)) ?? {};
        endInit(bundle);
        await until('it is stopped', () => hasEnded(pid));
      };
      await make();
      await stop();
      await succeeds(bundle, 'delete', bundle.id); // its program is kept from here on
      await make();
      attachTwo(bundle);
      await stop();
      const words = how === 'JavaScript' ? ['--debug'] : [];
      tinyrun(bundle, ...words, 'delete', bundle.id);
      assertUndone(bundle, 2);
      await make();
      await stop();
      assert.is(launched(bundle, ['delete', bundle.id]), 0, 'without volumes it takes no JavaScript');
      tinyrun(bundle, 'volume', 'rm', 'memory');
    }));

test('what is detached again is no more work for the end than what was never there', () =>
  withBundle(async (bundle) => {
    sleeping(bundle);
    await succeeds(bundle, 'create', '--bundle', bundle.dir, bundle.id);
    await succeeds(bundle, 'start', bundle.id);
    const state = () => readdirSync(join(bundle.root, bundle.id)).sort();
    const before = state();
    tinyrun(bundle, 'volume', 'attach', bundle.id, 'data:/data');
    assert.equal(state(), ['attached', ...before].sort());
    tinyrun(bundle, 'volume', 'detach', bundle.id, '/data');
    assert.equal(state(), before);
    assert.equal(readdirSync(join(bundle.dataRoot, 'containers')), []);
    await succeeds(bundle, 'delete', '--force', bundle.id);
  }));

test('delete --force, and a container whose init has ended by itself', () =>
  withBundle(async (bundle) => {
    sleeping(bundle);
    for (const words of [['--detach'], ['--detach', '--overlay']]) {
      await succeeds(bundle, 'run', ...words, '--name', bundle.id, bundle.dir);
      attachTwo(bundle);
      await succeeds(bundle, 'delete', '--force', bundle.id);
      assertUndone(bundle, 2);
      tinyrun(bundle, 'volume', 'prune', '-f', '-a');
    }
  }));

test('where the host program was killed, list undoes it', () =>
  withBundle(async (bundle) => {
    sleeping(bundle);
    const container = startTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]);
    await isRunning(bundle);
    attachTwo(bundle);
    const { pid = 0 } = (await stateOf(bundle)) ?? {};
    container.kill('SIGKILL');
    await until('its container has ended', () => hasEnded(pid));
    await until('nothing of it runs', () => !existsSync(`/proc/${pid}`));
    tinyrun(bundle, 'list', '-q');
    assertUndone(bundle, 1);
  }));

for (const how of ['run', 'create'] as const)
  test(`of ${how}: what is attached while the container ends is undone, or refused`, () =>
    withBundle(async (bundle) => {
      sleeping(bundle);
      for (let round = 0; round < 6; round++) {
        const container = startTinyrun(bundle, [how, '--bundle', bundle.dir, bundle.id]);
        if (how === 'create') await container.exited;
        if (how === 'create') await succeeds(bundle, 'start', bundle.id);
        await isRunning(bundle);
        tinyrun(bundle, 'volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'memory');
        const attaching = Array.from({ length: 8 }, (_, i) =>
          say(bundle, 'volume', 'attach', bundle.id, i % 2 === 0 ? `memory:/m${i}` : `/anonymous${i}`),
        );
        await Bun.sleep(30 * round);
        endInit(bundle);
        if (how === 'create') await until('it is deleted', () => isDeleted(bundle));
        else await container.exited;
        for (const { code, stderr } of await Promise.all(attaching))
          if (code !== 0)
            assert.match(stderr, /^tinyrun: [^\n]*(not exist|not running|join container)[^\n]*\n$/);
        if (how === 'create') tinyrun(bundle, 'volume', 'prune', '-f'); // what nobody named, of a container that is kept
        assertUndone(bundle, 1);
        tinyrun(bundle, 'volume', 'rm', 'memory');
      }
    }));

/** Deletes it, which is to be tried again while others are at it. */
const isDeleted = (bundle: Bundle): boolean => {
  const { code, stderr } = runTinyrun(bundle, ['delete', bundle.id]);
  if (code !== 0) assert.match(stderr, 'that is not stopped: running');
  return code === 0;
};

test('a volume is attached in one data root: from another one nothing is attached or detached, nor forgotten', () =>
  withBundle(async (bundle) => {
    sleeping(bundle);
    await succeeds(bundle, 'create', '--bundle', bundle.dir, bundle.id);
    await succeeds(bundle, 'start', bundle.id);
    attachTwo(bundle);
    const other = { ...bundle, dataRoot: join(bundle.dir, 'other') };
    const attach = runTinyrun(other, ['volume', 'attach', bundle.id, 'more:/more']);
    assert.is(attach.code, 1);
    assert.match(attach.stderr, `container ${bundle.id} has attached volumes of another data root`);
    assert.match(attach.stderr, `--data-root ${bundle.dataRoot}`);
    const detach = runTinyrun(other, ['volume', 'detach', bundle.id, '/memory']);
    assert.is(detach.code, 1);
    assert.match(detach.stderr, `container ${bundle.id} has no volume at /memory`);
    assert.equal(readdirSync(join(other.dataRoot, 'containers')), []);
    await succeeds(bundle, 'delete', '--force', bundle.id);
    assertUndone(bundle, 2);
  }));

test('a data root may be called by several names', () =>
  withBundle(async (bundle) => {
    sleeping(bundle);
    await succeeds(bundle, 'create', '--bundle', bundle.dir, bundle.id);
    await succeeds(bundle, 'start', bundle.id);
    const other = { ...bundle, dataRoot: join(bundle.dir, 'other') };
    symlinkSync(bundle.dataRoot, other.dataRoot);
    attachTwo(bundle);
    tinyrun(other, 'volume', 'attach', bundle.id, 'data:/data');
    tinyrun(other, 'volume', 'detach', bundle.id, '/memory');
    await succeeds(bundle, 'delete', '--force', bundle.id);
    assertUndone(bundle, 3);
  }));

// Containers of images

const usesOf = ({ dataRoot }: Store, id: string): string[] =>
  JSON.parse(readFileSync(join(dataRoot, 'containers', id, 'mounts.json'), 'utf8')).mounts.map(
    ({ point }: { point: { Destination: string } }) => point.Destination,
  );

function attachMemory({ out, dataRoot }: Store): void {
  out('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'memory');
  out('volume', 'attach', 'box', 'memory:/memory');
  out('exec', 'box', 'touch', '/memory/file');
  assert.is(mountsIn(join(dataRoot, 'volumes')).length, 1);
}

test('of an image: its monitor undoes it, and it is not there at the next start', () =>
  withStore(async (store) => {
    const { out, t, dataRoot, root } = store;
    const id = out('run', '-d', '--name', 'box', 'bb', 'sleep', '600');
    attachMemory(store);
    out('stop', '-t', '0', 'box');
    await until('it is unmounted', () => mountsIn(join(dataRoot, 'volumes')).length === 0);
    await until('the monitor has ended', () => !existsSync(join(root, id)));
    await until('nothing is said of it', () => usesOf(store, id).length === 0);
    out('start', 'box');
    assert.is(t('exec', 'box', 'test', '-e', '/memory/file').code, 1);
    out('volume', 'rm', 'memory');
    out('rm', '-f', 'box');
  }));

test('of an image, --rm: nothing is left, nor what nobody named', () =>
  withStore(async (store) => {
    const { out, dataRoot, root } = store;
    const id = out('run', '-d', '--rm', '--name', 'box', 'bb', 'sleep', '600');
    attachMemory(store);
    out('volume', 'attach', 'box', '/anonymous');
    out('stop', '-t', '0', 'box');
    await until('it is gone', () => !existsSync(join(dataRoot, 'containers', id)));
    assert.not(existsSync(join(root, id)));
    assert.equal(mountsIn(join(dataRoot, 'volumes')), []);
    assert.is(out('volume', 'ls', '-q'), 'memory');
  }));

test('of an image, with volumes of its own: those stay in use, what was attached does not', () =>
  withStore(async (store) => {
    const { out, t, dataRoot } = store;
    out('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'own');
    const id = out('run', '-d', '--name', 'box', '-v', 'own:/own', 'bb', 'sleep', '600');
    out('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'memory');
    out('volume', 'attach', 'box', 'memory:/memory');
    out('stop', '-t', '0', 'box');
    await until('both are unmounted', () => mountsIn(join(dataRoot, 'volumes')).length === 0);
    await until('one is still in use', () => usesOf(store, id).join() === '/own');
    assert.match(t('volume', 'rm', 'own').stderr, 'volume is in use');
    out('volume', 'rm', 'memory');
    out('rm', 'box');
    out('volume', 'rm', 'own');
  }));

for (const next of ['volume rm', 'start', 'rm'] as const)
  test(`of an image, where its monitor was killed: ${next} undoes it`, () =>
    withStore(async (store) => {
      const { out, dataRoot } = store;
      const id = out('run', '-d', '--name', 'box', 'bb', 'sleep', '600');
      attachMemory(store);
      const pid = Number(out('inspect', '-f', '{{.State.Pid}}', 'box'));
      const monitor = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      process.kill(monitor, 'SIGKILL');
      await until('the container has ended', () => hasEnded(pid));
      if (next === 'volume rm') out('volume', 'rm', 'memory');
      else out(next, 'box');
      assert.equal(mountsIn(join(dataRoot, 'volumes')), []);
      if (next !== 'rm') assert.equal(usesOf(store, id), []);
    }));

test.run();
