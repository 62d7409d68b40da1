// exec: one more process in a container. What it sees must be what the container's own process sees, and its options must
// do what runc's do; it must never hang, however soon it or the container ends.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { syscall } from '../../native-bindings/libc.ts';
import type { Config, NamespaceType } from '../../src/oci/config.ts';
import { probeCgroups } from '../../src/runtime/probe-cgroups.ts';
import { type Bundle, runTinyrun, startTinyrun, tinyrun } from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { factCommands, parseFacts } from '../support/facts.ts';
import { withFdSocket } from '../support/fd-socket.ts';
import { type Joined, printed, whileThere } from '../support/joined.ts';
import { nameOf, withPty } from '../support/pty.ts';
import { processesOf } from '../support/refusal.ts';
import { whileRunning } from '../support/running.ts';
import { skip } from '../support/skip.ts';
import { childrenOf, countOps, startStepped } from '../support/steps.ts';

const SIGTERM = 15;
const ALL = process.env['TINYRUN_TEST_ALL'] === '1';
const NAMES = ['pid', 'net', 'mnt', 'ipc', 'uts', 'user', 'cgroup', 'time'];

function withUserNamespace({ linux, root }: Config): void {
  linux!.namespaces = (['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'] as const).map(
    (type) => ({ type }),
  );
  linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  linux!.gidMappings = linux!.uidMappings;
  linux!.timeOffsets = { monotonic: { secs: 864_000 } };
  root.readonly = false;
}

function withNamespaces(...types: NamespaceType[]): (config: Config) => void {
  return (config) => {
    config.linux!.namespaces = types.map((type) => ({ type }));
    config.mounts = types.includes('mount') ? config.mounts!.filter(({ type }) => type === 'proc') : [];
    if (!types.includes('mount')) {
      delete config.linux!.maskedPaths;
      delete config.linux!.readonlyPaths;
    }
    delete config.hostname;
  };
}

/** A failure in one line of runc's form, and nothing of the process is left. */
function refused({ stdout, stderr, code }: ReturnType<Joined['exec']>, says: RegExp): void {
  assert.is(stdout, '');
  assert.match(stderr, /^tinyrun: exec failed: [^\n]+\n$/);
  assert.match(stderr, says);
  assert.is(code, 255);
}

for (const [name, change] of Object.entries({
  'of its own': undefined,
  'of its own, with user, cgroup and time': withUserNamespace,
  'of which some are the host’s': withNamespaces('mount', 'pid'),
}))
  test(`the process is in the namespaces of a container that has them ${name}`, () =>
    whileThere(({ payload, init }) => {
      const lines = NAMES.map((ns) => `${ns} ${readlinkSync(`/proc/${init}/ns/${ns}`)}\n`);
      assert.is(printed(payload('ns')), lines.join(''));
    }, change));

test('a container without a mount namespace: the process is in its root', () =>
  whileThere(({ payload, rootfs }) => {
    assert.is(printed(payload('cwd', '--', 'ls', '/')), `/\n${readdirSync(rootfs).sort().join('\n')}\n`);
  }, withNamespaces('pid')));

test('a root made by --no-pivot: the process is in it', () =>
  whileThere(
    ({ payload, rootfs }) => {
      const names = printed(payload('ls', '/')).trimEnd().split('\n');
      assert.equal(names, readdirSync(rootfs).sort());
    },
    undefined,
    ['run', '--detach', '--no-pivot'],
  ));

/** What differs between a container's first process and another one, by nature. */
const OWN = /^(status NS|file descriptor|mounts by id$|ls \/dev\/pts)/;

for (const [name, change] of Object.entries<(config: Config, bundle: Bundle) => void>({
  'the default config': () => {},
  'a user who is not root': ({ process }) => {
    process.user = { uid: 1000, gid: 100, additionalGids: [20, 5], umask: 0o27 };
    const names = ['CAP_KILL', 'CAP_CHOWN'];
    process.capabilities = { bounding: names, permitted: names, inheritable: names, ambient: ['CAP_KILL'] };
    process.rlimits = [{ type: 'RLIMIT_CORE', soft: 1, hard: 2 }];
    process.oomScoreAdj = 300;
    process.cwd = '/tmp';
  },
  'a user namespace': (config) => {
    withUserNamespace(config);
    config.process.rlimits = [
      { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
      { type: 'RLIMIT_CORE', soft: 1, hard: 2 },
    ];
    config.process.oomScoreAdj = 300;
  },
}))
  test(`${name}: the process sees, may and has what the container's own process does`, () =>
    whileThere(
      async ({ exec, dir }) => {
        const output = join(dir, 'output');
        await until('it has told all', () => readFileSync(output, 'utf8').endsWith('ready\n'));
        const own = parseFacts(readFileSync(output, 'utf8').replace(/ready\n$/, ''));
        const added = parseFacts(printed(exec([], ['/payload', ...factCommands])));
        const differences = Object.keys(own).filter((fact) => own[fact] !== added[fact] && !OWN.test(fact));
        assert.ok(Object.keys(own).length > 60);
        assert.equal(
          differences.map((fact) => `${fact}: ${added[fact]}, not ${own[fact]}`),
          [],
        );
      },
      (config, bundle) => {
        config.process.args = ['/payload', ...factCommands, '--', 'trap'];
        change(config, bundle);
      },
      ['run', '--detach', '--keep'],
    ));

test('exit codes: that of the process, 128 + signal, 255 for our own failures in words of runc', () =>
  whileThere((bundle) => {
    const { exec, payload, rootfs } = bundle;
    assert.is(payload('exit', '7').code, 7);
    assert.is(payload('signal', '9').code, 137);
    writeFileSync(join(rootfs, 'script'), '');
    refused(exec([], ['nope']), /exec: "nope": executable file not found in \$PATH\n$/);
    refused(exec([], ['/nope']), /exec: "\/nope": stat \/nope: no such file or directory\n$/);
    refused(exec([], ['/script']), /exec: "\/script": permission denied\n$/);
    refused(exec(['--detach'], ['nope']), /executable file not found in \$PATH\n$/);
    refused(exec([], []), /process args cannot be empty; exec takes CONTAINER COMMAND \[ARGS\.\.\.\]/);
    refused(exec(['--cwd', '/nope'], ['/payload', 'true']), /enter working directory \/nope: ENOENT /);
    refused(exec(['--cwd', 'tmp'], ['/payload', 'true']), /\/cwd: /);
    refused(exec(['--env', 'B'], ['/payload', 'true']), /"B" is not NAME=value/);
    refused(exec(['--user', 'bob'], ['/payload', 'true']), /--user: "bob" is not the number of a user/);
    refused(exec(['--user', '1:'], ['/payload', 'true']), /--user: "" is not the number of a group/);
    refused(exec(['-g', 'x'], ['/payload', 'true']), /--additional-gids: "x" is not the number of a group/);
    refused(exec(['--pid-file', '/nope/x'], ['/payload', 'sleep', '1000']), /pid file \/nope\/x/);
    refused(exec(['-d', '--pid-file', '/nope/x'], ['/payload', 'sleep', '1000']), /pid file \/nope\/x/);
    refused(exec(['-p', '/nope'], []), /read \/nope: ENOENT no such file/);
    if (!existsSync('/sys/module/apparmor'))
      refused(
        exec(['--apparmor', 'x'], ['/payload', 'true']),
        /apparmorProfile: "x": this kernel has no AppArmor/,
      );
    refused(exec(['-d', '-t'], ['/payload', 'true']), /cannot allocate tty if tinyrun will detach/);
    refused(exec(['--console-socket', '/x'], ['/payload', 'true']), /cannot use console socket/);
    refused(runTinyrun(bundle, ['exec', 'nope', 'true']), /container does not exist: nope\n$/);
    assert.is(runTinyrun(bundle, ['exec']).code, 1, 'a wrong command line is no failed exec');
    assert.equal(processesOf(bundle).length, 1, 'only init is there');
  }));

test('options about the process: environment, user, groups, working directory, capabilities, no_new_privs', () =>
  whileThere(
    ({ exec, payload }) => {
      const has = (options: string[], commands: string[]): string[] =>
        printed(exec(options, ['/payload', ...commands]))
          .trimEnd()
          .split('\n');
      const field = (options: string[], name: string): string =>
        has(options, ['status'])
          .find((line) => line.startsWith(`${name}:`))!
          .split('\t')
          .slice(1)
          .join(' ');
      assert.equal(has(['-e', 'A=1', '--env=B=a=b'], ['env']), [...['PATH=/bin', 'HOME=/h', 'A=1', 'B=a=b']]);
      assert.equal(has(['--cwd', '/tmp'], ['cwd']), ['/tmp']);
      assert.is(field(['-u', '1000'], 'Uid'), '1000 1000 1000 1000');
      assert.is(
        field(['-u', '', '--cwd', '', '--pid-file', ''], 'Uid'),
        field([], 'Uid'),
        'empty: not given',
      );
      assert.is(field(['-u', '1000'], 'Gid'), '7 7 7 7', 'the group stays');
      assert.is(field(['-u', '1000:8', '-g', '5', '-g', '6'], 'Groups').trim(), '4 5 6');
      assert.is(field(['-u', '1000:8', '-g', '5', '-g', '6'], 'Gid'), '8 8 8 8');
      assert.is(field([], 'CapEff'), '0000000000000001');
      assert.is(field(['--cap', 'CAP_KILL', '-c', 'CAP_SYS_ADMIN'], 'CapEff'), '0000000000200021');
      assert.is(field(['--cap', 'CAP_KILL'], 'CapBnd'), '0000000000000021');
      assert.is(field(['--cap', 'CAP_KILL'], 'CapInh'), '0000000000000000');
      assert.is(field([], 'NoNewPrivs'), '0');
      assert.is(field(['--no-new-privs'], 'NoNewPrivs'), '1');
      const { stderr, code } = exec(['--cap', 'CAP_NOPE'], ['/payload', 'true']);
      assert.match(stderr, /unknown capability "CAP_NOPE" is not granted/);
      assert.is(code, 0);
      assert.is(printed(payload('args', '--tty', '-x')), '--tty\n-x\n', 'what is behind the id is not ours');
    },
    ({ process }) => {
      process.env = ['PATH=/bin', 'HOME=/h'];
      process.user = { uid: 0, gid: 7, additionalGids: [4] };
      const names = ['CAP_CHOWN'];
      process.capabilities = { bounding: names, effective: names, permitted: names };
      process.noNewPrivileges = false;
    },
  ));

test('a process file is the whole process: by path or descriptor, with HOME from passwd', () =>
  whileThere(({ exec, dir, rootfs, ...bundle }) => {
    writeFileSync(join(rootfs, 'etc/passwd'), 'x:x:5:5::/home/five:/bin/sh\n');
    const file = join(dir, 'process.json');
    const args = ['/payload', 'env', '--', 'ids', '--', 'cwd', '--', 'umask', '--', 'limits'];
    const user = { uid: 5, gid: 6, umask: 0o77 };
    const rlimits = [{ type: 'RLIMIT_CORE', soft: 3, hard: 4 }];
    writeFileSync(
      file,
      JSON.stringify({ args, cwd: '/tmp', env: ['X=1'], user, rlimits, capabilities: null }),
    );
    const whole = printed(exec(['--process', file, '--user', '9', '--env', 'Y=2'], []));
    assert.match(whole, /^X=1\nHOME=\/home\/five\n/);
    assert.match(whole, /\n\/tmp\n0?077\n/);
    assert.match(whole, /CORE 3 4\n/);
    const script = `exec "$@" 9<"${file}"`;
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const by9 = Bun.spawnSync(
      ['sh', '-c', script, 'sh', tinyrun, ...roots, 'exec', '-p', '/dev/fd/9', bundle.id],
      { cwd: '/', stdin: 'ignore' },
    );
    assert.is(by9.stdout.toString(), whole);
    writeFileSync(file, JSON.stringify({ args: [] }));
    refused(exec(['-p', file], []), /process\.json: \/cwd: is missing; .*\/args: is empty/);
  }));

/** What `payload fds` printed, without stdio, flags and positions. */
const fdsFrom3 = (text: string): string =>
  text.replaceAll(/^[012] .*\n/gm, '').replaceAll(/^(\d+ \S+) \d+ \d+$/gm, '$1');

test('no descriptor passes but 0, 1, 2 and those that are preserved, which may be promised and not open', () =>
  whileThere(({ root, dataRoot, id, dir }) => {
    const run = (options: string): string => {
      const script = `exec "$0" --root ${root} --data-root ${dataRoot} exec ${options} ${id} /payload fds 3</etc/hosts 4</etc/passwd 7</etc`;
      const done = Bun.spawnSync(['sh', '-c', script, tinyrun], { cwd: dir, stdin: 'ignore' });
      assert.is(done.stderr.toString(), '');
      return fdsFrom3(done.stdout.toString());
    };
    assert.is(run(''), '');
    assert.is(run(`--trace ${dir}/trace`), '');
    assert.is(run('--preserve-fds 1'), '3 /etc/hosts\n');
    assert.is(run('--preserve-fds 4'), '3 /etc/hosts\n4 /etc/passwd\n');
    assert.is(run('--preserve-fds 9 --detach=false'), '3 /etc/hosts\n4 /etc/passwd\n7 /etc\n');
  }));

test('sockets of systemd are passed, and LISTEN_PID is the pid that the process has inside', () =>
  whileThere(({ root, dataRoot, id }) => {
    const script = `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --root ${root} --data-root ${dataRoot} exec ${id} /payload env -- status -- fds 3</etc/hosts`;
    const { stdout, stderr } = Bun.spawnSync(['sh', '-c', script, tinyrun], { cwd: '/', stdin: 'ignore' });
    assert.is(stderr.toString(), '');
    const text = stdout.toString();
    assert.match(text, /^LISTEN_FDS=1$/m);
    const own = /^NSpid:.*\t(\d+)$/m.exec(text)?.[1];
    assert.ok(own !== undefined && own !== '1');
    assert.ok(text.includes(`\nLISTEN_PID=${own}\n`), text);
    assert.ok(fdsFrom3(text).endsWith('3 /etc/hosts\n'));
  }));

test('detached: the pid file has the pid on the host, and the process stays', () =>
  whileThere(async ({ exec, dir, init, ...bundle }) => {
    const file = join(dir, 'pid');
    const output = join(dir, 'exec-output');
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const words = ['exec', '--detach', '--pid-file', file, bundle.id, '/payload', 'trap'];
    const script = `exec >${output} 2>&1; exec "$@"`;
    const done = Bun.spawnSync(['sh', '-c', script, 'sh', tinyrun, ...roots, ...words], { stdin: 'ignore' });
    assert.is(done.exitCode, 0);
    const pid = Number(readFileSync(file, 'utf8'));
    assert.match(readFileSync(file, 'utf8'), /^\d+$/);
    assert.is(readlinkSync(`/proc/${pid}/ns/pid`), readlinkSync(`/proc/${init}/ns/pid`));
    await until('it waits', () => readFileSync(output, 'utf8') === 'ready\n');
    process.kill(pid, 'SIGTERM');
    await until('it ends', () => readFileSync(output, 'utf8') === 'ready\n15\n');
    printed(exec(['-d', '--pid-file', file], ['/payload', 'true'])); // may have ended already
    assert.match(readFileSync(file, 'utf8'), /^\d+$/);
  }));

test('in the foreground signals reach the process, and its end is ours', () =>
  whileThere(async (container) => {
    const words = ['exec', '--pid-file', join(container.dir, 'pid'), container.id, '/payload', 'trap', '10'];
    await whileRunning(container, words, async (running) => {
      await running.shows('ready\n');
      const file = join(container.dir, 'pid');
      await until('the pid is written', () => existsSync(file));
      assert.is(Number(readFileSync(file, 'utf8')), childrenOf(running.pid)[0]);
      running.kill('SIGUSR1');
      await running.shows('10\n');
      running.kill('SIGTERM');
      assert.is(await running.exited, 0);
    });
  }));

test('a terminal is relayed, and has the size of the caller’s', () =>
  whileThere(async ({ root, dataRoot, id }) => {
    const command = [tinyrun, '--root', root, '--data-root', dataRoot, 'exec', '-t', id];
    await withPty(
      [...command, '/payload', 'tty', '--', 'winsize', '1', '--', 'trap'],
      async (pty) => {
        await pty.shows('0 /dev/pts/0\n1 /dev/pts/0\n2 /dev/pts/0\nsize 90 33\nsession 1 foreground 1\n');
        await pty.shows('90 33\n');
        pty.resize(70, 20);
        await pty.shows('70 20\nready\n');
        process.kill(pty.pid(), 'SIGTERM');
        assert.is(await pty.exitCode(), 0);
      },
      { columns: 90, rows: 33 },
    );
    await withPty([...command, 'nope'], async (pty) => {
      const before = pty.settings();
      assert.is(await pty.exitCode(), 255);
      assert.match(pty.screen(), /exec failed: exec: "nope": executable file not found/);
      assert.is(pty.settings(), before);
    });
  }));

test('consoleSize of a process file is honoured', () =>
  whileThere(async ({ root, dataRoot, id, dir }) => {
    const file = join(dir, 'process.json');
    const consoleSize = { height: 11, width: 44 };
    writeFileSync(file, JSON.stringify({ terminal: true, consoleSize, cwd: '/', args: ['/payload', 'tty'] }));
    const command = [tinyrun, '--root', root, '--data-root', dataRoot, 'exec', '-p', file, id];
    await withPty(command, async (pty) => {
      assert.is(await pty.exitCode(), 0);
      assert.match(pty.screen(), /size 44 11\n/);
    });
  }));

for (const [name, change] of Object.entries({
  'a container': undefined,
  'a user namespace': withUserNamespace,
}))
  test(`detached in ${name}, the terminal goes to the console socket, and a pidfd to the pidfd socket`, () =>
    whileThere(async ({ exec, dir }) => {
      await withFdSocket(join(dir, 'console'), (console) =>
        withFdSocket(join(dir, 'pidfd'), async (pidfd) => {
          const sockets = ['--console-socket', console.path, '--pidfd-socket', pidfd.path];
          printed(exec(['-d', '-t', ...sockets], ['/payload', 'tty', '--', 'trap']));
          const { text, fd } = console.receive();
          assert.is(text, '/dev/ptmx');
          const bytes = new Uint8Array(4096);
          let seen = '';
          while (!seen.includes('ready')) {
            const size = syscall('read the terminal', 'read', fd, bytes, bytes.length);
            seen += new TextDecoder().decode(bytes.subarray(0, size));
          }
          assert.match(seen, /^0 \/dev\/pts\/\d\r\n/);
          const process = pidfd.receive().fd;
          syscall('end it', 'pidfd_send_signal', process, SIGTERM, null, 0);
        }),
      );
    }, change));

test("the process is in the container's cgroups, or in one below them", () =>
  whileThere(({ exec, payload, init }) => {
    const own = readFileSync(`/proc/${init}/cgroup`, 'utf8');
    const lines = own.trim().split('\n');
    assert.is(printed(payload('cat', '/proc/self/cgroup')), own);
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(lines[0]!) ?? [];
    const mount = probeCgroups().find((hierarchy) => hierarchy.controllers === controllers)?.mountPoint ?? '';
    const sub = `${mount}${path}/sub`;
    mkdirSync(sub);
    try {
      const where = controllers === '' ? 'sub' : `${controllers.replace('name=', '')}:sub`;
      const inside = printed(exec(['--cgroup', where], ['/payload', 'cat', '/proc/self/cgroup']));
      assert.is(inside, own.replace(lines[0]!, `${lines[0]}/sub`));
    } finally {
      rmdirSync(sub);
    }
    refused(exec(['--cgroup', '../x'], ['/payload', 'true']), /\.\.\/x is not a sub cgroup path\n$/);
    refused(exec(['--cgroup', 'nope:x'], ['/payload', 'true']), /unknown controller nope/);
    refused(exec(['--cgroup', 'missing'], ['/payload', 'true']), /cgroup .*missing.*: ENOENT/);
  }));

test("the process is under the container's seccomp filter", () =>
  whileThere(
    ({ exec, payload }) => {
      const says = (options: string[]): string =>
        /^Seccomp:\t(\d)$/m.exec(printed(exec(options, ['/payload', 'status'])))?.[1] ?? '';
      assert.is(says([]), '2');
      assert.is(says(['--user', '1000']), '2');
      assert.match(payload('mkdir', '/tmp/x').stderr, /^mkdir: 42 /);
    },
    (config) => {
      config.linux!.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 42 }],
      };
    },
  ));

test('execCPUAffinity: the CPUs of the process from its birth on, and at the end', () =>
  whileThere(
    ({ payload }) => {
      assert.is(printed(payload('cpus')), '0\n');
    },
    ({ process }) => {
      process.execCPUAffinity = { initial: '0', final: '0' };
    },
  ));

const PAUSED = 'a paused container is entered on demand only, and the process runs when it is resumed';
test(PAUSED, () =>
  whileThere(async ({ payload, ...bundle }) => {
    const paused = runTinyrun(bundle, ['pause', bundle.id]);
    if (paused.code !== 0) return skip(PAUSED, paused.stderr.trim());
    refused(payload('true'), /cannot exec in a paused container \(use --ignore-paused to override\)\n$/);
    const started = startTinyrun(bundle, ['exec', '--ignore-paused', bundle.id, '/payload', 'exit', '3']);
    printed(runTinyrun(bundle, ['resume', bundle.id]));
    assert.is(await started.exited, 3);
  }),
);

test('a created container can be entered; a stopped one cannot', () =>
  whileThere(
    async ({ exec, payload, ...bundle }) => {
      assert.match(printed(payload('ns')), /^pid /);
      assert.is(
        printed(payload('readlink', '/proc/1/exe', '--', 'args', 'x'))
          .split('\n')
          .at(-2),
        'x',
      );
      printed(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
      await until('it has ended', () => /"stopped"/.test(runTinyrun(bundle, ['state', bundle.id]).stdout));
      refused(payload('true'), /cannot exec in a stopped container\n$/);
    },
    undefined,
    ['create'],
  ));

test('who is in the container sees nothing of the process while it is set up', () =>
  whileThere(
    async ({ exec, dir, ...bundle }) => {
      const words = [bundle.id, '/payload', 'true'];
      const ops = countOps({ dir, ...bundle }, words, undefined, 'exec');
      const spy = ['/payload'];
      for (const file of ['exe', 'root', 'cwd', 'fd/0'])
        spy.push('try', 'readlink', `/proc/PID/${file}`, '--');
      let looked = 0;
      for (let op = 40; op <= ops; op += ALL ? 1 : 12) {
        const stepped = startStepped({ dir, ...bundle }, words, op, undefined, 'exec');
        await stepped.taken();
        const [pid = 0] = childrenOf(stepped.pid);
        if (nameOf(pid) === 'tinyrun:exec') {
          const inside = /^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
          const seen = printed(
            exec(
              [],
              spy.map((word) => word.replace('PID', inside)),
            ),
          );
          if (nameOf(pid) === 'tinyrun:exec') {
            assert.is(
              seen.replaceAll(/readlink: /g, '').trim(),
              Array(4).fill('13 Permission denied').join('\n'),
            );
            assert.equal(
              readdirSync(`/proc/${pid}/fd`)
                .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
                .filter((link) => link.startsWith('/') && !/^\/($|dev\/null$)/.test(link)),
              [],
              'no directory or file of the host is open',
            );
            looked++;
          }
        }
        stepped.release();
        assert.is(await stepped.exited, 0);
      }
      assert.ok(looked > 1, `looked ${looked} times`);
    },
    ({ process }) => {
      process.capabilities = { bounding: [], effective: [], permitted: [] };
    },
  ));

/** How many ops the host program has behind the one in which it waits for the end of the process, at most. */
const WAITING = 14;

test('a host program that is killed at any op leaves no process', () =>
  whileThere(async (container) => {
    const words = [container.id, '/payload', 'sleep', '1000'];
    const ops = countOps(container, [container.id, '/payload', 'true'], undefined, 'exec');
    for (let op = 1; op <= ops - WAITING; op += ALL ? 1 : 9) {
      const stepped = startStepped(container, words, op, undefined, 'exec');
      await stepped.taken();
      stepped.kill();
      await stepped.exited;
      stepped.release();
      await until(`only init is left (op ${op})`, () => processesOf(container).length === 1);
    }
  }));

test('a container that is killed at any moment of an exec: an error in one line, and no process', async () => {
  for (let op = 5; op < 110; op += ALL ? 1 : 14)
    await whileThere(async (container) => {
      const stepped = startStepped(
        container,
        ['--detach', container.id, '/payload', 'true'],
        op,
        undefined,
        'exec',
      );
      await stepped.taken();
      printed(runTinyrun(container, ['kill', container.id, 'KILL']));
      await until('it has ended', () =>
        /"stopped"/.test(runTinyrun(container, ['state', container.id]).stdout),
      );
      stepped.release();
      const code = await stepped.exited;
      const stderr = await stepped.stderr();
      // The process may have ended well before.
      if (code !== 0) assert.match(stderr, /^tinyrun: exec failed: [^\n]+\n$/);
      else assert.is(stderr, '');
      assert.ok(code === 0 || code === 255, `${code}`);
      await until('nobody is left', () => processesOf(container).length === 0);
    });
});

test('many in a row, and many at once: none hangs, fails or stays', () =>
  whileThere(async (container) => {
    for (let i = 0; i < (ALL ? 1000 : 150); i++) {
      const [options, code] = i % 3 === 0 ? [['--detach'], 0] : [[], i % 7];
      assert.is(container.exec(options, ['/payload', 'exit', `${i % 7}`]).code, code);
    }
    const rounds = ALL ? 10 : 2;
    for (let round = 0; round < rounds; round++) {
      const started = Array.from({ length: 16 }, (_, i) =>
        startTinyrun(container, ['exec', container.id, '/payload', 'exit', `${i}`]),
      );
      assert.equal(
        await Promise.all(started.map(({ exited }) => exited)),
        started.map((_, i) => i),
      );
    }
    assert.equal(processesOf(container), [container.init]);
  }));

const RUNC = 'the process is what it is under runc';
test(RUNC, () => {
  if (Bun.which('runc') === null) return skip(RUNC, 'runc is not installed');
  return whileThere(
    ({ exec, dir, id, root }) => {
      const peer = join(root, '../runc');
      const runc = (...words: string[]) =>
        Bun.spawnSync(['runc', '--root', peer, ...words], { cwd: '/', stdin: 'ignore' });
      const command = [
        '/payload',
        'status',
        '--',
        'limits',
        '--',
        'cwd',
        '--',
        'umask',
        '--',
        'env',
        '--',
        'ids',
      ];
      const output = join(dir, 'runc-output');
      Bun.spawnSync(
        [
          'sh',
          '-c',
          `exec >${output} 2>&1; exec "$@"`,
          'sh',
          ...['runc', '--root', peer, 'run', '-d', '-b', dir, `${id}-runc`],
        ],
        {
          cwd: '/',
          stdin: 'ignore',
        },
      );
      try {
        for (const options of [
          [],
          ['-u', '1000:100', '-g', '5'],
          ['--cap', 'CAP_SYS_ADMIN', '--no-new-privs'],
          ['-e', 'A=1', '--cwd', '/tmp'],
        ]) {
          const theirs = runc('exec', ...options, `${id}-runc`, ...command);
          assert.is(theirs.exitCode, 0, theirs.stderr.toString() + readFileSync(output, 'utf8'));
          assert.equal(alike(printed(exec(options, command))), alike(theirs.stdout.toString()));
        }
      } finally {
        runc('delete', '--force', `${id}-runc`);
      }
    },
    ({ process }) => {
      process.rlimits = [{ type: 'RLIMIT_CORE', soft: 100, hard: 200 }];
    },
  );
});

/** Without what differs from process to process, and the soft limit of open files, which runc's language raises. */
const alike = (text: string): string[] =>
  text
    .split('\n')
    .filter(
      (line) =>
        !/^(Vm|Rss|Pid|Tgid|NS|Ngid|PPid|Sig[QP]|.*ctxt|Cpus|Mems|FDSize|Seccomp|Hugetlb|NStgid|PATH|NOFILE)/.test(
          line,
        ),
    );

test.run();
