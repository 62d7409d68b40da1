// create, start, kill, delete, run --detach: containers that nobody stays beside. OCI runtime.md, "Lifecycle".

import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { syscall } from '../../native-bindings/libc.ts';
import { constants } from '../../src/sys/constants.ts';
import {
  type Bundle,
  type RunOptions,
  runTinyrun,
  startTinyrun,
  withBundle,
  writeConfig,
} from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { withFdSocket } from '../support/fd-socket.ts';
import { assertFails, assertSucceeds, leftovers, processesOf } from '../support/refusal.ts';

const WAITS = ['/payload', 'trap'];

const say = (bundle: Bundle, ...args: string[]) => runTinyrun(bundle, args);
const state = (bundle: Bundle): { status: string; pid: number } =>
  JSON.parse(say(bundle, 'state', bundle.id).stdout);
const statusBecomes = (bundle: Bundle, status: string): Promise<void> =>
  until(`the container is ${status}`, () => state(bundle).status === status);

/** Runs a command whose output goes to a file, since a container that outlives it has it open; returns the file. */
function sayToFile(bundle: Bundle, words: string[], options: RunOptions = {}): string {
  const file = join(bundle.dir, 'output');
  writeFileSync(file, '');
  const script = `exec >>${file} 2>&1; exec "$@"`;
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  const command = [tinyrunPath, ...roots, ...words];
  const done = Bun.spawnSync(['sh', '-c', script, 'sh', ...command], {
    cwd: options.cwd ?? '/',
    ...(options.env === undefined ? {} : { env: options.env }),
    stdin: 'ignore',
  });
  assert.is(done.exitCode, 0, readFileSync(file, 'utf8'));
  return file;
}

/** Creates the bundle's container; its output goes to the file. */
function create(bundle: Bundle, args: string[], flags: string[] = [], options: RunOptions = {}): string {
  bundle.config.process.args = args;
  writeConfig(bundle);
  return sayToFile(bundle, ['create', ...flags, '--bundle', bundle.dir, bundle.id], options);
}

const tinyrunPath = join(import.meta.dir, '../../dist/tinyrun');

test('a container is created, started, killed and deleted, and has each status in between', () =>
  withBundle(async (bundle) => {
    const output = create(bundle, WAITS);
    assert.is(state(bundle).status, 'created');
    assert.is(readFileSync(output, 'utf8'), '', 'its program has not begun');
    assertSucceeds(say(bundle, 'start', bundle.id));
    await until('it prints', () => readFileSync(output, 'utf8') === 'ready\n');
    assert.is(state(bundle).status, 'running');
    assertSucceeds(say(bundle, 'kill', bundle.id));
    await statusBecomes(bundle, 'stopped');
    assert.is(readFileSync(output, 'utf8'), 'ready\n15\n');
    assert.is(state(bundle).pid, 0);
    assertSucceeds(say(bundle, 'delete', bundle.id));
    assert.equal(leftovers(bundle), []);
  }));

test('a created container is one small process, a child of who takes orphans, and waits with nothing open', () =>
  withBundle((bundle) => {
    create(bundle, WAITS);
    const { pid } = state(bundle);
    assert.equal(processesOf(bundle), [pid]);
    assert.is(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'tinyrun:init\n');
    const fds = readdirSync(`/proc/${pid}/fd`).map(Number);
    assert.ok(fds.length <= 5, `open descriptors: ${fds.join(' ')}`);
    const pss = Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
    assert.ok(pss <= 64, `${pss} KB`);
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
    assert.equal(leftovers(bundle), []);
  }));

test('the legal transitions, and the words for all others', () =>
  withBundle(async (bundle) => {
    const refused = (words: string[], says: RegExp): void => {
      const { stderr, code } = say(bundle, ...words, bundle.id);
      assert.match(stderr, says);
      assert.is(code, 1);
    };
    for (const verb of ['start', 'kill', 'delete', 'state']) refused([verb], /container does not exist: /);
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
    create(bundle, WAITS);
    refused(['delete'], /cannot delete container \S+ that is not stopped: created/);
    assert.match(say(bundle, 'create', '-b', bundle.dir, bundle.id).stderr, /already exists/);
    assertSucceeds(say(bundle, 'start', bundle.id));
    refused(['start'], /cannot start an already running container/);
    refused(['delete'], /cannot delete container \S+ that is not stopped: running/);
    assertSucceeds(say(bundle, 'kill', bundle.id, '9'));
    await statusBecomes(bundle, 'stopped');
    refused(['start'], /cannot start a container that has stopped/);
    refused(['kill'], /container not running/);
    assertSucceeds(say(bundle, 'delete', bundle.id));
  }));

test('of many callers that start a container at once, one does, and the others are told', () =>
  withBundle(async (bundle) => {
    for (let round = 0; round < 5; round++) {
      create(bundle, WAITS);
      const starts = Array.from({ length: 6 }, () => startTinyrun(bundle, ['start', bundle.id]));
      const codes = await Promise.all(starts.map(({ exited }) => exited));
      assert.equal(codes.toSorted(), [0, 1, 1, 1, 1, 1]);
      for (const start of starts) {
        const text = await new Response(start.stderr).text();
        assert.match(text, /^$|cannot start an already running container/);
      }
      assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
      assert.equal(leftovers(bundle), []);
    }
  }));

test('signals by name and number; an unknown one is refused', () =>
  withBundle(async (bundle) => {
    const output = create(bundle, ['/payload', 'trap', '10', '12']);
    assertSucceeds(say(bundle, 'start', bundle.id));
    await until('it is ready', () => readFileSync(output, 'utf8').includes('ready'));
    for (const signal of ['10', 'USR2', 'SIGUSR1', 'usr2', '0'])
      assertSucceeds(say(bundle, 'kill', bundle.id, signal));
    const { stderr, code } = say(bundle, 'kill', bundle.id, 'SIGNONE');
    assert.is(stderr, `tinyrun: kill container ${bundle.id}: unknown signal "SIGNONE"\n`);
    assert.is(code, 1);
    await until('signals arrive', () => readFileSync(output, 'utf8').includes('12'));
    assertSucceeds(say(bundle, 'kill', bundle.id, '')); // SIGTERM, as without
    assertSucceeds(say(bundle, 'delete', '-f', bundle.id));
  }));

test('a program that is missing is an error of create, in the words that engines look for', () =>
  withBundle((bundle) => {
    const fails = (args: string[], says: RegExp): void => {
      bundle.config.process.args = args;
      writeConfig(bundle);
      assertFails(bundle, say(bundle, 'create', '-b', bundle.dir, bundle.id), says, 1);
    };
    fails(['nothere'], /exec: "nothere": executable file not found in \$PATH/);
    fails(['/nothere'], /exec: "\/nothere": stat \/nothere: no such file or directory/);
    fails(['/etc'], /exec: "\/etc": permission denied/);
    writeFileSync(join(bundle.rootfs, 'text'), 'no program', { mode: 0o644 });
    fails(['/text'], /exec: "\/text": permission denied/);
    symlinkSync('loop', join(bundle.rootfs, 'loop'));
    bundle.config.process.env = ['PATH=/'];
    fails(['loop'], /exec: "loop": executable file not found in \$PATH/);
  }));

test('the pid file of create has the digits of init and nothing else, and is relative to the caller', () =>
  withBundle((bundle) => {
    create(bundle, WAITS, ['--pid-file', 'pid'], { cwd: bundle.rootfs });
    assert.is(readFileSync(join(bundle.rootfs, 'pid'), 'utf8'), String(state(bundle).pid));
    assertSucceeds(say(bundle, 'delete', '-f', bundle.id));
  }));

test('run --detach goes on without the container, and prints the id that it made', () =>
  withBundle(async (bundle) => {
    bundle.config.process.args = WAITS;
    writeConfig(bundle);
    const stdout = readFileSync(sayToFile(bundle, ['run', '-d', bundle.dir]), 'utf8');
    const id = stdout.split('\n').find((line) => /^[0-9a-f]{12}$/.test(line));
    assert.ok(id, stdout);
    assert.is(say(bundle, 'list', '-q').stdout, `${id}\n`);
    assertSucceeds(say(bundle, 'kill', id!, 'KILL'));
    await until('it is stopped', () => /stopped/.test(say(bundle, 'state', id!).stdout));
    assertSucceeds(say(bundle, 'delete', id!));
    assert.equal(leftovers(bundle), []);
  }));

test('run --detach fails where the program cannot be executed', () =>
  withBundle((bundle) => {
    writeFileSync(join(bundle.rootfs, 'garbage'), 'neither ELF nor script', { mode: 0o755 });
    bundle.config.process.args = ['/garbage'];
    writeConfig(bundle);
    assertFails(bundle, say(bundle, 'run', '-d', bundle.dir), /exec: "\/garbage": ENOEXEC/, 126);
  }));

test('delete --force ends what is running and what is only created', () =>
  withBundle((bundle) => {
    for (const started of [false, true]) {
      create(bundle, WAITS);
      if (started) assertSucceeds(say(bundle, 'start', bundle.id));
      assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
      assert.equal(leftovers(bundle), []);
    }
  }));

test('delete --force ends a container whose state is damaged, and removes its cgroups', () =>
  withBundle((bundle) => {
    create(bundle, WAITS);
    const directory = join(bundle.root, bundle.id);
    const noted = readFileSync(join(directory, 'cgroup.paths'), 'utf8').split('\0').filter(Boolean);
    assert.ok(noted.length > 0 && noted.every((path) => existsSync(path)), noted.join(' '));
    writeFileSync(join(directory, 'state.json'), '{');
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
    assert.equal(leftovers(bundle), []);
    assert.equal(
      noted.filter((path) => existsSync(path)),
      [],
    );
  }));

test('the config of a created container is that of its creation', () =>
  withBundle((bundle) => {
    create(bundle, WAITS);
    const saved = readFileSync(join(bundle.root, bundle.id, 'config.json'), 'utf8');
    assert.equal(JSON.parse(saved), JSON.parse(readFileSync(join(bundle.dir, 'config.json'), 'utf8')));
    assertSucceeds(say(bundle, 'delete', '-f', bundle.id));
  }));

test('--config names another file than config.json', () =>
  withBundle((bundle) => {
    bundle.config.process.args = ['/payload', 'args', 'other'];
    writeFileSync(join(bundle.dir, 'other.json'), JSON.stringify(bundle.config));
    const run = say(bundle, 'run', '--config', join(bundle.dir, 'other.json'), '-b', bundle.dir, bundle.id);
    assert.match(run.stdout, /other/);
  }));

test('kill and delete take a regular expression', () =>
  withBundle(async (bundle) => {
    bundle.config.process.args = WAITS;
    writeConfig(bundle);
    const ids = ['web-1', 'web-2', 'db-1'].map((name) => `${bundle.id}-${name}`);
    for (const id of ids) sayToFile(bundle, ['run', '-d', '-b', bundle.dir, id]);
    assertSucceeds(say(bundle, 'kill', '--regex', 'web', 'KILL'));
    const statuses = () => ids.map((id) => JSON.parse(say(bundle, 'state', id).stdout).status).join(' ');
    await until('two are stopped', () => statuses() === 'stopped stopped running');
    assertSucceeds(say(bundle, 'delete', '--regex', 'web-[12]$'));
    assert.is(say(bundle, 'list', '-q').stdout, `${ids[2]}\n`);
    assert.match(say(bundle, 'delete', '--regex', '.').stderr, /that is not stopped: running/);
    assert.match(say(bundle, 'kill', '--regex', '(').stderr, /^tinyrun: --regex "\(": /);
    assertSucceeds(say(bundle, 'delete', '--force', '--regex', '.'));
    assert.equal(leftovers(bundle), []);
  }));

test('without a pid namespace, SIGKILL ends all processes, kill --all reaches all, and delete leaves none', () =>
  withBundle(
    async (bundle) => {
      const counts = () => processesOf(bundle).length;
      for (const end of [
        ['kill', bundle.id, 'KILL'],
        ['kill', '--all', bundle.id, '15'],
        ['delete', '-f', bundle.id],
      ]) {
        create(bundle, ['/payload', 'spawn', '2', '--', 'sleep', '60']);
        assertSucceeds(say(bundle, 'start', bundle.id));
        await until('three processes are there', () => counts() === 3);
        assertSucceeds(say(bundle, ...end));
        await until('all have ended', () => counts() === 0);
        if (end[0] === 'kill') assertSucceeds(say(bundle, 'kill', '--all', bundle.id, '9')); // engines do, to be sure
        assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
        assert.equal(leftovers(bundle), []);
      }
    },
    {
      config: ({ linux }) => {
        linux!.namespaces = linux!.namespaces!.filter(({ type }) => type !== 'pid');
      },
    },
  ));

test('--console-socket receives the master of the container terminal', () =>
  withBundle(
    async (bundle) => {
      bundle.config.process.args = ['/payload', 'tty', '--', 'trap'];
      writeConfig(bundle);
      await withFdSocket(join(bundle.dir, 'console'), async ({ path, receive }) => {
        const flags = ['--console-socket', path, '--bundle', bundle.dir, bundle.id];
        const created = startTinyrun(bundle, ['create', ...flags]);
        const { text, fd } = receive();
        assert.is(text, '/dev/ptmx');
        assert.is(await created.exited, 0);
        assertSucceeds(say(bundle, 'start', bundle.id));
        let screen = '';
        await until('it prints on the terminal', () => {
          const bytes = new Uint8Array(4096);
          screen += new TextDecoder().decode(
            bytes.subarray(0, syscall('read', 'read', fd, bytes, bytes.length)),
          );
          return screen.includes('ready');
        });
        assertSucceeds(say(bundle, 'kill', bundle.id, 'KILL'));
        await statusBecomes(bundle, 'stopped');
        assertSucceeds(say(bundle, 'delete', bundle.id));
      });
    },
    { config: (config) => Object.assign(config.process, { terminal: true }) },
  ));

test('a terminal needs a console socket when detached, and the reverse', () =>
  withBundle((bundle) => {
    const ask = (terminal: boolean, ...args: string[]) => {
      bundle.config.process.terminal = terminal;
      writeConfig(bundle);
      return say(bundle, ...args, '-b', bundle.dir, bundle.id);
    };
    const wanted = /cannot allocate tty if tinyrun will detach without setting console socket/;
    const useless = /cannot use console socket if tinyrun will not detach or allocate tty/;
    assertFails(bundle, ask(true, 'create'), wanted, 1);
    assertFails(bundle, ask(true, 'run', '-d'), wanted, 1);
    assertFails(bundle, ask(false, 'create', '--console-socket', '/tmp/s'), useless, 1);
    assertFails(bundle, ask(true, 'run', '--console-socket', '/tmp/s'), useless, 1);
    assertFails(
      bundle,
      ask(true, 'create', '--console-socket', '/nowhere/s'),
      /connect to \/nowhere\/s: ENOENT/,
      1,
    );
  }));

test('--pidfd-socket receives a pidfd of init', () =>
  withBundle((bundle) =>
    withFdSocket(join(bundle.dir, 'pidfd'), async ({ path, receive }) => {
      bundle.config.process.args = WAITS;
      writeConfig(bundle);
      const run = startTinyrun(bundle, ['run', '--pidfd-socket', path, '-b', bundle.dir, bundle.id]);
      const { fd } = receive();
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
      assert.is(Number(/^Pid:\s+(\d+)$/m.exec(info)?.[1]), state(bundle).pid);
      syscall('end it', 'pidfd_send_signal', fd, constants['SIGKILL']!, null, 0);
      assert.is(await run.exited, 137);
    }),
  ));

test('sockets of systemd are handed on, and told of', () =>
  withBundle((bundle) => {
    bundle.config.process.args = ['/payload', 'env', '--', 'fds'];
    writeConfig(bundle);
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const command = `LISTEN_PID=$$ LISTEN_FDS=2 exec "$@" 3</dev/null 4</dev/null 5</dev/null`;
    const words = [tinyrunPath, ...roots, 'run', bundle.dir];
    const { stdout, stderr } = Bun.spawnSync(['sh', '-c', command, 'sh', ...words], { stdin: 'ignore' });
    const text = stdout.toString();
    assert.match(text, /^LISTEN_FDS=2$/m, stderr.toString());
    assert.match(text, /^LISTEN_PID=1$/m);
    assert.equal(text.match(/^\d+(?= )/gm)?.map(Number), [0, 1, 2, 3, 4]);
  }));

test('the notify socket of systemd is in the container', () =>
  withBundle((bundle) =>
    withFdSocket(join(bundle.dir, 'notify'), async ({ path }) => {
      bundle.config.process.args = ['/payload', 'env', '--', 'connect', '/run/notify/notify.sock'];
      writeConfig(bundle);
      const env = { ...process.env, NOTIFY_SOCKET: path };
      const { stdout, stderr, code } = runTinyrun(bundle, ['run', '--overlay', bundle.dir], { env });
      assert.is(`${code} ${stderr}`, '0 ');
      assert.match(stdout, /^NOTIFY_SOCKET=\/run\/notify\/notify\.sock$/m);
      assert.not.ok(existsSync(join(bundle.rootfs, 'run')));
    }),
  ));

test.run();
