// process.terminal: a container on a terminal of its own, which tinyrun relays to the caller's. OCI config.md,
// "terminal", "consoleSize"; each test types and looks as a person would (test/support/pty.ts).

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { runPayload, until } from '../support/container.ts';
import { nameOf, type Pty, type PtyOptions, withPty } from '../support/pty.ts';
import { leftovers } from '../support/refusal.ts';
import { whileRunning } from '../support/running.ts';
import { skip } from '../support/skip.ts';
import { childrenOf } from '../support/steps.ts';

function withTerminal({ process }: Config): void {
  process.terminal = true;
}

interface Case extends PtyOptions {
  config?: (config: Config, bundle: Bundle) => void;
  flags?: readonly string[];
}

/** Runs sub-commands of the payload on a terminal, in a bundle of its own; nothing may be left of it. */
const onTerminal = (
  commands: readonly string[],
  use: (pty: Pty, bundle: Bundle) => Promise<void>,
  run: Case = {},
): Promise<void> => onTerminalRun(['/payload', ...commands], use, run);

function onTerminalRun(
  program: readonly string[],
  use: (pty: Pty, bundle: Bundle) => Promise<void>,
  { config, flags = [], ...options }: Case,
): Promise<void> {
  return withBundle(async (bundle) => {
    withTerminal(bundle.config);
    config?.(bundle.config, bundle);
    writeConfig(bundle);
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const command = [tinyrun, ...roots, 'run', ...flags, bundle.dir, '--', ...program];
    await withPty(command, (pty) => use(pty, bundle), options);
    await until('all of it is gone', () => leftovers(bundle).length === 0);
  });
}

/** What the payload prints on a terminal, when it succeeds. */
async function screenOf(commands: readonly string[], run: Case = {}): Promise<string> {
  let screen = '';
  await onTerminal(
    commands,
    async (pty) => {
      assert.is(await pty.exitCode(), 0, pty.screen());
      screen = pty.screen().replace(/\[exit code 0\]\n$/, '');
    },
    run,
  );
  return screen;
}

const busybox = Bun.which('busybox') ?? '';
const hasShell = (): boolean => busybox !== '' && !Bun.spawnSync(['ldd', busybox]).stdout.includes('=>');

/** A shell in the rootfs. */
function withShell({ process }: Config, { rootfs }: Bundle): void {
  mkdirSync(join(rootfs, 'bin'));
  copyFileSync(busybox, join(rootfs, 'bin/sh'));
  process.env = ['PS1=$ '];
}

// Inside

test('the container has a terminal of its own, which controls its session', async () => {
  const screen = await screenOf(['tty'], { columns: 101, rows: 33 });
  assert.is(
    screen,
    '0 /dev/pts/0\n1 /dev/pts/0\n2 /dev/pts/0\nsize 101 33\nsession 1 foreground 1\n',
    "the window has the caller's size",
  );
});

test('consoleSize is the size of the window, whatever the caller has', async () => {
  const config = ({ process }: Config) =>
    void Object.assign(process, { consoleSize: { height: 11, width: 222 } });
  assert.match(await screenOf(['tty'], { config }), '\nsize 222 11\n');
});

test('/dev/console is the terminal', async () => {
  const [console = '', slave = ''] = (await screenOf(['stat', '/dev/console', '/dev/pts/0'])).split('\n');
  assert.match(console, /^char \d+ 0 \d+ 136:0 0 \/dev\/console$/);
  assert.is(console, slave.replace('/dev/pts/0', '/dev/console'));
  assert.match(await screenOf(['write', '/dev/console', 'to the console\n']), /^to the console\n$/);
});

test("the terminal belongs to the container's user, who can open it again", async () => {
  const config = ({ process }: Config) => void Object.assign(process, { user: { uid: 1000, gid: 1000 } });
  const screen = await screenOf(['write', '/dev/tty', 'again\n', '--', 'stat', '/dev/pts/0'], { config });
  assert.match(screen, /^again\nchar \d+ 1000 \d+ 136:0 0 \/dev\/pts\/0\n$/);
});

test("in a user namespace the terminal belongs to the container's root", async () => {
  const config = ({ linux, mounts }: Config) => {
    linux!.namespaces!.push({ type: 'user' });
    linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    linux!.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    assert.ok(mounts!.some(({ type }) => type === 'devpts'));
  };
  assert.match(await screenOf(['stat', '/dev/console'], { config }), /^char \d+ 0 \d+ 136:0 0/);
});

test('nothing but the terminal is open in the container', async () => {
  const lines = (await screenOf(['fds'])).trimEnd().split('\n');
  assert.equal(
    lines.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['0 /dev/pts/0', '1 /dev/pts/0', '2 /dev/pts/0'],
  );
});

test('signals are neither blocked nor ignored', async () => {
  assert.is(await screenOf(['sigmask']), 'blocked\nignored\n');
});

// Keys and the window

test('a window that changes its size tells the container', () =>
  onTerminal(
    ['winsize', '2'],
    async (pty) => {
      await pty.shows('80 24\n');
      pty.resize(120, 40);
      await pty.shows('120 40\n');
      pty.resize(40, 12);
      await pty.shows('40 12\n');
      assert.is(await pty.exitCode(), 0);
    },
    { columns: 80, rows: 24 },
  ));

test('Ctrl-C reaches the container, and tinyrun stays', () =>
  onTerminal(['trap', '2', '3'], async (pty) => {
    await pty.shows('ready\n');
    pty.type('\x03');
    await pty.shows('2\n');
    pty.type('\x1c'); // Ctrl-backslash: SIGQUIT
    await pty.shows('3\n');
    process.kill(pty.pid(), 'SIGTERM');
    assert.is(await pty.exitCode(), 0);
    assert.match(pty.screen(), /ready\n(\^C)?2\n(\^\\)?3\n15\n/);
  }));

test("Ctrl-C ends the container's job in the foreground, and the container goes on", () =>
  onTerminal(['args', 'begun', '--', 'try', 'sleep', '60', '--', 'args', 'goes on'], async (pty) => {
    await pty.shows('begun\n');
    await until('the job runs', () => childrenOf(initOf(pty)).length === 1);
    pty.type('\x03');
    assert.is(await pty.exitCode(), 0);
    assert.match(pty.screen(), 'goes on\n');
  }));

test('keys are echoed once, and Ctrl-D ends the input', () =>
  onTerminal(['args', 'begun', '--', 'cat', '/dev/stdin'], async (pty) => {
    await pty.shows('begun\n');
    pty.type('hello\r');
    await pty.shows('hello\nhello\n');
    pty.type('\x04');
    assert.is(await pty.exitCode(), 0);
    assert.is(pty.screen(), 'begun\nhello\nhello\n[exit code 0]\n');
  }));

test('jobs are stopped, resumed and ended by the keys of a shell in the container', async () => {
  if (!hasShell()) return skip('job control', 'no static busybox');
  await onTerminalRun(
    ['/bin/sh', '-i'],
    async (pty) => {
      await pty.shows('\n$ ');
      const running = () => childrenOf(initOf(pty)).some((pid) => nameOf(pid) === 'payload');
      pty.type('/payload sleep 60\r');
      await until('the job runs', running);
      pty.type('\x1a');
      await pty.shows(/Stopped/);
      pty.type('fg\r');
      await pty.shows(/fg\n\/payload sleep 60\n/);
      pty.type('\x03');
      await until('the end of the job', () => !running());
      pty.type('echo "the job gave $?"\r');
      await pty.shows('the job gave 130\n');
      pty.type('exit 7\r');
      assert.is(await pty.exitCode(), 7);
      assert.not.match(pty.screen(), "can't access tty");
    },
    { config: withShell },
  );
});

const initOf = (pty: Pty): number => {
  const init = childrenOf(pty.pid()).find((pid) => nameOf(pid) !== 'tinyrun:input');
  if (init === undefined) throw new Error('there is no container');
  return init;
};

// Output

const LAST = 720_000; // numbers, which are 5 MB
const numbers = (last: number) => Array.from({ length: last }, (_, i) => `${i + 1}\n`).join('');

test('five megabytes arrive complete and in order', async () => {
  assert.ok((await screenOf(['count', `${LAST}`])) === numbers(LAST));
});

test('what is printed just before the end arrives', async () => {
  for (let i = 0; i < 10; i++) assert.is(await screenOf(['count', '1000']), numbers(1000));
});

test('a container that closes its terminal can open it again', async () => {
  const script =
    'exec 0<&- 1>&- 2>&-; /payload sleep 0.2; echo again >/dev/console; /payload tty </dev/pts/0 >/dev/tty';
  if (!hasShell()) return skip('a terminal that is closed and opened', 'no static busybox');
  await onTerminalRun(
    ['/bin/sh', '-c', script],
    async (pty) => {
      await pty.exitCode();
      assert.match(pty.screen(), /^again\n0 \/dev\/pts\/0\n/);
    },
    { config: withShell },
  );
});

test('without a terminal to relay, the output goes to a pipe', () =>
  withBundle(
    async (bundle) => {
      const { stdout, code } = runPayload(bundle, ['count', `${LAST}`, '--', 'tty']);
      assert.is(code, 0);
      assert.ok(stdout.startsWith(numbers(LAST).replaceAll('\n', '\r\n')));
      assert.match(stdout, /0 \/dev\/pts\/0\r\n1 \/dev\/pts\/0\r\n2 \/dev\/pts\/0\r\n/);
    },
    { config: withTerminal },
  ));

test('input from a pipe is typed, and its end is a Ctrl-D', () =>
  withBundle(
    (bundle) => {
      const typed = runPayload(bundle, ['cat', '/dev/stdin'], { options: { input: 'hello\n' } });
      assert.equal(typed, { stdout: 'hello\r\nhello\r\n', stderr: '', code: 0 });
      assert.equal(runPayload(bundle, ['cat', '/dev/stdin']), { stdout: '', stderr: '', code: 0 });
    },
    { config: withTerminal },
  ));

test('input from /dev/null on a terminal ends at once', () =>
  onTerminal(
    ['cat', '/dev/stdin', '--', 'tty'],
    async (pty) => {
      assert.is(await pty.exitCode(), 0);
      assert.match(pty.screen(), /0 \/dev\/pts\/0\n.*\nsize 80 24\n/s);
    },
    { redirect: '</dev/null' },
  ));

test('a reader of the output that goes away does not hold up the container', () =>
  onTerminal(
    ['count', `${LAST}`],
    async (pty) => {
      assert.is(await pty.exitCode(), 0, pty.screen());
      assert.match(pty.screen(), /^1\n2\n3\n/);
    },
    { redirect: '| head -n 3' },
  ));

// The caller's terminal

test('the terminal is raw while the container runs, and as it was afterwards', () =>
  onTerminal(['trap'], async (pty) => {
    const before = pty.settings();
    await pty.shows('ready\n');
    await until('raw mode', () => pty.settings() !== before);
    process.kill(pty.pid(), 'SIGTERM');
    assert.is(await pty.exitCode(), 0);
    assert.match(pty.screen(), '15\n');
    assert.is(pty.settings(), before);
  }));

test('the terminal is as it was where the program cannot be executed, and the error is on it', () =>
  onTerminalRun(
    ['/missing'],
    async (pty) => {
      const before = pty.settings();
      assert.is(await pty.exitCode(), 127);
      assert.match(pty.screen(), /^tinyrun: [^\n]+\/missing[^\n]+\n\[/);
      assert.is(pty.settings(), before);
    },
    {},
  ));

test('the terminal is as it was where a late step of setting up fails', () =>
  onTerminal(
    ['true'],
    async (pty) => {
      const before = pty.settings();
      assert.is(await pty.exitCode(), 125);
      assert.match(pty.screen(), /^tinyrun: [^\n]+\/nowhere[^\n]+\n\[/);
      assert.is(pty.settings(), before);
    },
    {
      config: ({ process, root }) => {
        process.cwd = '/nowhere';
        root.readonly = true;
      },
    },
  ));

test("tinyrun:input gives the terminal back when tinyrun is killed, and the container's end follows", () =>
  onTerminal(['trap'], async (pty, bundle) => {
    const before = pty.settings();
    await pty.shows('ready\n');
    await until('raw mode', () => pty.settings() !== before);
    const init = initOf(pty);
    process.kill(pty.pid(), 'SIGKILL');
    assert.is(await pty.exitCode(), 137);
    await until('the settings of before', () => pty.settings() === before);
    await until('the end of the container', () => !existsSync(`/proc/${init}`));
    runTinyrun(bundle, ['list']); // removes what a killed tinyrun leaves
  }));

test('a terminal that is gone ends neither tinyrun nor its clean-up', () =>
  withBundle(
    async (bundle) => {
      bundle.config.process.args = ['/payload', 'trap', '1'];
      writeConfig(bundle);
      const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
      let host = 0;
      await withPty([tinyrun, ...roots, 'run', bundle.dir], async (pty) => {
        await pty.shows('ready\n');
        host = pty.pid();
      });
      // The shell was killed, the terminal is closed: tinyrun gets SIGHUP, and passes it on.
      assert.is(nameOf(host), 'tinyrun:host');
      process.kill(host, 'SIGTERM');
      await until('all of it is gone', () => leftovers(bundle).length === 0);
    },
    { config: withTerminal },
  ));

test('the process that reads keys is the only one beside tinyrun, and holds nothing of the container', () =>
  onTerminal(['trap'], async (pty, bundle) => {
    await pty.shows('ready\n');
    const helpers = childrenOf(pty.pid()).filter((pid) => pid !== initOf(pty));
    assert.equal(helpers.map(nameOf), ['tinyrun:input']);
    const fds = `/proc/${helpers[0]}/fd`;
    const open = readdirSync(fds).map((fd) => readlinkSync(join(fds, fd)));
    assert.equal(
      open.filter((path) => path.startsWith(bundle.rootfs)),
      [],
    );
    assert.match(readFileSync(`/proc/${helpers[0]}/status`, 'utf8'), /^VmRSS:\s+\d{1,3} kB$/m);
    process.kill(pty.pid(), 'SIGTERM');
    assert.is(await pty.exitCode(), 0);
  }));

test('without a terminal to follow, SIGWINCH is no matter', () =>
  withBundle(
    (bundle) =>
      whileRunning(bundle, ['run', bundle.dir, '--', '/payload', 'trap', '28'], async (running) => {
        await running.shows('ready\r\n');
        running.kill('SIGWINCH');
        running.kill('SIGTERM');
        assert.is(await running.exited, 0);
        assert.is(running.stdout(), 'ready\r\n15\r\n');
      }),
    { config: withTerminal },
  ));

test.run();
