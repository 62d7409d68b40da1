// Containers that share namespaces with others that run, and with the host.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withStore } from '../support/store.ts';

test('J7: --network container:NAME: the same interfaces, the same loopback', async () => {
  await withStore((store) => {
    store.out(
      'run',
      '-d',
      '--name',
      'base',
      '-h',
      'zz',
      'bb',
      'sh',
      '-c',
      'echo hi >/hi; httpd -f -p 127.0.0.1:80',
    );
    const own = store.out('exec', 'base', 'readlink', '/proc/self/ns/net');
    assert.is(
      store.out('run', '--rm', '--network', 'container:base', 'bb', 'readlink', '/proc/self/ns/net'),
      own,
    );
    const get = [
      'sh',
      '-c',
      'until wget -qO- http://127.0.0.1/hi 2>/dev/null; do sleep 0.1; done; cat /etc/hostname',
    ];
    assert.is(store.out('run', '--rm', '--net', 'container:base', 'bb', ...get), 'hi\nzz');
  });
});

test('--pid, --ipc, --uts container:NAME', async () => {
  await withStore((store) => {
    store.out('run', '-d', '--name', 'base', '--ipc', 'shareable', '-h', 'zz', 'bb', 'sleep', '1000');
    const joined = ['--pid', 'container:base', '--ipc', 'container:base', '--uts', 'container:base'];
    const script = 'for n in pid ipc uts net; do readlink /proc/self/ns/$n; done; hostname; cat /proc/1/comm';
    const [pid, ipc, uts, net, hostname, first] = store
      .out('run', '--rm', ...joined, 'bb', 'sh', '-c', script)
      .split('\n');
    const base = (name: string): string => store.out('exec', 'base', 'readlink', `/proc/self/ns/${name}`);
    assert.equal([pid, ipc, uts], ['pid', 'ipc', 'uts'].map(base));
    assert.is.not(net, base('net'));
    assert.equal([hostname, first], ['zz', 'sleep']);
  });
});

test('--network, --pid, --ipc, --uts host', async () => {
  await withStore((store) => {
    const own = (name: string): string =>
      Bun.spawnSync(['readlink', `/proc/self/ns/${name}`])
        .stdout.toString()
        .trim();
    for (const [flag, name] of Object.entries({ network: 'net', pid: 'pid', ipc: 'ipc', uts: 'uts' }))
      assert.is(
        store.out('run', '--rm', `--${flag}`, 'host', 'bb', 'readlink', `/proc/self/ns/${name}`),
        own(name),
        flag,
      );
    const host = Bun.spawnSync(['uname', '-n']).stdout.toString().trim();
    assert.is(store.out('run', '--rm', '--network', 'host', 'bb', 'hostname'), host);
  });
});

test("who does not run, or does not share, cannot be joined, in Docker's words", async () => {
  await withStore((store) => {
    const id = store.out('create', '--name', 'base', 'bb', 'sleep', '1000');
    const refusal = (...flags: string[]): string => store.t('run', '--rm', ...flags, 'bb', 'true').stderr;
    assert.match(
      refusal('--network', 'container:base'),
      `cannot join network of a non running container: ${id}`,
    );
    assert.match(refusal('--pid', 'container:base'), `cannot join PID of a non running container: ${id}`);
    assert.match(refusal('--network', 'container:nobody'), 'No such container: nobody');
    store.out('start', 'base');
    assert.match(
      refusal('--ipc', 'container:base'),
      'non-shareable IPC (hint: use IpcMode:shareable for the donor container)',
    );
    for (const [flags, words] of Object.entries({
      '-h x': 'hostname and the network mode',
      '--dns 1.1.1.1': 'dns and the network mode',
      '--add-host a:1.1.1.1': 'custom host-to-IP mapping and the network mode',
    }))
      assert.match(
        refusal('--network', 'container:base', ...flags.split(' ')),
        `conflicting options: ${words}`,
      );
  });
});

test('who joins is started again when the other one runs again: by its id, whatever its name', async () => {
  await withStore((store) => {
    store.out('run', '-d', '--name', 'base', 'bb', 'sleep', '1000');
    store.out(
      'create',
      '--name',
      'side',
      '--network',
      'container:base',
      'bb',
      'readlink',
      '/proc/self/ns/net',
    );
    store.out('rename', 'base', 'other');
    assert.is(store.out('start', '-a', 'side'), store.out('exec', 'other', 'readlink', '/proc/self/ns/net'));
    store.out('stop', '-t', '0', 'other');
    assert.match(store.t('start', 'side').stderr, 'cannot join network of a non running container');
    store.out('start', 'other');
    assert.is(store.out('start', '-a', 'side'), store.out('exec', 'other', 'readlink', '/proc/self/ns/net'));
  });
});

test.run();
