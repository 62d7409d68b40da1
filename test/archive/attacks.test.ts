// Archives that attack whoever unpacks them: nothing outside of the root is touched, and the message says what was refused.
// Needs root: what is at stake is what root may do.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rawSyscall } from '../../native-bindings/libc.ts';
import { END } from '../../src/archive/encode.ts';
import { type Block, encodeBlock } from '../../src/archive/header.ts';
import { encodeRecords } from '../../src/archive/pax.ts';
import type { UnpackOptions } from '../../src/archive/unpack-options.ts';
import { type Made, makeEntry, makeTar, messageOf, unpack, withRoot } from '../support/archives.ts';

const symlink = (name: string, link: string): Made => ({ name, type: 'symlink', link });
const hardLink = (name: string, link: string): Made => ({ name, type: 'link', link });
const directory = (name: string): Made => ({ name: `${name}/`, type: 'directory', mode: 0o755 });

/** For what is many: tmpfs has whiteouts and trusted.* as well. */
const IN_MEMORY = '/dev/shm';

/** A folder outside of the root with a file in it, which must be the same afterwards. */
async function withVictim(use: (root: string, victim: string) => Promise<void>): Promise<void> {
  await withRoot(async (root, top) => {
    const victim = `${top}/victim`;
    mkdirSync(victim, { mode: 0o700 });
    writeFileSync(`${victim}/file`, 'untouched', { mode: 0o600 });
    const facts = (): unknown[] =>
      [victim, `${victim}/file`].map((path) => {
        const { mode, uid, gid, nlink, mtimeMs, ctimeMs } = statSync(path);
        return { path, mode, uid, gid, nlink, mtimeMs, ctimeMs };
      });
    const before = facts();
    await use(root, victim);
    assert.equal(facts(), before);
    assert.equal(readdirSync(victim), ['file']);
    assert.is(readFileSync(`${victim}/file`, 'utf8'), 'untouched');
  });
}

test('a name with `..` is refused, wherever in it', () =>
  withVictim(async (root) => {
    for (const name of ['../victim/new', 'a/../../victim/new', '..', 'a/..', './../victim', '/../victim/x']) {
      const message = await messageOf(unpack(root, makeTar({ name, data: 'x' })));
      assert.is(
        message,
        `unpack ${name}: the name has a part \`..\`, which leads out of the directory it is in`,
      );
    }
    assert.equal(readdirSync(root), []);
  }));

test('an absolute name is one below the root', () =>
  withVictim(async (root, victim) => {
    await unpack(root, makeTar({ name: `${victim}/file`, data: 'x' }, { name: '///b//./c', data: 'y' }));
    assert.is(readFileSync(`${root}${victim}/file`, 'utf8'), 'x');
    assert.is(readFileSync(`${root}/b/c`, 'utf8'), 'y');
  }));

test('CVE-2025-47290: a symlink that the archive has made is not followed, as a directory or as a file', () =>
  withVictim(async (root, victim) => {
    for (const entry of [{ name: 'out/new', data: 'x' }, directory('out/new'), symlink('out/new', 'x')]) {
      const message = await messageOf(unpack(root, makeTar(symlink('out', victim), entry)));
      assert.is(message, `unpack ${entry.name}: a symlink is on the way to out, which is never followed`);
    }
    // Of the same name: the symlink goes, and what it led to stays.
    for (const entry of [{ name: 'out', data: 'x' }, directory('out'), hardLink('out', 'a')])
      await unpack(root, makeTar({ name: 'a', data: 'a' }, symlink('out', `${victim}/file`), entry));
    assert.ok(lstatSync(`${root}/out`).isFile());
  }));

test('a chain of symlinks, or one in the middle of a path, is not followed either', () =>
  withVictim(async (root) => {
    const tar = makeTar(directory('a'), symlink('a/up', '..'), symlink('a/up2', 'up/..'), {
      name: 'a/up2/victim/new',
      data: '',
    });
    assert.match(await messageOf(unpack(root, tar)), /a symlink is on the way to a\/up2\/victim/);
  }));

test('a symlink that is there before, as of a volume that a container uses, is not followed', () =>
  withVictim(async (root, victim) => {
    symlinkSync(victim, `${root}/sub`);
    assert.match(
      await messageOf(unpack(root, makeTar({ name: 'sub/new', data: '' }))),
      /a symlink is on the way to sub/,
    );
  }));

test('CVE-2021-32760: no mode, owner, time or attribute is set through a symlink', () =>
  withVictim(async (root, victim) => {
    const made: Made = {
      ...symlink('link', `${victim}/file`),
      ...{ mode: 0o6777, uid: 1234, gid: 1234, mtime: { seconds: 1, nanoseconds: 0 } },
      xattrs: [
        ['user.x', Buffer.from('x')],
        ['security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
      ],
    };
    // A symlink may have such an attribute or not: it is the symlink's in any case.
    await unpack(root, makeTar(made)).catch(() => {});
    // The same name as a directory, then as a symlink, before directories get their attributes.
    await unpack(root, makeTar({ ...directory('d'), mode: 0o6777, uid: 1234 }, symlink('d', victim)));
    assert.ok(lstatSync(`${root}/d`).isSymbolicLink());
    assert.is(rawSyscall('getxattr', `${victim}/file`, 'security.capability', null, 0), -61);
  }));

test('a hard link to a file outside of the root', () =>
  withVictim(async (root, victim) => {
    for (const link of ['../victim/file', `${victim}/file`, 'up/victim/file']) {
      const message = await messageOf(unpack(root, makeTar(symlink('up', '..'), hardLink('stolen', link))));
      assert.match(
        message,
        /unpack stolen: (the name has a part|the hard link's target .* is no entry before it)/,
      );
      assert.not(existsSync(`${root}/stolen`));
    }
  }));

test('a hard link to a symlink is one to the symlink, and what comes then under its name does not go through it', () =>
  withVictim(async (root, victim) => {
    await unpack(
      root,
      makeTar(symlink('a', `${victim}/file`), hardLink('b', 'a'), {
        name: 'b',
        data: 'mine',
        mode: 0o4755,
        uid: 7,
      }),
    );
    assert.ok(lstatSync(`${root}/a`).isSymbolicLink());
    assert.is(readFileSync(`${root}/b`, 'utf8'), 'mine');
  }));

test('a hard link to a directory, to nothing, to itself', () =>
  withRoot(async (root) => {
    const failing = (...entries: Made[]): Promise<string> => messageOf(unpack(root, makeTar(...entries)));
    assert.is(
      await failing(directory('d'), hardLink('l', 'd')),
      "unpack l: the hard link's target d is a directory",
    );
    assert.is(
      await failing(hardLink('l', 'no')),
      "unpack l: the hard link's target no is no entry before it",
    );
    assert.is(await failing(hardLink('l', '/')), "unpack l: the hard link's target / is no entry before it");
    await unpack(root, makeTar({ name: 'f', data: 'x' }, hardLink('f', 'f')));
    assert.is(readFileSync(`${root}/f`, 'utf8'), 'x');
  }));

test('a file where a directory is, and back: the last one wins, and nothing else goes', () =>
  withVictim(async (root, victim) => {
    await unpack(
      root,
      makeTar(
        directory('x'),
        { name: 'x/below', data: '' },
        symlink('x/out', victim),
        { name: 'x', data: 'a file' },
        { name: 'y', data: 'a file' },
        directory('y'),
        { name: 'y/below', data: '' },
      ),
    );
    assert.is(readFileSync(`${root}/x`, 'utf8'), 'a file');
    assert.equal(readdirSync(`${root}/y`), ['below']);
  }));

test('keepKinds: neither takes the place of the other, as for cp', () =>
  withRoot(async (root) => {
    mkdirSync(`${root}/d/below`, { recursive: true });
    writeFileSync(`${root}/f`, '');
    const failing = (made: Made): Promise<string> =>
      messageOf(unpack(root, makeTar(made), { keepKinds: true }));
    assert.is(
      await failing({ name: 'd', data: '' }),
      'unpack d: cannot overwrite directory with non-directory',
    );
    assert.is(await failing(directory('f')), 'unpack f/: cannot overwrite non-directory with directory');
    await unpack(root, makeTar(directory('d'), { name: 'f', data: 'new' }), { keepKinds: true });
    assert.ok(existsSync(`${root}/d/below`));
  }));

test('a name of many equal entries: the last one wins', () =>
  withRoot(async (root) => {
    await unpack(root, makeTar(...Array.from({ length: 100 }, (_, i) => ({ name: 'a', data: String(i) }))));
    assert.is(readFileSync(`${root}/a`, 'utf8'), '99');
  }));

const layer: Partial<UnpackOptions> = { whiteouts: 'overlay' };

test('a whiteout does not cross a symlink, and hides nothing outside', () =>
  withVictim(async (root, victim) => {
    for (const name of ['out/.wh.file', 'out/.wh..wh..opq']) {
      const message = await messageOf(
        unpack(root, makeTar(symlink('out', victim), { name, data: '' }), layer),
      );
      assert.is(message, `unpack ${name}: a symlink is on the way to out, which is never followed`);
    }
  }));

test('a whiteout of `.`, of `..`, of nothing, or with something below', () =>
  withRoot(async (root) => {
    const failing = (name: string): Promise<string> =>
      messageOf(unpack(root, makeTar({ name, data: '' }), layer));
    assert.is(await failing('a/.wh...'), 'unpack a/.wh...: a whiteout of "..", which is no name');
    assert.is(await failing('.wh..'), 'unpack .wh..: a whiteout of ".", which is no name');
    assert.is(await failing('.wh.'), 'unpack .wh.: a whiteout of "", which is no name');
    assert.is(await failing('.wh.a/b'), 'unpack .wh.a/b: there is nothing below a whiteout');
    assert.equal(readdirSync(root), []);
  }));

test('where there are no layers, names of whiteouts are ordinary', () =>
  withRoot(async (root) => {
    await unpack(root, makeTar({ name: '.wh.a', data: 'x' }), { whiteouts: 'plain' });
    assert.is(readFileSync(`${root}/.wh.a`, 'utf8'), 'x');
  }));

test("overlayfs's own marks do not come out of an archive: they would be orders to the kernel", () =>
  withRoot(async (root) => {
    const failing = (...entries: Made[]): Promise<string> =>
      messageOf(unpack(root, makeTar(...entries), layer));
    assert.is(
      await failing({ name: 'null', type: 'character' }),
      'unpack null: the character device 0:0, which would be a whiteout',
    );
    assert.is(
      await failing({ name: '.wh.a', data: '' }, hardLink('b', 'a')),
      "unpack b: the hard link's target a is a whiteout",
    );
    const names = [
      'trusted.overlay.opaque',
      'trusted.overlay.redirect',
      'user.overlay.opaque',
      'security.selinux',
    ];
    const xattrs = names.map((name) => [name, Buffer.from('y')] as const);
    await unpack(
      root,
      makeTar({ ...directory('d'), xattrs: [...xattrs, ['trusted.mine', Buffer.from('y')]] }),
      layer,
    );
    const list = new Uint8Array(1000);
    const size = rawSyscall('listxattr', `${root}/d`, list, list.length);
    assert.is(Buffer.from(list.subarray(0, size)).toString(), 'trusted.mine\0');
  }));

test('CVE-2026-95838: tens of thousands of opaque whiteouts take no longer than as many files', () =>
  withRoot(async (root) => {
    const count = 30_000;
    const files = Array.from({ length: 2000 }, (_, i) => makeEntry({ name: `d/${i}`, data: '' }));
    const storm = Buffer.concat(Array(count).fill(makeEntry({ name: 'd/.wh..wh..opq', data: '' })));
    const begin = process.cpuUsage();
    const result = await unpack(root, Buffer.concat([...files, storm, END]), layer);
    const { user, system } = process.cpuUsage(begin);
    const seconds = (user + system) / 1e6;
    assert.is(result.entries, count + 2000);
    assert.is(readdirSync(`${root}/d`).length, 2000);
    // Quadratic, 2000 files each time, would be minutes.
    assert.ok(seconds < 20, `${seconds} s`);
  }, IN_MEMORY));

test('as many whiteouts of one name, and of different ones', () =>
  withRoot(async (root) => {
    const same = Array(5000).fill(makeEntry({ name: '.wh.a', data: '' }));
    const different = Array.from({ length: 5000 }, (_, i) => makeEntry({ name: `d/.wh.${i}`, data: '' }));
    await unpack(root, Buffer.concat([...same, ...different, END]), layer);
    assert.is(readdirSync(`${root}/d`).length, 5000);
  }, IN_MEMORY));

// What is too large

const block = (fields: Partial<Block>): Uint8Array =>
  encodeBlock({
    name: 'x',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    type: '0',
    link: '',
    major: 0,
    minor: 0,
    ...fields,
  });

test('a header larger than a megabyte is refused before it is read', () =>
  withRoot(async (root) => {
    for (const type of ['x', 'g', 'L', 'K']) {
      const size = 2 ** 20 + 1;
      const message = await messageOf(unpack(root, block({ type, size })));
      assert.match(
        message,
        /^read the archive, at its beginning: its headers of \d+ bytes are larger than 1048576$/,
      );
    }
    const many = Array(3000).fill(Buffer.concat([block({ type: 'L', size: 512 }), new Uint8Array(512)]));
    assert.match(await messageOf(unpack(root, Buffer.concat(many))), /are larger than 1048576$/);
  }, IN_MEMORY));

test('global records that would cost time for every entry are refused', () =>
  withRoot(async (root) => {
    const globals = Array.from({ length: 65 }, (_, i) => {
      const records = encodeRecords([[`SCHILY.xattr.user.${i}`, Buffer.from('x')]]);
      const padding = new Uint8Array(512 - records.length);
      return Buffer.concat([block({ type: 'g', size: records.length }), records, padding]);
    });
    const tar = makeTar({ name: 'a', data: '' });
    assert.match(
      await messageOf(unpack(root, Buffer.concat([...globals, tar]))),
      /it has more than 64 global records$/,
    );
    await unpack(root, Buffer.concat([...globals.slice(0, 64), tar]));
  }, IN_MEMORY));

test('an entry of two thousand directories is made in one go, and they count', () =>
  withRoot(async (root) => {
    const deep = (i: number): Made => ({ name: `${i}/${'d/'.repeat(2000)}f`, data: '' });
    await unpack(root, makeTar(deep(1), deep(2)));
    const tar = makeTar(...Array.from({ length: 10 }, (_, i) => deep(3 + i)));
    assert.is(
      await messageOf(unpack(root, tar, { limits: { entries: 5000 } })),
      `unpack ${deep(5).name}: it asks for too many directories`,
    );
  }, IN_MEMORY));

test('an archive of more bytes or entries than allowed', () =>
  withRoot(async (root) => {
    const entries = Array.from({ length: 20 }, (_, i) => ({ name: String(i), data: 'x'.repeat(1000) }));
    const failing = (limits: UnpackOptions['limits']): Promise<string> =>
      messageOf(unpack(root, makeTar(...entries), { limits }));
    assert.is(
      await failing({ entries: 10 }),
      'read the archive, at or behind entry 11, 10: it has more than 10 entries',
    );
    assert.match(await failing({ bytes: 10_000 }), /it is larger than 10000 bytes$/);
    await unpack(root, makeTar(...entries), { limits: { entries: 20, bytes: 100_000 } });
  }));

test('an endless archive of zeros, or of one file, ends at the limit', () =>
  withRoot(async (root) => {
    async function* endless(first: Uint8Array) {
      yield first;
      for (;;) yield new Uint8Array(65536);
    }
    const limits = { bytes: 10_000_000 };
    assert.match(
      await messageOf(unpack(root, endless(new Uint8Array(512)), { limits })),
      /it is larger than 10000000 bytes$/,
    );
    const huge = block({ size: 2 ** 33 - 1 });
    assert.match(
      await messageOf(unpack(root, endless(huge), { limits })),
      /it is larger than 10000000 bytes$/,
    );
  }));

test('a sparse file that claims to be larger than a file can be', () =>
  withRoot(async (root) => {
    const tar = makeTar({ name: 'a', size: 2 ** 53 - 1, regions: [], data: '' });
    // makeTar counts no blocks for a body that is empty: the map is all there is.
    assert.match(await messageOf(unpack(root, tar)), /^unpack a: make it \d+ bytes long: EFBIG/);
  }));

test('an owner beyond what Linux has is refused', () =>
  withRoot(async (root) => {
    const message = await messageOf(unpack(root, makeTar({ name: 'a', data: '', uid: 2 ** 32 - 1 })));
    assert.is(message, 'read the archive, at its beginning: a has a uid that Linux has not: 4294967295');
    await unpack(root, makeTar({ name: 'a', data: '', uid: 2 ** 32 - 2 }));
    assert.is(statSync(`${root}/a`).uid, 2 ** 32 - 2);
  }));

test('a device beyond what Linux has, a symlink without a target, a type that nobody knows', () =>
  withRoot(async (root) => {
    const failing = (tar: Uint8Array): Promise<string> => messageOf(unpack(root, tar));
    assert.is(
      await failing(makeTar({ name: 'a', type: 'block', major: 4096 })),
      'unpack a: a device 4096:0, beyond what Linux has',
    );
    assert.is(await failing(makeTar(symlink('a', ''))), 'unpack a: a symlink without a target');
    assert.is(
      await failing(Buffer.concat([block({ type: 'Q' }), END])),
      'read the archive, at its beginning: x is of an unknown type, "Q"',
    );
  }));

test('names that are too long are refused', () =>
  withRoot(async (root) => {
    const failing = (name: string): Promise<string> => messageOf(unpack(root, makeTar({ name, data: '' })));
    assert.match(await failing('n'.repeat(256)), /: make the file: ENAMETOOLONG/);
    assert.match(
      await failing('d/'.repeat(2100)),
      /the name of 4200 bytes is longer than Linux takes \(4095\)$/,
    );
  }));

test('what was unpacked before a refused entry is there; the caller has a folder to remove', () =>
  withRoot(async (root) => {
    await messageOf(unpack(root, makeTar({ name: 'a', data: 'x' }, { name: '../b', data: '' })));
    assert.equal(readdirSync(root), ['a']);
  }));

test.run();
