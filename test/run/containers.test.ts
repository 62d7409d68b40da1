// Containers of an image, as Docker's users know them: run, create, start, stop, rm and their kin.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { runCommand } from '../support/container.ts';
import { leftOf, withStore } from '../support/store.ts';

test('run --rm: the output, the exit code, and nothing is left', async () => {
  await withStore((store) => {
    const { stdout, stderr, code } = store.t(
      'run',
      '--rm',
      'bb',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    );
    assert.equal([stdout, stderr, code], ['out\n', 'err\n', 7]);
    assert.equal(leftOf(store), []);
  });
});

test('V1: the own layer of a container is gone when it is removed', async () => {
  await withStore((store) => {
    store.out('run', '--name', 'c', 'bb', 'touch', '/x');
    assert.is(store.out('rm', 'c'), 'c');
    assert.is(store.out('run', '--rm', 'bb', 'test', '!', '-e', '/x'), '');
    assert.equal(leftOf(store), []);
  });
});

test('V9: removing a container keeps its volumes, and a new one sees the data', async () => {
  await withStore((store) => {
    store.out('run', '--rm', '-v', 'k:/d', 'bb', 'touch', '/d/x');
    store.out('run', '--rm', '-v', 'k:/d', 'bb', 'test', '-e', '/d/x');
  });
});

test('V18: a container that is started again keeps the data of its volume', async () => {
  await withStore((store) => {
    store.out('run', '--name', 'r', '-v', 'rs:/d', 'bb', 'sh', '-c', 'echo x >>/d/n');
    store.out('start', '-a', 'r');
    assert.is(store.out('run', '--rm', '-v', 'rs:/d', 'bb', 'wc', '-l', '/d/n'), '2 /d/n');
  });
});

test('L20: one program and its children: it is process 1', async () => {
  await withStore((store) => {
    assert.is(store.out('run', '--rm', 'bb', 'sh', '-c', 'echo $$'), '1');
  });
});

test('V22: a plain write stays in the own layer', async () => {
  await withStore((store) => {
    store.out('run', '--name', 'p', 'bb', 'touch', '/plain');
    assert.match(store.out('diff', 'p'), /^A \/plain$/m);
  });
});

test('L19: WORKDIR and CMD of a commit are those of its containers', async () => {
  await withStore((store) => {
    store.out('create', '--name', 'c9', 'bb');
    store.out('commit', '-c', 'WORKDIR /opt', '-c', 'CMD ["pwd"]', 'c9', 'wd');
    assert.is(store.out('run', '--rm', 'wd'), '/opt');
  });
});

test('K8: run -d prints the full id, ps -a lists it', async () => {
  await withStore((store) => {
    const id = store.out('run', '-d', '--name', 'web', 'bb', 'sleep', '1000');
    assert.match(id, /^[0-9a-f]{64}$/);
    const [head = '', line = ''] = store.out('ps', '-a').split('\n');
    for (const column of ['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES'])
      assert.match(head, column);
    assert.match(line, new RegExp(`^${id.slice(0, 12)} +bb +"sleep 1000" .* Up .* web$`));
  });
});

test('K9: -it is an interactive terminal, and exit ends it', async () => {
  await withStore((store) => {
    const call = `${tinyrun} --root ${store.root} --data-root ${store.dataRoot} run -it --rm bb sh`;
    const { stdout } = runCommand(['script', '-qec', call, '/dev/null'], { input: 'tty\nexit\n' });
    assert.match(stdout, '/dev/pts');
    assert.equal(leftOf(store), []);
  });
});

test('system prune removes what has ended and what that alone has used, kind by kind', async () => {
  await withStore((store) => {
    store.out('tag', 'bb', 'other');
    store.out('run', '-d', '--name', 'on', 'other', 'sleep', '600');
    const ended = store.out('create', '-v', '/anonymous', '-v', 'named:/n', '--label', 'go', 'bb');
    store.out('commit', 'on');
    const question = store.with(
      { input: 'n\n' },
      'system',
      'prune',
      '-a',
      '--volumes',
      '--filter',
      'label=go',
    );
    assert.is(
      question.stdout,
      `WARNING! This will remove:
  - all stopped containers
  - all anonymous volumes not used by at least one container
  - all images without at least one container associated to them

  Items to be pruned will be filtered with:
  - label=go

Are you sure you want to continue? [y/N] `,
    );
    assert.equal([question.code, question.stderr], [0, '']);
    assert.match(
      store.t('system', 'prune', '--volumes', '--filter', 'until=1h').stderr,
      /"until" filter is not supported/,
    );
    assert.is(
      store.out('system', 'prune', '-f', '--filter', 'label!=go', '--filter', 'until=1h'),
      'Total reclaimed space: 0B',
    );
    assert.match(
      store.out('system', 'prune', '-f', '--volumes'),
      new RegExp(
        `^Deleted Containers:\n${ended}\n\nDeleted Volumes:\n[0-9a-f]{64}\n\nDeleted Images:\ndeleted: sha256:[0-9a-f]{64}\n\nTotal reclaimed space: `,
      ),
    );
    assert.is(store.out('volume', 'ls', '-q'), 'named');
    assert.is(
      store.out('images', '--format', '{{.Repository}}'),
      'bb\nother',
      'both are the image of one that runs',
    );
    store.out('rm', '-f', 'on');
    assert.match(
      store.out('system', 'prune', '-af'),
      /^Deleted Images:\nuntagged: bb:latest\nuntagged: other:latest\n/,
    );
    assert.is(store.out('images', '-q'), '');
  });
});

test('container prune removes what does not run, and what the filters leave', async () => {
  await withStore((store) => {
    const running = store.out('run', '-d', 'bb', 'sleep', '1000');
    const labelled = store.out('create', '-l', 'keep', 'bb');
    const ended = store.out('create', 'bb');
    assert.match(store.with({ input: 'n\n' }, 'container', 'prune').stdout, 'Are you sure');
    assert.match(store.out('container', 'prune', '-f', '--filter', 'until=10m'), 'Total reclaimed space: 0B');
    const told = store.out('container', 'prune', '-f', '--filter', 'label!=keep');
    assert.is(told, `Deleted Containers:\n${ended}\n\nTotal reclaimed space: 0B`);
    assert.equal(store.out('ps', '-aq', '--no-trunc').split('\n').sort(), [running, labelled].sort());
  });
});

test('rm: -v takes anonymous volumes along, and no others; without it they stay', async () => {
  await withStore((store) => {
    const volumes = (): string[] => store.out('volume', 'ls', '-q').split('\n').filter(Boolean);
    for (const name of ['a', 'b']) store.out('create', '--name', name, '-v', '/d', '-v', 'named:/n', 'bb');
    assert.is(volumes().length, 3);
    store.out('rm', '-v', 'a');
    assert.is(volumes().length, 2);
    store.out('rm', 'b');
    assert.is(volumes().length, 2);
    assert.ok(volumes().includes('named'));
  });
});

test('several names: start, restart, stop; several that fail', async () => {
  await withStore((store) => {
    for (const name of ['a', 'b']) store.out('create', '--name', name, 'bb', 'sleep', '1000');
    assert.is(store.out('start', 'a', 'b'), 'a\nb');
    assert.is(store.out('restart', '-t', '0', 'a', 'b'), 'a\nb');
    assert.is(store.out('pause', 'a', 'b'), 'a\nb');
    assert.match(store.t('rm', 'a').stderr, 'container is paused and must be unpaused first');
    assert.is(store.out('unpause', 'a', 'b'), 'a\nb');
    const { stdout, stderr, code } = store.t('stop', '-t', '0', 'a', 'nobody', 'b');
    assert.equal([stdout, stderr, code], ['a\nb\n', 'tinyrun: No such container: nobody\n', 1]);
    assert.is(store.out('wait', 'a', 'b'), '137\n137');
  });
});

test('run -d, start, stop, restart, wait, rename, rm', async () => {
  await withStore((store) => {
    const id = store.out('run', '-d', '--name', 'web', 'bb', 'sleep', '1000');
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.is(store.out('start', 'web'), 'web');
    assert.is(store.t('rm', 'web').code, 1);
    assert.match(
      store.t('rm', 'web').stderr,
      'cannot remove container "web": container is running: stop the container before removing or force remove',
    );
    assert.is(store.out('stop', '-t', '0', 'web'), 'web');
    assert.is(store.out('wait', id.slice(0, 10)), '137');
    assert.is(store.out('start', id.slice(0, 5)), id.slice(0, 5));
    assert.is(store.out('restart', '-t', '0', 'web'), 'web');
    store.out('rename', 'web', 'other');
    assert.is(store.out('kill', 'other', 'KILL'), 'other');
    assert.is(store.out('wait', 'other'), '137');
    assert.is(store.out('start', 'other'), 'other');
    assert.is(store.out('rm', '-f', 'other'), 'other');
    assert.equal(leftOf(store), []);
  });
});

test.run();
