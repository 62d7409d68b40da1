// The options of -v and --mount that do more than mount: subpath, U, O, idmap, attributes, --volume-driver.

import {
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
import { type Bundle, runTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { mountAt, output, runPayload } from '../support/container.ts';
import { assertRefusal, leftovers } from '../support/refusal.ts';

const run = (bundle: Bundle, flags: string[], ...commands: string[]) =>
  output(runPayload(bundle, commands, { flags }));
const dataOf = (bundle: Bundle, name: string, ...path: string[]) =>
  join(bundle.dataRoot, 'volumes', name, '_data', ...path);
const refusal = (bundle: Bundle, flags: string[]): string => {
  const result = runPayload(bundle, ['args', 'started'], { flags });
  assertRefusal(result, /./, 125);
  assert.equal(leftovers(bundle), []);
  return result.stderr;
};
const owner = (path: string): [number, number] => {
  const { uid, gid } = statSync(path);
  return [uid, gid];
};
const withUser = ({ config, rootfs }: Bundle, hostID: number): void => {
  config.linux?.namespaces?.push({ type: 'user' });
  const mappings = [{ containerID: 0, hostID, size: 65536 }];
  Object.assign(config.linux ?? {}, { uidMappings: mappings, gidMappings: mappings });
  chownSync(rootfs, hostID, hostID); // mount points are made in it
};

// volume-subpath

test('volume-subpath mounts a part of a volume, a directory or a file', () =>
  withBundle((bundle) => {
    run(bundle, ['-v', 'v:/v'], ...['mkdir', '/v/a', '--', 'write', '/v/a/file', 'deep']);
    assert.is(run(bundle, ['--mount', 'src=v,dst=/part,volume-subpath=a'], 'cat', '/part/file'), 'deep');
    assert.is(run(bundle, ['--mount', 'src=v,dst=/f,volume-subpath=a/file,ro'], 'cat', '/f'), 'deep');
    withUser(bundle, 0);
    assert.is(run(bundle, ['--mount', 'src=v,dst=/part,volume-subpath=a'], 'cat', '/part/file'), 'deep');
  }));

test('a subpath must be there, and no symlink leads out of the volume', () =>
  withBundle((bundle) => {
    run(bundle, ['-v', 'v:/v'], ...['mkdir', '/v/a', '--', 'write', '/v/a/file', 'deep']);
    assert.match(
      refusal(bundle, ['--mount', 'src=v,dst=/d,volume-subpath=none']),
      'cannot access subpath none of volume v: ENOENT no such file or directory; it must be there before',
    );
    symlinkSync('/etc', dataOf(bundle, 'v', 'out'));
    symlinkSync('../../..', dataOf(bundle, 'v', 'up'));
    symlinkSync('a', dataOf(bundle, 'v', 'within'));
    for (const name of ['out', 'up', 'out/passwd'])
      assert.match(
        refusal(bundle, ['--mount', `src=v,dst=/d,volume-subpath=${name}`]),
        `cannot access subpath ${name} of volume v: it leads out of it`,
      );
    assert.is(run(bundle, ['--mount', 'src=v,dst=/d,volume-subpath=within'], 'cat', '/d/file'), 'deep');
  }));

test('what was found at a subpath is mounted, whatever has the name by now', () =>
  withBundle(async (bundle) => {
    run(bundle, ['-v', 'v:/v'], ...['mkdir', '/v/a', '--', 'write', '/v/a/file', 'deep']);
    // One container keeps swapping the directory for a symlink to the host's /etc; nobody may see that.
    const a = dataOf(bundle, 'v', 'a');
    const script = `while :; do mv -T ${a} ${a}.real; ln -s /etc ${a}; rm ${a}; mv -T ${a}.real ${a}; done`;
    const swapper = Bun.spawn(['sh', '-c', script], { stdio: ['ignore', 'ignore', 'ignore'] });
    try {
      for (let round = 0; round < 30; round++) {
        const { code, stdout, stderr } = runPayload(bundle, ['ls', '/d'], {
          flags: ['--mount', 'src=v,dst=/d,volume-subpath=a'],
        });
        if (code === 0) assert.is(stdout, 'file\n');
        else assert.match(stderr, /cannot access subpath a of volume v/);
      }
    } finally {
      swapper.kill('SIGKILL');
      await swapper.exited;
    }
  }));

// U

test("U gives all that is in the source to the container's user", () =>
  withBundle((bundle) => {
    const data = join(bundle.dir, 'data');
    mkdirSync(join(data, 'deep'), { recursive: true });
    writeFileSync(join(data, 'deep/file'), '');
    symlinkSync('/etc/passwd', join(data, 'link'));
    const before = owner('/etc/passwd');
    bundle.config.process.user = { uid: 1000, gid: 1001 };
    run(bundle, ['-v', `${data}:/d:U`], 'write', '/d/new', '', '--', 'write', '/d/deep/file', 'x');
    for (const path of [data, join(data, 'deep'), join(data, 'deep/file')])
      assert.equal(owner(path), [1000, 1001], path);
    assert.equal(owner('/etc/passwd'), before);
    withUser(bundle, 100000);
    run(bundle, ['-v', 'v:/d:U', '--mount', `type=bind,src=${data},dst=/e,U`], 'write', '/d/new', '');
    assert.equal(owner(dataOf(bundle, 'v')), [101000, 101001]);
    assert.equal(owner(join(data, 'deep/file')), [101000, 101001]);
  }));

test('U does not touch what the host needs', () =>
  withBundle((bundle) => {
    for (const path of ['/', '/etc', '/usr', '/var/lib', '/home'])
      assert.match(
        refusal(bundle, ['-v', `${path}:/d:U`]),
        `U would change the owner of ${path}, which the host needs`,
      );
  }));

test("a new volume is the root's of a container with a user namespace", () =>
  withBundle((bundle) => {
    withUser(bundle, 100000);
    run(bundle, ['-v', 'v:/not/in/the/image'], 'write', '/not/in/the/image/x', '');
    assert.equal(owner(dataOf(bundle, 'v')), [100000, 100000]);
    assert.equal(owner(dataOf(bundle, 'v', 'x')), [100000, 100000]);
  }));

// O

test('O throws away what is written, and shows what was there', () =>
  withBundle((bundle) => {
    const data = join(bundle.dir, 'data');
    mkdirSync(data, { mode: 0o711 });
    writeFileSync(join(data, 'file'), 'of the host');
    chownSync(data, 33, 34);
    const commands = [
      'write',
      '/d/file',
      'changed',
      '--',
      'write',
      '/d/new',
      '',
      '--',
      'cat',
      '/d/file',
      '--',
      'stat',
      '/d',
    ];
    const caps = bundle.config.process.capabilities;
    for (const set of [caps?.effective, caps?.permitted, caps?.bounding]) set?.push('CAP_DAC_OVERRIDE');
    const printed = run(bundle, ['-v', `${data}:/d:O`], ...commands);
    assert.match(printed, /^changeddirectory 0711 33 34 /);
    assert.is(readFileSync(join(data, 'file'), 'utf8'), 'of the host');
    assert.equal(readdirSync(data), ['file']);
    assert.equal(leftovers(bundle), []);
    run(bundle, ['-v', 'v:/v'], 'write', '/v/x', 'kept');
    assert.is(run(bundle, ['-v', 'v:/v:O'], 'write', '/v/x', 'gone', '--', 'cat', '/v/x'), 'gone');
    assert.is(readFileSync(dataOf(bundle, 'v', 'x'), 'utf8'), 'kept');
    assert.match(refusal(bundle, ['-v', `${data}/file:/f:O`]), 'the option O is for directories');
  }));

test('O with upperdir and workdir keeps what is written there', () =>
  withBundle((bundle) => {
    const [data, upper, work] = ['data', 'upper', 'work'].map((name) => join(bundle.dir, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [data, upper, work]) mkdirSync(path);
    run(bundle, ['-v', `${data}:/d:O,upperdir=${upper},workdir=${work}`], 'write', '/d/new', 'x');
    assert.is(readFileSync(join(upper, 'new'), 'utf8'), 'x');
    assert.equal(readdirSync(data), []);
  }));

test('O of a kept container stays until it is deleted', () =>
  withBundle((bundle) => {
    run(bundle, ['--name', bundle.id, '-v', 'v:/v:O'], 'write', '/v/x', '');
    assert.ok(existsSync(join(bundle.dataRoot, 'containers', bundle.id, 'overlays/v/upper/x')));
    output(runTinyrun(bundle, ['delete', bundle.id]));
    assert.equal(leftovers(bundle), []);
  }));

// idmap

test('idmap shows files with other owners: by two lists, or as the container has them', () =>
  withBundle((bundle) => {
    const data = join(bundle.dir, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), '');
    chownSync(join(data, 'file'), 1000, 1000);
    const lists = 'idmap=uids=1000-7-1;gids=1000-8-1';
    assert.match(run(bundle, ['-v', `${data}:/d:${lists}`], 'stat', '/d/file'), /^file \d+ 7 8 /);
    assert.match(
      run(bundle, ['--mount', `type=bind,src=${data},dst=/d,${lists}`], 'stat', '/d/file'),
      /^file \d+ 7 8 /,
    );
    assert.match(
      refusal(bundle, ['-v', `${data}:/d:idmap`]),
      /--volume .*: idmap: the container has no user namespace/,
    );
    withUser(bundle, 100000);
    run(bundle, ['-v', 'v:/d:idmap,nocopy'], 'write', '/d/x', '');
    assert.equal(owner(dataOf(bundle, 'v', 'x')), [0, 0], 'on disk it is root');
  }));

// Attributes and tmpfs

test('nodev, noexec and nosuid of a volume', () =>
  withBundle((bundle) => {
    const { options } = mountAt(run(bundle, ['-v', 'v:/d:nodev,noexec,nosuid'], 'mountinfo'), '/d');
    for (const name of ['nodev', 'noexec', 'nosuid']) assert.ok(options.includes(name), name);
  }));

test('T1: tmpfs by either flag; T2: gone with the container', () =>
  withBundle((bundle) => {
    const printed = run(
      bundle,
      ['--tmpfs', '/s', '--mount', 'type=tmpfs,dst=/t,tmpfs-size=64k', '-v', 'v:/v'],
      'mountinfo',
    );
    for (const target of ['/s', '/t']) assert.is(mountAt(printed, target).type, 'tmpfs');
    run(bundle, ['--name', bundle.id, '--overlay', '--tmpfs', '/s'], 'write', '/s/x', '');
    assert.not(existsSync(join(bundle.dataRoot, 'containers', bundle.id, 'upper/s/x')));
    output(runTinyrun(bundle, ['delete', bundle.id]));
  }));

test('--volume-driver is for volumes that -v makes', () =>
  withBundle((bundle) => {
    run(bundle, ['--volume-driver', 'local', '-v', 'v:/v'], 'true');
    assert.match(refusal(bundle, ['--volume-driver', 'nosuch', '-v', 'w:/v']), /nosuch/);
    writeConfig(bundle);
    assert.is(
      runTinyrun(bundle, ['run', '--volume-driver', 'nosuch', '-v', `${bundle.dir}:/b`, bundle.dir]).code,
      0,
    );
  }));

test.run();
