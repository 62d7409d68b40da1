// Hosts that do not give what a container needs: no room, no right, no stdio, an old kernel. Mounts are made in a mount
// namespace of the test's own shell.

import { chmodSync, mkdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, type Result, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { assertFails, assertRefused, leftovers } from '../support/refusal.ts';
import { scaled } from '../support/time.ts';

/** Runs a shell script in which `tinyrun` has the bundle's roots, and $BUNDLE, $ID, $ROOT, $DATA are set. */
function shell(bundle: Bundle, script: string, wrapper: readonly string[] = []): Result {
  const { dir, id, root, dataRoot } = bundle;
  const functions = 'tinyrun() { "$TINYRUN" --root "$ROOT" --data-root "$DATA" "$@"; }';
  const done = Bun.spawnSync([...wrapper, 'sh', '-c', `${functions}\n${script}`], {
    cwd: '/',
    env: { ...process.env, TINYRUN: tinyrun, BUNDLE: dir, ID: id, ROOT: root, DATA: dataRoot },
    stdin: 'ignore',
    timeout: scaled(20_000),
    killSignal: 'SIGKILL',
  });
  if (done.exitedDueToTimeout) throw new Error(`did not end in time: ${script}`);
  return { stdout: done.stdout.toString(), stderr: done.stderr.toString(), code: done.exitCode };
}

/** The same in a mount namespace of its own; what is mounted there is gone at its end. */
const shellWithMounts = (bundle: Bundle, script: string): Result =>
  shell(bundle, `mkdir -p "$ROOT" "$DATA"\n${script}`, ['unshare', '-m', '--propagation', 'private']);

/** What the container roots hold, told by the script itself since its mounts are gone behind it. */
const TELL =
  'code=$?; find "$ROOT" "$DATA/containers" -mindepth 1 -not -path "*/.programs*" 2>/dev/null; exit $code';

const readonly: Record<string, [path: string, flags: string, says: RegExp]> = {
  'a read-only state root': ['$ROOT', '', /create container .+: EROFS/],
  'a read-only data root': ['$DATA', '--overlay', /make directory .+\/data\/init-layer: EROFS/],
};
for (const [name, [path, flags, says]] of Object.entries(readonly))
  test(`run fails on ${name}, and leaves nothing`, () =>
    withBundle((bundle) => {
      const mount = `mount --bind "${path}" "${path}" && mount -o remount,bind,ro "${path}"`;
      const bundleForm = shellWithMounts(bundle, `${mount}; tinyrun run ${flags} "$BUNDLE"; ${TELL}`);
      assertFails(bundle, bundleForm, says, 125);
      const runcForm = shellWithMounts(bundle, `${mount}; tinyrun run ${flags} -b "$BUNDLE" "$ID"; ${TELL}`);
      assertFails(bundle, runcForm, says, 1);
    }));

test('run fails on a full state root, wherever it gets full, and leaves nothing', () =>
  withBundle((bundle) => {
    bundle.config.annotations = { long: 'x'.repeat(9000) }; // three pages of state.json, one of init.stat
    writeConfig(bundle);
    const outcome = (pages: number, inodes: number) => {
      const mount = `mount -t tmpfs -o size=${4 * pages}k,nr_inodes=${inodes} tmpfs "$ROOT"`;
      return shellWithMounts(bundle, `${mount}; tinyrun run "$BUNDLE"; ${TELL}`);
    };
    for (let pages = 1; pages < 4; pages++) assertFull(bundle, outcome(pages, 20));
    for (let inodes = 1; inodes < 4; inodes++) assertFull(bundle, outcome(20, inodes));
    assert.is(outcome(500, 20).code, 0);
  }));

test('run fails on a full data root, wherever it gets full, and leaves nothing', () =>
  withBundle((bundle) => {
    const outcome = (pages: number, inodes: number) => {
      const mount = `mount -t tmpfs -o size=${4 * pages}k,nr_inodes=${inodes} tmpfs "$DATA"`;
      const hosts = `$(for i in $(seq 200); do echo --add-host name-of-some-host-$i.example:10.0.0.$i; done)`;
      return shellWithMounts(bundle, `${mount}; tinyrun run --overlay ${hosts} "$BUNDLE"; ${TELL}`);
    };
    for (let pages = 1; pages < 4; pages++) assertFull(bundle, outcome(pages, 50));
    for (let inodes = 1; inodes < 16; inodes += 2) assertFull(bundle, outcome(20, inodes));
    assert.is(outcome(20, 50).code, 0);
  }));

function assertFull(bundle: Bundle, result: Result): void {
  assertFails(bundle, result, /(create|write|make|copy) .+: (ENOSPC )?no space left on device/, 125);
}

test('a log file that cannot be opened is told of, once', () =>
  withBundle((bundle) => {
    const missing = `${bundle.dir}/missing/log`;
    assertRefused(bundle, /^tinyrun: --log: open .+\/missing\/log: ENOENT no such file or directory$/m, {
      flags: ['--log', missing],
    });
    assertRefused(bundle, /^tinyrun: --log: open .+\/bundle: EISDIR is a directory$/m, {
      flags: ['--log', bundle.dir],
    });
  }));

test('run by a user who is not root fails with a word of what to do', () =>
  withBundle((bundle) => {
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    chmodSync(dirname(bundle.dir), 0o755);
    const says = /^tinyrun: run a container: you are not root; use sudo; .+\n$/;
    assertFails(bundle, shell(bundle, 'tinyrun run "$BUNDLE"', nobody), says, 125);
    assertFails(bundle, shell(bundle, 'tinyrun run -b "$BUNDLE" "$ID"', nobody), says, 1);
    mkdirSync(bundle.root, { mode: 0o700 });
    const denied =
      /: EACCES permission denied; you are not root: use sudo, or --root with a directory of your own\n$/;
    for (const words of ['list', 'state "$ID"', 'delete "$ID"'])
      assertFails(bundle, shell(bundle, `tinyrun ${words}`, nobody), denied, 1);
  }));

test('run says that the kernel is too old where it is', () =>
  withBundle((bundle) => {
    const old = ['setarch', '--uname-2.6']; // personality(2), UNAME26
    const says = /^tinyrun: Linux 2\.6\.\S+ is too old: tinyrun needs 5\.14 or newer/;
    assertFails(bundle, shell(bundle, 'tinyrun run "$BUNDLE"', old), says, 125);
    assertFails(bundle, shell(bundle, 'tinyrun run -b "$BUNDLE" "$ID"', old), says, 1);
  }));

/** What a file descriptor of a process is; undefined where it is closed. */
function fileOf(pid: number, fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** Whether it is the payload, asleep until a signal comes; before that, init of a pid namespace ignores SIGTERM. */
const waitsForTerm = (status: string): boolean => /^Name:\tpayload$[\s\S]*^State:\tS/m.test(status);

/** The pid of a container's process, once it is the payload that waits for its end. */
async function payloadPid(bundle: Bundle): Promise<number> {
  for (let tries = 0; tries < 500; tries++) {
    const { stdout } = runTinyrun(bundle, ['state', bundle.id]);
    const pid = Number(/"pid": (\d+)/.exec(stdout)?.[1] ?? 0);
    if (pid > 0 && waitsForTerm(readFileSync(`/proc/${pid}/status`, 'utf8'))) return pid;
    await Bun.sleep(10);
  }
  throw new Error('the container does not run');
}

const ownerOfNull = () => `${statSync('/dev/null').uid}:${statSync('/dev/null').gid}`;

for (const closed of [[0], [1], [2], [0, 2], [0, 1, 2]])
  test(`with ${closed.join(' and ')} closed, a container has /dev/null there, and nothing of ours`, () =>
    withBundle(async (bundle) => {
      const owner = ownerOfNull();
      bundle.config.process.user = { uid: 1000, gid: 1000 }; // who gets what is open, but for /dev/null
      writeConfig(bundle);
      const script = `exec "$@" ${closed.map((fd) => `${fd}>&-`).join(' ')}`;
      const words = [
        '--root',
        bundle.root,
        '--data-root',
        bundle.dataRoot,
        'run',
        '--overlay',
        '-b',
        bundle.dir,
      ];
      const running = Bun.spawn(
        ['sh', '-c', script, 'sh', tinyrun, ...words, bundle.id, '--', '/payload', 'trap'],
        {
          stdio: [new Blob([]), 'pipe', 'pipe'],
        },
      );
      const pid = await payloadPid(bundle);
      for (const fd of [0, 1, 2]) {
        if (closed.includes(fd)) assert.is(fileOf(pid, fd), '/dev/null');
        else assert.is(fileOf(pid, fd), fileOf(running.pid, fd));
      }
      assert.is(fileOf(pid, 3), undefined);
      process.kill(pid, 'SIGTERM');
      assert.is(await running.exited, 0);
      assert.is(ownerOfNull(), owner);
      assert.equal(leftovers(bundle), []);
    }));

/** Fills the pipe that is stdout, and goes on with it. */
const FILL = 'dd if=/dev/zero bs=4096 count=1000 oflag=nonblock 2>/dev/null';

test('a full stdout that nobody reads holds up no container that writes nothing, and no message', () =>
  withBundle((bundle) => {
    const script = `(${FILL}; tinyrun run "$BUNDLE"; echo $? >&2; tinyrun run "$BUNDLE" -- /nope; echo $? >&2) | sleep 1`;
    const { stderr } = shell(bundle, script);
    assert.is(stderr, '0\ntinyrun: exec: "/nope": stat /nope: no such file or directory\n127\n');
    assert.equal(leftovers(bundle), []);
  }));

test('a container whose stdout has no reader gets EPIPE, and tinyrun goes on', () =>
  withBundle((bundle) => {
    const script = `(sleep 0.2; tinyrun run "$BUNDLE" -- /payload cwd; echo $? >&2) | true`;
    assert.is(shell(bundle, script).stderr, '1\n'); // from puts(3): pid 1 is not killed by SIGPIPE
    assert.equal(leftovers(bundle), []);
  }));

test.run();
