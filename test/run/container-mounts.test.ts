// What `create` and `run` of an image refuse of mounts, before anything is made of them; and which mount comes before which.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leftOf, withStore } from '../support/store.ts';

test('a directory on a file, or a file on a directory: nothing is made, neither here nor there', async () => {
  await withStore((store) => {
    const { top, t } = store;
    mkdirSync(join(top, 'd'));
    writeFileSync(join(top, 'f'), '');
    for (const command of ['create', 'run'])
      for (const mount of [`${top}/d:/etc/passwd`, `${top}/f:/etc`, 'vol:/etc/passwd', '/etc/passwd']) {
        const { code, stderr } = t(command, '-v', mount, 'bb');
        assert.is(code, command === 'run' ? 125 : 1, stderr);
        assert.match(stderr, 'are you trying to mount a directory onto a file (or vice-versa)?');
      }
    assert.equal([t('volume', 'ls', '-q').stdout, leftOf(store)], ['', []]);
  });
});

test('a missing source where the image has a file is not made', async () => {
  await withStore((store) => {
    const { top, t } = store;
    const mount = `${top}/conf:/etc/passwd`;
    assert.match(
      t('run', '-v', mount, 'bb').stderr,
      'would be made as a directory; but /etc/passwd in the container is a file',
    );
    assert.not.ok(existsSync(join(top, 'conf')));
  });
});

test('what is missing when a container is made may be there when it starts', async () => {
  await withStore((store) => {
    const { top, out, t } = store;
    out('create', '--name', 'box', '-v', `${top}/conf:/etc/passwd`, 'bb', 'cat', '/etc/passwd');
    const { code, stderr } = t('start', '-a', 'box');
    assert.is(code, 1);
    assert.match(stderr, 'would be made as a directory');
    assert.equal(readdirSync(top).includes('conf'), false);
    writeFileSync(join(top, 'conf'), 'of the host');
    assert.is(out('start', '-a', 'box'), 'of the host');
  });
});

test('--mount wants its source when the container is made', async () => {
  await withStore((store) => {
    const { top, t } = store;
    const { code, stderr } = t('create', '--mount', `type=bind,src=${top}/none,dst=/d`, 'bb');
    assert.is(code, 1);
    assert.match(
      stderr,
      `invalid mount config for type "bind": bind source path does not exist: ${top}/none`,
    );
    assert.equal(leftOf(store), []);
  });
});

test('what the layers of an image show together counts', async () => {
  await withStore((store) => {
    const { top, out, t } = store;
    out('run', '--name', 'own', 'bb', 'sh', '-c', 'touch /tmp/file; rm /etc/group; mkdir /etc/group');
    out('commit', 'own', 'own');
    assert.match(t('run', '-v', `${top}:/tmp/file`, 'own').stderr, 'in the container that is a file');
    assert.match(t('run', '-v', `${top}:/tmp/file/x`, 'own').stderr, '/tmp/file in the container is a file');
    assert.is(out('run', '--rm', '-v', `${top}:/etc/group`, 'own', 'test', '-d', '/etc/group/data'), '');
  });
});

test('precedence: -v and --mount, then --volumes-from, then the VOLUMEs of the image', () =>
  withStore((store) => {
    const volumes = ['-c', 'VOLUME /a', '-c', 'VOLUME /b', '-c', 'VOLUME /c'];
    store.out('run', '--name', 'bare', 'bb', 'true');
    store.out('commit', ...volumes, 'bare', 'three');
    store.out('create', '--name', 'other', '-v', 'of-other-a:/a', '-v', 'of-other-b:/b', 'bb');
    const flags = ['--volumes-from', 'other', '-v', 'flag-a:/a', '--mount', 'source=flag-d,target=/d'];
    store.out('create', '--name', 'all', ...flags, 'three', 'true');
    const mounts = JSON.parse(store.out('inspect', '-f', '{{json .Mounts}}', 'all'));
    const names = mounts.map(({ Destination, Name }: { Destination: string; Name: string }) => [
      Destination,
      Name.length === 64 ? 'anonymous' : Name,
    ]);
    assert.equal(names.sort(), [
      ['/a', 'flag-a'],
      ['/b', 'of-other-b'],
      ['/c', 'anonymous'],
      ['/d', 'flag-d'],
    ]);
    const twice = store.t('create', '-v', 'x:/a', '--mount', 'source=y,target=/a', 'three', 'true');
    assert.match(twice.stderr, 'Duplicate mount point: /a');
  }));

test.run();
