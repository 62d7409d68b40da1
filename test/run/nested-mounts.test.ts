// Mounts inside of read-only mounts: the mount point is made without a trace in what is mounted there (moby 39587).

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, withBundle } from '../support/bundle.ts';
import { mountAt, output, runPayload } from '../support/container.ts';
import { listTree } from '../support/refusal.ts';

const run = (bundle: Bundle, flags: string[], ...commands: string[]) =>
  output(runPayload(bundle, commands, { flags }));

/** A folder `outer` that is to be mounted read-only, and `inner`. */
async function withFolders(use: (bundle: Bundle, outer: string, inner: string) => void): Promise<void> {
  await withBundle((bundle) => {
    const [outer, inner] = [join(bundle.dir, 'outer'), join(bundle.dir, 'inner')];
    mkdirSync(join(outer, 'there'), { recursive: true, mode: 0o751 });
    mkdirSync(inner);
    writeFileSync(join(outer, 'file'), 'of outer');
    writeFileSync(join(inner, 'file'), 'of inner');
    use(bundle, outer, inner);
  });
}

const user = (bundle: Bundle): void => {
  bundle.config.linux?.namespaces?.push({ type: 'user' });
  const mappings = [{ containerID: 0, hostID: 0, size: 65536 }];
  Object.assign(bundle.config.linux ?? {}, { uidMappings: mappings, gidMappings: mappings });
};

for (const [whose, change] of [
  ['', () => {}],
  [', in a user namespace, too', user],
] as const)
  test(`a missing mount point inside of a read-only bind is made without writing to it${whose}`, () =>
    withFolders((bundle, outer, inner) => {
      change(bundle);
      const before = listTree(outer);
      const flags = ['-v', `${outer}:/o:ro`, '-v', `${inner}:/o/new`, '-v', `${inner}/file:/o/there/deep/f`];
      const printed = run(
        bundle,
        flags,
        ...['cat', '/o/file', '/o/new/file', '/o/there/deep/f', '--', 'try', 'write', '/o/new/x', ''],
        ...['--', 'try', 'write', '/o/x', '', '--', 'try', 'write', '/o/there/x', '', '--', 'mountinfo'],
      );
      const readOnly = 'write: 30 Read-only file system\n';
      assert.ok(printed.startsWith(`of outerof innerof innerok\n${readOnly}${readOnly}`), printed);
      assert.equal(listTree(outer), before);
      assert.ok(mountAt(printed, '/o/there').options.includes('ro'));
      assert.equal(readdirSync(inner).sort(), ['file', 'x']);
    }));

test('what is there already is mounted on as it is, and what is around keeps its mode', () =>
  withFolders((bundle, outer, inner) => {
    const flags = ['-v', `${outer}:/o:ro`, '-v', `${inner}:/o/there`];
    assert.not(run(bundle, flags, 'mountinfo').includes('overlay'));
    const deeper = ['-v', `${outer}:/o:ro`, '-v', `${inner}:/o/there/a/b`];
    assert.match(run(bundle, deeper, 'stat', '/o/there'), /^directory 0751 0 0 /);
  }));

test('nodev, nosuid and noexec of the mount around hold for the layer, too', () =>
  withFolders((bundle, outer, inner) => {
    const flags = ['-v', `${outer}:/o:ro,nodev,nosuid,noexec`, '-v', `${inner}:/o/there/new`];
    const { options } = mountAt(run(bundle, flags, 'mountinfo'), '/o/there');
    for (const option of ['ro', 'nodev', 'nosuid', 'noexec']) assert.ok(options.includes(option), option);
  }));

test('a volume in a read-only volume, and mounts of config.json in each other', () =>
  withFolders((bundle, outer) => {
    run(bundle, ['-v', 'ro-volume:/v:ro', '-v', 'inner:/v/a/b'], 'write', '/v/a/b/x', 'x');
    const volumes = join(bundle.dataRoot, 'volumes');
    assert.equal(readdirSync(join(volumes, 'ro-volume/_data')), []);
    assert.is(readFileSync(join(volumes, 'inner/_data/x'), 'utf8'), 'x');
    bundle.config.mounts?.push(
      { destination: '/o', source: outer, options: ['bind', 'ro'] },
      { destination: '/o/tmp', type: 'tmpfs', source: 'tmpfs' },
    );
    assert.is(run(bundle, [], 'write', '/o/tmp/x', '', '--', 'ls', '/o/tmp'), 'x\n');
  }));

test('where the mount around is writable, the mount point is made in it, as ever', () =>
  withFolders((bundle, outer, inner) => {
    run(bundle, ['-v', `${outer}:/o`, '-v', `${inner}:/o/new`], 'true');
    assert.ok(readdirSync(outer).includes('new'));
  }));

test.run();
