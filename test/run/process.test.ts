// config.json's process as the process in the container finds it: program, environment, working directory, umask,
// signals, file descriptors. OCI config.md, "Process".

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import type { Bundle } from '../support/bundle.ts';
import { outputOf, type Run, refusalOf, runOnce } from '../support/container.ts';

// The program

/** The payload once more, as /tools/tool, and this environment. */
const withTool =
  (...env: string[]) =>
  ({ process }: Config, { rootfs }: Bundle) => {
    mkdirSync(join(rootfs, 'tools'));
    copyFileSync(join(rootfs, 'payload'), join(rootfs, 'tools/tool'));
    process.env = env;
  };
const findTool = (program: string, ...env: string[]): Run => ({ program, config: withTool(...env) });

test("a program without a slash is looked up along the container's PATH", async () => {
  assert.is(await outputOf(['args', 'found'], findTool('tool', 'PATH=/missing:/etc:/tools')), 'found\n');
});

test("a program is not looked up along the caller's PATH", async () => {
  const run = {
    ...findTool('tool', 'PATH=/bin'),
    options: { env: { PATH: `/tools:${process.env['PATH']}` } },
  };
  assert.match(await refusalOf(run, 127), 'exec: "tool": executable file not found in $PATH');
});

test('without PATH a program is looked up in the usual directories', async () => {
  const config = (config: Config, { rootfs }: Bundle) => {
    mkdirSync(join(rootfs, 'usr/local/bin'), { recursive: true });
    copyFileSync(join(rootfs, 'payload'), join(rootfs, 'usr/local/bin/tool'));
    config.process.env = [];
  };
  assert.is(await outputOf(['args', 'found'], { program: 'tool', config }), 'found\n');
});

test('an empty PATH finds nothing, not even in the working directory', async () => {
  const config: Run['config'] = (config, bundle) => {
    withTool('PATH=')(config, bundle);
    config.process.cwd = '/tools';
  };
  assert.match(await refusalOf({ program: 'tool', config }, 127), 'executable file not found in $PATH');
});

test('a relative program with a slash is taken from the working directory', async () => {
  const config: Run['config'] = (config, bundle) => {
    withTool()(config, bundle);
    config.process.cwd = '/tools';
  };
  assert.is(await outputOf(['args', 'found'], { program: './tool', config }), 'found\n');
});

test('the program gets its arguments byte by byte', async () => {
  const words = ['', 'a b', '$HOME', "'", '\\', 'tab\tnewline\\n', 'ümläut'];
  assert.is(await outputOf(['args', ...words]), `${words.join('\n')}\n`);
});

test("the exit code is the program's, and 128 and more where a signal ended it", async () => {
  assert.is((await runOnce(['exit', '7'])).code, 7);
  assert.is((await runOnce(['exec', '/payload', 'true'])).code, 0);
  // Init of a pid namespace is immune to its own signals, but for those it would handle.
  const config = ({ linux }: Config) => {
    linux!.namespaces = [{ type: 'mount' }];
  };
  const shared: Run['config'] = (all) => {
    config(all);
    delete all.hostname;
  };
  assert.is((await runOnce(['signal', '15'], { config: shared })).code, 143);
  assert.is((await runOnce(['signal', '9'], { config: shared })).code, 137);
});

// The environment

test("the environment is exactly the config's, and nothing of the caller's", async () => {
  const env = ['PATH=/bin', 'EMPTY=', 'TWICE=1', 'TWICE=2', 'SPACE= a b ', 'HOME=/somewhere'];
  const config = ({ process }: Config) => {
    process.env = env;
  };
  const caller = { env: { ...process.env, SECRET: 'x', BUN_OPTIONS: '', LD_PRELOAD: '', _: 'y' } };
  assert.is(await outputOf(['env'], { config, options: caller }), `${env.join('\n')}\n`);
});

test("HOME is that of the user in the rootfs' passwd where the config has none", async () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\n#broken\nmary:x:1234:100:Mary:/home/mary:/bin/sh\n';
  const home = (uid: number, text?: string) =>
    outputOf(['env'], {
      config: ({ process }, { rootfs }) => {
        process.env = [];
        process.user = { uid, gid: 0 };
        if (text !== undefined) writeFileSync(join(rootfs, 'etc/passwd'), text);
      },
    });
  assert.is(await home(0, passwd), 'HOME=/root\n');
  assert.is(await home(1234, passwd), 'HOME=/home/mary\n');
  assert.is(await home(99, passwd), 'HOME=/\n');
  assert.is(await home(0), 'HOME=/\n');
});

// The working directory

test('the working directory is the one of the config, inside the rootfs', async () => {
  const cwd = (path: string) =>
    outputOf(['cwd'], {
      config: ({ process }) => {
        process.cwd = path;
      },
    });
  assert.is(await cwd('/etc'), '/etc\n');
  assert.is(await cwd('/../../etc/..'), '/\n');
  assert.is(await cwd('/dev/shm'), '/dev/shm\n');
});

test('a missing working directory is made, with its parents', async () => {
  const config = ({ process }: Config) => {
    process.cwd = '/srv/work/here';
  };
  const printed = await outputOf(['cwd', '--', 'stat', '/srv/work', '.'], { config });
  assert.match(printed, /^\/srv\/work\/here\ndirectory 0755 0 0 .* \/srv\/work\ndirectory 0755 0 0 .* \.\n$/);
});

test('a working directory that is a file is refused', async () => {
  const config = ({ process }: Config) => {
    process.cwd = '/payload';
  };
  assert.match(await refusalOf({ config }), 'enter working directory /payload: ENOTDIR');
});

// umask, signals, terminal

test("umask is 022, not the caller's, unless the config says otherwise", async () => {
  const umask = (value?: number) =>
    outputOf(['umask'], {
      via: ['sh', '-c', 'umask 077; exec "$@"', 'sh'],
      config: ({ process }) => {
        process.user = value === undefined ? {} : { umask: value };
      },
    });
  assert.is(await umask(), '0022\n');
  assert.is(await umask(0), '0000\n');
  assert.is(await umask(0o27), '0027\n');
});

test('no signal is blocked or ignored, whatever the caller ignores and blocks', async () => {
  const via = ['sh', '-c', 'trap \'\' HUP INT QUIT PIPE TERM USR1 CHLD; exec "$@"', 'sh'];
  assert.is(await outputOf(['sigmask'], { via }), 'blocked\nignored\n');
  const blocking = ['env', '--block-signal=INT,TERM,USR2,CHLD', ...via];
  assert.is(await outputOf(['sigmask'], { via: blocking }), 'blocked\nignored\n');
});

test('the process leads a session of its own, in a process group of its own', async () => {
  const status = await outputOf(['status']);
  assert.match(status, /^NSpid:\t1\nNSpgid:\t1\nNSsid:\t1$/m);
});

// File descriptors

const descriptors = (printed: string) => printed.match(/^\d+/gm)?.map(Number);
const WITH_FDS = ['sh', '-c', 'exec 3</etc/hostname 4</etc/hosts 6</etc/passwd; exec "$@"', 'sh'];

test('the container has file descriptors 0, 1 and 2 only, whatever the caller has open', async () => {
  assert.equal(descriptors(await outputOf(['fds'], { via: WITH_FDS })), [0, 1, 2]);
});

test('--preserve-fds passes on that many more, and those that are closed are no error', async () => {
  const fds = async (count: string) =>
    descriptors(await outputOf(['fds'], { via: WITH_FDS, flags: ['--preserve-fds', count] }));
  assert.equal(await fds('1'), [0, 1, 2, 3]);
  assert.equal(await fds('3'), [0, 1, 2, 3, 4]);
  assert.equal(await fds('9'), [0, 1, 2, 3, 4, 6]);
});

test('a preserved file descriptor is the very file that the caller opened', async () => {
  const printed = await outputOf(['fds', '--', 'cat', '/proc/self/fd/3'], {
    via: ['sh', '-c', 'exec 3</proc/version; exec "$@"', 'sh'],
    flags: ['--preserve-fds', '1'],
  });
  assert.match(printed, /^3 \/proc\/version 0100000 0\n/m);
  assert.match(printed, /\nLinux version/);
});

test("the caller's pipes do not become non-blocking, before, in or behind the container", async () => {
  const script = [
    'mkfifo "$0"; exec 7<>"$0"; rm "$0"',
    '"$@" </dev/null >&7 2>&7',
    'read line <&7; echo "$line"; read line <&7; echo "$line"; read line <&7; echo "$line"',
    'grep flags /proc/self/fdinfo/7',
  ].join('\n');
  const printed = await outputOf(['fds'], { via: ['sh', '-c', script, `/tmp/tinyrun-fifo-${process.pid}`] });
  // 02 is O_RDWR, 0100000 O_LARGEFILE; O_NONBLOCK would be 04000.
  assert.match(printed, /^1 \S+ \(deleted\) 0100002 0\n2 \S+ \(deleted\) 0100002 0\nflags:\t0100002\n$/m);
});

test('stdin that is closed stays closed, and takes nothing else in', async () => {
  const via = ['sh', '-c', 'exec "$@" <&-', 'sh'];
  const printed = await outputOf(['fds'], { via });
  assert.equal(descriptors(printed)?.slice(-2), [1, 2]);
  assert.not.match(printed, /^0 (?!\/dev\/null)/m);
});

test.run();
