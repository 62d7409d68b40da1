// Docker's volume plugin protocol: against a plugin that is well behaved, against bad ones, and against a real one
// (`rclone serve docker`).

import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { runCommand, until } from '../support/container.ts';
import { skip } from '../support/skip.ts';
import { leftAside, mountsIn, type Store, withStore } from '../support/volumes.ts';

interface Plugin extends Store {
  /** The calls that it got, since the last time they were asked for. */
  calls(): string[];
  stop(): Promise<void>;
}

/** A store with a plugin `fake` beside it. */
async function withPlugin(use: (plugin: Plugin) => void | Promise<void>, behaviour = 'good'): Promise<void> {
  await withStore(async (store) => {
    const [sockets, directory] = [join(store.top, 'sockets'), join(store.top, 'plugin')];
    for (const path of [sockets, directory]) mkdirSync(path);
    const program = join(import.meta.dir, '../support/volume-plugin.ts');
    const child = Bun.spawn([process.execPath, program, join(sockets, 'fake.sock'), directory, behaviour], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const stop = async (): Promise<void> => {
      child.kill('SIGKILL');
      await child.exited;
    };
    const env = { ...process.env, TINYRUN_PLUGIN_DIRS: sockets, TINYRUN_PLUGIN_TIMEOUT: '3000' };
    const volume: Store['volume'] = (...args) => store.run(['volume', ...args], { env });
    const calls = (): string[] => {
      const file = join(directory, 'calls');
      const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
      rmSync(file, { force: true });
      return lines.filter((line) => !/^Plugin\.Activate|\.Capabilities/.test(line));
    };
    try {
      await until('the plugin listens', () => existsSync(join(sockets, 'fake.sock')));
      await use({ ...store, ...asked(volume), volume, calls, stop });
    } finally {
      await stop();
    }
  });
}

/** As in support/volumes.ts, with another environment. */
const asked = (volume: Store['volume']): Pick<Store, 'output' | 'refusal'> => ({
  output(...args) {
    const { stdout, stderr, code } = volume(...args);
    if (code !== 0 || stderr !== '')
      throw new Error(`volume ${args.join(' ')}: exit code ${code}: ${stderr}`);
    return stdout.replace(/\n$/, '');
  },
  refusal(...args) {
    const { stderr, code } = volume(...args);
    if (code === 0) throw new Error(`volume ${args.join(' ')}: no refusal`);
    return stderr.trimEnd();
  },
});

test('S3: a volume of a plugin: create, ls, inspect, mount, unmount, rm', () =>
  withPlugin((plugin) => {
    const { output, calls } = plugin;
    assert.is(output('create', '-d', 'fake', '-o', 'size=1', '--label', 'a=b', 'p1'), 'p1');
    assert.is(calls()[0], 'VolumeDriver.Create {"Name":"p1","Opts":{"size":"1"}}');
    assert.is(output('ls'), 'DRIVER    VOLUME NAME\nfake      p1');
    const [volume] = JSON.parse(output('inspect', 'p1'));
    assert.equal(
      [volume.Driver, volume.Scope, volume.Status, volume.Labels, volume.Mountpoint],
      ['fake', 'global', { users: 0 }, { a: 'b' }, join(plugin.top, 'plugin/volumes/p1')],
    );
    assert.is(output('create', '-d', 'fake', 'p1'), 'p1');
    assert.match(
      plugin.refusal('create', '-d', 'local', 'p1'),
      "create p1: driver 'fake' already has volume 'p1': volume name must be unique",
    );
    calls();
    assert.is(output('mount', 'p1'), volume.Mountpoint);
    assert.is(output('mount', 'p1'), volume.Mountpoint);
    assert.equal(
      calls().map((line) => line.split(' ')[0]),
      ['VolumeDriver.Mount', 'VolumeDriver.Path'],
    );
    assert.match(plugin.refusal('rm', 'p1'), 'volume is in use - [command]');
    output('unmount', 'p1');
    assert.is(calls().at(-1), 'VolumeDriver.Unmount {"Name":"p1","ID":"command"}');
    assert.is(output('rm', 'p1'), 'p1');
    assert.is(calls().at(-1), 'VolumeDriver.Remove {"Name":"p1"}');
    assert.equal(leftAside(plugin), []);
    assert.is(output('ls', '-q'), '');
  }));

test('a volume that was made elsewhere is seen, used and removed', () =>
  withPlugin((plugin) => {
    mkdirSync(join(plugin.top, 'plugin/volumes/far'));
    plugin.output('create', 'near');
    assert.is(plugin.output('ls'), 'DRIVER    VOLUME NAME\nfake      far\nlocal     near');
    assert.is(plugin.output('inspect', '-f', '{{.Driver}}', 'far'), 'fake');
    assert.is(plugin.output('create', 'far'), 'far');
    assert.not(plugin.calls().some((line) => line.startsWith('VolumeDriver.Create')));
    assert.is(plugin.output('inspect', '-f', '{{.Driver}}', 'far'), 'fake');
    plugin.output('rm', 'far');
    mkdirSync(join(plugin.top, 'plugin/volumes/far'));
    plugin.output('rm', 'far');
    assert.not(existsSync(join(plugin.top, 'plugin/volumes/far')));
  }));

test('export, import, clone and du of a volume of a plugin', () =>
  withPlugin((plugin) => {
    plugin.output('create', '-d', 'fake', 'p1');
    writeFileSync(join(plugin.top, 'plugin/volumes/p1/file'), 'x');
    plugin.output('clone', 'p1', 'copy');
    assert.is(readFileSync(join(plugin.data('copy'), 'file'), 'utf8'), 'x');
    plugin.output('export', 'p1', '-o', join(plugin.top, 'a.tar'));
    plugin.output('import', 'p1', join(plugin.top, 'a.tar'));
    assert.match(plugin.output('du', 'p1'), /p1\s+1B\s+1/);
    assert.is(JSON.parse(plugin.output('inspect', 'p1'))[0].Status.users, 0);
    assert.match(plugin.refusal('rename', 'p1', 'p2'), 'driver fake keeps names of its own');
  }));

test("a plugin's own words are told, and nothing is left of a volume that it could not make", () =>
  withPlugin((plugin) => {
    assert.match(
      plugin.refusal('create', '-d', 'fake', '-o', 'fail=why not', 'p1'),
      'create p1: VolumeDriver.Create: cannot create: why not',
    );
    assert.is(plugin.output('ls', '-q'), '');
    assert.equal(leftAside(plugin), []);
  }));

test('a volume whose removal the plugin refuses keeps its name', () =>
  withPlugin((plugin) => {
    plugin.output('create', '-d', 'fake', '--label', 'a=b', 'p1');
    rmSync(join(plugin.top, 'plugin/volumes/p1'), { recursive: true });
    assert.match(plugin.refusal('rm', 'p1'), 'remove p1: VolumeDriver.Remove: no such volume: p1');
    assert.is(plugin.output('ls', '-q'), 'p1');
    assert.is(plugin.output('rm', '-f', 'p1'), 'p1');
    assert.is(plugin.output('ls', '-q'), '');
  }));

test('a plugin that is gone: ls shows what was made here, all else says so soon', () =>
  withPlugin(async (plugin) => {
    plugin.output('create', '-d', 'fake', 'p1');
    await plugin.stop();
    const { stdout, stderr, code } = plugin.volume('ls', '-q');
    assert.equal([stdout, code], ['p1\n', 0]);
    assert.match(stderr, 'list volumes of fake: Plugin.Activate: nobody listens on its socket');
    assert.match(plugin.refusal('mount', 'p1'), 'mount p1: Plugin.Activate: nobody listens on its socket');
    rmSync(join(plugin.top, 'sockets/fake.sock'));
    assert.match(
      plugin.refusal('mount', 'p1'),
      'error looking up volume plugin fake: plugin "fake" not found',
    );
  }));

const bad: Readonly<Record<string, RegExp>> = {
  hangs: /create p1: VolumeDriver\.Create: no answer within 3 s; see whether the plugin hangs/,
  huge: /the answer is longer than 1 MiB/,
  'no-json': /the answer is no JSON \(status 200\): <html>hello/,
  array: /the answer is no object: \[\]/,
  status: /(status 500|no JSON \(status 500\)): went wrong/,
  redirects: /VolumeDriver\.Create: /,
  dies: /VolumeDriver\.Create: .*closed/,
  escapes: /VolumeDriver\.Create: red \\x1b\[31m and more lines/,
  network: /plugin "fake" does not implement VolumeDriver; it is a plugin for NetworkDriver/,
};
for (const [behaviour, message] of Object.entries(bad))
  test(`a bad plugin: ${behaviour}`, () =>
    withPlugin((plugin) => {
      const refusal = plugin.refusal('create', '-d', 'fake', 'p1');
      assert.match(refusal, message);
      assert.is(refusal.split('\n').length, 1);
      assert.equal(leftAside(plugin), []);
      assert.is(plugin.output('create', 'own'), 'own', 'volumes of others are not in its way');
    }, behaviour));

const badMountpoints: Readonly<Record<string, string>> = {
  root: '"/": that is the root of the host',
  relative: 'that is no absolute path',
  nothing: 'that is no path',
  number: 'that is no path',
  missing: 'that is no directory: ENOENT',
  symlink: 'that is no directory: ENOTDIR',
  dots: 'that is the root of the host',
  'data-root': 'tinyrun keeps its own data there',
};
for (const [behaviour, message] of Object.entries(badMountpoints))
  test(`a plugin that gives a bad mountpoint: ${behaviour}`, () =>
    withPlugin((plugin) => {
      plugin.output('create', '-d', 'fake', 'v');
      assert.match(plugin.refusal('mount', 'v'), message);
      assert.is(JSON.parse(plugin.output('inspect', 'v'))[0].Status.users, 0);
      assert.match(plugin.refusal('export', 'v', '-o', '/dev/null'), message);
    }, behaviour));

test('a plugin that gives the data root by another name than the caller, who came by a symlink', () =>
  withPlugin((plugin) => {
    plugin.output('create', '-d', 'fake', 'v');
    const link = join(plugin.top, 'link');
    symlinkSync(plugin.dataRoot, link);
    const env = { ...process.env, TINYRUN_PLUGIN_DIRS: join(plugin.top, 'sockets') };
    const words = ['--root', join(plugin.top, 'root'), '--data-root', link, 'volume', 'mount', 'v'];
    const { stderr, code } = runCommand([tinyrun, ...words], { env });
    assert.match(stderr, 'tinyrun keeps its own data there');
    assert.is(code, 1);
  }, 'data-root'));

test('a socket comes before addresses in .spec and .json files', () =>
  withPlugin((plugin) => {
    const specs = join(plugin.top, 'specs');
    mkdirSync(specs);
    const socket = join(plugin.top, 'sockets/fake.sock');
    writeFileSync(join(specs, 'one.spec'), `unix://${socket}\n`);
    writeFileSync(join(specs, 'two.json'), JSON.stringify({ Name: 'two', Addr: `unix://${socket}` }));
    writeFileSync(
      join(specs, 'three.json'),
      JSON.stringify({ Name: 'three', Addr: 'tcp://h:1', TLSConfig: {} }),
    );
    writeFileSync(join(specs, 'four.spec'), 'somewhere');
    writeFileSync(join(specs, 'five.json'), '{');
    writeFileSync(join(specs, 'fake.spec'), 'somewhere');
    const both = { ...process.env, TINYRUN_PLUGIN_DIRS: `${join(plugin.top, 'sockets')}:${specs}` };
    assert.is(plugin.run(['volume', 'create', '-d', 'fake', 'both'], { env: both }).code, 0);
    const env = { ...process.env, TINYRUN_PLUGIN_DIRS: `/no/such:${specs}` };
    const create = (driver: string) =>
      plugin.run(['volume', 'create', '-d', driver, `of-${driver}`], { env });
    for (const driver of ['one', 'two'])
      assert.equal([create(driver).code, create(driver).stdout], [0, `of-${driver}\n`]);
    assert.match(create('three').stderr, 'TLS is not supported');
    assert.match(create('four').stderr, '"somewhere" is no address');
    assert.match(create('five').stderr, 'is no JSON');
    const outside = plugin.run(['volume', 'create', '-d', '../one', 'x'], { env });
    assert.match(outside.stderr, 'plugin "../one" not found');
  }));

test('a real plugin: rclone serve docker', async () => {
  if (Bun.which('rclone') === null || !existsSync('/dev/fuse'))
    return skip('rclone serve docker', 'no rclone, or no /dev/fuse');
  await withStore(async (store) => {
    const [sockets, remote] = [join(store.top, 'sockets'), join(store.top, 'remote')];
    for (const name of ['sockets', 'remote', 'base', 'cache']) mkdirSync(join(store.top, name));
    writeFileSync(join(remote, 'file'), 'of the remote');
    const child = Bun.spawn(
      [
        ...['rclone', 'serve', 'docker', '--socket-addr', join(sockets, 'rclone.sock')],
        ...['--base-dir', join(store.top, 'base'), '--cache-dir', join(store.top, 'cache')],
      ],
      { stdio: ['ignore', 'ignore', 'ignore'] },
    );
    const env = { ...process.env, TINYRUN_PLUGIN_DIRS: sockets };
    const { output } = asked((...args) => store.run(['volume', ...args], { env }));
    try {
      await until('rclone listens', () => existsSync(join(sockets, 'rclone.sock')));
      output('create', '-d', 'rclone', '-o', `remote=:local:${remote}`, 'rc');
      const path = output('mount', 'rc');
      const seen = runCommand(['cat', join(path, 'file')]);
      output('unmount', 'rc');
      assert.equal([seen.stdout, mountsIn(store.top)], ['of the remote', []]);
      output('rm', 'rc');
      assert.is(readFileSync(join(remote, 'file'), 'utf8'), 'of the remote');
    } finally {
      child.kill('SIGTERM');
      await child.exited;
    }
  });
});

test.run();
