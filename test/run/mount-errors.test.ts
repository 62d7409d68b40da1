// What people complain about when a mount fails: each message names the flag or the line of config.json, both paths, what
// either is, why it does not go, and what to do about it.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, withBundle } from '../support/bundle.ts';
import { inMountNamespace, output, runPayload } from '../support/container.ts';
import { assertRefusal } from '../support/refusal.ts';

/** A folder `data` with a `file` beside the bundle, and /etc/conf in the rootfs. */
async function withData(use: (bundle: Bundle, data: string) => void): Promise<void> {
  await withBundle((bundle) => {
    const data = join(bundle.dir, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), 'of the host');
    writeFileSync(join(bundle.rootfs, 'etc/conf'), 'of the image');
    use(bundle, data);
  });
}

/** The words of a run with these flags, which must fail. */
function refusal(bundle: Bundle, flags: string[], via?: string[]): string {
  const result = runPayload(bundle, ['args', 'started'], { flags, ...(via && { via }) });
  assertRefusal(result, /./, 125);
  return result.stderr;
}

const QUESTION = 'are you trying to mount a directory onto a file (or vice-versa)?';

test('a directory is not mounted on a file', () =>
  withData((bundle, data) => {
    const says = `cannot mount directory ${data} on /etc/conf: in the container that is a file: ${QUESTION}; name a file as source, or a directory as destination\n`;
    const v = `${data}:/etc/conf`;
    assert.is(refusal(bundle, ['-v', v]), `tinyrun: --volume ${v}: ${says}`);
    const long = `type=bind,src=${data},dst=/etc/conf`;
    assert.is(refusal(bundle, ['--mount', long]), `tinyrun: --mount ${long}: ${says}`);
    bundle.config.mounts?.push({ destination: '/etc/conf', source: data, options: ['bind'] });
    assert.match(
      refusal(bundle, []),
      /mount .*\/data on \/etc\/conf \(bind\)|open \/etc\/conf in the rootfs: ENOTDIR/,
    );
  }));

test('a file is not mounted on a directory', () =>
  withData((bundle, data) => {
    const v = `${data}/file:/etc`;
    assert.is(
      refusal(bundle, ['-v', v]),
      `tinyrun: --volume ${v}: cannot mount file ${data}/file on /etc: in the container that is a directory: ${QUESTION}; ` +
        'name the file in the container: /etc/file\n',
    );
  }));

test('a source that would be made as a directory, where the container has a file: and it is not made', () =>
  withData((bundle, data) => {
    assert.match(
      refusal(bundle, ['-v', `${data}/missing:/etc/conf`]),
      `${data}/missing does not exist on the host, and would be made as a directory; but /etc/conf in the container is a file`,
    );
    assert.not(existsSync(join(data, 'missing')));
  }));

test('in an overlay what its layers show together counts', () =>
  withData((bundle, data) => {
    const top = join(bundle.dir, 'top');
    mkdirSync(top);
    bundle.config.annotations = { 'io.tinyrun.layers': `${bundle.rootfs}:${top}` };
    const v = `${data}:/etc/conf`;
    assert.match(
      refusal(bundle, ['-v', v]),
      `cannot mount directory ${data} on /etc/conf: in the container that is a file`,
    );
    const missing = `${data}/missing:/etc/conf`;
    assert.match(
      refusal(bundle, ['-v', missing]),
      'would be made as a directory; but /etc/conf in the container is a file',
    );
    assert.not(existsSync(join(data, 'missing')));
    mkdirSync(join(top, 'etc'));
    Bun.spawnSync(['mknod', join(top, 'etc/conf'), 'c', '0', '0']); // a whiteout: the file is gone
    output(runPayload(bundle, ['true'], { flags: ['-v', v] }));
  }));

test('a missing source: -v makes it, --mount and nocreate refuse, with the path', () =>
  withData((bundle, data) => {
    const long = `type=bind,src=${data}/none,dst=/m`;
    assert.match(refusal(bundle, ['--mount', long]), `bind source path does not exist: ${data}/none`);
    assert.match(refusal(bundle, ['-v', `${data}/none:/m:nocreate`]), `bind source ${data}/none: ENOENT`);
    assert.not(existsSync(join(data, 'none')));
    output(runPayload(bundle, ['true'], { flags: ['--mount', `${long},bind-create-src`] }));
    assert.ok(existsSync(join(data, 'none')));
  }));

test('propagation that the source cannot give, and the command that makes it able to', () =>
  withData((bundle, data) => {
    const via = inMountNamespace(`mount --bind ${data} ${data}; mount --make-private ${data}`);
    const says = (mode: string, wanted: string) => {
      const flag = `${data}:/m:${mode}`;
      assert.is(
        refusal(bundle, ['-v', flag], via),
        `tinyrun: --volume ${flag}: path ${data} is mounted on ${data} but it is not ${wanted}; ` +
          `make it one: mount --make-shared ${data}\n`,
      );
    };
    says('rshared', 'a shared mount');
    says('shared', 'a shared mount');
    says('rslave', 'a shared or slave mount');
    const slave = inMountNamespace(`mount --bind ${data} ${data}; mount --make-slave ${data}`);
    output(runPayload(bundle, ['true'], { flags: ['-v', `${data}:/m:slave`], via: slave }));
    assert.match(refusal(bundle, ['-v', `${data}:/m:shared`], slave), 'it is not a shared mount');
  }));

test('of several mounts on one place, the one that is seen counts', () =>
  withData((bundle, data) => {
    const stacked = (first: string, second: string) =>
      inMountNamespace(
        `mount --bind ${data} ${data}; mount --make-${first} ${data}; mount --bind ${data} ${data}; mount --make-${second} ${data}`,
      );
    const flags = ['-v', `${data}:/m:rshared`];
    assert.match(refusal(bundle, flags, stacked('shared', 'private')), 'it is not a shared mount');
    output(runPayload(bundle, ['true'], { flags, via: stacked('private', 'shared') }));
  }));

test('the same destination twice: both flags are named', () =>
  withData((bundle, data) => {
    assert.is(
      refusal(bundle, ['-v', `${data}:/m`, '--tmpfs', '/m']),
      `tinyrun: Duplicate mount point: /m; \`--volume ${data}:/m\` and \`--tmpfs /m\` have the same destination: drop one\n`,
    );
    assert.match(refusal(bundle, ['-v', 'one:/m', '-v', 'two:/m/']), 'Duplicate mount point: /m');
  }));

test('a filesystem without idmapped mounts', () =>
  withData((bundle, data) => {
    const via = inMountNamespace(`mount -t overlay o -o lowerdir=${data}:${bundle.rootfs} ${data}`);
    assert.match(
      refusal(bundle, ['-v', `${data}:/m:idmap=uids=0-1000-1;gids=0-1000-1`], via),
      `the filesystem of ${data} does not support idmapped mounts`,
    );
  }));

test("Docker's refusals, word by word", () =>
  withData((bundle) => {
    const rows: [string[], string][] = [
      [['-v', 'rel/x:/d'], 'If you intended to pass a host directory, use absolute path'],
      [['-v', '/srv:/'], "invalid specification: destination can't be '/'"],
      [['-v', '/d:ro'], "invalid volume specification: '/d:ro'"],
      [
        ['--mount', 'type=bind,dst=/d'],
        'invalid mount config for type "bind": field Source must not be empty',
      ],
      [['--mount', 'type=tmpfs,src=x,dst=/d'], 'field Source must not be specified'],
      [['-v', 'data:/d:shared'], 'field BindOptions must not be specified'],
      [['--mount', 'dst=/d,volume-subpath=x'], 'must not set Subpath when using anonymous volumes'],
      [['--mount', 'src=x,dst=/d,volume-subpath=../x'], 'subpath must be a relative path within the volume'],
      [
        ['--mount', 'type=bind,src=/srv,dst=/d,ro,bind-recursive=readonly'],
        "requires 'bind-propagation=rprivate'",
      ],
      [
        ['--mount', 'type=bind,src=/srv,dst=/d,volume-nocopy'],
        "cannot mix 'volume-*' options with mount type 'bind'",
      ],
    ];
    for (const [flags, says] of rows) assert.match(refusal(bundle, flags), says, flags.join(' '));
    assert.not(existsSync(join(bundle.dataRoot, 'volumes/x')));
  }));

test.run();
