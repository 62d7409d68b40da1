// Programs of earlier `exec`s are used again, without JavaScript, in all containers of the same config: same results, only
// where nothing has changed that they depend on.

import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { withFdSocket } from '../support/fd-socket.ts';
import { type LaunchOptions, launchedWords } from '../support/launched.ts';
import { assertSucceeds } from '../support/refusal.ts';

const roots = (bundle: Bundle): string[] => ['--root', bundle.root, '--data-root', bundle.dataRoot];

/** Containers of one bundle that wait, two of them with ids of one length, and `exec` in them. */
interface Containers {
  bundle: Bundle;
  ids: readonly [string, string];
  /** Runs it as ever. */
  exec(...words: string[]): ReturnType<typeof runTinyrun>;
  /** Without JavaScript; undefined where that is needed. */
  launch(words: readonly string[], options?: LaunchOptions): ReturnType<typeof launchedWords>;
  /** Whether `exec [OPTIONS] ID /payload exit 7` is launched. */
  isUsed(options?: readonly string[], id?: string): boolean;
}

async function withContainers(
  use: (containers: Containers) => void | Promise<void>,
  change: (bundle: Bundle) => void = () => undefined,
): Promise<void> {
  await withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'trap', '10'];
    change(bundle);
    writeConfig(bundle);
    const ids = [`${bundle.id}-a`, `${bundle.id}-b`] as const;
    for (const id of ids) start(bundle, id);
    const exec: Containers['exec'] = (...words) => runTinyrun(bundle, ['exec', ...words]);
    const launch: Containers['launch'] = (words, options = {}) =>
      launchedWords([...roots(bundle), 'exec', ...words], { cwd: bundle.dir, ...options });
    const isUsed: Containers['isUsed'] = (options = [], id = ids[0]) =>
      launch([...options, id, '/payload', 'exit', '7'])?.code === 7;
    assert.is(isUsed(), false, 'nothing is kept');
    assert.is(exec(ids[0], '/payload', 'exit', '7').code, 7);
    assert.ok(isUsed(), 'it is used where nothing has changed');
    await use({ bundle, ids, exec, launch, isUsed });
  });
}

function start(bundle: Bundle, id: string): void {
  const words = [...roots(bundle), 'create', '--bundle', bundle.dir, id];
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  assert.is(Bun.spawnSync([tinyrun, ...words], { stdio: [...stdio] }).exitCode, 0);
  assertSucceeds(runTinyrun(bundle, ['start', id]));
}

const state = ({ root }: Bundle, id: string, name: string): string => join(root, id, name);
const pidOf = (bundle: Bundle, id: string): number =>
  JSON.parse(runTinyrun(bundle, ['state', id]).stdout).pid;

test('a process from a kept program sees what one that was planned sees', () =>
  withContainers(({ ids, exec, launch }) => {
    const words = [
      ...[
        '/payload',
        'mountinfo',
        '--',
        'status',
        '--',
        'env',
        '--',
        'limits',
        '--',
        'hostname',
        '--',
        'fds',
      ],
      ...['--', 'ns', '--', 'args'],
    ];
    const own = (text: string): string =>
      text
        .replace(/^(Pid|Tgid|NSpid|NStgid|NSpgid|NSsid|SigQ|\w+_ctxt_switches|Vm\w+|Rss\w+):.*$/gm, '')
        .replace(/(pipe|socket):\[\d+\]/g, '$1');
    const planned = exec(ids[0], ...words);
    assert.is(planned.code, 0, planned.stderr);
    assert.is(launch([ids[0], ...words])?.code, 0);
    const again = exec(ids[0], ...words);
    assert.is(own(again.stdout), own(planned.stdout));
    assert.match(again.stdout, 'PATH=');
  }));

test('one program serves all containers of a config that have ids of one length, and joins each of them', () =>
  withContainers(({ bundle, ids, exec, launch, isUsed }) => {
    assert.ok(isUsed([], ids[1]));
    assert.is(isUsed([], `${ids[0]}a`), false, 'an id of another length');
    exec(ids[1], '/payload', 'ns');
    const seen = ids.map((id) => launch([id, '/payload', 'ns'])?.stdout);
    assert.not.equal(seen[0], seen[1]);
    for (const [i, id] of ids.entries())
      assert.is(seen[i], exec('--env', 'X=1', id, '/payload', 'ns').stdout);
    const file = join(bundle.dir, 'pid');
    const detached = (id: string) => ['-d', '--pid-file', file, id, '/payload', 'sleep', '100'];
    const words = [tinyrun, ...roots(bundle), 'exec', ...detached(ids[1])];
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    assert.is(Bun.spawnSync(words, { stdio: [...stdio], cwd: bundle.dir }).exitCode, 0);
    assert.is(launch(detached(ids[0]), { before: 'exec >/dev/null 2>&1' })?.code, 0);
    const cgroups = readFileSync(`/proc/${readFileSync(file, 'utf8')}/cgroup`, 'utf8');
    assert.is(cgroups, readFileSync(`/proc/${pidOf(bundle, ids[0])}/cgroup`, 'utf8'));
    assert.match(cgroups, ids[0]);
  }));

test('a config that is changed, or another one, is planned anew', () =>
  withContainers(({ bundle, ids, isUsed }) => {
    const file = state(bundle, ids[0], 'config.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"trap"', '"trqp"'));
    assert.is(isUsed(), false);
    assert.ok(isUsed([], ids[1]), 'that of the other is as it was');
    writeFileSync(file, text);
    assert.ok(isUsed());
    const update = runTinyrun(bundle, ['update', '--pids-limit', '77', ids[0]]);
    assertSucceeds(update);
    assert.is(isUsed(), false, 'update writes it anew');
  }));

test('the end of state.json is looked at: cgroups, how the root was made', () =>
  withContainers(({ bundle, ids, isUsed }) => {
    const file = state(bundle, ids[0], 'state.json');
    const text = readFileSync(file, 'utf8');
    for (const changed of [
      text.replace('"transient":false', '"transient":false,"noPivot":true'),
      text.replace(`/${ids[0]}"}`, `/${ids[1]}"}`),
      '{}\n',
      '',
    ]) {
      assert.not.equal(changed, text);
      writeFileSync(file, changed);
      assert.is(isUsed(), false, changed);
    }
    writeFileSync(file, text.replace(/"created":"[^"]*"/, '"created":"2001-01-01T00:00:00.000Z"'));
    assert.ok(isUsed(), 'when it was made does not count');
  }));

test('a paused, a frozen, a stopped and a deleted container are left to JavaScript', () =>
  withContainers(async ({ bundle, ids, exec, isUsed, launch }) => {
    const [id, other] = ids;
    const refused = (says: RegExp): void => {
      assert.is(isUsed(), false);
      const { stderr, code } = exec(id, '/payload', 'exit', '7');
      assert.is(code, 255);
      assert.match(stderr, says);
    };
    assertSucceeds(runTinyrun(bundle, ['pause', id]));
    refused(/cannot exec in a paused container/);
    assertSucceeds(runTinyrun(bundle, ['resume', id]));
    assert.ok(isUsed());
    const { cgroups } = JSON.parse(readFileSync(state(bundle, id, 'state.json'), 'utf8')).tinyrun;
    const v1 = cgroups.find(({ controllers }: { controllers: string }) => controllers === 'freezer');
    const freezer = v1 ? `${v1.path}/freezer.state` : `${cgroups[0].path}/cgroup.freeze`;
    writeFileSync(freezer, v1 ? 'FROZEN' : '1');
    refused(/cannot exec in a paused container/);
    writeFileSync(freezer, v1 ? 'THAWED' : '0');
    assert.ok(isUsed());

    renameSync(state(bundle, id, 'init.pidfd'), state(bundle, id, 'away'));
    assert.is(isUsed(), false, 'no init.pidfd');
    renameSync(state(bundle, id, 'away'), state(bundle, id, 'init.pidfd'));
    writeFileSync(state(bundle, id, 'creating.fifo'), '');
    assert.is(isUsed(), false, 'it is being created');
    rmSync(state(bundle, id, 'creating.fifo'));
    assert.ok(isUsed());

    runTinyrun(bundle, ['kill', id, 'KILL']);
    await until('it has ended', () => runTinyrun(bundle, ['state', id]).stdout.includes('stopped'));
    const words = [id, '/payload', 'exit', '7'];
    const stopped = launch(words);
    if (stopped !== undefined)
      assert.equal(stopped, {
        ...{ code: 255, stdout: '', stderr: 'tinyrun: exec failed: cannot exec in a stopped container\n' },
      });
    assert.is(exec(...words).stderr, 'tinyrun: exec failed: cannot exec in a stopped container\n');
    assert.is(exec(...words).code, 255);
    assertSucceeds(runTinyrun(bundle, ['delete', id]));
    refused(/container does not exist/);
    assert.ok(isUsed([], other));
  }));

test('another process that got the pid of init is not joined, nor is a container of another boot', () =>
  withContainers(({ bundle, ids, launch, exec }) => {
    const file = state(bundle, ids[0], 'init.pidfd');
    const whole = readFileSync(file);
    const words = [ids[0], '/payload', 'exit', '7'];
    const changed = (at: number): Buffer => {
      const copy = Buffer.from(whole);
      copy[at]! ^= 1;
      return copy;
    };
    const withPid = Buffer.from(whole);
    withPid.writeBigUInt64LE(BigInt(process.pid), 0);
    for (const [what, bytes] of Object.entries({
      'another pid': withPid,
      'another inode': changed(8),
      'another boot': changed(16),
      'cut short': whole.subarray(0, 20),
    })) {
      writeFileSync(file, bytes);
      const launched = launch(words);
      assert.not.equal(launched?.code, 7, what);
      assert.is(exec(...words).code, 255, what);
    }
    writeFileSync(file, whole);
    assert.is(launch(words)?.code, 7);
  }));

test('a state directory of another user is not believed', () =>
  withContainers(({ bundle, ids, launch, exec }) => {
    const directory = join(bundle.root, ids[0]);
    chownSync(directory, 65534, 0);
    const launched = launch([ids[0], '/payload', 'exit', '7']);
    assert.is(launched?.code ?? 255, 255);
    assert.match(exec(ids[0], '/payload', 'exit', '7').stderr, /belong/);
    chownSync(directory, 0, 0);
  }));

test('another passwd file in the container is read again, where it says HOME', () =>
  withContainers(
    ({ bundle, exec, launch, ids, isUsed }) => {
      const passwd = join(bundle.rootfs, 'etc/passwd');
      const home = () => /HOME=.*/.exec(launch([ids[0], '/payload', 'env'])?.stdout ?? '')?.[0];
      writeFileSync(passwd, 'root:x:0:0::/home/one:/bin/sh\n');
      assert.is(isUsed(), false);
      exec(ids[0], '/payload', 'env');
      assert.is(home(), 'HOME=/home/one');
      writeFileSync(passwd, 'root:x:0:0::/home/two:/bin/sh\n');
      assert.is(home(), undefined);
      assert.match(exec(ids[1], '/payload', 'env').stdout, 'HOME=/home/two');
      assert.is(home(), 'HOME=/home/two');
      renameSync(passwd, `${passwd}-away`);
      symlinkSync('/etc/passwd-away', passwd);
      assert.is(home(), 'HOME=/home/two', 'a link inside the root');
      rmSync(passwd);
      mkdirSync(passwd);
      assert.is(home(), undefined);
    },
    ({ config }) => {
      config.process.env = ['PATH=/'];
    },
  ));

test('a program is for its options: user, environment, directory, and the program’s words', () =>
  withContainers(({ ids, exec, launch }) => {
    const [id] = ids;
    for (const options of [
      ['-u', '5:6'],
      ['--env', 'A=B'],
      ['--cwd', '/tmp'],
      ['-c', 'CAP_SYS_TIME'],
    ]) {
      const words = [...options, id, '/payload', 'exit', '7'];
      assert.is(launch(words), undefined, options.join(' '));
      exec(...words);
      assert.is(launch(words)?.code, 7, options.join(' '));
    }
    assert.is(launch([id, '/payload', 'exit', '8']), undefined);
    exec('-u', '5:6', id, '/payload', 'status');
    assert.match(launch(['-u', '5:6', id, '/payload', 'status'])!.stdout, /^Uid:\t5\t5\t5\t5$/m);
  }));

test('a process file is known by its contents, whatever its name', () =>
  withContainers(({ bundle, ids, exec, launch }) => {
    const file = join(bundle.dir, 'process.json');
    const other = join(bundle.dir, 'another-process.json');
    const write = (path: string, code: string): void =>
      writeFileSync(path, JSON.stringify({ ...bundle.config.process, args: ['/payload', 'exit', code] }));
    write(file, '7');
    assert.is(exec('--process', file, ids[0]).code, 7);
    assert.is(launch(['--process', file, ids[0]])?.code, 7);
    write(other, '7');
    assert.is(launch(['--process', other, ids[1]])?.code, 7);
    assert.is(launch(['-p', other, ids[1]]), undefined, 'another command line');
    write(file, '8');
    assert.is(launch(['--process', file, ids[0]]), undefined);
    assert.is(exec('--process', file, ids[0]).code, 8);
    assert.is(launch(['--process', file, ids[0]])?.code, 8);
    assert.is(launch(['--process', other, ids[0]])?.code, 7, 'both are kept');
    assert.is(launch(['--process', join(bundle.dir, 'none'), ids[0]]), undefined);
    assert.is(launch(['--process', '/dev/zero', ids[0]]), undefined, 'no device is read');
  }));

test('pid files may have other names of the same length', () =>
  withContainers(({ bundle, ids, exec, launch }) => {
    const file = (name: string): string => join(bundle.dir, name);
    const words = (name: string) => ['--pid-file', file(name), ids[0], '/payload', 'exit', '7'];
    assert.is(exec(...words('pid1')).code, 7);
    assert.is(launch(words('pid2'))?.code, 7);
    assert.match(readFileSync(file('pid2'), 'utf8'), /^\d+$/);
    assert.is(launch(words('pid34')), undefined);
    assert.is(launch(words('../p')), undefined, 'a path that JavaScript would write in another way');
    assert.equal(
      readdirSync(bundle.dir).filter((name) => name.includes('~')),
      [],
    );
  }));

test('as an engine calls it: a log, a process file, a pid file, each of its own', () =>
  withContainers(({ bundle, ids }) => {
    const file = (name: string): string => join(bundle.dir, name);
    const write = (name: string): void =>
      writeFileSync(
        file(name),
        JSON.stringify({ ...bundle.config.process, args: ['/payload', 'sleep', '100'] }),
      );
    const words = (n: number, id: string) => [
      ...['--log', file(`log${n}.json`), '--log-format', 'json', '--systemd-cgroup', ...roots(bundle)],
      'exec',
      '--process',
      ...[file(`runc-process${n ** 9}`), '--detach', '--pid-file', file(`${n}.pid`), id],
    ];
    for (const n of [1, 2, 3]) write(`runc-process${n ** 9}`);
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    const first = Bun.spawnSync([tinyrun, ...words(1, ids[0])], { stdio: [...stdio], cwd: '/' });
    assert.is(first.exitCode, 0);
    for (const [n, id] of [
      [2, ids[0]],
      [3, ids[1]],
    ] as const) {
      assert.is(launchedWords(words(n, id), { before: 'exec >/dev/null 2>&1' })?.code, 0);
      const pid = readFileSync(file(`${n}.pid`), 'utf8');
      assert.is(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '/payload\0sleep\x00100\0');
      assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), id);
      assert.is(readFileSync(file(`log${n}.json`), 'utf8'), '');
    }
  }));

test('a terminal goes to the console socket of the call', () =>
  withContainers(async ({ bundle, ids, launch }) => {
    const words = (path: string) => [
      '-d',
      '-t',
      '--console-socket',
      path,
      ids[0],
      '/payload',
      'sleep',
      '100',
    ];
    const receive = async (name: string, run: (path: string) => number | undefined): Promise<string> => {
      let device = '';
      await withFdSocket(join(bundle.root, '..', name), async ({ path, receive }) => {
        assert.is(run(path), 0);
        device = receive().text;
      });
      return device;
    };
    assert.is(await receive('one', (path) => runTinyrun(bundle, ['exec', ...words(path)]).code), '/dev/ptmx');
    assert.is(await receive('two', (path) => launch(words(path))?.code), '/dev/ptmx');
    assert.is(launch(words(join(bundle.root, '..', 'tri')))?.code, 255, 'nobody listens');
  }));

test('calls with traces, descriptors or of the unusual kind are planned each time', () =>
  withContainers(({ bundle, ids, launch }) => {
    const kept = () => readdirSync(join(bundle.root, '.programs')).sort();
    const before = kept();
    const end = [ids[0], '/payload', 'exit', '7'];
    for (const words of [
      ['--debug', 'exec', ...end],
      ['exec', '--trace', '2', ...end],
      ['exec', '--preserve-fds', '1', ...end],
      ['exec', '--engine', 'ffi', ...end],
    ])
      assert.is(runTinyrun(bundle, words).code, 7, words.join(' '));
    assert.equal(kept(), before);
    assert.is(launch(['--no-such-option', ...end]), undefined);
    assert.is(launch(['--', ...end]), undefined);
  }));

test('a container that was only created takes it, too', () =>
  withBundle((bundle) => {
    bundle.config.process.args = ['/payload', 'trap', '10'];
    writeConfig(bundle);
    const words = [...roots(bundle), 'create', '--bundle', bundle.dir, bundle.id];
    Bun.spawnSync([tinyrun, ...words], { stdio: ['ignore', 'ignore', 'ignore'] });
    const end = [bundle.id, '/payload', 'exit', '7'];
    assert.is(runTinyrun(bundle, ['exec', ...end]).code, 7);
    assert.is(launchedWords([...roots(bundle), 'exec', ...end], { cwd: bundle.dir })?.code, 7);
    assert.ok(statSync(state(bundle, bundle.id, 'exec.fifo')).isFIFO());
  }));

test.run();
