// The monitor of a container with a record: what it keeps, shows and passes on, and what becomes of the container when
// somebody is killed. Its client is the command that each of these tests starts.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closeLog, type LogRecord, openLog, readRecords } from '../../src/container/log-files.ts';
import type { MonitorInput } from '../../src/plan/input.ts';
import { runCommand, until } from '../support/container.ts';
import { ATTACHED, type Kept, withKept } from '../support/kept.ts';
import { leftovers } from '../support/refusal.ts';
import { scaled } from '../support/time.ts';

const shell = (script: string): string[] => ['/bin/busybox', 'sh', '-c', script];
const WITH_STDIN: Partial<MonitorInput> = { openStdin: true, attach: { ...ATTACHED, stdin: true } };
const DETACHED: Partial<MonitorInput> = { attach: undefined };

/** What the log has, with copies of the bytes. */
function recordsOf({ directory }: Pick<Kept, 'directory'>): LogRecord[] {
  const cursor = openLog(directory);
  const records = readRecords(cursor)
    .map((record) => ({ ...record, bytes: record.bytes.slice() }))
    .toArray();
  closeLog(cursor);
  return records;
}

/** The bytes of a stream, or of both. */
const logged = (kept: Pick<Kept, 'directory'>, stream?: number): Buffer =>
  Buffer.concat(
    recordsOf(kept)
      .filter((record) => stream === undefined || record.stream === stream)
      .map(({ bytes }) => bytes),
  );

/** What is left of a run, but for what is kept. */
const leftOf = ({ bundle, directory }: Kept): string[] =>
  leftovers(bundle).filter((path) => !path.startsWith(directory));

const codeOf = (kept: Kept): number => Number(kept.read('exit').split(' ')[0]);
const ended = (kept: Kept) =>
  until('the container has ended', () => existsSync(join(kept.directory, 'exit')) && isGone(kept));
const isGone = ({ bundle }: Kept): boolean => !existsSync(join(bundle.root, bundle.id));

const start = (kept: Kept, args: readonly string[], monitor?: Partial<MonitorInput>, init = false) =>
  Bun.spawn(kept.command(args, monitor, { init }), { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });

/** The pid of init, once its program runs. */
async function initOf({ bundle, directory }: Kept): Promise<number> {
  await until('it runs', () => existsSync(join(directory, 'started')));
  return JSON.parse(readFileSync(join(bundle.root, bundle.id, 'state.json'), 'utf8')).pid;
}

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/ns`) && !/^State:\s+Z/m.test(statusOf(pid));
const statusOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'State: Z';
  }
};

test('bytes come through as they are, to the caller and to the log: binary, and without a newline', () =>
  withKept((kept) => {
    const blob = crypto.getRandomValues(new Uint8Array(65536));
    const million = Buffer.concat(Array.from({ length: 16 }, () => blob));
    writeFileSync(join(kept.bundle.rootfs, 'blob'), million);
    const command = kept.command(shell('cat /blob; head -c 300001 /blob >&2; printf end; exit 3'));
    const { stdout, stderr, exitCode } = Bun.spawnSync(command, { stdin: 'ignore' });
    const expected = Buffer.concat([million, Buffer.from('end')]);
    assert.is(exitCode, 3);
    assert.ok(stdout.equals(expected) && stderr.equals(million.subarray(0, 300001)), 'the caller has it');
    assert.ok(logged(kept, 1).equals(expected), 'the log has stdout');
    assert.ok(logged(kept, 2).equals(million.subarray(0, 300001)), 'the log has stderr');
    assert.match(kept.read('exit'), /^3 \d{10} \d{9}\n$/);
    assert.match(kept.read('started'), /^\d{10} \d{9}\n$/);
    assert.equal(leftOf(kept), []);
  }));

test('the log has both streams in the order in which they were printed, and when', () =>
  withKept((kept) => {
    const before = BigInt(Date.now()) * 1_000_000n;
    runCommand(
      kept.command(shell('for i in 1 2 3; do echo out$i; sleep 0.05; echo err$i >&2; sleep 0.05; done')),
    );
    const records = recordsOf(kept);
    assert.equal(logged(kept).toString(), 'out1\nerr1\nout2\nerr2\nout3\nerr3\n');
    assert.equal(
      records.map(({ stream }) => stream),
      [1, 2, 1, 2, 1, 2],
    );
    for (const [i, { time }] of records.entries()) assert.ok(time > (records[i - 1]?.time ?? before));
  }));

test('detached: the caller is told the id when it runs, and is not kept by its streams', () =>
  withKept(async (kept) => {
    const done = runCommand(kept.command(shell('echo one; sleep 1; echo two; exit 5'), DETACHED));
    assert.equal(done, { stdout: `${kept.bundle.id}\n`, stderr: '', code: 0 });
    assert.ok(existsSync(join(kept.directory, 'started')) && !existsSync(join(kept.directory, 'exit')));
    await ended(kept);
    assert.is(codeOf(kept), 5);
    assert.is(logged(kept).toString(), 'one\ntwo\n');
    assert.equal(leftOf(kept), []);
  }));

test('a program that is not there: the caller is told, attached or not, and the exit code is kept', () =>
  withKept((kept) => {
    for (const monitor of [{}, DETACHED]) {
      const done = runCommand(kept.command(['/nosuch'], monitor));
      const stderr = 'tinyrun: exec: "/nosuch": stat /nosuch: no such file or directory\n';
      assert.equal(done, { stdout: '', stderr, code: 127 });
      assert.is(codeOf(kept), 127);
      assert.not.ok(existsSync(join(kept.directory, 'started')));
      assert.equal(leftOf(kept), []);
    }
  }));

test('stdin: with -i that of the caller and its end, else nothing', () =>
  withKept((kept) => {
    const [input, cat] = ['x'.repeat(200_000), shell('cat; echo .')];
    assert.is(runCommand(kept.command(cat, WITH_STDIN), { input }).stdout, `${input}.\n`);
    assert.is(runCommand(kept.command(cat), { input }).stdout, '.\n');
    // One that does not read is not waited for.
    assert.is(runCommand(kept.command(shell('exit 4'), WITH_STDIN), { input: 'x'.repeat(500_000) }).code, 4);
  }));

test('stdin of a detached container stays open', () =>
  withKept(async (kept) => {
    const open = { ...DETACHED, openStdin: true, stdinOnce: false };
    runCommand(kept.command(shell('timeout 1 cat; echo $?'), open));
    await ended(kept);
    assert.is(logged(kept, 1).toString(), '143\n');
  }));

test("signals of the client reach the container, whose exit code is the client's", () =>
  withKept(async (kept) => {
    const trap = 'trap "echo got TERM; exit 9" TERM; echo ready; while :; do sleep 0.05; done';
    const client = start(kept, shell(trap));
    await until('it is ready', () => existsSync(join(kept.directory, 'log')) && logged(kept).length > 0);
    client.kill('SIGTERM');
    assert.is(await client.exited, 9);
    assert.is(await new Response(client.stdout).text(), 'ready\ngot TERM\n');
    assert.is(codeOf(kept), 9);
  }));

test('--sig-proxy=false: a signal ends the client, and the container goes on', () =>
  withKept(async (kept) => {
    const attach = { ...ATTACHED, sigProxy: false };
    const client = start(kept, shell('echo ready; sleep 1; echo later; exit 2'), { attach });
    await until('it is ready', () => existsSync(join(kept.directory, 'log')) && logged(kept).length > 0);
    client.kill('SIGTERM');
    await client.exited;
    assert.is(client.signalCode, 'SIGTERM');
    await ended(kept);
    assert.is(codeOf(kept), 2);
    assert.is(logged(kept).toString(), 'ready\nlater\n');
  }));

test('kill -9 of the client: the container goes on, and prints into the log alone', () =>
  withKept(async (kept) => {
    const client = start(kept, shell('echo ready; sleep 1; echo later; exit 6'));
    await until('it is ready', () => existsSync(join(kept.directory, 'log')) && logged(kept).length > 0);
    client.kill('SIGKILL');
    assert.is(await new Response(client.stdout).text(), 'ready\n'); // the monitor lets go of the pipe
    assert.not.ok(existsSync(join(kept.directory, 'exit')));
    await ended(kept);
    assert.is(codeOf(kept), 6);
    assert.is(logged(kept).toString(), 'ready\nlater\n');
    assert.equal(leftOf(kept), []);
  }));

test('kill -9 of the container: 137, for the client and in the file', () =>
  withKept(async (kept) => {
    const client = start(kept, shell('echo ready; sleep 60'));
    process.kill(await initOf(kept), 'SIGKILL');
    assert.is(await client.exited, 137);
    assert.is(codeOf(kept), 137);
    assert.equal(leftOf(kept), []);
  }));

test('kill -9 of the monitor: the container ends with it, nothing says how; it can be started again', () =>
  withKept(async (kept) => {
    const client = start(kept, shell('echo ready; sleep 60'));
    const init = await initOf(kept);
    process.kill(parentOf(init), 'SIGKILL');
    assert.is(await client.exited, 137);
    await until('init has ended', () => !isAlive(init));
    assert.ok(existsSync(join(kept.directory, 'started')) && !existsSync(join(kept.directory, 'exit')));
    assert.is(runCommand(kept.command(shell('echo again'))).stdout, 'again\n');
    assert.is(codeOf(kept), 0);
    assert.equal(leftOf(kept), []);
  }));

test('a client whose output nobody reads ends as any program would; the container goes on, and so does its log', () =>
  withKept(async (kept) => {
    const script = 'i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo end >&2';
    const pipeline = `${kept
      .command(shell(script))
      .map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
      .join(' ')} | head -n 1; echo \${PIPESTATUS[0]}`;
    assert.is(runCommand(['bash', '-c', pipeline]).stdout, `line 0\n${128 + 13}\n`); // SIGPIPE
    await ended(kept);
    assert.is(logged(kept, 1).toString().split('\n').length, 20001);
  }));

test('the log is rotated: so many files, each not much longer than was asked for', () =>
  withKept((kept) => {
    const log = { maxSize: 20_000, maxFiles: 3 };
    const script = 'i=0; while [ $i -lt 3000 ]; do echo this is line number $i; i=$((i+1)); done';
    const { stdout } = runCommand(kept.command(shell(script), { log }));
    const files = readdirSync(kept.directory)
      .filter((name) => name.startsWith('log'))
      .sort();
    assert.equal(files, ['log', 'log.1', 'log.2']);
    for (const name of files) assert.ok(statSync(join(kept.directory, name)).size <= 20_000 + 4096 + 24);
    const tail = logged(kept).toString();
    assert.ok(tail.length > 10_000 && stdout.endsWith(tail), 'it is the end of what was printed');
    for (const maxFiles of [1, 2]) {
      for (const name of files) rmSync(join(kept.directory, name), { force: true });
      runCommand(kept.command(shell(script), { log: { ...log, maxFiles } }));
      assert.ok(stdout.endsWith(logged(kept).toString().slice(-1000)));
    }
  }));

test('without a log nothing is kept', () =>
  withKept((kept) => {
    assert.is(runCommand(kept.command(shell('echo seen'), { log: undefined })).stdout, 'seen\n');
    assert.not.ok(existsSync(join(kept.directory, 'log')));
  }));

test('a full disk costs output, which is noted; the container goes on, and the caller sees all', () =>
  withKept(async (kept) => {
    const small = join(kept.bundle.dataRoot, 'small');
    mkdirSync(small);
    runCommand(['mount', '-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', small]);
    try {
      const script =
        "trap 'echo after; exit 8' USR1; dd if=/dev/zero bs=4096 count=40 2>/dev/null; echo full >&2; while :; do sleep 0.01; done";
      const command = kept.command(shell(script), { directory: small });
      for (const name of readdirSync(kept.directory))
        copyFileSync(join(kept.directory, name), join(small, name));
      writeFileSync(join(small, 'filler'), new Uint8Array(48 * 1024));
      const client = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
      const enough = Promise.withResolvers<void>();
      const stdout = (async () => {
        let length = 0;
        for await (const chunk of client.stdout) {
          length += chunk.length;
          if (length === 40 * 4096) enough.resolve();
        }
        return length;
      })();
      for await (const chunk of client.stderr) if (Buffer.from(chunk).includes('full')) break;
      await enough.promise; // until then there is output that must not find room
      unlinkSync(join(small, 'filler'));
      client.kill('SIGUSR1');
      assert.is(await client.exited, 8);
      assert.is(await stdout, 40 * 4096 + 'after\n'.length);
      const records = recordsOf({ directory: small });
      const lost = records.findIndex(({ stream }) => stream === 0);
      assert.ok(lost > 0, 'the loss is noted');
      assert.ok(records.slice(0, lost).every(({ bytes }) => bytes.every((byte) => byte === 0)));
      assert.match(
        Buffer.concat(records.slice(lost).map(({ bytes }) => bytes)).toString(),
        /^(full\n)?after\n$/,
      );
    } finally {
      runCommand(['umount', small]);
    }
  }));

test('a process that keeps the pipe open does not hold up the end', () =>
  withKept(
    async (kept) => {
      const began = Date.now();
      const script = '(while sleep 0.01; do echo more; done) & echo last; exit 7';
      assert.is(runCommand(kept.command(shell(script))).code, 7);
      assert.ok(Date.now() - began < scaled(10_000));
      assert.match(logged(kept).toString(), /last\n/);
      assert.equal(leftOf(kept), []); // with its cgroup it is ended
    },
    (config) => {
      config.linux!.namespaces = config.linux!.namespaces!.filter(({ type }) => type !== 'pid');
      config.mounts = config.mounts!.filter(({ type }) => type !== 'proc');
    },
  ));

test('twenty run at once', async () => {
  const one = (i: number) =>
    withKept(async (kept) => {
      const client = start(
        kept,
        shell(`i=0; while [ $i -lt 500 ]; do echo ${i} $i; i=$((i+1)); done; exit ${i}`),
      );
      const text = await new Response(client.stdout).text();
      assert.is(await client.exited, i);
      assert.is(text.split('\n').length, 501);
      assert.is(logged(kept).toString(), text);
      assert.is(codeOf(kept), i);
      assert.equal(leftOf(kept), []);
    });
  await Promise.all(Array.from({ length: 20 }, (_, i) => one(i)));
});

test('monitor and client take less than 64 KB each', () =>
  withKept(async (kept) => {
    const client = start(kept, shell('echo ready; sleep 60'));
    const init = await initOf(kept);
    const pss = (pid: number) =>
      Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
    await until('the output was kept', () => logged(kept).length > 0);
    const sizes = [client.pid, parentOf(init)].map(pss);
    process.kill(init, 'SIGKILL');
    await client.exited;
    assert.ok(
      sizes.every((size) => size > 0 && size <= 64),
      `they take ${sizes.join(' and ')} KB`,
    );
  }));

test('a process that was killed for want of memory is noted', () =>
  withKept(
    async (kept) => {
      if (!existsSync('/sys/fs/cgroup/memory')) return; // on v2 the file is always there
      runCommand(kept.command(shell('exit 0')));
      assert.not.ok(existsSync(join(kept.directory, 'oom')));
      const done = runCommand(kept.command(shell('x=xxxxxxxx; while :; do x=$x$x; done')));
      assert.is(done.code, 137);
      assert.match(kept.read('oom'), /^oom_kill [1-9]/m);
    },
    (config) => {
      config.linux!.resources = { memory: { limit: 32 << 20, swap: 32 << 20 } };
    },
  ));

test('--init: process 1 takes leave of orphans, passes signals on, and ends as the program does', () =>
  withKept(async (kept) => {
    const orphan = '(sleep 0.1 & ); sleep 0.5; ps -o pid,stat,comm | grep -c Z; cat /proc/1/comm; exit 3';
    const done = runCommand(kept.command(shell(orphan), {}, { init: true }));
    assert.equal(done, { stdout: '0\ntinyrun:init\n', stderr: '', code: 3 });
    const client = start(
      kept,
      shell('trap "exit 9" USR1; echo ready; while :; do sleep 0.05; done'),
      {},
      true,
    );
    await until('it is ready', () => logged(kept).toString().endsWith('ready\n'));
    client.kill('SIGUSR1');
    assert.is(await client.exited, 9);
    const missing = runCommand(kept.command(['/nosuch'], {}, { init: true }));
    assert.is(missing.code, 127);
    assert.match(missing.stderr, 'no such file');
    assert.equal(leftOf(kept), []);
  }));

test.run();
