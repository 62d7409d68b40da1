// `tinyrun where`, on containers that run, are created, and have ended.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, withBundle } from '../support/bundle.ts';
import { inCgroup } from '../support/contained.ts';
import { output, runCommand } from '../support/container.ts';
import { end, whileDetached } from '../support/detached.ts';
import { makeLayers } from '../support/layers.ts';
import { assertRefusal } from '../support/refusal.ts';

const whereOf = (bundle: Bundle, path: string, ...flags: string[]) =>
  JSON.parse(output(runTinyrun(bundle, ['where', '--json', ...flags, bundle.id, path])));
const textOf = (bundle: Bundle, path: string): string =>
  output(runTinyrun(bundle, ['where', bundle.id, path]));

function layered(bundle: Bundle): void {
  makeLayers(bundle, {
    base: { 'etc/conf': 'old', 'etc/gone': 'x', 'site/index.html': 'hi', 'site/b.html': 'b' },
    top: { 'etc/conf': 'newer' },
  });
  runCommand(['mknod', `${bundle.dir}/top/etc/gone`, 'c', '0', '0']);
  symlinkSync('../run', `${bundle.dir}/base/var-run`);
  mkdirSync(`${bundle.dir}/shared`);
  writeFileSync(`${bundle.dir}/shared/f`, 'shared');
}

test('L2, L6: where tells the layer of a file, what it hides, and what a write does', () =>
  withBundle(async (bundle) => {
    layered(bundle);
    await whileDetached(bundle, [], () => {
      const conf = whereOf(bundle, '/etc/conf');
      assert.equal([conf.source.kind, conf.source.layer.number, conf.writable], ['image', 2, true]);
      assert.is(conf.source.hostPath, `${bundle.dir}/top/etc/conf`);
      assert.equal(
        conf.layers.map(({ state }: { state: string }) => state),
        ['shown', 'hidden'],
      );
      assert.match(
        textOf(bundle, '/etc/conf'),
        /base\/etc\/conf in layer 1: file, 3B.*hidden by the one in layer 2/,
      );
      assert.match(textOf(bundle, '/etc/conf'), /yes: the first write copies the whole file/);
      assert.match(textOf(bundle, '/etc/gone'), /not there: a whiteout in layer 2 hides it/);
      output(
        runTinyrun(bundle, [
          'exec',
          bundle.id,
          '/payload',
          'write',
          '/etc/conf',
          'mine',
          '--',
          'write',
          '/etc/n',
          'x',
        ]),
      );
      const mine = whereOf(bundle, '/etc/conf');
      assert.equal([mine.source.kind, mine.layers.length], ['upper', 3]);
      assert.is(
        whereOf(bundle, '/etc/n').source.hostPath,
        `${bundle.dataRoot}/containers/${bundle.id}/upper/etc/n`,
      );
    });
  }));

test('B4, K6: where tells binds, and which image content they hide', () =>
  withBundle(async (bundle) => {
    layered(bundle);
    bundle.config.mounts!.push({
      destination: '/site',
      type: 'bind',
      source: 'shared',
      options: ['rbind', 'ro'],
    });
    const at = `config.json /mounts/${bundle.config.mounts!.length - 1}`;
    await whileDetached(bundle, [], async () => {
      const check = (live: boolean): void => {
        const found = whereOf(bundle, '/site/f');
        assert.equal([found.source.kind, found.source.hostPath], ['bind', `${bundle.dir}/shared/f`]);
        assert.equal(found.reasons[0], `the mount on /site is read-only (ro): ${at}`);
        assert.equal(found.hides.entries.names, ['b.html', 'index.html']);
        assert.is(found.mount.type === undefined, !live);
        assert.match(textOf(bundle, '/site'), /below \/site, image content: b\.html, index\.html/);
      };
      check(true);
      await end(bundle);
      check(false);
    });
  }));

test('where follows symlinks inside the root and shows them, at rest as well', () =>
  withBundle(async (bundle) => {
    layered(bundle);
    symlinkSync('/etc/shadow', `${bundle.dir}/base/escape`);
    symlinkSync('/../../../../etc/conf', `${bundle.dir}/top/up`);
    await whileDetached(bundle, [], async () => {
      const check = (): void => {
        assert.equal(whereOf(bundle, '/var-run/x').links, [{ path: '/var-run', target: '../run' }]);
        assert.is(whereOf(bundle, '/var-run/x').resolved, '/run/x');
        assert.is(whereOf(bundle, '/escape').file, null, 'the file of the host is not seen');
        assert.is(whereOf(bundle, '/up').source.hostPath, `${bundle.dir}/top/etc/conf`);
        assert.is(whereOf(bundle, '/up', '--no-follow').file.kind, 'symlink');
      };
      check();
      await end(bundle);
      check();
    });
  }));

test('where tells own files, tmpfs, masks, locked paths and kernel filesystems', () =>
  withBundle(async (bundle) => {
    layered(bundle);
    bundle.config.linux!.maskedPaths = ['/proc/keys', '/site'];
    bundle.config.linux!.readonlyPaths = ['/proc/sys'];
    bundle.config.process.capabilities = {};
    await whileDetached(bundle, ['--tmpfs', '/s'], () => {
      const kindOf = (path: string): unknown => whereOf(bundle, path).source.kind;
      const hosts = whereOf(bundle, '/etc/hosts');
      assert.equal([hosts.source.kind, hosts.writable], ['own-file', true]);
      assert.is(hosts.source.hostPath, `${bundle.dataRoot}/containers/${bundle.id}/hosts`);
      assert.is(hosts.layers[0].layer.role, 'init');
      assert.is(kindOf('/dev/null'), 'tmpfs');
      assert.is(kindOf('/proc/1/status'), 'filesystem');
      assert.is(whereOf(bundle, '/proc/self/status').resolved, '/proc/1/status');
      assert.equal(whereOf(bundle, '/etc/hosts/x').reasons, ['/etc/hosts is not a directory']);
      assert.equal(whereOf(bundle, '/proc/keys').reasons, ['masked: config.json /linux/maskedPaths/0']);
      assert.equal(whereOf(bundle, '/site').reasons, ['masked: config.json /linux/maskedPaths/1']);
      const sysctl = whereOf(bundle, '/proc/sys/kernel/hostname');
      assert.equal(
        [sysctl.source.kind, sysctl.locked.by],
        ['filesystem', 'config.json /linux/readonlyPaths/0'],
      );
      assert.is(sysctl.writable, false);
      assert.is(whereOf(bundle, '/s/new').mount.type, 'tmpfs');
    });
  }));

test('where works on a created container, and on a root that is no overlay', () =>
  withBundle((bundle) => {
    bundle.config.root.readonly = true;
    bundle.config.process.user = { uid: 7, gid: 7 };
    bundle.config.process.capabilities = {};
    return inCgroup(bundle, 'create', () => {
      const found = whereOf(bundle, '/payload');
      assert.equal([found.source.kind, found.source.hostPath], ['rootfs', `${bundle.rootfs}/payload`]);
      assert.is(found.reasons[0], 'the root is read-only: config.json /root/readonly');
      assert.match(found.reasons[1], /user 7:7 is neither its owner nor in its group/);
    });
  }));

test("where in a user namespace: owners are the host's, and count behind the mappings", () =>
  withBundle(async (bundle) => {
    const ids = [{ containerID: 0, hostID: 100000, size: 1000 }];
    const { linux, process } = bundle.config;
    linux!.namespaces!.push({ type: 'user' });
    Object.assign(linux!, { uidMappings: ids, gidMappings: ids });
    process.capabilities = {
      bounding: ['CAP_DAC_OVERRIDE'],
      effective: ['CAP_DAC_OVERRIDE'],
      permitted: ['CAP_DAC_OVERRIDE'],
    };
    runCommand(['chown', '-R', '100000:100000', bundle.rootfs]);
    runCommand(['chmod', '-R', 'go+rX', bundle.dir, `${bundle.dir}/..`]);
    writeFileSync(`${bundle.rootfs}/etc/of-the-host`, '');
    await whileDetached(bundle, [], () => {
      const inside = whereOf(bundle, '/payload');
      assert.equal([inside.file.uid, inside.writable], [100000, true]);
      const outside = whereOf(bundle, '/etc/of-the-host');
      assert.equal([outside.file.uid, outside.writable], [0, false]);
      assert.match(outside.reasons[0], /the user namespace does not have these ids/);
      assert.is(whereOf(bundle, '/dev/null').source.kind, 'device');
    });
  }));

test('where: what is wrong is said', () =>
  withBundle(async (bundle) => {
    assertRefusal(runTinyrun(bundle, ['where', 'nobody', '/']), /No such container: nobody; `tinyrun ps -a`/);
    symlinkSync('loop', `${bundle.rootfs}/loop`);
    await whileDetached(bundle, [], () => {
      assertRefusal(runTinyrun(bundle, ['where', bundle.id, '/loop/x']), /ELOOP too many symlinks/);
      rmSync(`${bundle.rootfs}/loop`);
    });
  }));

test.run();
