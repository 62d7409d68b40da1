// `commit`, `diff` and `export` of real containers.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand, until } from '../support/container.ts';
import { type Store, withStore } from '../support/store.ts';

const inspected = ({ out }: Store, image: string): { Id: string; Config: Record<string, unknown> } => {
  const text = out('image', 'inspect', '-f', '{"Id":{{json .Id}},"Config":{{json .Config}}}', image);
  return JSON.parse(text);
};

test('commit: what the container has written, without its volumes and without the init layer', async () => {
  await withStore((store) => {
    const { out } = store;
    const script =
      'echo a >/new; echo b >>/etc/passwd; rm /etc/group; echo c >/v/no; echo 1.2.3.4 x >>/etc/hosts';
    out('run', '--name', 'box', '-v', 'vol:/v', 'bb', 'sh', '-c', script);
    const id = out('commit', 'box', 'changed:1');
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    assert.is(inspected(store, 'changed:1').Id, id);
    const check = 'cat /new; tail -n 1 /etc/passwd; ls /etc/group; ls -A /v; grep -c 1.2.3.4 /etc/hosts';
    const { stdout } = store.t('run', '--rm', 'changed:1', 'sh', '-c', check);
    assert.is(stdout, 'a\nb\n0\n');
    assert.is(out('run', '--rm', 'bb', 'cat', '/etc/group').split('\n')[0], 'root:x:0:');
  });
});

test('commit: the config is that of the container, changed by -c; author and message are told', async () => {
  await withStore((store) => {
    const { out } = store;
    out('create', '--name', 'box', '-e', 'A=1', '-w', '/tmp', '--label', 'l=m', 'bb', 'echo', 'hello');
    const changes = [
      'CMD ["pwd"]',
      'ENV B=2',
      'EXPOSE 80',
      'USER ann',
      'VOLUME /data',
      'WORKDIR /opt',
      'LABEL n=o',
      'ENTRYPOINT ["env"]',
    ];
    const flags = changes.flatMap((change) => ['-c', change]);
    out('commit', '-a', 'Ann <ann@example.org>', '-m', 'more', ...flags, 'box', 'changed');
    const { Config } = inspected(store, 'changed');
    assert.equal(Config['Entrypoint'], ['env']);
    assert.equal(Config['Cmd'], ['pwd']);
    assert.equal(Config['ExposedPorts'], { '80/tcp': {} });
    assert.equal(Config['Volumes'], { '/data': {} });
    assert.equal(Config['Labels'], { l: 'm', n: 'o' });
    assert.equal([Config['User'], Config['WorkingDir']], ['ann', '/opt']);
    assert.ok((Config['Env'] as string[]).includes('A=1') && (Config['Env'] as string[]).includes('B=2'));
    assert.match(
      out('history', '--no-trunc', '--format', '{{.CreatedBy}}|{{.Comment}}', 'changed'),
      /echo hello\|more/,
    );
    assert.is(store.t('commit', '-c', 'FROM x', 'box').code, 1);
    assert.is(store.t('commit', 'box', 'Upper').code, 1);
    assert.match(store.t('commit', 'none').stderr, 'No such container: none');
  });
});

test('commit: layers lie on each other, and a file that is deleted and made anew is seen', async () => {
  await withStore(({ out, t }) => {
    out('run', '--name', 'one', 'bb', 'rm', '/etc/group');
    out('commit', 'one', 'one');
    assert.is(t('run', '--rm', 'one', 'cat', '/etc/group').code, 1);
    const script = 'echo new >/etc/group; rm -r /home; mkdir /home; touch /home/new';
    out('run', '--name', 'two', 'one', 'sh', '-c', script);
    out('commit', 'two', 'two');
    assert.is(out('run', '--rm', 'two', 'sh', '-c', 'cat /etc/group; ls /home'), 'new\nnew');
  });
});

test('commit: a container that runs stands still meanwhile, and goes on', async () => {
  await withStore(({ out }) => {
    out('run', '-d', '--name', 'box', 'bb', 'sh', '-c', 'while :; do echo x >>/n; done');
    out('commit', 'box', 'a');
    out('commit', '--no-pause', 'box', 'b');
    const size = (): number => Number(out('exec', 'box', 'stat', '-c', '%s', '/n'));
    const before = size();
    Bun.sleepSync(200);
    assert.ok(size() > before);
    assert.is(
      out('run', '--rm', 'a', 'sh', '-c', 'tail -c 1 /n | od -c | head -n 1'),
      '0000000  \\n\n0000001'.slice(0, 11),
    );
  });
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const)
  test(`commit: ended by ${signal}, it lets the container go on, and makes no image`, async () => {
    await withStore(async ({ out, command }) => {
      const script = 'dd if=/dev/zero of=/big bs=1M count=400; exec sleep 600';
      out('run', '-d', '--name', 'box', 'bb', 'sh', '-c', script);
      const status = (): string => out('ps', '--format', '{{.Status}}');
      const size = (): string => out('exec', 'box', 'stat', '-c', '%s', '/big').trim();
      while (size() !== `${400 << 20}`) await Bun.sleep(50);
      const child = Bun.spawn([...command, 'commit', 'box', 'a'], { stdout: 'ignore' });
      while (!status().endsWith('(Paused)')) await Bun.sleep(5);
      child.kill(signal);
      await child.exited;
      assert.is(child.signalCode, signal);
      await until('the container goes on', () => !status().includes('Paused'));
      assert.is(out('images', '-q', 'a'), '');
    });
  });

test('diff: added, changed, deleted; mount points that every container has are no change', async () => {
  await withStore(({ out }) => {
    out(
      'run',
      '--name',
      'box',
      '--tmpfs',
      '/t',
      'bb',
      'sh',
      '-c',
      'mkdir /a; touch /a/b /t/c; rm /etc/group; chmod 600 /etc/passwd',
    );
    assert.is(out('diff', 'box'), 'A /a\nA /a/b\nC /etc\nD /etc/group\nC /etc/passwd\nA /t');
    out('create', '--name', 'fresh', 'bb');
    assert.is(out('diff', 'fresh'), '');
  });
});

test('export: the root that the container has, without its volumes, running or not', async () => {
  await withStore((store) => {
    const { top, out, command } = store;
    out(
      'run',
      '-d',
      '--name',
      'on',
      '-v',
      'vol:/v',
      'bb',
      'sh',
      '-c',
      'echo x >/v/in; echo y >/y; rm /etc/group; sleep 600',
    );
    out('run', '--name', 'off', '-v', 'vol:/v', 'bb', 'sh', '-c', 'echo y >/y; rm /etc/group');
    const list = (name: string): string[] => {
      out('export', '-o', join(top, 'e.tar'), name);
      return runCommand(['tar', '-tf', join(top, 'e.tar')])
        .stdout.trim()
        .split('\n');
    };
    for (const name of ['on', 'off']) {
      const names = list(name);
      assert.ok(
        ['./', 'y', 'etc/passwd', 'v/', 'etc/hosts', 'bin/busybox'].every((path) => names.includes(path)),
      );
      assert.not.ok(names.some((path) => ['etc/group', 'v/in'].includes(path) || path.startsWith('proc/1')));
    }
    const root = join(top, 'unpacked');
    mkdirSync(root);
    runCommand(['sh', '-c', `'${command.join("' '")}' export on | tar -xf - -C ${root}`]);
    assert.is(readFileSync(join(root, 'y'), 'utf8'), 'y\n');
    writeFileSync(join(top, 'there'), 'kept');
    assert.match(store.t('export', 'none').stderr, 'No such container: none');
  });
});

test.run();
