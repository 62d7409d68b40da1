// Volumes of containers: made, mounted, filled, shared, and removed. The tests are named after what users of Docker
// expect, row by row (spec/volumes.md, "What users expect"); how flags are parsed is test/volume.

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { mountAt, output, refusalOf, runPayload, until } from '../support/container.ts';
import { succeeds } from '../support/verbs.ts';

const run = (bundle: Bundle, flags: string[], ...commands: string[]) =>
  output(runPayload(bundle, commands, { flags }));
const tinyrun = (bundle: Bundle, ...words: string[]) => output(runTinyrun(bundle, words));
const dataOf = (bundle: Bundle, name: string, ...path: string[]) =>
  join(bundle.dataRoot, 'volumes', name, '_data', ...path);
const volumesOf = (bundle: Bundle) => tinyrun(bundle, 'volume', 'ls', '-q').split('\n').filter(Boolean);
const usersLeft = (bundle: Bundle) => readdirSync(join(bundle.dataRoot, 'containers'));

/** A kept container of the bundle that has ended. */
const keep = (bundle: Bundle, name: string, flags: string[], ...commands: string[]) =>
  run(bundle, ['--name', name, ...flags], ...(commands.length > 0 ? commands : ['true']));

// Named and anonymous volumes

test('V2: a volume is no part of the rootfs: a mount of its own, also over an overlay', () =>
  withBundle((bundle) => {
    const printed = run(bundle, ['--overlay', '-v', 'd:/d'], 'mountinfo');
    assert.is(mountAt(printed, '/').type, 'overlay');
    assert.is.not(mountAt(printed, '/d').type, 'overlay');
    assert.match(mountAt(printed, '/d').root, /\/volumes\/d\/_data$/);
  }));

test('V4, V5: what either side writes is there for the other at once', () =>
  withBundle(async (bundle) => {
    writeConfig(bundle);
    const flags = ['--mount', 'source=volume-data,target=/data'];
    const words = [
      '/payload',
      'write',
      '/data/data.log',
      'x',
      '--',
      'await',
      '/data/go',
      '--',
      'cat',
      '/data/go',
    ];
    const container = startTinyrun(bundle, ['run', ...flags, bundle.dir, '--', ...words]);
    await until('the container has written', () => existsSync(dataOf(bundle, 'volume-data', 'data.log')));
    writeFileSync(`${dataOf(bundle, 'volume-data')}/aside`, 'of the host');
    runTinyrun(bundle, ['volume', 'ls']);
    writeFileSync(`${dataOf(bundle, 'volume-data')}/go`, 'of the host');
    assert.is(await container.exited, 0);
  }));

test('V6: -v PATH alone makes a volume with 64 digits for a name', () =>
  withBundle((bundle) => {
    keep(bundle, bundle.id, ['-v', '/d'], 'write', '/d/x', 'x');
    const [name = '', ...more] = volumesOf(bundle);
    assert.equal(more, []);
    assert.match(name, /^[0-9a-f]{64}$/);
    assert.ok(existsSync(dataOf(bundle, name, 'x')));
  }));

test('V7, V9: a volume that is missing is made, and outlives the container that asked for it', () =>
  withBundle((bundle) => {
    run(bundle, ['-v', 'newv:/d'], 'write', '/d/x', 'kept');
    tinyrun(bundle, 'volume', 'inspect', 'newv');
    assert.is(run(bundle, ['-v', 'newv:/e'], 'cat', '/e/x'), 'kept');
    assert.equal(usersLeft(bundle), []);
  }));

test('V11: a volume in use, also by an ended container, cannot be removed, and it is said by whom', () =>
  withBundle((bundle) => {
    keep(bundle, bundle.id, ['-v', 'inuse:/d']);
    const { code, stderr } = runTinyrun(bundle, ['volume', 'rm', 'inuse']);
    assert.is(code, 1);
    assert.match(stderr, `remove inuse: volume is in use - [${bundle.id}]`);
    assert.match(stderr, /at \/d/);
    tinyrun(bundle, 'delete', bundle.id);
    tinyrun(bundle, 'volume', 'rm', 'inuse');
    assert.equal(volumesOf(bundle), []);
  }));

test('V11: nor one of a container that waits for start', () =>
  withBundle(async (bundle) => {
    writeConfig(bundle);
    await succeeds(bundle, 'create', '--bundle', bundle.dir, '-v', 'early:/d', bundle.id);
    assert.is(runTinyrun(bundle, ['volume', 'rm', 'early']).code, 1);
    output(runTinyrun(bundle, ['delete', '--force', bundle.id]));
    tinyrun(bundle, 'volume', 'rm', 'early');
  }));

test('V12: several -v in one run', () =>
  withBundle((bundle) => {
    run(bundle, ['-v', 'a1:/a', '-v', 'b1:/b'], 'write', '/a/x', '', '--', 'write', '/b/y', '');
    assert.ok(existsSync(dataOf(bundle, 'a1', 'x')) && existsSync(dataOf(bundle, 'b1', 'y')));
  }));

test('V20, V21: volumes without a name go with a container that is not kept, binds and names stay', () =>
  withBundle((bundle) => {
    const data = join(bundle.dir, 'data');
    run(
      bundle,
      ['-v', '/d', '-v', 'named:/n', '-v', `${data}:/h`],
      'write',
      '/h/x',
      '',
      '--',
      'write',
      '/d/x',
      '',
    );
    assert.equal(volumesOf(bundle), ['named']);
    assert.ok(existsSync(join(data, 'x')));
    assert.equal(usersLeft(bundle), []);
  }));

test('V20: of a kept container they stay, and belong to nobody when it is deleted', () =>
  withBundle((bundle) => {
    keep(bundle, bundle.id, ['-v', '/d']);
    tinyrun(bundle, 'delete', bundle.id);
    assert.is(volumesOf(bundle).length, 1);
    tinyrun(bundle, 'volume', 'prune', '-f');
    assert.equal(volumesOf(bundle), []);
  }));

test('V20: a volume that another container uses, too, stays with it', () =>
  withBundle((bundle) => {
    keep(bundle, `${bundle.id}-a`, ['-v', '/d'], 'write', '/d/x', 'x');
    assert.is(run(bundle, ['--volumes-from', `${bundle.id}-a`], 'cat', '/d/x'), 'x');
    assert.is(volumesOf(bundle).length, 1);
    tinyrun(bundle, 'delete', `${bundle.id}-a`);
  }));

test('V23: what one container logs another reads', () =>
  withBundle((bundle) => {
    run(bundle, ['-v', 'log-vol:/tmp/log'], 'write', '/tmp/log/a', 'line');
    const printed = run(bundle, ['-v', 'log-vol:/in:ro'], 'cat', '/in/a', '--', 'try', 'write', '/in/b', '');
    assert.is(printed, 'linewrite: 30 Read-only file system\n');
  }));

test('nocreate wants a volume that is there', () =>
  withBundle((bundle) => {
    writeConfig(bundle);
    const { code, stderr } = runTinyrun(bundle, ['run', '-v', 'missing:/d:nocreate', bundle.dir]);
    assert.is(code, 125);
    assert.match(stderr, 'get missing: no such volume');
    assert.equal([volumesOf(bundle), usersLeft(bundle)], [[], []]);
  }));

test('volume-label, volume-driver and volume-opt are those of the volume that is made', () =>
  withBundle((bundle) => {
    run(bundle, ['--mount', 'src=lv,dst=/d,volume-label=a=1,volume-driver=local'], 'true');
    const [volume] = JSON.parse(tinyrun(bundle, 'volume', 'inspect', 'lv'));
    assert.equal([volume.Labels, volume.Driver], [{ a: '1' }, 'local']);
    writeConfig(bundle);
    const flags = ['--mount', 'src=lv2,dst=/d,volume-opt=nosuch=1'];
    const { code, stderr } = runTinyrun(bundle, ['run', ...flags, bundle.dir]);
    assert.is(code, 125);
    assert.match(stderr, /nosuch/);
    assert.equal([volumesOf(bundle), usersLeft(bundle)], [['lv'], []]);
  }));

// Copy-up

const image = (bundle: Bundle): string => {
  const html = join(bundle.rootfs, 'usr/share/nginx/html');
  mkdirSync(join(html, 'deep'), { recursive: true });
  writeFileSync(join(html, 'index.html'), 'hi');
  symlinkSync('index.html', join(html, 'link'));
  chownSync(html, 101, 102);
  chmodSync(html, 0o757);
  return html;
};
const HTML = '/usr/share/nginx/html';

test('V13: a new volume takes what the rootfs has at its mount point, its owner and mode, too', () =>
  withBundle((bundle) => {
    image(bundle);
    run(bundle, ['-v', `cu:${HTML}`], 'true');
    assert.equal(readdirSync(dataOf(bundle, 'cu')).sort(), ['deep', 'index.html', 'link']);
    const { uid, gid, mode } = statSync(dataOf(bundle, 'cu'));
    assert.equal([uid, gid, mode & 0o7777], [101, 102, 0o757]);
  }));

test('V13: of several layers it takes what they show together', () =>
  withBundle((bundle) => {
    const base = image(bundle);
    writeFileSync(join(base, 'deep/below'), 'below');
    writeFileSync(join(base, 'gone'), '');
    const top = join(bundle.dir, 'top');
    const here = join(top, HTML);
    mkdirSync(join(here, 'deep'), { recursive: true });
    writeFileSync(join(here, 'index.html'), 'of the top');
    Bun.spawnSync(['mknod', join(here, 'gone'), 'c', '0', '0']);
    Bun.spawnSync(['setfattr', '-n', 'trusted.overlay.opaque', '-v', 'y', join(here, 'deep')]);
    bundle.config.annotations = { 'io.tinyrun.layers': `${bundle.rootfs}:${top}` };
    const shown = run(bundle, [], 'ls', `${HTML}/deep`, '--', 'ls', HTML);
    run(bundle, ['-v', `merged:${HTML}`], 'true');
    assert.is(readFileSync(dataOf(bundle, 'merged', 'index.html'), 'utf8'), 'of the top');
    assert.not(existsSync(dataOf(bundle, 'merged', 'gone')));
    assert.is(readdirSync(dataOf(bundle, 'merged', 'deep')).join(), shown.includes('below') ? 'below' : '');
  }));

test('V13: only an empty volume is filled, and none with nocopy (podman CVE-2020-1726)', () =>
  withBundle((bundle) => {
    image(bundle);
    run(bundle, ['-v', 'mine:/d'], 'write', '/d/own', '');
    run(bundle, ['-v', `mine:${HTML}`], 'true');
    assert.equal(readdirSync(dataOf(bundle, 'mine')), ['own']);
    run(bundle, ['-v', `bare:${HTML}:nocopy`, '--mount', `src=bare2,dst=${HTML}/deep,volume-nocopy`], 'true');
    assert.equal(readdirSync(dataOf(bundle, 'bare')), ['deep']); // the mount point of the other
  }));

test('V13: a mount point that is a symlink leads nowhere but into the rootfs (containerd CVE-2022-23648)', () =>
  withBundle((bundle) => {
    const secret = join(bundle.dir, 'secret');
    mkdirSync(secret);
    writeFileSync(join(secret, 'key'), '');
    symlinkSync(secret, join(bundle.rootfs, 'abs'));
    symlinkSync(`../../../../../../../..${secret}`, join(bundle.rootfs, 'rel'));
    mkdirSync(join(bundle.rootfs, secret), { recursive: true });
    writeFileSync(join(bundle.rootfs, secret, 'inside'), '');
    for (const [name, path] of [
      ['one', '/abs'],
      ['two', '/rel'],
      ['three', `/../../..${secret}`],
    ] as const) {
      run(bundle, ['-v', `${name}:${path}`], 'true');
      assert.equal(readdirSync(dataOf(bundle, name)), ['inside']);
    }
  }));

test('V14: a volume is filled when the container is created', () =>
  withBundle(async (bundle) => {
    image(bundle);
    writeConfig(bundle);
    await succeeds(bundle, 'create', '--bundle', bundle.dir, '-v', `ini:${HTML}`, bundle.id);
    assert.ok(existsSync(dataOf(bundle, 'ini', 'index.html')));
    output(runTinyrun(bundle, ['delete', '--force', bundle.id]));
  }));

test('V17: changing a volume changes nothing of the rootfs that it was filled from', () =>
  withBundle((bundle) => {
    const html = image(bundle);
    run(bundle, ['-v', `cu:${HTML}`], 'write', `${HTML}/index.html`, 'changed');
    assert.is(readFileSync(dataOf(bundle, 'cu', 'index.html'), 'utf8'), 'changed');
    assert.is(readFileSync(join(html, 'index.html'), 'utf8'), 'hi');
  }));

test('a copy that was interrupted is done again; a whole one is moved to its place', () =>
  withBundle((bundle) => {
    image(bundle);
    tinyrun(bundle, 'volume', 'create', 'half');
    const half = join(bundle.dataRoot, 'volumes/half/.tinyrun-copy-up');
    mkdirSync(join(half, 'deep'), { recursive: true });
    writeFileSync(join(half, 'index.html'), 'h');
    run(bundle, ['-v', `half:${HTML}`], 'true');
    assert.is(readFileSync(dataOf(bundle, 'half', 'index.html'), 'utf8'), 'hi');
    assert.not(existsSync(half));

    tinyrun(bundle, 'volume', 'create', 'whole');
    const whole = join(bundle.dataRoot, 'volumes/whole/.tinyrun-copied-up');
    mkdirSync(whole);
    writeFileSync(join(whole, 'rest'), '');
    writeFileSync(dataOf(bundle, 'whole', 'first'), ''); // has been moved already
    run(bundle, ['-v', `whole:${HTML}`], 'true');
    assert.equal(readdirSync(dataOf(bundle, 'whole')).sort(), ['first', 'rest']);
    assert.not(existsSync(whole));
  }));

test('twenty containers that want to fill one volume at once find it whole', () =>
  withBundle(async (bundle) => {
    const html = image(bundle);
    for (let i = 0; i < 200; i++) writeFileSync(join(html, `file-${i}`), `${i}`);
    bundle.config.process.args = ['/payload', 'cat', `${HTML}/file-199`];
    writeConfig(bundle);
    const containers = Array.from({ length: 20 }, () =>
      startTinyrun(bundle, ['run', '-v', `shared:${HTML}`, bundle.dir]),
    );
    for (const container of containers) {
      const [text, errors] = await Promise.all([
        new Response(container.stdout).text(),
        new Response(container.stderr).text(),
      ]);
      assert.equal([await container.exited, text, errors], [0, '199', '']);
    }
    assert.is(readdirSync(dataOf(bundle, 'shared')).length, 203);
    assert.equal(usersLeft(bundle), []);
  }));

// A bundle that names its volumes

test('a mount of type volume in config.json needs no flags', () =>
  withBundle((bundle) => {
    const { mounts = [] } = bundle.config;
    mounts.push(
      { destination: '/data', type: 'volume', source: 'of-bundle' },
      { destination: '/data/ro', type: 'volume', source: 'second', options: ['ro', 'nocopy'] },
      { destination: '/anonymous', type: 'volume' },
    );
    const commands = [
      'write',
      '/data/x',
      'x',
      '--',
      'try',
      'write',
      '/data/ro/x',
      '',
      '--',
      'write',
      '/anonymous/x',
      '',
    ];
    assert.is(run(bundle, [], ...commands), 'write: 30 Read-only file system\n');
    assert.is(readFileSync(dataOf(bundle, 'of-bundle', 'x'), 'utf8'), 'x');
    assert.equal(volumesOf(bundle), ['of-bundle', 'second']);
    run(bundle, ['-v', 'other:/data'], 'write', '/data/y', '');
    assert.ok(existsSync(dataOf(bundle, 'other', 'y')), 'a flag comes before it');
    assert.not(existsSync(dataOf(bundle, 'of-bundle', 'y')));
  }));

test("an engine's config names no volumes", () =>
  withBundle((bundle) => {
    bundle.config.mounts?.push({ destination: '/data', type: 'volume', source: 'x' });
    writeConfig(bundle);
    const { code, stderr } = runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]);
    assert.is(code, 1);
    assert.match(stderr, 'a volume is for `tinyrun run BUNDLE`, not for engines');
  }));

test('what cannot be a volume in config.json is refused by its pointer', async () => {
  const says = (mount: object) =>
    refusalOf({ config: ({ mounts }) => mounts?.push({ destination: '/data', type: 'volume', ...mount }) });
  assert.match(await says({ source: '/srv' }), /\/mounts\/\d+\/source: "\/srv" is no name of a volume/);
  assert.match(await says({ source: 'x', options: ['nosuch'] }), /\/mounts\/\d+: invalid mode: nosuch/);
});

// Other containers' mounts

test('J1, J6: --volumes-from mounts what another container mounts, where that has it', () =>
  withBundle((bundle) => {
    const lp = `${bundle.id}-lp`;
    keep(bundle, lp, ['--mount', 'source=lv,target=/tmp/log', '-v', '/anon']);
    run(bundle, ['--volumes-from', lp], 'write', '/tmp/log/x', '', '--', 'write', '/anon/y', '');
    assert.ok(existsSync(dataOf(bundle, 'lv', 'x')));
    assert.is(volumesOf(bundle).length, 2);
    tinyrun(bundle, 'delete', lp);
    assert.is(volumesOf(bundle).length, 2);
  }));

test('J2, J3: the other one may be merely created', () =>
  withBundle(async (bundle) => {
    writeConfig(bundle);
    const data = `${bundle.id}-data`;
    await succeeds(bundle, 'create', '--bundle', bundle.dir, '-v', '/dbdata', data);
    run(bundle, ['--volumes-from', data], 'write', '/dbdata/f', 'seen');
    assert.is(run(bundle, ['--volumes-from', data], 'cat', '/dbdata/f'), 'seen');
    output(runTinyrun(bundle, ['delete', '--force', data]));
  }));

test('J4: several, and one that used it itself', () =>
  withBundle((bundle) => {
    const [one, two, three] = ['1', '2', '3'].map((digit) => `${bundle.id}-${digit}`) as [
      string,
      string,
      string,
    ];
    keep(bundle, one, ['-v', '/dbdata'], 'write', '/dbdata/x', 'x');
    keep(bundle, two, ['--volumes-from', one]);
    keep(bundle, three, ['-v', '/other'], 'write', '/other/y', 'y');
    const flags = ['--volumes-from', two, '--volumes-from', three];
    assert.is(run(bundle, flags, 'cat', '/dbdata/x', '/other/y'), 'xy');
    for (const id of [one, two, three]) tinyrun(bundle, 'delete', id);
  }));

test('J5: binds as well, and both containers say the same of them', () =>
  withBundle((bundle) => {
    const [init, httpd] = [`${bundle.id}-i`, `${bundle.id}-h`] as const;
    const www = join(bundle.dir, 'www');
    keep(bundle, init, ['-v', `${www}:/data/www`, '-v', 'nv:/n:ro'], 'write', '/data/www/x', 'x');
    assert.is(keep(bundle, httpd, ['--volumes-from', init], 'cat', '/data/www/x'), 'x');
    const points = (id: string) =>
      JSON.parse(readFileSync(join(bundle.dataRoot, 'containers', id, 'mounts.json'), 'utf8')).mounts.map(
        ({ point }: { point: object }) => point,
      );
    assert.equal(points(init), points(httpd));
    assert.is(points(init).length, 2);
    for (const id of [init, httpd]) tinyrun(bundle, 'delete', id);
  }));

test('writable is what is so there and here; a flag comes before it; nothing is copied up', () =>
  withBundle((bundle) => {
    image(bundle);
    const from = `${bundle.id}-from`;
    keep(bundle, from, ['-v', 'one:/one:ro', '-v', 'two:/two', '-v', `three:${HTML}:nocopy`]);
    const tryAll = ['try', 'write', '/one/x', '', '--', 'try', 'write', '/two/x', ''];
    const refused = 'write: 30 Read-only file system\n';
    assert.is(run(bundle, ['--volumes-from', `${from}:rw`], ...tryAll), `${refused}ok\n`);
    assert.is(run(bundle, ['--volumes-from', `${from}:ro,z`], ...tryAll), refused.repeat(2));
    run(bundle, ['--volumes-from', from, '-v', 'mine:/two'], 'write', '/two/mine', '');
    assert.ok(existsSync(dataOf(bundle, 'mine', 'mine')));
    assert.equal(readdirSync(dataOf(bundle, 'three')), []);
    tinyrun(bundle, 'delete', from);
  }));

test('--volumes-from refuses who is not there, and modes that are not its own', async () => {
  const says = (value: string) => refusalOf({ flags: ['--volumes-from', value] });
  assert.match(await says('nobody'), /^tinyrun: No such container: nobody/);
  assert.match(await says('x:rshared'), /invalid mode: rshared/);
  assert.match(await says('x:nocopy'), /invalid mode: nocopy/);
  assert.match(await says('x:ro,rw'), /invalid mode: ro,rw/);
});

// What is left

test('two containers with one id: one is made, and keeps what it said', () =>
  withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'true'];
    writeConfig(bundle);
    const both = ['one', 'two'].map((name) =>
      startTinyrun(bundle, ['run', '--name', bundle.id, '-v', `${name}:/d`, bundle.dir]),
    );
    const ends = await Promise.all(
      both.map(async (child) => [await child.exited, await new Response(child.stderr).text()] as const),
    );
    const lost = ends.filter(([code]) => code !== 0);
    assert.is(lost.length, 1, JSON.stringify(ends));
    assert.match(lost[0]![1], `container with given ID already exists: ${bundle.id}`);
    const winner = ends[0]![0] === 0 ? 'one' : 'two';
    assert.is(runTinyrun(bundle, ['volume', 'rm', winner]).code, 1);
    tinyrun(bundle, 'delete', bundle.id);
    assert.equal(usersLeft(bundle), []);
  }));

test('what is said of a container that was killed, or is gone since a reboot, keeps no volume in use', () =>
  withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'write', '/d/up', '', '--', 'await', '/never'];
    writeConfig(bundle);
    const child = startTinyrun(bundle, ['run', '-v', 'd:/d', '-v', '/anon', bundle.dir]);
    await until('it runs', () => existsSync(dataOf(bundle, 'd', 'up')));
    assert.is(runTinyrun(bundle, ['volume', 'rm', 'd']).code, 1);
    child.kill('SIGKILL');
    await child.exited;
    await until('it is removed', () => runTinyrun(bundle, ['volume', 'rm', 'd']).code === 0);
    assert.equal([volumesOf(bundle), usersLeft(bundle)], [[], []]);

    const kept = `${bundle.id}-kept`;
    output(
      runTinyrun(bundle, [
        '--cgroup-manager',
        'disabled',
        'run',
        '--name',
        kept,
        '-v',
        'k:/d',
        '-v',
        '/anon',
        bundle.dir,
        '--',
        '/payload',
        'true',
      ]),
    );
    Bun.spawnSync(['rm', '-r', join(bundle.root, kept)]); // as a reboot does
    tinyrun(bundle, 'volume', 'rm', 'k');
    assert.is(volumesOf(bundle).length, 1, 'the data of a kept container is nobody else to throw away');
    assert.equal(usersLeft(bundle), []);
  }));

test('a container that does not come to be leaves volumes with names only', () =>
  withBundle((bundle) => {
    bundle.config.process.args = ['/nothing'];
    writeConfig(bundle);
    const { code } = runTinyrun(bundle, ['run', '-v', 'named:/n', '-v', '/anon', bundle.dir]);
    assert.is(code, 127);
    assert.equal([volumesOf(bundle), usersLeft(bundle)], [['named'], []]);
    const bad = runTinyrun(bundle, [
      'run',
      '-v',
      '/anon',
      '--mount',
      'type=bind,src=/no/such,dst=/x',
      bundle.dir,
    ]);
    assert.match(bad.stderr, 'bind source path does not exist: /no/such');
    assert.equal([volumesOf(bundle), usersLeft(bundle)], [['named'], []]);
  }));

test.run();
