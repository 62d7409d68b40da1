// Binds of config.json as the container finds them: what is bound on what, with which options, and how mount points are
// found and made in a rootfs that nobody trusts. OCI config.md, "Mounts"; mount_setattr(2).

import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Mount } from '../../src/oci/config.ts';
import { type Bundle, withBundle } from '../support/bundle.ts';
import {
  inMountNamespace,
  mountAt,
  output,
  outputOf,
  type Run,
  refusalOf,
  runPayload,
} from '../support/container.ts';

/** A bind of the bundle's own `source/`, a directory with a `file` in it; relative sources start at the bundle. */
const bind = (destination: string, options: string[] = [], source = 'source'): Run['config'] & {} => {
  return (config, bundle) => {
    makeSource(bundle);
    config.mounts!.push({ destination, source, options: ['bind', ...options] });
  };
};

function makeSource({ dir }: Bundle): void {
  mkdirSync(join(dir, 'source/below'), { recursive: true });
  writeFileSync(join(dir, 'source/file'), 'from the host');
}

const optionsOf = async (...options: string[]) => {
  const printed = await outputOf(['mountinfo'], { config: bind('/data', options) });
  return mountAt(printed, '/data').options;
};

// What is bound on what

test('a directory is bound on a directory, with an absolute or a relative source', async () => {
  assert.is(await outputOf(['cat', '/data/file'], { config: bind('/data') }), 'from the host');
  const absolute: Run['config'] = (config, bundle) =>
    bind('/data', [], join(bundle.dir, 'source'))(config, bundle);
  assert.is(await outputOf(['cat', '/data/file'], { config: absolute }), 'from the host');
});

test('what the container writes into a bind is on the host', async () => {
  await withBundle((bundle) => {
    output(runPayload(bundle, ['write', '/data/new', 'from the container'], { config: bind('/data') }));
    assert.is(readFileSync(join(bundle.dir, 'source/new'), 'utf8'), 'from the container');
  });
});

test('a file is bound on a file, and on a mount point that is missing', async () => {
  const config: Run['config'] = (config, bundle) => {
    writeFileSync(join(bundle.rootfs, 'etc/there'), 'hidden');
    bind('/etc/there', [], 'source/file')(config, bundle);
    bind('/etc/deep/missing', [], 'source/file')(config, bundle);
  };
  const printed = await outputOf(['cat', '/etc/there', '/etc/deep/missing'], { config });
  assert.is(printed, 'from the hostfrom the host');
});

test('a socket is bound, and answers', async () => {
  await withBundle(async (bundle) => {
    const server = createServer((client) => client.end());
    await new Promise<void>((listening) => server.listen(join(bundle.dir, 'socket'), listening));
    try {
      const config: Run['config'] = (config) =>
        void config.mounts!.push({ destination: '/run/socket', source: 'socket', options: ['bind'] });
      assert.match(
        output(runPayload(bundle, ['connect', '/run/socket', '--', 'stat', '/run/socket'], { config })),
        'socket',
      );
    } finally {
      server.close();
    }
  });
});

test('a file is not bound on a directory, nor a directory on a file', async () => {
  assert.match(
    await refusalOf({ config: bind('/etc', [], 'source/file') }),
    /mount .*source\/file on \/etc \(bind\): the source is a file, but/,
  );
  assert.match(await refusalOf({ config: bind('/payload') }), /\/payload.*ENOTDIR/);
});

test('a bind may cover the mount point of a former one, and be below it', async () => {
  const config: Run['config'] = (config, bundle) => {
    bind('/data')(config, bundle);
    mkdirSync(join(bundle.dir, 'other'));
    writeFileSync(join(bundle.dir, 'other/file'), 'other');
    config.mounts!.push({ destination: '/data/below', source: 'other', options: ['bind'] });
  };
  assert.is(await outputOf(['cat', '/data/file', '/data/below/file'], { config }), 'from the hostother');
});

// Mount points

test('missing mount points are made with mode 0755, owned by root, and kept in the rootfs', async () => {
  await withBundle((bundle) => {
    output(runPayload(bundle, ['true'], { config: bind('/a/b/c') }));
    const { mode, uid } = lstatSync(join(bundle.rootfs, 'a/b/c'));
    assert.is(mode & 0o7777, 0o755);
    assert.is(uid, 0);
  });
});

test('a mount point below a file is refused', async () => {
  assert.match(await refusalOf({ config: bind('/payload/data') }), /\/payload.*ENOTDIR/);
});

test('dots and slashes in a destination are resolved inside the rootfs', async () => {
  const config = bind('/../..//etc/./../data/');
  assert.is(await outputOf(['cat', '/data/file'], { config }), 'from the host');
});

test('a symlinked mount point leads to its target inside the rootfs', async () => {
  for (const link of ['/etc', '../../../../../../etc', 'etc']) {
    const config: Run['config'] = (config, bundle) => {
      symlinkSync(link, join(bundle.rootfs, 'link'));
      bind('/link/data')(config, bundle);
    };
    assert.is(await outputOf(['cat', '/etc/data/file'], { config }), 'from the host', link);
  }
});

test('a symlink that is the mount point itself is followed, inside the rootfs', async () => {
  const config: Run['config'] = (config, bundle) => {
    mkdirSync(join(bundle.rootfs, 'target'));
    symlinkSync('/target', join(bundle.rootfs, 'link'));
    bind('/link')(config, bundle);
  };
  assert.is(
    await outputOf(['cat', '/target/file', '--', 'readlink', '/link'], { config }),
    'from the host/target\n',
  );
});

test('a dangling symlink makes its target inside the rootfs, never on the host', async () => {
  const outside = `/tmp/tinyrun-outside-${process.pid}`;
  await withBundle((bundle) => {
    symlinkSync(outside, join(bundle.rootfs, 'link'));
    const printed = output(runPayload(bundle, ['cat', `${outside}/file`], { config: bind('/link') }));
    assert.is(printed, 'from the host');
    assert.not(existsSync(outside));
    assert.ok(lstatSync(join(bundle.rootfs, outside)).isDirectory());
  });
});

test('symlinks that lead in a circle are refused', async () => {
  const config: Run['config'] = (config, bundle) => {
    symlinkSync('two', join(bundle.rootfs, 'one'));
    symlinkSync('one', join(bundle.rootfs, 'two'));
    bind('/one/data')(config, bundle);
  };
  assert.match(await refusalOf({ config }), 'ELOOP');
});

// Options

test('nosuid, nodev, noexec and ro are set, alone and together', async () => {
  assert.equal(await optionsOf('ro'), ['ro', 'relatime']);
  assert.equal(await optionsOf('nosuid'), ['rw', 'nosuid', 'relatime']);
  assert.equal(await optionsOf('nodev'), ['rw', 'nodev', 'relatime']);
  assert.equal(await optionsOf('noexec', 'ro', 'nodev', 'nosuid'), [
    'ro',
    'nosuid',
    'nodev',
    'noexec',
    'relatime',
  ]);
  assert.equal(await optionsOf('ro', 'rw'), ['rw', 'relatime']);
  assert.equal(await optionsOf('noatime'), ['rw', 'noatime']);
  assert.equal(await optionsOf('nosymfollow'), ['rw', 'relatime', 'nosymfollow']);
});

test('options do what they say: nothing is written, executed, or a device', async () => {
  const config: Run['config'] = (config, bundle) => {
    bind('/data', ['ro', 'nodev', 'noexec'])(config, bundle);
    Bun.spawnSync(['cp', join(bundle.rootfs, 'payload'), join(bundle.dir, 'source/program')]);
    Bun.spawnSync(['mknod', join(bundle.dir, 'source/null'), 'c', '1', '3']);
  };
  const commands = ['try', 'write', '/data/x', 'x', '--', 'try', 'exec', '/data/program', 'true'];
  const printed = await outputOf([...commands, '--', 'try', 'cat', '/data/null'], { config });
  assert.is(
    printed,
    'write: 30 Read-only file system\nexec: 13 Permission denied\ncat: 13 Permission denied\n',
  );
});

/** What a container prints whose host has a mount of its own at `source/sub`, bound with these options on /data. */
async function withSubmount(options: string[], commands: string[]): Promise<string> {
  let printed = '';
  await withBundle((bundle) => {
    makeSource(bundle);
    const sub = join(bundle.dir, 'source/sub');
    mkdirSync(sub);
    bundle.config.mounts!.push({ destination: '/data', source: 'source', options });
    const via = inMountNamespace(`mount -t tmpfs sub ${sub} && echo deep >${sub}/file`);
    printed = output(runPayload(bundle, commands, { via }));
  });
  return printed;
}

test('bind leaves the mounts below its source behind, rbind takes them along', async () => {
  assert.is(await withSubmount(['bind'], ['ls', '/data/sub']), '');
  assert.is(await withSubmount(['rbind'], ['cat', '/data/sub/file']), 'deep\n');
});

test('ro holds for the bind alone, rro for all mounts below it as well', async () => {
  const tries = ['try', 'write', '/data/x', 'x', '--', 'try', 'write', '/data/sub/x', 'x'];
  assert.is(await withSubmount(['rbind', 'ro'], tries), 'write: 30 Read-only file system\nok\n');
  assert.is(
    await withSubmount(['rbind', 'rro'], tries),
    'write: 30 Read-only file system\nwrite: 30 Read-only file system\n',
  );
});

test('rnosuid, rnodev and rnoexec reach the mounts below', async () => {
  const printed = await withSubmount(['rbind', 'rnosuid', 'rnodev', 'rnoexec'], ['mountinfo']);
  for (const target of ['/data', '/data/sub'])
    assert.equal(mountAt(printed, target).options, ['rw', 'nosuid', 'nodev', 'noexec', 'relatime'], target);
});

test('a remount gives other options to what is mounted', async () => {
  const config: Run['config'] = (config, bundle) => {
    bind('/data', ['nosuid'])(config, bundle);
    const remount: Mount = {
      destination: '/data',
      type: 'none',
      options: ['remount', 'bind', 'ro'],
      source: 'x',
    };
    config.mounts!.push(remount);
  };
  assert.equal(mountAt(await outputOf(['mountinfo'], { config }), '/data').options, [
    'ro',
    'nosuid',
    'relatime',
  ]);
});

test('a bind of a whole /dev is the host’s, and gets no devices of ours', async () => {
  const config = ({ mounts }: Config): void => {
    mounts!.splice(1, mounts!.length - 1, {
      destination: '/dev',
      source: '/dev',
      options: ['rbind', 'rslave'],
    });
  };
  const before = readFileSync('/proc/self/mountinfo', 'utf8');
  const links = await outputOf(['mountinfo', '--', 'stat', '/dev/null'], { config });
  assert.is(mountAt(links, '/dev').type, mountAt(before, '/dev').type);
  assert.match(links, 'char 0666 0 0 1:3');
});

test('a missing source is refused, with its path', async () => {
  const config = ({ mounts }: Config) =>
    void mounts!.push({ destination: '/data', source: '/missing/x', options: ['bind'] });
  assert.match(await refusalOf({ config }), /\/mounts\/7.*\/missing\/x.*ENOENT/);
});

test.run();
