// Images that containers use: what may be removed and what not, in Docker's words. Needs root.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { namesIn, type Store, withStore } from '../support/image-store.ts';
import { makeLayer, makeLayout, named } from '../support/oci-layout.ts';

const base = makeLayer({ 'etc/name': 'base\n' });
const image = {
  layers: [base],
  config: { config: { Cmd: ['/none'] } },
  annotations: named('docker.io/library/bb:latest'),
};

/** A store with image `bb` and a container `c` of it that never ran; the image's short id. */
async function withContainer(use: (store: Store, image: string) => void | Promise<void>): Promise<void> {
  await withStore(async (store) => {
    makeLayout(join(store.folder, 'layout'), image);
    store.out('import', 'layout');
    store.out('create', '--name', 'c', 'bb');
    try {
      await use(store, store.out('images', '-q').trim());
    } finally {
      store.run(['rm', '-f', 'c']);
    }
  });
}

const containerOf = (store: Store): string =>
  readdirSync(join(store.dataRoot, 'containers'))
    .find((name) => /^[0-9a-f]{64}$/.test(name))!
    .slice(0, 12);

test('image rm: an image that a container uses stays, and it is said by whom', () =>
  withContainer((store, id) => {
    const container = containerOf(store);
    const byName = store.run(['rmi', 'bb']);
    assert.is(byName.code, 1);
    assert.is(
      byName.stderr,
      `tinyrun: conflict: unable to remove repository reference "bb" (must force) - container ${container} is using its referenced image ${id}; it is used by c (${container}, stopped)\n`,
    );
    const byId = store.run(['rmi', id]);
    assert.is(
      byId.stderr,
      `tinyrun: conflict: unable to delete ${id} (must be forced) - image is being used by stopped container ${container}; it is used by c (${container}, stopped)\n`,
    );
    store.out('tag', 'bb', 'bb:2');
    assert.is(store.out('rmi', 'bb:2'), 'Untagged: bb:2\n', 'a second name may go');
    store.out('rm', 'c');
    assert.match(store.out('rmi', 'bb'), /^Untagged: bb:latest\n/);
    assert.equal(namesIn(store, 'overlay2'), ['l']);
  }));

test('image rm -f: the image goes, and the layers stay as long as the container does', () =>
  withContainer((store, id) => {
    const output = store.out('rmi', '-f', id);
    assert.match(output, /Deleted: sha256:[0-9a-f]{64}\n$/);
    assert.equal(namesIn(store, 'image/overlay2/layerdb/sha256'), [base.diffId.slice(7)]);
    assert.match(store.run(['run', '--rm', 'bb']).stderr, /Unable to find image 'bb:latest' locally/);
    store.out('rm', 'c');
    store.out('image', 'prune', '-f');
    assert.equal(namesIn(store, 'image/overlay2/layerdb/sha256'), []);
  }));

test('image prune -a: leaves images that containers use', () =>
  withContainer((store, id) => {
    assert.is(store.out('image', 'prune', '-af'), 'Total reclaimed space: 0B\n');
    assert.is(store.out('images', '-q').trim(), id);
    assert.is(store.out('images', '--format', '{{.Containers}}'), '1\n');
  }));

test('image rm: an image that is mounted in a container stays', () =>
  withContainer((store) => {
    const other = makeLayer({ 'data/x': 'x' });
    makeLayout(join(store.folder, 'other'), {
      layers: [other],
      annotations: named('docker.io/library/data:1'),
    });
    store.out('import', 'other');
    store.out('create', '--name', 'm', '--mount', 'type=image,source=data:1,target=/data', 'bb');
    try {
      const { code, stderr } = store.run(['rmi', 'data:1']);
      assert.is(code, 1);
      assert.match(
        stderr,
        /container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}; it is used by m \(/,
      );
    } finally {
      store.run(['rm', '-f', 'm']);
    }
    assert.match(store.out('rmi', 'data:1'), /Untagged: data:1/);
  }));

test('image rm -f: an image whose config was damaged can be removed', () =>
  withStore((store) => {
    makeLayout(join(store.folder, 'layout'), image);
    store.out('import', 'layout');
    const id = store.out('images', '-q', '--no-trunc').trim();
    writeFileSync(join(store.dataRoot, 'image/overlay2/imagedb/content/sha256', id.slice(7)), '{}');
    for (const words of [['images'], ['rmi', 'bb'], ['run', '--rm', 'bb']])
      assert.match(
        store.run(words).stderr,
        new RegExp(`is damaged: its config .*; it can be removed: tinyrun image rm --force ${id}`),
      );
    assert.match(
      store.out('image', 'rm', '--force', id),
      /^Untagged: bb:latest\n(Untagged: .*\n)?Deleted: sha256:/,
    );
    assert.equal(namesIn(store, 'overlay2'), ['l']);
    assert.is(store.out('images', '-q'), '');
  }));

test('image rm: an image that a volume is made of stays', () =>
  withContainer((store) => {
    const other = makeLayer({ 'data/x': 'x' });
    makeLayout(join(store.folder, 'other'), {
      layers: [other],
      annotations: named('docker.io/library/data:1'),
    });
    store.out('import', 'other');
    store.out('volume', 'create', '-d', 'image', '-o', 'image=data:1', 'vol');
    const { code, stderr } = store.run(['rmi', 'data:1']);
    assert.is(code, 1);
    assert.match(
      stderr,
      /volume vol is using its referenced image [0-9a-f]{12}; it is used by volume vol \(unmounted\)/,
    );
    assert.match(store.out('info', '-f', '{{.Plugins.Volume}}'), /^\[local image/);
    store.out('volume', 'rm', 'vol');
    assert.match(store.out('rmi', 'data:1'), /Untagged: data:1/);
  }));

test('a container that is being made keeps the layers of an image that is removed this moment', () =>
  withStore(async (store) => {
    makeLayout(join(store.folder, 'layout'), image);
    for (let round = 0; round < 6; round++) {
      store.out('import', 'layout');
      const names = ['a', 'b', 'c'];
      const all = await Promise.all([
        ...names.map((name) => store.start(['create', '--name', name, 'bb'])),
        store.start(['rmi', '-f', 'bb']),
      ]);
      const created = all.slice(0, 3).filter(({ code }) => code === 0).length;
      for (const { code, stderr } of all.slice(0, 3))
        if (code !== 0)
          assert.match(
            stderr,
            /^tinyrun: (Unable to find image 'bb:latest' locally|No such image: bb:latest)/,
            stderr,
          );
      const layers = namesIn(store, 'image/overlay2/layerdb/sha256');
      if (created > 0) assert.equal(layers, [base.diffId.slice(7)], `round ${round}`);
      for (const name of names) store.run(['rm', name]);
      store.run(['rmi', '-f', 'bb']);
      store.out('image', 'prune', '-af');
      assert.equal(namesIn(store, 'image/overlay2/layerdb/sha256'), [], `round ${round}`);
    }
  }));

test('a hundred processes that name images and take the names away at once leave a whole store', () =>
  withStore(async (store) => {
    makeLayout(join(store.folder, 'layout'), image);
    store.out('import', 'layout');
    const id = store.out('images', '-q', '--no-trunc').trim();
    const commands = Array.from({ length: 100 }, (_, i) => {
      const name = `shared:${i % 10}`;
      return i % 3 === 0
        ? ['rmi', name]
        : i % 10 === 1
          ? ['image', 'prune', '-f']
          : ['tag', 'bb', i % 2 === 0 ? name : `own:${i}`];
    });
    const all = await Promise.all(commands.map((words) => store.start(words)));
    all.forEach(({ code, stderr }, i) => {
      if (commands[i]![0] === 'rmi' && code === 1) assert.match(stderr, /^tinyrun: No such image: shared:\d/);
      else assert.is(code, 0, `${commands[i]!.join(' ')}: ${stderr}`);
    });
    const own = store.out('images', '--format', '{{.Repository}}:{{.Tag}}', 'own').trim().split('\n').sort();
    const asked = commands
      .filter(([, , name = '']) => name.startsWith('own:'))
      .map(([, , name = '']) => name);
    assert.equal(own, asked.sort(), 'no name is lost');
    assert.is(store.out('image', 'inspect', '-f', '{{.Id}}', 'bb').trim(), id);
    assert.equal(
      namesIn(store, 'image/overlay2').filter((name) => name.startsWith('.')),
      [],
    );
  }));

test.run();
