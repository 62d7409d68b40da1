// The hint that the directories in one have nothing to do with each other: where the filesystem has such a thing.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { close, flag, rawSyscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, DIRECTORY } from '../../src/disk/files.ts';
import { spreadDirectories } from '../../src/disk/spread.ts';
import { skip } from '../support/skip.ts';
import { withStore } from '../support/store.ts';

/** The inode flags of a directory; undefined: its filesystem has none. */
function flagsOf(path: string): number | undefined {
  const fd = rawSyscall('openat', AT_FDCWD, path, DIRECTORY, 0);
  const flags = new Uint32Array(2);
  const got = rawSyscall('ioctl', fd, flag('FS_IOC_GETFLAGS'), new Uint8Array(flags.buffer));
  close(fd);
  return got < 0 ? undefined : flags[0]!;
}

const isExt = (path: string): boolean =>
  rawSyscall('statfs', path, statfs) === 0 && new DataView(statfs.buffer).getUint32(0, true) === 0xef53;
const statfs = new Uint8Array(120); // f_type of statfs(2) first; EXT4_SUPER_MAGIC of <linux/magic.h>

const spreads = (path: string): boolean => ((flagsOf(path) ?? 0) & flag('FS_TOPDIR_FL')) !== 0;

test('layers and volumes are spread over the disk; what is in one of them stays together', async () => {
  if (!isExt('/tmp')) return skip('directories that are spread over the disk', '/tmp is on no ext4');
  await withStore(({ dataRoot, out }) => {
    out('volume', 'create', 'v');
    assert.ok(spreads(join(dataRoot, 'overlay2')));
    assert.ok(spreads(join(dataRoot, 'volumes/.aside')));
    assert.not.ok(spreads(join(dataRoot, 'volumes/v/_data')));
  });
});

test('other flags of a directory stay, and a filesystem that knows none is left as it is', () => {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  try {
    const before = flagsOf(top);
    spreadDirectories(top);
    if (isExt(top)) assert.is(flagsOf(top), before! | flag('FS_TOPDIR_FL'));
    spreadDirectories('/proc');
  } finally {
    rmSync(top, { recursive: true });
  }
});

test.run();
