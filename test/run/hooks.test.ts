// Hooks in real containers: when and where each of the six runs, what it gets, and what follows when it fails. The payload
// is the hook: what it sees goes to tinyrun's own stdout. OCI config.md, "POSIX-platform Hooks"; spec/lifecycle.md.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawnProgram } from '../../src/engine/native.ts';
import type { Config } from '../../src/oci/config.ts';
import { POINTS } from '../../src/plan/hook-points.ts';
import { type HookProgramInput, planHookProgram } from '../../src/plan/hook-program.ts';
import { type Result, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { inMountNamespace, output, payload, runCommand, until, withHelper } from '../support/container.ts';
import {
  all,
  BEFORE,
  INSIDE,
  type Point,
  runBundle,
  SPEAKING,
  STATE,
  shell,
  speak,
  speakers,
  spoken,
  withHooks,
} from '../support/hooks.ts';
import { isInstalled, PEERS } from '../support/peers.ts';
import { assertSucceeds, leftovers } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';

const NAMESPACES = ['pid', 'net', 'mnt', 'ipc', 'uts', 'user', 'cgroup', 'time'];
const ownNamespaces = (): string =>
  NAMESPACES.map((name) => `${name} ${readlinkSync(`/proc/self/ns/${name}`)}\n`).join('');

test('all six hooks run in their order, and the process between them', () =>
  withHooks(
    () => all((point) => speak(point)),
    (bundle) => {
      const result = runBundle(bundle, SPEAKING);
      output(result);
      const order = speakers(result);
      assert.equal(order.slice(0, 4), BEFORE);
      assert.equal(order.slice(4, 6).sort(), ['poststart', 'process']); // both run at once
      assert.equal(order.slice(6), ['poststop']);
      assert.equal(leftovers(bundle), []);
    },
  ));

test('several hooks of one point run one after the other', () =>
  withHooks(
    () => ({ createRuntime: [shell('sleep 0.1; echo == one'), shell('echo == two'), shell('cat')] }),
    (bundle) => {
      const result = runBundle(bundle, SPEAKING);
      assert.equal(speakers(result), ['one', 'two', 'process']);
      assert.match(result.stdout, /"status":"creating"/, 'the state is there for each of them');
    },
  ));

test("each runs in the runtime's namespaces or in the container's, where runc starts it", () =>
  withHooks(
    () => all((point) => speak(point, ['ns', '--', 'args', '--cwd', '--', 'cwd'])),
    (bundle) => {
      const seen = spoken(output(runBundle(bundle)));
      const namespaces = (point: Point) => seen.get(point)!.split('--cwd\n')[0]!;
      assert.is(namespaces('createContainer'), namespaces('startContainer'));
      for (const type of ['pid', 'net', 'mnt', 'ipc', 'uts'])
        assert.not.match(namespaces('createContainer'), readlinkSync(`/proc/self/ns/${type}`), type);
      for (const point of POINTS) {
        const cwd = seen.get(point)!.split('--cwd\n')[1];
        if (!INSIDE.includes(point)) assert.is(namespaces(point), ownNamespaces(), point);
        const expected =
          { createContainer: bundle.rootfs, startContainer: '/' }[point as string] ?? bundle.dir;
        assert.is(cwd, `${expected}\n`, point);
      }
    },
  ));

test('each reads the state on stdin: the pid is the one that others see', () =>
  withHooks(
    () => all((point) => speak(point, STATE)),
    (bundle) => {
      bundle.config.annotations = { 'org.example.key': 'value "quoted" é' };
      writeConfig(bundle);
      const pidFile = join(bundle.dir, 'pid');
      const args = ['run', '--pid-file', pidFile, '--bundle', bundle.dir, bundle.id];
      const seen = spoken(output(runTinyrun(bundle, args)));
      const pid = Number(readFileSync(pidFile, 'utf8'));
      assert.ok(pid > 1);
      const status = {
        ...{ prestart: 'created', createRuntime: 'creating', createContainer: 'creating' },
        ...{ startContainer: 'created', poststart: 'running', poststop: 'stopped' },
      };
      for (const point of POINTS)
        assert.equal(
          JSON.parse(seen.get(point)!),
          {
            ...{ ociVersion: '1.3.0', id: bundle.id, status: status[point], bundle: bundle.dir },
            ...(point === 'poststop' ? {} : { pid }),
            annotations: bundle.config.annotations,
          },
          point,
        );
    },
  ));

test('each has exactly the environment of its config', () =>
  withHooks(
    () => all((point) => speak(point, ['env'], { env: ['B=2', 'A=1'] })),
    (bundle) => {
      const seen = spoken(output(runBundle(bundle)));
      for (const point of POINTS) assert.is(seen.get(point), 'B=2\nA=1\n', point);
    },
  ));

test("without an environment of its own a hook gets its caller's, one in the container the container's", () =>
  withHooks(
    () =>
      all((point) => {
        const { env: _, ...hook } = speak(point, ['env']);
        return hook;
      }),
    (bundle) => {
      bundle.config.process.env = ['HOME=/x', 'IN=1'];
      writeConfig(bundle);
      const run = ['run', bundle.dir, '--', '/payload', 'true'];
      for (const value of ['1', '2']) {
        const seen = spoken(output(runTinyrun(bundle, run, { env: { CALLER: value, PATH: '/bin' } })));
        for (const point of POINTS)
          assert.is(
            seen.get(point),
            point === 'startContainer' ? 'HOME=/x\nIN=1\n' : `CALLER=${value}\nPATH=/bin\n`,
            `${point} ${value}`,
          );
      }
    },
  ));

test("args are the hook's own, from the first; without any it is its path", () =>
  withHooks(
    () => ({
      prestart: [
        {
          path: '/bin/sh',
          args: ['zero', '-c', "tr '\\0' ' ' </proc/$$/cmdline"],
          env: ['PATH=/bin:/usr/bin'],
        },
      ],
      createRuntime: [{ path: '/bin/true' }],
      poststop: [{ path: '/bin/true', args: [] }],
    }),
    (bundle) => {
      assert.match(output(runBundle(bundle)), /^zero -c tr/);
    },
  ));

test('a hook has stdin, stdout and stderr, no signal blocked or ignored, and the usual umask', () =>
  withHooks(
    () => all((point) => speak(point, ['fds', '--', 'sigmask', '--', 'umask'])),
    (bundle) => {
      const seen = spoken(output(runBundle(bundle)));
      for (const point of POINTS) {
        const lines = seen.get(point)!.trim().split('\n');
        assert.equal(lines.filter((line) => /^\d+ /.test(line)).length, 3, `${point}: ${lines}`);
        assert.equal(lines.slice(-3), ['blocked', 'ignored', '0022'], point);
      }
    },
  ));

test('a hook has the limit of open files that the caller has', () =>
  withHooks(
    () => ({
      createRuntime: [speak('createRuntime', ['limits'])],
      createContainer: [speak('createContainer', ['limits'])],
    }),
    (bundle) => {
      const command = [tinyrun, '--root', bundle.root, 'run', bundle.dir];
      const seen = spoken(output(runCommand(['prlimit', '--nofile=77:99', ...command])));
      for (const point of ['createRuntime', 'createContainer'])
        assert.match(seen.get(point)!, /^NOFILE 77 99$/m, point);
    },
    ({ process }) => {
      delete process.rlimits;
    },
  ));

test('poststop hooks run when nothing is left of the container, also of one that has written files', () =>
  withHooks(
    (bundle) => ({
      poststop: [shell(`ls -A ${bundle.root} ${bundle.dataRoot}/containers; echo == poststop`)],
    }),
    (bundle) => {
      const result = runBundle(bundle, ['write', '/file', 'x', '--', 'exit', '3'], ['--overlay']);
      assert.is(
        result.stdout,
        `${bundle.dataRoot}/containers:\n\n${bundle.root}:\n== poststop\n`,
        result.stderr,
      );
      assert.is(result.code, 3);
      assert.equal(leftovers(bundle), []);
    },
  ));

test('a hook that ends in time is not waited for longer', () =>
  withHooks(
    () => all((point) => speak(point, [], { timeout: 2147483647 })),
    (bundle) => {
      assert.is(speakers(runBundle(bundle)).length, 6);
    },
  ));

test('a state of many annotations is read whole, or not at all', () =>
  withHooks(
    () => ({
      createRuntime: [speak('createRuntime', STATE), { path: '/bin/true' }],
      startContainer: [speak('startContainer', STATE), speak('startContainer')],
      poststop: [speak('poststop', STATE)],
    }),
    (bundle) => {
      const annotations = Object.fromEntries(
        Array.from({ length: 100 }, (_, i) => [`org.example.${i}`, 'é'.repeat(512)]),
      );
      bundle.config.annotations = annotations;
      writeConfig(bundle);
      const seen = spoken(output(runBundle(bundle)).replace(/^== startContainer\n(?=== )/m, ''));
      for (const point of ['createRuntime', 'startContainer', 'poststop'])
        assert.equal(JSON.parse(seen.get(point)!).annotations, annotations, point);
    },
  ));

test('a hook cannot change what the next one reads', () =>
  withHooks(
    () => ({
      createRuntime: [shell('true >>/proc/self/fd/0; true >/proc/self/fd/0; echo x >&0; true'), shell('cat')],
    }),
    (bundle) => {
      const { stdout } = runBundle(bundle, ['true']);
      assert.is(JSON.parse(stdout).status, 'creating');
    },
  ));

test('in a createRuntime hook the container is there to be asked for', () =>
  withHooks(
    (bundle) => ({ createRuntime: [shell(`${tinyrun} --root ${bundle.root} state ${bundle.id}`)] }),
    (bundle) => {
      const { stdout, code } = runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]);
      assert.is(code, 0);
      assert.is(JSON.parse(stdout).id, bundle.id);
    },
  ));

test('a path in /proc is executed as it is, as Docker wants it', () =>
  withHelper([payload, 'sleep', '30'], (pid) =>
    withHooks(
      () => ({
        prestart: [{ path: `/proc/${pid}/exe`, args: ['libnetwork-setkey', 'args', '== prestart'] }],
      }),
      (bundle) => assert.equal(speakers(runBundle(bundle, SPEAKING)), ['prestart', 'process']),
    ),
  ));

test('what hooks mount below the rootfs is in the container: from inside, and by entering its mount namespace', () =>
  withHooks(
    ({ rootfs }) => ({
      prestart: [shell(`cat > /dev/null; pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' /proc/self/fd/0); true`)],
      createRuntime: [
        shell(`nsenter -t $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/') -m mount -t tmpfs runtime ${rootfs}/tmp`),
      ],
      createContainer: [shell(`mount -t tmpfs inside ${rootfs}/etc && mount -t tmpfs here sys/kernel`)],
    }),
    (bundle) => {
      for (const flags of [[], ['--overlay']]) {
        const mountinfo = output(runBundle(bundle, ['mountinfo'], flags));
        for (const [target, source] of [
          ['/tmp', 'runtime'],
          ['/etc', 'inside'],
          ['/sys/kernel', 'here'],
        ])
          assert.match(mountinfo, new RegExp(` ${target} .* - tmpfs ${source} `, 'm'), `${target} ${flags}`);
      }
      assert.equal(leftovers(bundle), []);
    },
    (config) => {
      config.linux!.maskedPaths = [];
    },
  ));

test('a rootfs that is a link has hooks as well', () =>
  withHooks(
    ({ dir }) => ({ createContainer: [shell(`mount -t tmpfs inside ${dir}/link/etc`)] }),
    (bundle) => {
      symlinkSync('rootfs', join(bundle.dir, 'link'));
      assert.match(output(runBundle(bundle, ['mountinfo'])), / \/etc .* - tmpfs inside /);
      assert.equal(leftovers(bundle), []);
    },
    ({ root }) => {
      root.path = 'link';
    },
  ));

test('a network interface that a hook makes can be named by a sysctl', () =>
  withHooks(
    () => ({
      prestart: [shell(`nsenter -t $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/') -n ip link add hook0 type dummy`)],
    }),
    (bundle) => {
      const result = runBundle(bundle, ['sysctl', 'net.ipv4.conf.hook0.forwarding']);
      if (/Unknown device type|not supported/i.test(result.stderr))
        return skip('a network interface that a hook makes', 'this kernel has no dummy interfaces');
      assert.is(output(result), '1\n');
    },
    (config) => {
      config.linux!.sysctl = { 'net.ipv4.conf.hook0.forwarding': '1' };
    },
  ));

test("in a user namespace init's hooks are its root, and the host's hooks the host's", () =>
  withHooks(
    () => all((point) => speak(point, ['cat', '/proc/self/uid_map', '--', ...STATE])),
    (bundle) => {
      chmodSync(join(bundle.dir, '..'), 0o755);
      const seen = spoken(output(runBundle(bundle)));
      for (const point of POINTS) {
        const mapped = / 0 +100000 +65536\n/.test(seen.get(point)!);
        assert.is(mapped, INSIDE.includes(point), point);
      }
      assert.match(seen.get('createContainer')!, /"pid":(?!1,)\d+/);
      assert.equal(leftovers(bundle), []);
    },
    ({ linux }) => {
      linux!.namespaces!.push({ type: 'user' });
      linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    },
  ));

test('a user namespace whose root has no way to the rootfs has hooks all the same', () =>
  withHooks(
    () => ({ createRuntime: [speak('createRuntime')], startContainer: [speak('startContainer')] }),
    (bundle) => {
      chmodSync(join(bundle.dir, '..'), 0o700);
      assert.equal(speakers(runBundle(bundle)), ['createRuntime', 'startContainer']);
    },
    ({ linux }) => {
      linux!.namespaces!.push({ type: 'user' });
      linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    },
  ));

test('with joined namespaces, and without a mount namespace, hooks run as ever', async () => {
  await withHelper(['unshare', '-n', '-u', 'sleep', '60'], async (pid) => {
    await until(
      'it has namespaces',
      () => readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net'),
    );
    await withHooks(
      () => all((point) => speak(point, STATE)),
      (bundle) => {
        for (const change of [
          ({ linux }: Config) => {
            linux!.namespaces = [
              { type: 'network', path: `/proc/${pid}/ns/net` },
              { type: 'uts', path: `/proc/${pid}/ns/uts` },
              { type: 'mount' },
              { type: 'pid' },
            ];
          },
          (config: Config) => {
            config.linux = { namespaces: [] };
            config.mounts = [];
            delete config.hostname;
          },
        ]) {
          change(bundle.config);
          writeConfig(bundle);
          const own = bundle.config.mounts?.length
            ? POINTS
            : POINTS.filter((point) => point !== 'startContainer');
          bundle.config.hooks = Object.fromEntries(own.map((point) => [point, [speak(point, STATE)]]));
          writeConfig(bundle);
          const result = runBundle(bundle);
          assert.is(result.stderr, '');
          assert.equal(speakers(result).sort(), [...own].sort());
          const pids = [...result.stdout.matchAll(/"pid":(\d+)/g)].map((match) => match[1]);
          assert.is(new Set(pids).size, 1, 'one pid for all');
          assert.equal(leftovers(bundle), []);
        }
      },
    );
  });
});

test('with a terminal, hooks of all points run', () =>
  withHooks(
    () => all((point) => speak(point)),
    (bundle) => {
      const result = runBundle(bundle);
      assert.equal(
        speakers({ ...result, stdout: result.stdout.replaceAll('\r', '') }).sort(),
        [...POINTS].sort(),
      );
      assert.is(result.code, 0, result.stderr);
    },
    (config) => {
      config.process.terminal = true;
    },
  ));

test('a created container has run the hooks of create; those of its init run when it is started', () =>
  withHooks(
    (bundle) =>
      all((point) =>
        point === 'startContainer'
          ? { path: '/payload', args: ['payload', 'write', '/dev/sync/started', 'x'] }
          : shell(
              `echo == ${point} >> ${bundle.dir}/log; ${tinyrun} --root ${bundle.root} state ${bundle.id} 2>/dev/null | grep status >> ${bundle.dir}/log; true`,
            ),
      ),
    async (bundle) => {
      mkdirSync(join(bundle.dir, 'sync'));
      bundle.config.mounts!.push({ destination: '/dev/sync', source: 'sync', options: ['bind'] });
      writeConfig(bundle);
      // The container has its stdout and stderr: pipes would be read until it ends.
      const create = ['--root', bundle.root, 'create', '--bundle', bundle.dir, bundle.id];
      assert.is(await Bun.spawn([tinyrun, ...create], { stdio: ['ignore', 'ignore', 'ignore'] }).exited, 0);
      const log = () => readFileSync(join(bundle.dir, 'log'), 'utf8');
      assert.match(
        log(),
        /^== prestart\n.*"creating".*\n== createRuntime\n.*"creating".*\n== createContainer\n.*"creating".*\n$/,
      );
      assert.not.ok(existsSync(join(bundle.dir, 'sync/started')));
      assertSucceeds(runTinyrun(bundle, ['start', bundle.id]));
      await until('init has run its hook', () => existsSync(join(bundle.dir, 'sync/started')));
      await until('it ends', () => /stopped/.test(runTinyrun(bundle, ['state', bundle.id]).stdout));
      assertSucceeds(runTinyrun(bundle, ['delete', bundle.id]));
      assert.equal(leftovers(bundle), []);
    },
  ));

test('explain shows hooks as ops, and runs none', () =>
  withHooks(
    (bundle) => all(() => shell(`echo > ${bundle.dir}/run`)),
    (bundle) => {
      const { stdout, code } = runTinyrun(bundle, ['explain', bundle.dir]);
      assert.is(code, 0);
      for (const point of POINTS)
        assert.match(stdout, new RegExp(`run hook ${point} 0 \\(/bin/sh\\)`), point);
      assert.not.ok(existsSync(join(bundle.dir, 'run')));
    },
  ));

for (const engine of ['native', 'ffi'])
  test(`hooks under the ${engine} engine`, () =>
    withHooks(
      () => all((point) => speak(point, [], { timeout: 10 })),
      (bundle) => {
        const result = runBundle(bundle, undefined, ['--engine', engine]);
        assert.equal(speakers(result).sort(), [...POINTS].sort(), result.stderr);
        assert.is(result.code, 0);
      },
    ));

// The same bundle under runc and crun. Their states differ in what hooks of the container's namespaces read as pid (1, 0),
// and in the status: runc says `created` to poststart hooks, crun to all.

for (const peer of PEERS)
  test(`hooks see what they see under ${peer}`, () => {
    if (!isInstalled(peer)) return skip(`hooks see what they see under ${peer}`, `${peer} is not installed`);
    return withHooks(
      (bundle) =>
        all((point) => {
          const inside = point === 'startContainer';
          const path = inside ? '/payload' : payload;
          const facts = [
            'env',
            '--',
            'args',
            '--cwd',
            '--',
            'cwd',
            '--',
            'sigmask',
            '--',
            'umask',
            '--',
            'ids',
          ];
          // runc takes a hook's stdout for itself: what is seen goes into files. crun fails where one reads no stdin.
          const to = inside ? '/dev/sync' : join(bundle.dir, 'sync');
          return inside
            ? {
                path,
                args: ['payload', 'cat', '/proc/self/fd/0', '--', 'write', `${to}/${point}`, 'x'],
                env: ['A=1'],
              }
            : shell(`cat > /dev/null; exec ${payload} ${facts.join(' ')} > ${to}/${point}`, {
                env: ['A=1', 'PATH=/bin:/usr/bin'],
              });
        }),
      (bundle) => {
        bundle.config.ociVersion = '1.0.2';
        mkdirSync(join(bundle.dir, 'sync'));
        bundle.config.mounts!.push({
          destination: '/dev/sync',
          source: join(bundle.dir, 'sync'),
          type: 'bind',
          options: ['bind'],
        });
        writeConfig(bundle);
        const seen = (run: () => Result) => {
          const { code, stderr } = run();
          assert.is(code, 0, stderr);
          return POINTS.map((point) => {
            const file = join(bundle.dir, 'sync', point);
            const text = readFileSync(file, 'utf8');
            writeFileSync(file, '');
            return `${point}\n${text}`;
          });
        };
        const ours = seen(() => runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]));
        const hide = '[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified';
        const theirs = seen(() =>
          runCommand([
            ...inMountNamespace(`${peer === 'crun' ? hide : ':'}; : | "$@"; exit`),
            ...[peer, '--root', join(bundle.dir, '../peer'), 'run', '--bundle', bundle.dir, bundle.id],
          ]),
        );
        // crun starts createContainer hooks in the bundle, and blocks all signals in hooks.
        const known = (text: string) =>
          peer === 'runc'
            ? text
            : text.replaceAll(`${bundle.rootfs}\n`, `${bundle.dir}\n`).replace(/^blocked.*$/m, 'blocked');
        assert.equal(ours.map(known), theirs.map(known));
      },
    );
  });

test('a failing poststart hook is a warning where the config follows a spec before 1.3', async () => {
  for (const [version, code, said] of [
    ['1.2.1', 0, 'one two '],
    ['1.3.0', 125, 'one '],
  ] as const)
    await withBundle(async (bundle) => {
      const log = join(bundle.dir, 'log');
      const note = (word: string, exit: number) => shell(`printf '${word} ' >>${log}; exit ${exit}`);
      bundle.config.ociVersion = version;
      bundle.config.hooks = { poststart: [note('one', 1), note('two', 0)] };
      writeConfig(bundle);
      assert.is(runTinyrun(bundle, ['run', bundle.dir]).code, code, version);
      assert.is(readFileSync(log, 'utf8'), said);
    });
});

test('create, start and delete run the hooks of their moments, start behind the execve', () =>
  withBundle(async (bundle) => {
    const log = join(bundle.dir, 'log');
    const note = (point: string) => shell(`sed 's/.*"status":"\\([a-z]*\\)".*/${point} \\1/' >>${log}`);
    const points = ['createRuntime', 'createContainer', 'poststart', 'poststop'] as const;
    bundle.config.hooks = Object.fromEntries(points.map((point) => [point, [note(point)]]));
    bundle.config.process.args = ['/payload', 'trap'];
    writeConfig(bundle);
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const say = (...words: string[]) =>
      Bun.spawnSync([tinyrun, ...roots, ...words], { stdio: ['ignore', 'ignore', 'ignore'] }).exitCode;
    assert.is(say('create', '-b', bundle.dir, bundle.id), 0);
    assert.is(readFileSync(log, 'utf8'), 'createRuntime creating\ncreateContainer creating\n');
    const { pid } = JSON.parse(runTinyrun(bundle, ['state', bundle.id]).stdout);
    assert.is(say('start', bundle.id), 0);
    assert.is(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'payload\n');
    assert.match(readFileSync(log, 'utf8'), /poststart running\n$/);
    assert.is(say('delete', '--force', bundle.id), 0);
    assert.match(readFileSync(log, 'utf8'), /poststart running\npoststop stopped\n$/);
    assert.equal(leftovers(bundle), []);
  }));

// Hooks by themselves

const programInput = (more: Partial<HookProgramInput>): HookProgramInput => ({
  point: 'poststop',
  ociVersion: '1.3.0',
  hooks: [],
  id: 'c1',
  bundle: '/',
  annotations: { a: 'b' },
  environment: [],
  host: { sigIgnored: 0n, noFile: undefined },
  reports: [{ reg: 'stderr', format: 'text', prefix: 'tinyrun: ', suffix: '\n' }],
  exit: 1,
  pid: undefined,
  logFd: undefined,
  ...more,
});

const runProgram = (input: HookProgramInput) =>
  spawnProgram(planHookProgram(input), process.arch === 'arm64' ? 'arm64' : 'x64', {
    name: 'tinyrun',
    fallbackDirectory: '/tmp',
    debug: () => {},
  });

test('poststop hooks by themselves: failures are warnings', async () => {
  const hooks = [shell('exit 3'), speak('poststop', STATE)];
  const { exitCode, stdout, stderr } = await runProgram(programInput({ hooks }));
  assert.is(exitCode, 0);
  assert.is(stderr, 'tinyrun: warning: hook poststop 0 (/bin/sh): exit code 3\n');
  assert.is(
    stdout,
    '== poststop\n{"ociVersion":"1.3.0","id":"c1","status":"stopped","bundle":"/","annotations":{"a":"b"}}\n',
  );
});

test('poststart hooks by themselves: a failure kills the container', async () => {
  const child = Bun.spawn([payload, 'trap'], { stdio: ['ignore', 'ignore', 'ignore'] });
  const input = programInput({ point: 'poststart', pid: child.pid, hooks: [speak('poststart', STATE)] });
  const well = await runProgram(input);
  assert.is(well.exitCode, 0);
  assert.match(well.stdout, new RegExp(`"status":"running","pid":${child.pid},`));
  assert.is(child.exitCode, null);
  const failed = await runProgram({ ...input, hooks: [shell('exit 3'), speak('poststart')] });
  assert.is(failed.exitCode, 1);
  assert.is(failed.stdout, '');
  assert.is(failed.stderr, 'tinyrun: hook poststart 0 (/bin/sh): exit code 3\n');
  await child.exited;
  assert.is(child.signalCode, 'SIGKILL');
});

test.run();
