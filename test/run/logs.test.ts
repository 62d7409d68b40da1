// `logs` and `attach` of containers with a record.

import { appendFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { runCommand, until } from '../support/container.ts';
import { withPty } from '../support/pty.ts';
import { type Store, withStore } from '../support/store.ts';

const words = ({ root, dataRoot }: Store, ...args: string[]): string[] => [
  ...[tinyrun, '--root', root, '--data-root', dataRoot],
  ...args,
];
const start = (store: Store, args: readonly string[], stdin: 'ignore' | 'pipe' = 'ignore') =>
  Bun.spawn(words(store, ...args), { stdin, stdout: 'pipe', stderr: 'pipe' });
/** Runs a shell in a container called `c`, to its end. */
const run = (store: Store, script: string, ...flags: string[]) =>
  store.t('run', '--name', 'c', ...flags, 'bb', 'sh', '-c', script);
/** The only container's directory. */
const directoryOf = ({ dataRoot }: Store): string => {
  const id = readdirSync(join(dataRoot, 'containers')).find((name) => /^[0-9a-f]{64}$/.test(name));
  return join(dataRoot, 'containers', id ?? 'none');
};

test('logs: what was printed, on the stream where it was printed, over all runs', () =>
  withStore((store) => {
    run(store, 'echo out; echo err >&2; printf end');
    assert.equal(store.t('logs', 'c'), { stdout: 'out\nend', stderr: 'err\n', code: 0 });
    store.t('start', '-a', 'c');
    assert.equal(store.t('container', 'logs', 'c'), {
      stdout: 'out\nendout\nend',
      stderr: 'err\nerr\n',
      code: 0,
    });
  }));

test('logs --tail: the last lines', () =>
  withStore((store) => {
    run(store, 'for i in 1 2 3 4 5; do echo $i; done');
    const tail = (value: string) => store.out('logs', '--tail', value, 'c').split('\n').join('');
    assert.is(tail('2'), '45');
    assert.is(tail('all'), '12345');
    assert.is(tail('0'), '');
    assert.is(tail('99'), '12345');
    assert.is(store.out('logs', '-n', '1', 'c'), '5');
    assert.is(store.out('logs', '-tn', '1', 'c').replace(/^\d{4}-.*Z /, 'TIME '), 'TIME 5');
    const wrong = store.t('logs', '--tail', 'x', 'c');
    assert.is(wrong.code, 1);
    assert.match(wrong.stderr, /^tinyrun: invalid value "x" for --tail/);
  }));

test('logs --since, --until: lines of a time', () =>
  withStore((store) => {
    run(store, 'echo one; sleep 1; echo two; sleep 1; echo three');
    const [first = '', second = ''] = store
      .out('logs', '--timestamps', 'c')
      .split('\n')
      .map((line) => line.split(' ')[0]!);
    assert.match(first, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    assert.is(store.out('logs', '--since', second, 'c'), 'two\nthree');
    assert.is(store.out('logs', '--until', second, 'c'), 'one\ntwo');
    assert.is(store.out('logs', '--since', second, '--until', second, 'c'), 'two');
    assert.is(store.out('logs', '--since', '1h', 'c'), 'one\ntwo\nthree');
    assert.is(store.out('logs', '--until', '1h', 'c'), '');
    assert.is(store.out('logs', '--since', String(Date.parse(first) / 1000 - 5), 'c'), 'one\ntwo\nthree');
  }));

test('logs --follow: what comes, until the container ends', () =>
  withStore(async (store) => {
    store.out(
      'run',
      '-d',
      '--name',
      'c',
      'bb',
      'sh',
      '-c',
      'for i in 1 2 3; do echo $i; sleep 0.3; done; printf end',
    );
    const followers = [start(store, ['logs', '-f', 'c']), start(store, ['logs', '-f', '--tail', '0', 'c'])];
    const [all = '', later = ''] = await Promise.all(
      followers.map(({ stdout }) => new Response(stdout).text()),
    );
    assert.equal(await Promise.all(followers.map(({ exited }) => exited)), [0, 0]);
    assert.is(all, '1\n2\n3\nend');
    assert.ok(all.endsWith(later!) && later.endsWith('end'), later);
    assert.is(store.out('logs', '--follow', 'c'), all);
    assert.is(store.out('wait', 'c'), '0');
  }));

test('logs --follow goes over to the next file', () =>
  withStore(async (store) => {
    const script = 'i=0; while [ $i -lt 3000 ]; do echo this is line number $i; i=$((i+1)); done';
    const flags = ['--log-opt', 'max-size=10k', '--log-opt', 'max-file=50'];
    store.out('run', '-d', '--name', 'c', ...flags, 'bb', 'sh', '-c', `sleep 0.5; ${script}`);
    const follower = start(store, ['logs', '-f', 'c']);
    const text = await new Response(follower.stdout).text();
    assert.is(text, Array.from({ length: 3000 }, (_, i) => `this is line number ${i}\n`).join(''));
    assert.ok(readdirSync(directoryOf(store)).filter((name) => name.startsWith('log.')).length >= 2);
  }));

test('logs of a container that keeps none, and of none', () =>
  withStore((store) => {
    run(store, 'echo x', '--log-driver', 'none');
    assert.match(store.t('logs', 'c').stderr, /^tinyrun: logs of c: its output is not kept/);
    assert.match(store.t('logs', 'nosuch').stderr, /^tinyrun: No such container: nosuch/);
  }));

test('a half record of a monitor that was killed is not shown, and cut off by the next start', () =>
  withStore(async (store) => {
    store.out('run', '-d', '--name', 'c', 'bb', 'sh', '-c', 'echo whole; exec sleep 60');
    await until('it has printed', () => store.out('logs', 'c') === 'whole');
    const pid = Number(store.out('inspect', '-f', '{{.State.Pid}}', 'c'));
    const stat = runCommand(['cat', `/proc/${pid}/stat`]).stdout;
    process.kill(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), 'SIGKILL');
    await until('init has ended', () => !existsSync(`/proc/${pid}`));
    const log = join(directoryOf(store), 'log');
    const before = statSync(log).size;
    const half = new Uint8Array(24 + 3);
    half.set([100, 0, 0, 0, 1]);
    appendFileSync(log, half);
    assert.is(store.out('logs', 'c'), 'whole');
    store.out('start', 'c');
    await until('it has printed again', () => store.out('logs', 'c') === 'whole\nwhole');
    assert.is(statSync(log).size, 2 * before);
    store.out('rm', '-f', 'c');
  }));

test('attach: the output from now on, and the exit code', () =>
  withStore(async (store) => {
    store.out(
      'run',
      '-d',
      '--name',
      'c',
      'bb',
      'sh',
      '-c',
      'echo before; sleep 1; echo out; echo err >&2; exit 4',
    );
    await until('it has printed', () => store.out('logs', 'c') === 'before');
    const both = [start(store, ['attach', 'c']), start(store, ['attach', '--no-stdin', 'c'])];
    for (const { stdout, stderr, exited } of both) {
      assert.is(await new Response(stdout).text(), 'out\n');
      assert.is(await new Response(stderr).text(), 'err\n');
      assert.is(await exited, 4);
    }
    const stopped = store.t('attach', 'c');
    assert.match(stopped.stderr, /^tinyrun: You cannot attach to a stopped container, start it first/);
  }));

test('attach: stdin reaches the container, whose stdin stays open; so does the exit code of one that goes', () =>
  withStore((store) => {
    store.out(
      'run',
      '-d',
      '-i',
      '--rm',
      '--name',
      'c',
      'bb',
      'sh',
      '-c',
      'read a; read b; echo $a $b; exit 6',
    );
    const first = start(store, ['attach', 'c'], 'pipe');
    assert.equal(store.with({ input: 'one\ntwo\n' }, 'attach', 'c'), {
      stdout: 'one two\n',
      stderr: '',
      code: 6,
    });
    first.kill('SIGKILL');
  }));

test('attach: signals go to the container, or end the client alone', () =>
  withStore(async (store) => {
    const script = 'trap "echo got it; exit 9" USR1; echo ready; while :; do sleep 0.05; done';
    store.out('run', '-d', '--name', 'c', 'bb', 'sh', '-c', script);
    await until('it is ready', () => store.out('logs', 'c') === 'ready');
    const alone = start(store, ['attach', '--sig-proxy=false', 'c']);
    const proxy = start(store, ['attach', 'c']);
    await Bun.sleep(700);
    alone.kill('SIGUSR1');
    await alone.exited;
    assert.is(store.out('inspect', '-f', '{{.State.Running}}', 'c'), 'true');
    proxy.kill('SIGUSR1');
    assert.is(await new Response(proxy.stdout).text(), 'got it\n');
    assert.is(await proxy.exited, 9);
  }));

test('start -a of a container that runs attaches to it', () =>
  withStore(async (store) => {
    store.out('run', '-d', '--name', 'c', 'bb', 'sh', '-c', 'echo before; sleep 1; echo later; exit 3');
    await until('it has printed', () => store.out('logs', 'c') === 'before');
    assert.equal(store.t('start', '-a', 'c'), { stdout: 'later\n', stderr: '', code: 3 });
  }));

test('attach at a terminal: keys, window, the detach keys, and again', () =>
  withStore(async (store) => {
    store.out('run', '-d', '-i', '-t', '--name', 'c', '-e', 'PS1=prompt> ', 'bb', 'sh');
    await withPty(
      words(store, 'attach', '--detach-keys', 'ctrl-a,d', 'c'),
      async (pty) => {
        const before = pty.settings();
        await until('it is raw', () => pty.settings() !== before);
        pty.type('stty size\n');
        await pty.shows('31 91\n');
        pty.resize(100, 40);
        await Bun.sleep(300);
        pty.type('stty size\n');
        await pty.shows('40 100\n');
        pty.type('\x01d');
        assert.is(await pty.exitCode(), 0);
        assert.is(pty.settings(), before);
      },
      { columns: 91, rows: 31 },
    );
    await withPty(words(store, 'attach', 'c'), async (pty) => {
      const before = pty.settings();
      await until('it is raw', () => pty.settings() !== before);
      pty.type('exit 3\n');
      assert.is(await pty.exitCode(), 3);
    });
    assert.match(store.t('logs', 'c').stdout, '31 91\r\n');
    assert.is(store.out('wait', 'c'), '3');
  }));

test('K9: an interactive terminal, and exit ends it', () =>
  withStore((store) => {
    const command = words(store, 'run', '-it', '--rm', 'bb', 'sh').join(' ');
    const typed = ['sh', '-c', `printf 'tty\\nexit\\n' | script -qec '${command}' /dev/null`];
    assert.match(runCommand(typed).stdout, '/dev/pts/0');
    assert.is(store.out('ps', '-aq'), '');
  }));

test('exec -it in a container with a name', () =>
  withStore(async (store) => {
    store.out('run', '-d', '--name', 'c', 'bb', 'sleep', '60');
    await withPty(
      words(store, 'exec', '-it', 'c', 'sh', '-c', 'tty; read x; echo got $x; exit 8'),
      async (pty) => {
        await pty.shows('/dev/pts/');
        pty.type('it\n');
        await pty.shows('got it');
        assert.is(await pty.exitCode(), 8);
      },
    );
    store.out('rm', '-f', 'c');
  }));

test('start -a and -i: as the first time', () =>
  withStore((store) => {
    store.out('create', '-i', '--name', 'c', 'bb', 'sh', '-c', 'cat; exit 5');
    assert.equal(store.with({ input: 'in\n' }, 'start', '-ai', 'c'), { stdout: 'in\n', stderr: '', code: 5 });
    assert.equal(store.with({ input: 'more\n' }, 'start', '-i', 'c'), {
      stdout: 'more\n',
      stderr: '',
      code: 5,
    });
    assert.is(store.out('logs', 'c'), 'in\nmore');
  }));

test.run();
