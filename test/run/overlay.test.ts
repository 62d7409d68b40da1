// An overlay as rootfs: layers stay as they are, and what a container writes is its own. Annotations io.tinyrun.overlay
// and io.tinyrun.layers, flag --overlay; spec/volumes.md.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import {
  inMountNamespace,
  mountAt,
  output,
  outputOf,
  type Run,
  runCommand,
  runPayload,
} from '../support/container.ts';
import { makeLayers } from '../support/layers.ts';
import { listTree } from '../support/refusal.ts';

const annotate = (name: string, value: string) => (config: Config) => {
  config.annotations = { [name]: value };
};
const OVERLAY: Run = { flags: ['--overlay'] };

/** Path -> what it holds, for all of a folder. */
function contentsOf(folder: string): string[] {
  return listTree(folder).map((path) => {
    const { mode, mtimeMs, ino } = statSync(path);
    return `${path} ${mode} ${mtimeMs} ${ino}`;
  });
}

// One layer: the rootfs

test('--overlay leaves the rootfs untouched, whatever the container writes', async () => {
  await withBundle((bundle) => {
    writeFileSync(join(bundle.rootfs, 'etc/old'), 'old');
    const before = contentsOf(bundle.rootfs);
    const commands = [
      'write',
      '/etc/old',
      'new',
      '--',
      'write',
      '/x',
      '',
      '--',
      'unlink',
      '/payload',
      '--',
      'cat',
      '/etc/old',
    ];
    assert.is(output(runPayload(bundle, commands, OVERLAY)), 'new');
    assert.equal(contentsOf(bundle.rootfs), before);
  });
});

test('io.tinyrun.overlay does the same by annotation, where it is true', async () => {
  await withBundle((bundle) => {
    output(runPayload(bundle, ['write', '/x', ''], { config: annotate('io.tinyrun.overlay', 'true') }));
    assert.not(existsSync(join(bundle.rootfs, 'x')));
    output(runPayload(bundle, ['write', '/x', ''], { config: annotate('io.tinyrun.overlay', 'false') }));
    assert.ok(existsSync(join(bundle.rootfs, 'x')));
  });
});

test('in the forms that engines call, an annotation of an image chooses no directory of the host', async () => {
  await withBundle((bundle) => {
    const host = join(bundle.dir, 'host');
    mkdirSync(host);
    writeFileSync(join(host, 'secret'), 'of the host');
    copyFileSync(join(bundle.rootfs, 'payload'), join(host, 'payload'));
    bundle.config.annotations = { 'io.tinyrun.layers': host, 'io.tinyrun.overlay': 'true' };
    bundle.config.process.args = ['/payload', 'write', '/x', '', '--', 'try', 'cat', '/secret'];
    writeConfig(bundle);
    const result = runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]);
    assert.not.match(result.stdout, /of the host/);
    assert.match(result.stderr, /annotation io\.tinyrun\.layers is ignored/);
    assert.ok(existsSync(join(bundle.rootfs, 'x')));
    assert.not(existsSync(bundle.dataRoot));
  });
});

test('a second run starts clean, and nothing of the first is left', async () => {
  await withBundle((bundle) => {
    for (let i = 0; i < 2; i++) {
      const commands = [
        'try',
        'cat',
        '/x',
        '--',
        'write',
        '/x',
        'x',
        '--',
        'mkdir',
        '/deep',
        '--',
        'write',
        '/deep/y',
        '',
      ];
      assert.is(output(runPayload(bundle, commands, OVERLAY)), 'cat: 2 No such file or directory\n');
      assert.equal(readdirSync(join(bundle.dataRoot, 'containers')), []);
    }
  });
});

test('two containers of one rootfs do not see what the other writes', async () => {
  await withBundle(async (bundle) => {
    mkdirSync(join(bundle.dir, 'sync'));
    writeConfig(bundle);
    const start = (own: string, other: string) => {
      const commands = [
        'write',
        '/own',
        own,
        '--',
        'write',
        `/sync/${own}`,
        '',
        '--',
        'await',
        `/sync/${other}`,
      ];
      const flags = ['--overlay', '--volume', `${bundle.dir}/sync:/sync`];
      return startTinyrun(bundle, [
        'run',
        ...flags,
        bundle.dir,
        '--',
        '/payload',
        ...commands,
        '--',
        'cat',
        '/own',
      ]);
    };
    const [one, two] = [start('one', 'two'), start('two', 'one')];
    assert.is(await new Response(one.stdout).text(), 'one');
    assert.is(await new Response(two.stdout).text(), 'two');
  });
});

test('a container that is kept has in its upper layer what it wrote, and nothing that was made for it', async () => {
  await withBundle((bundle) => {
    const config = ({ mounts, linux }: Config) => {
      mounts!.push({ destination: '/data', type: 'tmpfs', source: 'tmpfs' });
      linux!.devices = [{ type: 'c', path: '/dev/extra', major: 1, minor: 3 }];
    };
    // These are in no layer of their own: the rootfs has the mount point.
    mkdirSync(join(bundle.rootfs, 'data'));
    const commands = [
      'write',
      '/etc/new',
      'x',
      '--',
      'write',
      '/data/x',
      'x',
      '--',
      'write',
      '/etc/hosts',
      'y',
    ];
    output(runPayload(bundle, commands, { config, flags: ['--overlay', '--name', bundle.id] }));
    const data = join(bundle.dataRoot, 'containers', bundle.id);
    assert.equal(listTree(join(data, 'upper')), [join(data, 'upper/etc'), join(data, 'upper/etc/new')]);
    assert.is(runTinyrun(bundle, ['delete', bundle.id]).code, 0);
    assert.not(existsSync(data));
  });
});

test('the root of the overlay has the mode of the rootfs', async () => {
  const config: Run['config'] = (_config, { rootfs }) => chmodSync(rootfs, 0o751);
  assert.match(await outputOf(['stat', '/'], { ...OVERLAY, config }), /^directory 0751 0 0 /);
});

test('a read-only root is a read-only overlay', async () => {
  const config = ({ root }: Config) => {
    root.readonly = true;
  };
  const printed = await outputOf(['try', 'write', '/x', '', '--', 'mountinfo'], { ...OVERLAY, config });
  assert.match(printed, /^write: 30 /);
  assert.is(mountAt(printed, '/').type, 'overlay');
});

// Layers

test('of three layers the topmost that has a file decides', async () => {
  await withBundle((bundle) => {
    makeLayers(bundle, {
      base: { 'etc/all': 'base', 'etc/base': 'base', 'etc/two': 'base' },
      middle: { 'etc/all': 'middle', 'etc/two': 'middle', 'etc/middle': 'middle' },
      top: { 'etc/all': 'top', 'etc/top': 'top' },
    });
    const commands = ['cat', ...['all', 'two', 'base', 'middle', 'top'].map((name) => `/etc/${name}`)];
    assert.is(output(runPayload(bundle, commands)), 'topmiddlebasemiddletop');
  });
});

test('a whiteout hides what lower layers have, an opaque directory all that is in theirs', async () => {
  await withBundle((bundle) => {
    makeLayers(bundle, {
      base: { 'etc/gone': '', 'etc/stays': '', 'opt/one': '', 'opt/two': '' },
      middle: { 'etc/middle': '' },
      top: { 'opt/new': '' },
    });
    // As overlayfs itself writes them: trusted.overlay.opaque, and character device 0:0.
    const top = join(bundle.dir, 'top');
    mkdirSync(join(top, 'etc'));
    assert.is(runCommand(['mknod', join(top, 'etc/gone'), 'c', '0', '0']).code, 0);
    assert.is(runCommand(['setfattr', '-n', 'trusted.overlay.opaque', '-v', 'y', join(top, 'opt')]).code, 0);
    assert.match(
      output(runPayload(bundle, ['ls', '/opt', '--', 'ls', '/etc'])),
      /^new\nhostname\nhosts\nmiddle\nmtab\nresolv\.conf\nstays\n$/,
    );
  });
});

test('128 layers with long names are mounted, in their order', async () => {
  await withBundle((bundle) => {
    const layers: Record<string, Record<string, string>> = {};
    for (let i = 0; i < 128; i++) {
      const name = `${'long'.repeat(50)}-${i}`;
      layers[name] = {
        [`etc/${i}`]: String(i),
        'etc/last': `${i}`,
        ...(i < 64 ? { 'etc/half': `${i}` } : {}),
      };
    }
    makeLayers(bundle, layers);
    assert.is(
      output(runPayload(bundle, ['cat', '/etc/0', '/etc/127', '/etc/last', '/etc/half'])),
      '012712763',
    );
  });
});

test('layers whose names have commas, backslashes and spaces are mounted', async () => {
  await withBundle((bundle) => {
    makeLayers(bundle, {
      'a,b': { 'etc/x': '1' },
      'c\\d': { 'etc/y': '2' },
      'e f=g': { 'etc/z': '3' },
      ü: { 'etc/ü': '4' },
    });
    assert.is(output(runPayload(bundle, ['cat', '/etc/x', '/etc/y', '/etc/z', '/etc/ü'])), '1234');
  });
});

test('layers stay as they are', async () => {
  await withBundle((bundle) => {
    makeLayers(bundle, { base: { 'etc/x': 'base' }, top: { 'etc/y': 'top' } });
    const before = ['base', 'top'].map((name) => contentsOf(join(bundle.dir, name)));
    output(runPayload(bundle, ['write', '/etc/x', 'new', '--', 'unlink', '/etc/y', '--', 'mkdir', '/etc/z']));
    assert.equal(
      ['base', 'top'].map((name) => contentsOf(join(bundle.dir, name))),
      before,
    );
  });
});

test('a mount point of a lower layer is found, one that no layer has is made in the upper', async () => {
  await withBundle((bundle) => {
    makeLayers(bundle, { base: { 'srv/data/x': '' }, top: { 'etc/y': '' } });
    for (const destination of ['/srv/data', '/missing/dir'])
      bundle.config.mounts!.push({ destination, type: 'tmpfs', source: 'tmpfs', options: ['mode=700'] });
    assert.match(
      output(runPayload(bundle, ['stat', '/srv/data', '/missing/dir'])),
      /^(directory 0700 .*\n){2}$/,
    );
    assert.not(existsSync(join(bundle.dir, 'top/missing')));
  });
});

test('the overlay is nowhere in the mount table of the host, whose mounts are shared', async () => {
  await withBundle((bundle) => {
    makeLayers(bundle, { base: { 'etc/x': '' }, top: { 'etc/y': '' } });
    const script = '"$@"; cat /proc/self/mountinfo; exit';
    const printed = output(runPayload(bundle, ['args', 'here'], { via: inMountNamespace(script) }));
    assert.match(printed, /^here\n/);
    // The host's own root may be an overlay, too.
    assert.not.match(printed, bundle.dataRoot);
    assert.not.match(printed, bundle.rootfs);
  });
});

test.run();
