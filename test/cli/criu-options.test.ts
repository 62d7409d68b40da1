// What `checkpoint` and `restore` make of their flags.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { OptionValue } from '../../src/cli/command-line.ts';
import { toDumpOptions, toRestoreOptions } from '../../src/cli/criu-options.ts';

const line = (command: string, options: Record<string, OptionValue>) => ({
  ...{ command, options },
  args: ['c1'],
  rest: undefined,
});
const dump = (options: Record<string, OptionValue>) => toDumpOptions(line('checkpoint', options), '/here');
const restore = (options: Record<string, OptionValue>) => toRestoreOptions(line('restore', options), '/here');

test('images are in ./checkpoint, and the log with them, unless said otherwise', () => {
  assert.is(dump({}).imagePath, '/here/checkpoint');
  assert.is(dump({}).workPath, '/here/checkpoint');
  const { imagePath, workPath } = restore({ 'image-path': 'i', 'work-path': '/w' });
  assert.equal([imagePath, workPath], ['/here/i', '/w']);
});

test('a page server has an address and a port, which may be of IPv6', () => {
  assert.equal(dump({ 'page-server': '192.0.2.1:27' }).pageServer, { address: '192.0.2.1', port: '27' });
  assert.equal(dump({ 'page-server': '::1:27' }).pageServer, { address: '::1', port: '27' });
  for (const text of ['27', 'host:', ':27', 'host:port'])
    assert.throws(() => dump({ 'page-server': text }), /--page-server .*: use --page-server ADDRESS:PORT/);
});

test('what makes no sense is refused', () => {
  assert.throws(() => dump({ 'parent-path': '/abs' }), /--parent-path \/abs: it is relative to --image-path/);
  assert.throws(() => dump({ 'status-fd': 3 }), /--status-fd 3: it goes with --lazy-pages/);
  assert.throws(() => restore({ 'lsm-profile': 'x' }), /use apparmor:NAME or selinux:LABEL/);
  assert.throws(() => restore({ 'console-socket': '/s' }), /criu hands no terminal over/);
});

test.run();
