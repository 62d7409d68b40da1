// What a container, or another user of the host, may try against who works on containers from outside; named after the
// attacks. Those on the runtime itself are in hostile-rootfs.test.ts, those of archives in test/archive/attacks.test.ts.

import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { flag, rawSyscall } from '../../native-bindings/libc.ts';
import { DIRECTORY } from '../../src/disk/files.ts';
import { runCommand, until } from '../support/container.ts';
import { withStore } from '../support/store.ts';

const NOBODY = 65534;
/** A shell of a user of the host who is nobody in particular. */
const asNobody = (script: string) =>
  runCommand([
    'setpriv',
    '--reuid',
    `${NOBODY}`,
    '--regid',
    `${NOBODY}`,
    '--clear-groups',
    'sh',
    '-c',
    script,
  ]);

test('moby CVE-2021-41091: a setuid file or a device in a volume is of no use to users of the host', () =>
  withStore(({ top, out, dataRoot }) => {
    chmodSync(top, 0o755);
    const script = 'cp /bin/busybox /v/id; chmod 4755 /v/id; mknod /v/null c 1 3; chmod 666 /v/null';
    out('run', '--rm', '-v', 'vol:/v', 'bb', 'sh', '-c', script);
    const data = join(dataRoot, 'volumes/vol/_data');
    assert.ok(existsSync(join(data, 'id')));
    assert.is.not(asNobody(`${data}/id`).code, 0);
    assert.is.not(asNobody(`echo >${data}/null`).code, 0);
    assert.is.not(asNobody(`ls ${data}`).code, 0);
  }));

test('moby CVE-2021-41091: nor is one that was made of /etc/hosts, or in a layer', () =>
  withStore(async ({ top, out, dataRoot }) => {
    chmodSync(top, 0o755);
    const script =
      'cat /bin/busybox >/etc/hosts; chmod 4755 /etc/hosts; cp /bin/busybox /id; chmod 4755 /id; sleep 600';
    const id = out('run', '-d', 'bb', 'sh', '-c', script);
    const upper = join(dataRoot, 'overlay2', id, 'diff/id');
    await until('it is there', () => existsSync(upper));
    for (const path of [upper, join(dataRoot, 'containers', id, 'hosts')])
      assert.is(asNobody(path).code, 126, path);
  }));

test("attach: where the monitor was killed, init of the host is not taken for it, nor its descriptors for the container's", () =>
  withStore(async ({ out, t }) => {
    // Another user id takes away the signal that would end it with its parent: prctl(2), PR_SET_PDEATHSIG.
    out('run', '-d', '-i', '--name', 'box', 'bb', 'sh', '-c', 'exec su ann -c "exec sleep 600"');
    const init = Number(out('inspect', '-f', '{{.State.Pid}}', 'box'));
    await until('it is another user', () =>
      /^Uid:\t1000/m.test(readFileSync(`/proc/${init}/status`, 'utf8')),
    );
    const parent = (): number =>
      Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${init}/status`, 'utf8'))?.[1]);
    const monitor = parent();
    process.kill(monitor, 'SIGKILL');
    await until('it has another parent', () => parent() !== monitor);
    const { code, stderr } = t('attach', 'box');
    assert.match(stderr, 'You cannot attach to a container whose monitor was killed');
    assert.is(code, 1);
  }));

test('cp: a symlink that another user has made in a directory like /tmp is not followed: protected_symlinks, for what is followed by hand', () =>
  withStore(({ top, out, t }) => {
    const shared = join(top, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    writeFileSync(join(top, 'victim'), 'untouched');
    symlinkSync(join(top, 'victim'), join(shared, 'theirs'));
    lchownSync(join(shared, 'theirs'), NOBODY, NOBODY);
    symlinkSync(join(top, 'victim'), join(shared, 'ours'));
    out('create', '--name', 'box', 'bb');
    const { code, stderr } = t('cp', 'box:/etc/passwd', join(shared, 'theirs'));
    assert.match(stderr, `it is a symlink of user ${NOBODY}, where everybody may make one`);
    assert.is(code, 1);
    assert.is(readFileSync(join(top, 'victim'), 'utf8'), 'untouched');
    out('cp', 'box:/etc/passwd', join(shared, 'ours'));
    assert.match(readFileSync(join(top, 'victim'), 'utf8'), 'root:x:0');
  }));

test('cp to the host: nothing that a container has made gets rights there: setuid bits, devices', () =>
  withStore(({ top, out, t }) => {
    const script =
      'mkdir /d; cp /bin/busybox /d/su; chmod 6755 /d/su; mknod /d/disk b 7 0; chmod 666 /d/disk';
    out('run', '--name', 'box', 'bb', 'sh', '-c', script);
    const { code, stderr } = t('cp', 'box:/d', join(top, 'copy'));
    assert.is(code, 0);
    assert.match(stderr, 'copy/disk is a device of the container, and left out');
    assert.is(statSync(join(top, 'copy/su')).mode & 0o7777, 0o755);
    assert.not(existsSync(join(top, 'copy/disk')));
    out('cp', '--archive', 'box:/d', join(top, 'all'));
    assert.is(statSync(join(top, 'all/su')).mode & 0o7777, 0o6755);
    assert.ok(statSync(join(top, 'all/disk')).isBlockDevice());
  }));

test('diff: a name with control characters makes no line of its own, and no order to the terminal', () =>
  withStore(({ out }) => {
    out('run', '--name', 'box', 'bb', 'sh', '-c', 'touch "/y$(printf "\\033[2J\\nD etc")"');
    assert.is(out('diff', 'box'), 'A /y\\x1b[2J\\nD etc');
  }));

test('exec --detach: what the process prints fills no memory, and its stderr is nothing of ours', () =>
  withStore(async ({ top, out, t }) => {
    out('run', '-d', '--name', 'box', 'bb', 'sleep', '600');
    out(
      'exec',
      '-d',
      'box',
      'sh',
      '-c',
      'ls -l /proc/self/fd >/o 2>&1; echo >>/o; readlink /proc/$$/fd/2 >>/o; touch /done',
    );
    await until('it has ended', () => t('exec', 'box', 'test', '-e', '/done').code === 0);
    assert.match(out('exec', 'box', 'cat', '/o'), /\n\/dev\/null$/);
    const log = join(top, 'log');
    const { stderr, code } = t('--log', log, 'exec', '-d', 'box', '/missing');
    assert.match(stderr, /^tinyrun: exec failed: .*\/missing.*\n$/);
    assert.is(code, 126);
    assert.match(readFileSync(log, 'utf8'), /^time="[^"]+" level=error msg="exec failed: .*"\n$/);
  }));

/** Directories in each other, which no path leads to. */
function makeDeep(top: string, depth: number): void {
  let fd = rawSyscall('openat', flag('AT_FDCWD'), top, DIRECTORY, 0);
  for (let level = 0; level < depth; level++) {
    assert.is(rawSyscall('mkdirat', fd, 'dddd', 0o755), 0);
    const below = rawSyscall('openat', fd, 'dddd', DIRECTORY, 0);
    rawSyscall('close', fd);
    fd = below;
  }
  rawSyscall('close', fd);
}

test('diff: directories that are deeper than any path do not end it, nor do they hide what is in them', () =>
  withStore(({ out, t, dataRoot }) => {
    const id = out('create', '--name', 'box', 'bb');
    makeDeep(join(dataRoot, 'overlay2', id, 'diff'), 1000);
    const { stderr, code } = t('diff', 'box');
    assert.match(stderr, /^tinyrun: open dddd\/.*: (ENAMETOOLONG|EMFILE) /);
    assert.is(code, 1);
    out('rm', 'box');
  }));

test.run();
