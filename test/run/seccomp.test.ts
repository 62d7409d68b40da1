// Seccomp filters on whole containers. OCI config-linux.md, "Seccomp"; seccomp(2), seccomp_unotify(2).

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Seccomp, SeccompCondition } from '../../src/oci/config.ts';
import { syscallNumber } from '../../src/sys/syscalls.ts';
import { type Bundle, type Result, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import {
  output,
  outputOf,
  type Run,
  refusalOf,
  runCommand,
  runOnce,
  runPayload,
  until,
} from '../support/container.ts';
import { allowing, dockerShaped } from '../support/seccomp.ts';
import { skip } from '../support/skip.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
const nr = (name: string): string => `${syscallNumber(name, arch)}`;

/** A run under a profile; `change` alters the rest of the config. */
const under = (seccomp: Seccomp, change?: Run['config']): Run => ({
  config: (config, bundle) => {
    config.linux!.seccomp = seccomp;
    change?.(config, bundle);
  },
});

const mayGain = ({ process }: Config): void => void Object.assign(process, { noNewPrivileges: false });
const asUser = ({ process }: Config): void => {
  process.user = { uid: 1000, gid: 1000 };
};
/** With no_new_privs, without it, and both as another user than root. */
const WAYS: Readonly<Record<string, (config: Config) => void>> = {
  'with noNewPrivileges': () => {},
  'without noNewPrivileges': mayGain,
  'as another user': asUser,
  'as another user without noNewPrivileges': (config) => {
    mayGain(config);
    asUser(config);
  },
  'in a user namespace without noNewPrivileges': (config) => {
    mayGain(config);
    config.linux!.namespaces!.push({ type: 'user' });
    config.linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    config.linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  },
};

/** A field of /proc/self/status. */
const statusOf = (status: string, field: string): string | undefined =>
  new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1];

// Actions

for (const [name, change] of Object.entries(WAYS))
  test(`one filter is loaded ${name}, and the capabilities are those of the config`, async () => {
    const commands = ['status', '--', 'syscall', nr('getcwd'), '0', '0'];
    const profile = allowing({ names: ['getcwd'], action: 'SCMP_ACT_ERRNO', errnoRet: 99 });
    const status = await outputOf(commands, under(profile, change));
    assert.is(statusOf(status, 'Seccomp'), '2');
    assert.is(statusOf(status, 'Seccomp_filters'), '1');
    assert.match(status, /\n-1 99\n$/);
    const plain = await outputOf(['status'], { config: change });
    for (const field of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Uid', 'Groups'])
      assert.is(statusOf(status, field), statusOf(plain, field), field);
  });

test('an errno is 1 where the profile says none', async () => {
  const rule = { names: ['getcwd'], action: 'SCMP_ACT_ERRNO' };
  assert.is(await outputOf(['syscall', nr('getcwd')], under(allowing(rule))), '-1 1\n');
});

for (const action of ['SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP'])
  test(`${action} ends the container with 159, 128 + SIGSYS`, async () => {
    const profile = allowing({ names: ['getcwd'], action });
    const { code, stdout } = await runOnce(
      ['args', 'alive', '--', 'syscall', nr('getcwd')],
      // Process 1 of a pid namespace is told no SIGSYS that it has no handler for, unless the kernel forces it.
      under(profile),
    );
    assert.is(code, 159, stdout);
    assert.match(stdout, 'alive');
  });

test('SCMP_ACT_LOG lets the call through', async () => {
  const profile = {
    ...allowing({ names: ['getppid'], action: 'SCMP_ACT_LOG' }),
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
  };
  assert.is(await outputOf(['syscall', nr('getppid')], under(profile)), '0 0\n');
});

test('SCMP_ACT_TRACE without a tracer is ENOSYS', async () => {
  const profile = allowing({ names: ['getppid'], action: 'SCMP_ACT_TRACE', errnoRet: 7 });
  assert.is(await outputOf(['syscall', nr('getppid')], under(profile)), '-1 38\n');
});

test('all flags that need no listener are taken', async () => {
  const flags = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'];
  for (const change of [() => {}, mayGain])
    assert.is(statusOf(await outputOf(['status'], under({ ...allowing(), flags }, change)), 'Seccomp'), '2');
});

test('a 64-bit value of a condition loses no bit on its way from config.json', async () => {
  const value = 2n ** 53n + 1n;
  const args: SeccompCondition[] = [{ index: 0, value: 4711, op: 'SCMP_CMP_EQ' }];
  await withBundle((bundle) => {
    bundle.config.linux!.seccomp = allowing({
      names: ['getcwd'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 55,
      args,
    });
    const text = JSON.stringify(bundle.config).replace('4711', `${value}`);
    writeFileSync(join(bundle.dir, 'config.json'), text);
    const call = (argument: bigint) => ['syscall', nr('getcwd'), `${argument}`, '0', '--'];
    const words = [...call(value), ...call(value - 1n), ...call(value + 2n ** 32n), 'args', 'end'];
    const printed = output(runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', ...words]));
    assert.match(printed, /^-1 55\n-1 (?!55)\d+\n-1 (?!55)\d+\n/);
  });
});

test('a call newer than the profile is ENOSYS, one that it might have named EPERM', async () => {
  const commands = ['syscall', '9999', '--', 'syscall', nr('mount')];
  assert.is(await outputOf(commands, under(dockerShaped())), '-1 38\n-1 1\n');
});

test('a filter holds for programs of 32 bits', async () => {
  const name = 'a filter holds for programs of 32 bits';
  if (arch !== 'x64') return skip(name, 'needs an x86_64 host');
  // exit(getppid() == -99 ? 42 : 1)
  const source = `void _start(void) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(64));
    __asm__ volatile("int $0x80" : : "a"(1), "b"(result == -99 ? 42 : 1));
  }`;
  await withBundle((bundle) => {
    writeFileSync(join(bundle.dir, 'small.c'), source);
    const program = join(bundle.rootfs, 'small');
    const compiler = ['cc', '-m32', '-static', '-nostdlib', '-ffreestanding', '-fno-pic', '-no-pie'];
    const compiled = runCommand([...compiler, '-o', program, join(bundle.dir, 'small.c')]);
    if (compiled.code !== 0) return skip(name, 'the compiler makes no programs of 32 bits');
    if (runCommand([program]).code !== 1) return skip(name, 'the kernel runs no programs of 32 bits');
    const rule = { names: ['getppid'], action: 'SCMP_ACT_ERRNO', errnoRet: 99 };
    const code = (seccomp: Seccomp): number => {
      bundle.config.linux!.seccomp = seccomp;
      writeConfig(bundle);
      return runTinyrun(bundle, ['run', bundle.dir, '--', '/small']).code;
    };
    assert.is(code(allowing(rule)), 42);
    assert.is(
      code({ ...allowing(rule), architectures: [] }),
      159,
      'an architecture that is not listed is killed',
    );
  });
});

// Whole profiles

const busybox = Bun.which('busybox') ?? '';
const hasShell = (): boolean => busybox !== '' && !runCommand(['ldd', busybox]).stdout.includes('=>');

for (const [name, change] of Object.entries(WAYS)) {
  const title = `a shell and its children run under a profile of the shape of Docker's, ${name}`;
  test(title, async () => {
    if (!hasShell()) return skip(title, 'needs a static busybox');
    const script =
      'set -e; cd /tmp; for i in 1 2 3; do echo $i > f$i; done; cat f1 f2 f3 | sort -r | tr "\\n" " "; umount /proc';
    const run = await runOnce([], {
      ...under(dockerShaped(), (config, { rootfs }) => {
        change(config);
        chmodSync(join(rootfs, 'tmp'), 0o1777);
        mkdirSync(join(rootfs, 'bin'));
        copyFileSync(busybox, join(rootfs, 'bin/busybox'));
        writeFileSync(
          join(rootfs, 'bin/run'),
          `#!/bin/busybox sh\nPATH=/bin\n/bin/busybox --install -s /bin 2>/dev/null\n${script}\n`,
          { mode: 0o755 },
        );
        for (const tool of ['sh', 'cat', 'sort', 'tr', 'umount'])
          copyFileSync(busybox, join(rootfs, 'bin', tool));
      }),
      program: '/bin/run',
    });
    assert.is(run.stdout, '3 2 1 ', run.stderr);
    assert.match(run.stderr, /umount: .*Operation not permitted/);
  });
}

test('a profile that kills everything but execve, and what the program needs, starts it', async () => {
  const names = [
    'execve',
    'brk',
    'mmap',
    'mprotect',
    'arch_prctl',
    'prctl',
    'capset',
    'set_tid_address',
    'set_robust_list',
  ];
  const more = [
    'rseq',
    'prlimit64',
    'readlink',
    'readlinkat',
    'getrandom',
    'fstat',
    'newfstatat',
    'fstatat64',
    'write',
    'exit_group',
  ];
  const ioctl = ['ioctl', 'uname', 'munmap', 'futex', 'read', 'close', 'openat', 'statx', 'rt_sigprocmask'];
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_KILL_PROCESS',
    syscalls: [{ names: [...names, ...more, ...ioctl], action: 'SCMP_ACT_ALLOW' }],
  };
  for (const change of [() => {}, mayGain])
    assert.match(await outputOf(['args', 'started'], under(profile, change)), 'started');
});

test('a filter that forbids execve is told, and the container is gone', async () => {
  const profile = allowing({ names: ['execve'], action: 'SCMP_ACT_ERRNO' });
  assert.match(await refusalOf(under(profile), 126), /^tinyrun: exec: "\/payload": EPERM /);
});

test('what is wrong with a profile is told before anything is made', async () => {
  assert.match(
    await refusalOf(
      under({ ...allowing({ names: ['write'], action: 'SCMP_ACT_NOTIFY' }), listenerPath: '/nobody' }),
    ),
    /SCMP_ACT_NOTIFY cannot be used for the write syscall/,
  );
  assert.match(await refusalOf(under({ defaultAction: 'SCMP_ACT_NO' })), /\/linux\/seccomp\/defaultAction: /);
});

test('without libseccomp a profile is refused with what to install', async () => {
  const title = 'without libseccomp a profile is refused with what to install';
  const library = /\/\S*\/libseccomp\.so\.2\S*/.exec(runCommand(['sh', '-c', 'ldconfig -p']).stdout)?.[0];
  if (library === undefined) return skip(title, 'needs ldconfig');
  const via = ['unshare', '-m', 'sh', '-ec', `mount --bind /dev/null ${library}\nexec "$@"`, 'sh'];
  const { stderr, code } = await runOnce(['true'], { ...under(allowing()), via });
  assert.is(code, 125);
  assert.match(stderr, /compile the seccomp profile: libseccomp\.so\.2 cannot be loaded/);
  assert.match(stderr, /apt-get install libseccomp2/);
});

// Kept filters

const kept = ({ root }: Bundle): string[] => {
  const folder = join(root, '.seccomp');
  return existsSync(folder) ? readdirSync(folder) : [];
};
/** A run whose program is not kept, so that its filter is looked for each time. */
const runNamed = (bundle: Bundle, ...commands: string[]): Result => {
  writeConfig(bundle);
  const args = ['--debug', 'run', '--name', bundle.id, '--rm', bundle.dir, '--', '/payload', ...commands];
  return runTinyrun(bundle, args);
};
const compiledAgain = ({ stderr }: Result): boolean => /seccomp: compiled by libseccomp/.test(stderr);

test('a filter is compiled once for all containers with the same profile', async () => {
  await withBundle((bundle) => {
    bundle.config.linux!.seccomp = dockerShaped();
    const call = ['syscall', nr('mount')];
    for (const [round, compiled] of [true, false, false].entries()) {
      const run = runNamed(bundle, ...call);
      assert.is(run.stdout, '-1 1\n', run.stderr);
      assert.is(compiledAgain(run), compiled, `${round}: ${run.stderr}`);
    }
    assert.is(kept(bundle).length, 1);
    bundle.config.linux!.seccomp.defaultErrnoRet = 2;
    assert.is(runNamed(bundle, ...call).stdout, '-1 2\n');
    assert.is(kept(bundle).length, 2);
  });
});

test('a damaged filter is compiled again, and one that others may write is not used', async () => {
  await withBundle((bundle) => {
    bundle.config.linux!.seccomp = allowing({ names: ['getppid'], action: 'SCMP_ACT_ERRNO', errnoRet: 33 });
    const run = () => {
      const result = runNamed(bundle, 'syscall', nr('getppid'));
      assert.is(result.stdout, '-1 33\n', result.stderr);
      return compiledAgain(result);
    };
    assert.is(run(), true);
    const file = join(bundle.root, '.seccomp', kept(bundle)[0]!);
    const whole = readFileSync(file);
    const flipped = Buffer.from(whole);
    flipped[whole.length - 1]! ^= 1;
    const empty = Buffer.alloc(0);
    for (const damaged of [
      whole.subarray(0, -8),
      flipped,
      empty,
      Buffer.from('no JSON\n'),
      Buffer.from('null\n'),
    ]) {
      writeFileSync(file, damaged);
      assert.is(run(), true);
      assert.is(run(), false);
      assert.equal(readFileSync(file), whole);
    }
    chmodSync(join(bundle.root, '.seccomp'), 0o777);
    assert.is(run(), true);
  });
});

test('explain shows the filter in one line, and keeps nothing', async () => {
  await withBundle((bundle) => {
    bundle.config.linux!.seccomp = dockerShaped();
    writeConfig(bundle);
    const { stdout } = runTinyrun(bundle, ['explain', bundle.dir]);
    assert.match(stdout, /load the seccomp filter of \d+ instructions \(KILL_THREAD, ERRNO, ALLOW\)/);
    assert.equal(kept(bundle), []);
    const program = runTinyrun(bundle, ['explain', '--program', bundle.dir]).stdout;
    assert.match(program, /seccomp\(SECCOMP_SET_MODE_FILTER, none, sock_fprog\{len: \d+, filter: base64"/);
    const filter = runTinyrun(bundle, ['explain', '--filter', bundle.dir]).stdout;
    assert.match(filter, /^ +0 {2}load arch\n/);
    assert.match(filter, /\n +\d+ {2}return ERRNO\(38\)\n/);
    delete bundle.config.linux!.seccomp;
    writeConfig(bundle);
    assert.is(runTinyrun(bundle, ['explain', '--filter', bundle.dir]).stdout, 'no seccomp filter\n');
  });
});

// A listener

/** An agent in Python: prints what it is sent, answers each mkdir with errno 77, and ends with the container. */
const AGENT = `
import array, fcntl, os, select, socket, struct, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print('ready', flush=True)
connection, _ = server.accept()
text, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16))
fds = array.array('i')
for level, kind, data in ancillary:
    fds.frombytes(data[: len(data) - len(data) % 4])
print(text.decode(), flush=True)
print(len(fds), flush=True)
poll = select.poll()
poll.register(fds[0], select.POLLIN)
while True:
    (_, events), = poll.poll()
    if not events & select.POLLIN:
        break
    request = bytearray(80)
    fcntl.ioctl(fds[0], 0xc0502100, request)
    key, pid, flags, number = struct.unpack_from('=QIIi', request)
    print('asked', number, flush=True)
    fcntl.ioctl(fds[0], 0xc0182101, struct.pack('=QqiI', key, 0, -77, 0))
`;

async function withAgent(bundle: Bundle, use: (socket: string) => Promise<void> | void): Promise<string> {
  const path = join(bundle.dir, 'agent.sock');
  const agent = Bun.spawn(['python3', '-c', AGENT, path], {
    stdio: ['ignore', Bun.file(join(bundle.dir, 'said')), 'inherit'],
  });
  const said = () => readFileSync(join(bundle.dir, 'said'), 'utf8');
  try {
    await until('the agent listens', () => said().startsWith('ready\n'));
    await use(path);
    await until('the agent ends with the container', () => agent.exitCode !== null);
  } finally {
    agent.kill('SIGKILL');
    await agent.exited;
  }
  return said().slice('ready\n'.length);
}

const notifying = (socket: string): Seccomp => ({
  ...allowing({ names: ['mkdirat', 'mkdir'], action: 'SCMP_ACT_NOTIFY' }),
  listenerPath: socket,
  listenerMetadata: 'some "metadata"',
});

for (const [name, change] of Object.entries(WAYS)) {
  const title = `an agent is sent the state and a descriptor, and answers calls, ${name}`;
  test(title, async () => {
    if (Bun.which('python3') === null) return skip(title, 'needs python3');
    await withBundle(async (bundle) => {
      let result: Result | undefined;
      const said = await withAgent(bundle, (socket) => {
        const run = under(notifying(socket), change);
        result = runPayload(bundle, ['syscall', nr('mkdirat'), '0', '0', '0', '--', 'fds'], run);
      });
      assert.is(result?.stdout.split('\n')[0], '-1 77', result?.stderr);
      assert.not.match(result!.stdout, /seccomp/, 'no descriptor of the filter is left');
      const [text = '', count, ...asked] = said.split('\n');
      const { ociVersion, fds, pid, metadata, state } = JSON.parse(text);
      assert.equal([ociVersion, fds, metadata], ['1.3.0', ['seccompFd'], 'some "metadata"']);
      assert.ok(pid > 1);
      assert.equal([state.pid, state.status, state.bundle], [pid, 'creating', bundle.dir]);
      assert.is(count, '1');
      assert.equal(asked, [`asked ${nr('mkdirat')}`, '']);
    });
  });
}

test('an agent is told of a container that is only created, before it starts', async () => {
  const title = 'an agent is told of a container that is only created, before it starts';
  if (Bun.which('python3') === null) return skip(title, 'needs python3');
  await withBundle(async (bundle) => {
    const said = await withAgent(bundle, async (socket) => {
      bundle.config.linux!.seccomp = notifying(socket);
      bundle.config.process.args = ['/payload', 'syscall', nr('mkdirat')];
      writeConfig(bundle);
      const at = join(bundle.dir, 'said');
      // The container has our output open as long as it lives: a file.
      const quiet = ['sh', '-c', `exec >${bundle.dir}/output 2>&1; exec "$@"`, 'sh'];
      const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
      const created = runCommand([...quiet, tinyrun, ...roots, 'create', '--bundle', bundle.dir, bundle.id]);
      assert.is(created.code, 0, readFileSync(join(bundle.dir, 'output'), 'utf8'));
      await until('the agent has been told', () => readFileSync(at, 'utf8').includes('seccompFd'));
      assert.not.match(readFileSync(at, 'utf8'), 'asked');
      assert.is(runTinyrun(bundle, ['start', bundle.id]).code, 0);
      await until('the agent is asked', () => readFileSync(at, 'utf8').includes('asked'));
      await until('it has ended', () => /stopped/.test(runTinyrun(bundle, ['state', bundle.id]).stdout));
      assert.is(runTinyrun(bundle, ['delete', bundle.id]).code, 0);
    });
    assert.match(said, `asked ${nr('mkdirat')}`);
  });
});

test('all flags go together with a listener', async () => {
  const title = 'all flags go together with a listener';
  if (Bun.which('python3') === null) return skip(title, 'needs python3');
  await withBundle(async (bundle) => {
    let result: Result | undefined;
    await withAgent(bundle, (socket) => {
      const flags = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV'].map(
        (flag) => `SECCOMP_FILTER_FLAG_${flag}`,
      );
      result = runPayload(bundle, ['syscall', nr('mkdirat')], under({ ...notifying(socket), flags }));
    });
    assert.is(result?.stdout, '-1 77\n', result?.stderr);
  });
});

test('an agent that is not there fails the container, and nothing of it stays', async () => {
  await withBundle((bundle) => {
    const result = runPayload(bundle, ['true'], under(notifying('/nobody/listens')));
    assert.is(result.code, 125);
    assert.match(
      result.stderr,
      /^tinyrun: failed to connect with seccomp agent specified in the seccomp profile: \/nobody\/listens: ENOENT /,
    );
    assert.equal(
      readdirSync(bundle.root).filter((name) => !name.startsWith('.')),
      [],
    );
  });
});

test('without NOTIFY nobody is told, whatever listenerPath says', async () => {
  const profile = { ...allowing(), listenerPath: '/nobody/listens' };
  assert.is(await outputOf(['true'], under(profile)), '');
});

test.run();
