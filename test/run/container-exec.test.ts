// `exec` in containers with names, with Docker's options.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Store, withStore } from '../support/store.ts';

const running = (use: (store: Store, id: string) => void | Promise<void>): Promise<void> =>
  withStore((store) =>
    use(store, store.out('run', '-d', '--name', 'c', '-e', 'A=1', '-w', '/tmp', 'bb', 'sleep', '1000')),
  );

test('by name, by id, by the beginning of it', () =>
  running((store, id) => {
    for (const called of ['c', id, id.slice(0, 12)])
      assert.is(store.out('exec', called, 'hostname'), id.slice(0, 12));
  }));

test('the environment and the directory are the container’s, with those of the call', () =>
  running((store) => {
    const file = join(store.top, 'env');
    writeFileSync(file, 'C=3\n');
    const script = 'echo $A $B $C $HOME; pwd';
    assert.is(store.out('exec', 'c', 'sh', '-c', script), '1 /root\n/tmp');
    assert.is(
      store.out('exec', '-e', 'B=2', '--env-file', file, '-w', '/etc', 'c', 'sh', '-c', script),
      '1 2 3 /root\n/etc',
    );
    assert.match(store.t('exec', '-w', 'etc', 'c', 'true').stderr, 'it needs to be an absolute path');
  }));

test('a user by name, looked up in the root that it has now', () =>
  running((store) => {
    assert.is(
      store.out('exec', '-u', 'ann', 'c', 'sh', '-c', 'id; echo $HOME'),
      'uid=1000(ann) gid=1001(ann) groups=50(staff),1001(ann)\n/home/ann',
    );
    assert.is(store.out('exec', '-u', '7:staff', 'c', 'id', '-G'), '50');
    store.out('exec', 'c', 'sh', '-c', 'echo new:x:77:78::/:/bin/sh >>/etc/passwd');
    assert.is(store.out('exec', '-u', 'new', 'c', 'id', '-u'), '77');
    const { stderr, code } = store.t('exec', '-u', 'zed', 'c', 'true');
    assert.is(code, 126);
    assert.match(stderr, 'unable to find user zed: no matching entries in passwd file');
  }));

test('a passwd that leads out of the root, or is endless, is none of the host’s', () =>
  running((store) => {
    store.out(
      'exec',
      'c',
      'sh',
      '-c',
      'rm /etc/passwd; ln -s /proc/1/root/../../../../etc/passwd /etc/passwd',
    );
    assert.match(store.t('exec', '-u', 'daemon', 'c', 'true').stderr, 'unable to find user daemon');
    store.out('exec', 'c', 'sh', '-c', 'rm /etc/passwd; ln -s /dev/zero /etc/passwd');
    assert.match(store.t('exec', '-u', 'daemon', 'c', 'true').stderr, 'unable to find user daemon');
    store.out(
      'exec',
      'c',
      'sh',
      '-c',
      'rm /etc/passwd; dd if=/dev/zero of=/etc/passwd bs=1M count=8 2>/dev/null',
    );
    assert.match(store.t('exec', '-u', 'daemon', 'c', 'true').stderr, 'it is larger than');
  }));

test('-i passes stdin, and without it there is none', () =>
  running((store) => {
    assert.is(store.with({ input: 'typed' }, 'exec', '-i', 'c', 'cat').stdout, 'typed');
    assert.is(store.with({ input: 'typed' }, 'exec', 'c', 'cat').stdout, '');
  }));

test('-d does not hold up who reads our output; its failures are told', () =>
  running((store) => {
    assert.is(store.out('exec', '-d', 'c', 'sh', '-c', 'echo $$ >/tmp/pid; exec sleep 1000'), '');
    assert.match(
      store.out(
        'exec',
        'c',
        'sh',
        '-c',
        'until test -s /tmp/pid; do sleep 0.1; done; cat /proc/$(cat /tmp/pid)/comm',
      ),
      'sleep',
    );
    const { stderr, code } = store.t('exec', '-d', 'c', 'nosuch');
    assert.match(stderr, 'executable file not found in $PATH');
    assert.is(code, 126);
  }));

test('the options of exec that Docker has not hold by name as well, also with -d', () =>
  running((store) => {
    const line = (field: string, ...flags: string[]): string =>
      store.out('exec', ...flags, 'c', 'grep', field, '/proc/self/status');
    assert.is(line('NoNewPrivs'), 'NoNewPrivs:\t0');
    assert.is(line('NoNewPrivs', '--no-new-privs'), 'NoNewPrivs:\t1');
    assert.is(line('CapEff', '--cap', 'CAP_SYS_ADMIN'), 'CapEff:\t00000000a82425fb');
    assert.match(line('Groups', '--additional-gids', '1234'), /\b1234\b/);
    assert.match(store.t('exec', '--apparmor', 'nosuch', 'c', 'true').stderr, /apparmor/i);
    const file = join(store.top, 'pid');
    store.out('exec', '-d', '--no-new-privs', '--pid-file', file, 'c', 'sleep', '1000');
    const status = readFileSync(`/proc/${readFileSync(file, 'utf8')}/status`, 'utf8');
    assert.match(status, 'NoNewPrivs:\t1');
    assert.match(
      store.t('exec', '-d', '--preserve-fds', '1', 'c', 'true').stderr,
      /--preserve-fds: not with --detach/,
    );
  }));

test('--privileged, exit codes, and who does not run', () =>
  running((store, id) => {
    const caps = (...flags: string[]): string =>
      store.out('exec', ...flags, 'c', 'grep', 'CapEff', '/proc/self/status');
    assert.is(caps(), 'CapEff:\t00000000a80425fb');
    assert.ok(BigInt(`0x${caps('--privileged').slice(-16)}`) > 0xa80425fbn);
    assert.equal(
      [
        store.t('exec', 'c', 'sh', '-c', 'exit 7').code,
        store.t('exec', 'c', 'nosuch').code,
        store.t('exec', 'c', '/etc').code,
      ],
      [7, 127, 126],
    );
    store.out('pause', 'c');
    assert.match(store.t('exec', 'c', 'true').stderr, 'cannot exec in a paused container');
    assert.is(store.out('unpause', 'c'), 'c');
    store.out('stop', '-t', '0', 'c');
    const { stderr, code } = store.t('exec', 'c', 'true');
    assert.match(stderr, `container ${id} is not running; start it: tinyrun start c`);
    assert.is(code, 1);
    assert.is(store.t('exec', 'nobody', 'true').code, 255);
  }));

test('runc’s commands take names: kill, state, ps, pause, resume, update, events, delete', () =>
  running((store, id) => {
    assert.is(JSON.parse(store.out('state', 'c')).id, id);
    assert.match(store.out('ps', 'c'), 'sleep 1000');
    assert.match(store.out('events', '--stats', 'c'), `"id":"${id}"`);
    store.out('update', '--pids-limit', '77', 'c');
    assert.is(store.out('kill', 'c', 'KILL'), 'c');
    store.out('wait', 'c');
    assert.match(store.t('kill', 'c').stderr, `container ${id} is not running`);
    store.out('delete', 'c');
    assert.match(store.t('rm', 'c').stderr, 'No such container: c');
  }));

test.run();
