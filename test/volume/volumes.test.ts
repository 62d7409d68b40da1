// `tinyrun volume`: names, columns, fields, filters, exit codes and words are Docker's.

import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCommand } from '../support/container.ts';
import { skip } from '../support/skip.ts';
import { leftAside, pretendUse, withStore } from '../support/volumes.ts';

const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

test('V3: create prints the name and makes _data, drwxr-xr-x, below the data root', () =>
  withStore((store) => {
    assert.is(store.output('create', 'volume-data'), 'volume-data');
    assert.is(mode(store.data('volume-data')), '755');
    assert.is(mode(join(store.volumes, 'volume-data')), '700');
    assert.equal(leftAside(store), []);
  }));

test('V8: ls prints the columns DRIVER and VOLUME NAME', () =>
  withStore((store) => {
    assert.is(store.output('ls'), 'DRIVER    VOLUME NAME');
    store.output('create', 'logs');
    store.output('create', 'data');
    assert.is(store.output('ls'), 'DRIVER    VOLUME NAME\nlocal     data\nlocal     logs');
    assert.is(store.output('list', '-q'), 'data\nlogs');
  }));

test('V10: rm deletes a volume and its data', () =>
  withStore((store) => {
    store.output('create', 'z');
    writeFileSync(join(store.data('z'), 'file'), 'x');
    assert.is(store.output('rm', 'z'), 'z');
    assert.not(existsSync(join(store.volumes, 'z')));
    assert.match(store.refusal('inspect', 'z'), 'get z: no such volume');
    assert.equal(leftAside(store), []);
  }));

test('V15: a volume is a directory', () =>
  withStore((store) => {
    store.output('create', 'dir');
    assert.ok(statSync(store.output('inspect', '-f', '{{.Mountpoint}}', 'dir')).isDirectory());
  }));

test('V16: the place of volumes can be configured', () =>
  withStore((store) => {
    assert.is(store.output('create', 'q'), 'q');
    assert.ok(statSync(join(store.dataRoot, 'volumes/q/_data')).isDirectory());
  }));

test('V19, S1: the driver is local, of this host only', () =>
  withStore((store) => {
    store.output('create', 'cu');
    assert.is(store.output('inspect', '-f', '{{.Driver}}/{{.Scope}}', 'cu'), 'local/local');
  }));

test('inspect has the fields of Docker, in its order', () =>
  withStore((store) => {
    store.output('create', '--label', 'a=1', '--label', 'empty', 'lab');
    const [volume] = JSON.parse(store.output('inspect', 'lab'));
    assert.equal(Object.keys(volume), [
      'CreatedAt',
      'Driver',
      'Labels',
      'Mountpoint',
      'Name',
      'Options',
      'Scope',
    ]);
    assert.equal(volume.Labels, { a: '1', empty: '' });
    assert.is(volume.Options, null);
    assert.match(volume.CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/);
    assert.is(store.output('inspect', '--format', '{{json .Labels}}', 'lab'), '{"a":"1","empty":""}');
  }));

test('inspect of several: what is missing is told, the rest is shown', () =>
  withStore((store) => {
    store.output('create', 'here');
    const { stdout, stderr, code } = store.volume('inspect', 'nosuch', 'here');
    assert.is(code, 1);
    assert.is(JSON.parse(stdout)[0].Name, 'here');
    assert.is(stderr, 'tinyrun: get nosuch: no such volume\n');
    assert.equal(JSON.parse(store.volume('inspect', 'nosuch').stdout), []);
  }));

test('without a name a volume is anonymous: 64 hexadecimal digits, and a label', () =>
  withStore((store) => {
    const name = store.output('create');
    assert.match(name, /^[0-9a-f]{64}$/);
    const [volume] = JSON.parse(store.output('inspect', name));
    assert.equal(volume.Labels, { 'com.docker.volume.anonymous': '' });
  }));

test('to create a volume again changes nothing', () =>
  withStore((store) => {
    store.output('create', '--label', 'first=1', 'twice');
    writeFileSync(join(store.data('twice'), 'file'), 'x');
    assert.is(store.output('create', '--label', 'second=1', 'twice'), 'twice');
    assert.is(store.output('inspect', '-f', '{{json .Labels}}', 'twice'), '{"first":"1"}');
    assert.ok(existsSync(join(store.data('twice'), 'file')));
  }));

test('names that cannot be are refused in the words of Docker', () =>
  withStore((store) => {
    for (const name of ['a/b', '.hidden', '_x', '-x', 'ä', 'a b', '../up', 'x'.repeat(256)])
      assert.match(
        store.refusal('create', '--', name),
        /^tinyrun: create .*: (".*" includes invalid characters for a local volume name, only "\[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\]" are allowed\. If you intended to pass a host directory, use absolute path|volume name is too long)/s,
      );
    assert.not(existsSync(store.volumes));
  }));

test('options that are refused leave nothing behind', () =>
  withStore((store) => {
    assert.match(store.refusal('create', '-o', 'foo=1', 'opt'), 'create opt: invalid option: "foo"');
    assert.equal(readdirSync(store.volumes), ['.aside']);
    assert.equal(leftAside(store), []);
  }));

test('rm goes on behind a failure, and -f takes what is missing for removed', () =>
  withStore((store) => {
    store.output('create', 'aa');
    store.output('create', 'bb');
    const { stdout, stderr, code } = store.volume('rm', 'aa', 'nosuch', 'bb');
    assert.equal(
      { stdout, stderr, code },
      { stdout: 'aa\nbb\n', stderr: 'tinyrun: get nosuch: no such volume\n', code: 1 },
    );
    assert.is(store.output('rm', '-f', 'nosuch'), 'nosuch');
  }));

test('rm of a volume in use says by whom, also with -f', () =>
  withStore((store) => {
    const id = 'c0ffee'.padEnd(64, '0');
    store.output('create', 'used');
    pretendUse(store, id, 'db', 'used');
    for (const args of [
      ['rm', 'used'],
      ['rm', '-f', 'used'],
    ]) {
      const message = store.refusal(...args);
      assert.match(message, `remove used: volume is in use - [${id}]`);
      assert.match(message, 'db (c0ffee000000');
      assert.match(message, 'at /data');
    }
    assert.match(store.refusal('rename', 'used', 'other'), 'volume is in use');
  }));

test('ls filters', () =>
  withStore((store) => {
    store.output('create', '--label', 'env=prod', 'web-1');
    store.output('create', '--label', 'env=test', 'web-2');
    store.output('create', 'db');
    pretendUse(store, 'a'.repeat(64), 'c', 'db');
    const names = (...filters: string[]): string =>
      store.output('ls', '-q', ...filters.flatMap((filter) => ['-f', filter])).replaceAll('\n', ' ');
    assert.is(names('name=web'), 'web-1 web-2');
    assert.is(names('name=^web-[2-9]$'), 'web-2');
    assert.is(names('label=env'), 'web-1 web-2');
    assert.is(names('label=env=prod'), 'web-1');
    assert.is(names('label!=env=prod'), 'db web-2');
    assert.is(names('dangling=true'), 'web-1 web-2');
    assert.is(names('dangling=0'), 'db');
    assert.is(names('driver=local', 'name=db'), 'db');
    assert.is(names('driver=other'), '');
    assert.match(store.refusal('ls', '-f', 'color=red'), "invalid filter 'color'");
    assert.match(store.refusal('ls', '-f', 'color'), 'bad format of filter (expected name=value)');
    assert.match(store.refusal('ls', '-f', 'dangling=maybe'), "invalid filter 'dangling=maybe'");
  }));

test('ls formats', () =>
  withStore((store) => {
    store.output('create', '--label', 'a=1', 'fmt');
    assert.is(
      store.output('ls', '--format', '{{.Name}}: {{.Driver}} {{.Scope}} {{.Label "a"}}'),
      'fmt: local local 1',
    );
    const row = JSON.parse(store.output('ls', '--format', 'json'));
    assert.equal([row.Name, row.Driver, row.Labels, row.Size], ['fmt', 'local', 'a=1', 'N/A']);
    writeFileSync(join(store.data('fmt'), 'file'), new Uint8Array(1_000_000).fill(1));
    assert.match(store.output('ls', '--size'), /DRIVER\s+VOLUME NAME\s+SIZE\nlocal\s+fmt\s+1MB$/);
  }));

test('prune takes anonymous volumes that nobody uses; with -a those with a name, too', () =>
  withStore((store) => {
    const [anonymous, used] = [store.output('create'), store.output('create')];
    pretendUse(store, 'b'.repeat(64), 'c', used);
    store.output('create', 'named');
    store.output('create', '--label', 'keep', 'kept');
    writeFileSync(join(store.data(anonymous), 'file'), new Uint8Array(5000).fill(1));
    assert.is(store.output('prune', '-f'), `Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: 5kB`);
    assert.is(store.output('prune', '-f'), 'Total reclaimed space: 0B');
    assert.is(
      store.output('prune', '-f', '--filter', 'all=true', '--filter', 'label!=keep'),
      'Deleted Volumes:\nnamed\n\nTotal reclaimed space: 0B',
    );
    assert.is(store.output('ls', '-q'), [used, 'kept'].sort().join('\n'));
  }));

test('prune asks', () =>
  withStore((store) => {
    const name = store.output('create');
    const asked = store.run(['volume', 'prune'], { input: 'n\n' });
    assert.match(
      asked.stdout,
      /^WARNING! This will remove anonymous local volumes not used by at least one container\.\nAre you sure you want to continue\? \[y\/N\] /,
    );
    assert.is(store.output('ls', '-q'), name);
    store.run(['volume', 'prune'], { input: '' });
    assert.is(store.output('ls', '-q'), name);
    assert.match(store.run(['volume', 'prune'], { input: 'y\n' }).stdout, name);
    assert.is(store.output('ls', '-q'), '');
  }));

test('rename', () =>
  withStore((store) => {
    store.output('create', '--label', 'a=1', 'old');
    store.output('create', 'other');
    writeFileSync(join(store.data('old'), 'file'), 'x');
    assert.is(store.output('rename', 'old', 'new'), '');
    assert.ok(existsSync(join(store.data('new'), 'file')));
    assert.is(store.output('inspect', '-f', '{{.Name}} {{json .Labels}}', 'new'), 'new {"a":"1"}');
    assert.match(store.refusal('rename', 'new', 'other'), 'a volume other is there already');
    assert.match(store.refusal('rename', 'old', 'x'), 'get old: no such volume');
    assert.match(store.refusal('rename', 'new', 'a/b'), 'includes invalid characters');
  }));

test('exists tells by its exit code', () =>
  withStore((store) => {
    store.output('create', 'yes');
    assert.is(store.volume('exists', 'yes').code, 0);
    assert.is(store.volume('exists', 'no').code, 1);
  }));

test("what a container made immutable is in nobody's way but its own", () =>
  withStore((store) => {
    store.output('create', 'stuck');
    const file = join(store.data('stuck'), 'file');
    writeFileSync(file, 'x');
    if (runCommand(['chattr', '+i', file]).code !== 0)
      return skip('an immutable file', 'no chattr, or not here');
    assert.match(store.refusal('rm', 'stuck'), /remove .*file: EPERM/);
    const [left = ''] = leftAside(store);
    assert.is(store.output('create', 'other'), 'other');
    assert.is(store.output('rm', 'other'), 'other');
    assert.match(store.volume('prune', '-f').stderr, /warning: remove what is left of a volume: .*EPERM/);
    runCommand(['chattr', '-i', join(store.volumes, '.aside', left, '_data/file')]);
    assert.is(store.output('prune', '-f'), 'Total reclaimed space: 0B');
    assert.equal(leftAside(store), []);
  }));

test('a directory made by hand is a local volume; a damaged record is told, and removed by force alone', () =>
  withStore((store) => {
    mkdirSync(store.data('byhand'), { recursive: true });
    mkdirSync(store.data('damaged'), { recursive: true });
    writeFileSync(join(store.volumes, 'damaged/volume.json'), '{"driver":');
    assert.is(store.output('ls', '-q'), 'byhand\ndamaged');
    const { stdout, stderr, code } = store.volume('ls', '--format', '{{.Name}}');
    assert.equal([stdout, code], ['byhand\n', 0]);
    assert.match(stderr, 'read volume damaged: volume.json is damaged');
    assert.match(store.refusal('inspect', 'damaged'), 'volume.json is damaged');
    assert.match(store.refusal('rm', 'damaged'), 'volume.json is damaged');
    assert.is(store.output('rm', '-f', 'damaged'), 'damaged');
    assert.is(store.output('rm', 'byhand'), 'byhand');
  }));

test.run();
