// Programs of earlier runs are used again, without JavaScript: same results, own ids, only where nothing has changed that
// they depend on, and nothing that root alone has not written.

import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Bundle,
  runTinyrun,
  startTinyrun,
  tinyrun,
  withBundle,
  writeConfig,
} from '../support/bundle.ts';
import { type LaunchOptions, launched } from '../support/launched.ts';

const programs = ({ root }: Bundle): string => join(root, '.programs');
/** Other processes mount on this host, which a program with a cgroup of its own depends on. */
const still = ['--cgroup-manager', 'disabled'];
const kept = (bundle: Bundle): string[] =>
  existsSync(programs(bundle)) ? readdirSync(programs(bundle)) : [];

/** Those of invocations, not of verbs. */
const planned = (bundle: Bundle): string[] =>
  kept(bundle)
    .filter((name) => /^[0-9a-f]{16}$/.test(name))
    .sort();

/** What a container sees, without what differs between any two: mount ids, the container's own, devices and inode numbers, counts. */
function look(bundle: Bundle): string {
  const args = [...still, 'run', bundle.dir, '--', '/payload'];
  const words = ['mountinfo', '--', 'status', '--', 'env', '--', 'limits', '--', 'hostname', '--', 'fds'];
  const { stdout, stderr, code } = runTinyrun(bundle, [...args, ...words]);
  assert.is(code, 0, stderr);
  return stdout
    .replace(/^\d+ \d+ \d+:\d+ /gm, '')
    .replace(/(master|shared):\d+/g, '$1')
    .replace(
      /^(Pid|Tgid|NSpid|SigQ|voluntary_ctxt_switches|nonvoluntary_ctxt_switches|Vm\w+|Rss\w+):.*$/gm,
      '',
    )
    .replace(/\/[0-9a-f]{12}( \/sys\/fs\/cgroup)/g, '/ID$1') // its cgroup is named after it
    .replace(/(pipe|socket):\[\d+\]/g, '$1');
}

/** A bundle of which a program is kept, of `run`; it exits with 7. */
interface Kept {
  bundle: Bundle;
  /** Plans and keeps it again. */
  keep(options?: LaunchOptions): void;
  /** Whether it is used now. */
  isUsed(options?: LaunchOptions): boolean;
}

async function withKept(
  use: (kept: Kept) => void | Promise<void>,
  change: (bundle: Bundle) => string[] | undefined = () => undefined,
): Promise<void> {
  await withBundle(async (bundle) => {
    bundle.config.mounts = bundle.config.mounts?.filter(({ type }) => type !== 'cgroup') ?? [];
    bundle.config.process.args = ['/payload', 'exit', '7'];
    writeConfig(bundle);
    const args = [...still, 'run', ...(change(bundle) ?? []), bundle.dir];
    const keep = (): void => assert.is(runTinyrun(bundle, args).code, 7);
    const isUsed = (options: LaunchOptions = {}): boolean => launched(bundle, args, options) === 7;
    keep();
    assert.ok(isUsed({ env: bareEnv() }), 'it is used where nothing has changed');
    await use({ bundle, keep, isUsed });
  });
}

const bareEnv = (): Record<string, string | undefined> => ({ PATH: process.env['PATH'] });

test('without a program that fits, the launcher leaves it to JavaScript', async () => {
  await withBundle((bundle) => {
    assert.is(launched(bundle, [...still, 'run', bundle.dir]), undefined);
    assert.is(launched(bundle, ['--version']), undefined);
  });
});

test('a container from a kept program is the same as one that was planned', async () => {
  await withBundle((bundle) => {
    bundle.config.mounts = bundle.config.mounts?.filter(({ type }) => type !== 'cgroup') ?? [];
    writeConfig(bundle);
    const planned = look(bundle);
    assert.is(kept(bundle).length, 1);
    for (let i = 0; i < 3; i++) assert.is(look(bundle), planned);
    assert.is(kept(bundle).length, 1);
  });
});

test('containers from a kept program have ids and times of their own', async () => {
  await withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'trap', '15'];
    writeConfig(bundle);
    const started = [];
    const begun = Date.now();
    for (let i = 0; i < 3; i++) {
      const child = startTinyrun(bundle, [...still, 'run', bundle.dir]);
      started.push(child);
      await child.stdout.getReader().read(); // it says that it is ready
    }
    const states = readdirSync(bundle.root).filter((name) => !name.startsWith('.'));
    const texts = states.map((id) => JSON.parse(readFileSync(join(bundle.root, id, 'state.json'), 'utf8')));
    for (const child of started) child.kill('SIGTERM');
    for (const child of started) assert.is(await child.exited, 0);
    assert.is(kept(bundle).length, 1);
    assert.is(new Set(states).size, 3);
    assert.equal(
      texts.map(({ id }) => id),
      states,
    );
    const times = texts.map(({ created }) => created);
    assert.is(new Set(times).size, 3);
    for (const time of times) {
      assert.is(new Date(time).toISOString(), time);
      assert.ok(Date.parse(time) >= begun && Date.parse(time) <= Date.now(), time);
    }
    assert.equal(readdirSync(bundle.root), ['.programs']);
  });
});

test('what the caller has open is not handed to a container from a kept program', async () => {
  await withBundle((bundle) => {
    bundle.config.mounts = bundle.config.mounts?.filter(({ type }) => type !== 'cgroup') ?? [];
    bundle.config.process.args = ['/payload', 'exit', '7'];
    writeConfig(bundle);
    runTinyrun(bundle, [...still, 'run', bundle.dir]);
    assert.is(
      launched(bundle, [...still, 'run', bundle.dir], { before: 'exec 9</etc/passwd 5</dev/null' }),
      7,
    );
    const plain = [...still, 'run', bundle.dir, '--', '/payload', 'fds'];
    const fds = () =>
      Bun.spawnSync(
        [
          ...['sh', '-c', 'exec 9</etc/passwd 5</dev/null; exec "$0" "$@"', tinyrun],
          ...['--root', bundle.root, '--data-root', bundle.dataRoot, ...plain],
        ],
        { cwd: bundle.dir },
      ).stdout.toString();
    fds();
    assert.not.match(fds(), 'passwd');
  });
});

test('another config of the same size and time is planned anew', async () => {
  await withKept(({ bundle, isUsed }) => {
    const file = join(bundle.dir, 'config.json');
    const { mtime, atime, size } = statSync(file);
    bundle.config.process.args = ['/payload', 'exit', '8'];
    writeConfig(bundle);
    utimesSync(file, atime, mtime);
    assert.is(statSync(file).size, size);
    assert.is(isUsed(), false);
    assert.is(runTinyrun(bundle, [...still, 'run', bundle.dir]).code, 8);
    assert.is(kept(bundle).length, 1, 'the new program takes the place of the old one');
    bundle.config.process.args = ['/payload', 'exit', '7'];
    writeConfig(bundle);
    assert.is(isUsed(), false);
  });
});

test('a bundle in the place of another is planned anew, and a missing one is an error', async () => {
  await withKept(({ bundle, isUsed }) => {
    renameSync(bundle.dir, `${bundle.dir}-old`);
    assert.is(isUsed({ cwd: '/' }), false);
    mkdirSync(bundle.dir);
    assert.match(
      runTinyrun(bundle, [...still, 'run', bundle.dir], { cwd: bundle.dir }).stderr,
      'config.json',
    );
    renameSync(`${bundle.dir}-old`, `${bundle.dir}-again`);
    rmSync(bundle.dir, { recursive: true });
    renameSync(`${bundle.dir}-again`, bundle.dir);
    assert.ok(isUsed(), 'it is back');
  });
});

test('another bind source, or none, is looked at again', async () => {
  await withKept(
    ({ bundle, isUsed }) => {
      const source = join(bundle.root, '../source');
      renameSync(source, `${source}-away`);
      assert.is(isUsed(), false, 'it is missing');
      writeFileSync(source, '');
      assert.is(isUsed(), false, 'it is a file');
      rmSync(source);
      symlinkSync(`${source}-away`, source);
      assert.ok(isUsed(), 'a link to a directory is a directory');
    },
    (bundle) => {
      mkdirSync(join(bundle.root, '../source'));
      return ['-v', `${join(bundle.root, '../source')}:/tmp`];
    },
  );
});

test('a bind source that was missing, and now is there, is looked at again', async () => {
  const source = (bundle: Bundle) => join(bundle.root, '../made');
  await withKept(
    ({ bundle, isUsed, keep }) => {
      rmSync(source(bundle), { recursive: true });
      assert.is(isUsed(), false, 'it is gone');
      keep(); // the program makes it
      assert.is(isUsed(), false, 'it is there');
      rmSync(source(bundle), { recursive: true });
      assert.ok(isUsed(), 'it is made once more');
      assert.ok(existsSync(source(bundle)));
    },
    (bundle) => {
      mkdirSync(source(bundle));
      return ['-v', `${source(bundle)}:/tmp`];
    },
  );
});

test('mount destinations in the rootfs are looked at again', async () => {
  await withKept(({ bundle, isUsed, keep }) => {
    const proc = join(bundle.rootfs, 'proc');
    rmSync(proc, { recursive: true });
    assert.is(isUsed(), false, 'one is gone');
    keep(); // the program makes it
    assert.ok(existsSync(proc));
    assert.is(isUsed(), false, 'one is there that was not');
    keep();
    assert.ok(isUsed());
  });
});

test('a mount destination that has become a dangling symlink is looked for where that leads', async () => {
  await withBundle((bundle) => {
    bundle.config.mounts?.push({ destination: '/mnt', type: 'tmpfs', source: 'tmpfs' });
    writeConfig(bundle);
    const run = () => runTinyrun(bundle, [...still, 'run', bundle.dir, '--', '/payload', 'mountinfo']);
    assert.match(run().stdout, / \/mnt /);
    rmSync(join(bundle.rootfs, 'mnt'), { recursive: true });
    symlinkSync('elsewhere', join(bundle.rootfs, 'mnt'));
    const { stdout, stderr, code } = run();
    assert.is(code, 0, stderr);
    assert.match(stdout, / \/elsewhere /);
  });
});

test('another passwd file in the rootfs is read again, where it says HOME', async () => {
  await withKept(({ bundle, isUsed, keep }) => {
    const passwd = join(bundle.rootfs, 'etc/passwd');
    writeFileSync(passwd, 'root:x:0:0::/home/one:/bin/sh\n');
    assert.is(isUsed(), false);
    keep();
    assert.ok(isUsed());
    writeFileSync(passwd, 'root:x:0:0::/home/two:/bin/sh\n');
    assert.is(isUsed(), false);
    const env = () => runTinyrun(bundle, [...still, 'run', bundle.dir, '--', '/payload', 'env']).stdout;
    assert.match(env(), 'HOME=/home/two');
    assert.match(env(), 'HOME=/home/two');
  });
});

test('another rootfs, or a file in its place, is looked at again', async () => {
  await withKept(({ bundle, isUsed }) => {
    renameSync(bundle.rootfs, `${bundle.rootfs}-away`);
    assert.is(isUsed(), false);
    writeFileSync(bundle.rootfs, '');
    assert.is(isUsed(), false);
    assert.match(runTinyrun(bundle, [...still, 'run', bundle.dir]).stderr, 'ENOTDIR');
    rmSync(bundle.rootfs);
    renameSync(`${bundle.rootfs}-away`, bundle.rootfs);
    assert.ok(isUsed());
  });
});

test('a program is for its command line and working directory', async () => {
  await withKept(({ bundle, isUsed, keep }) => {
    assert.is(isUsed({ cwd: '/' }), false, 'another directory');
    for (const args of [
      [...still, 'run', '--hostname', 'x', bundle.dir],
      [...still, 'run', `${bundle.dir}/`],
      [...still, 'run', bundle.dir, '--', '/payload', 'exit', '7'],
    ])
      assert.is(launched(bundle, args), undefined, args.join(' '));
    keep();
    assert.is(kept(bundle).length, 1);
    const relative = [...still, 'run', './bundle'];
    assert.is(runTinyrun(bundle, relative, { cwd: join(bundle.dir, '..') }).code, 7);
    assert.is(launched(bundle, relative, { cwd: join(bundle.dir, '..') }), 7);
    assert.is(launched(bundle, relative), undefined);
  });
});

test('`run NAME` is ambiguous as soon as there is a bundle here, too', async () => {
  await withKept(({ bundle }) => {
    const cwd = join(bundle.dir, '..');
    assert.is(runTinyrun(bundle, [...still, 'run', 'bundle'], { cwd }).code, 7);
    assert.is(launched(bundle, [...still, 'run', 'bundle'], { cwd }), 7);
    writeFileSync(join(cwd, 'config.json'), '{}');
    assert.is(launched(bundle, [...still, 'run', 'bundle'], { cwd }), undefined);
    assert.match(runTinyrun(bundle, [...still, 'run', 'bundle'], { cwd }).stderr, 'it may be the bundle');
  });
});

test('a program with an id of its own is used while the id is free', async () => {
  await withKept(({ bundle }) => {
    const byId = [...still, 'run', '--bundle', bundle.dir, bundle.id];
    const byName = [...still, 'run', '--name', bundle.id, '--rm', bundle.dir];
    for (const args of [byId, byName]) {
      assert.is(runTinyrun(bundle, args).code, 7);
      assert.is(launched(bundle, args), 7);
      const state = join(bundle.root, bundle.id);
      mkdirSync(state, 0o711); // as a killed tinyrun leaves it
      assert.is(launched(bundle, args), undefined);
      assert.is(runTinyrun(bundle, args).code, 7, 'it is cleaned up');
      assert.is(launched(bundle, args), 7);
    }
    assert.is(launched(bundle, [...still, 'run', '--bundle', bundle.dir, `${bundle.id}2`]), undefined);
  });
});

test('`run ID` means the bundle here only while there is no bundle of that name', async () => {
  await withKept(({ bundle }) => {
    assert.is(runTinyrun(bundle, [...still, 'run', bundle.id]).code, 7);
    assert.is(launched(bundle, [...still, 'run', bundle.id]), 7);
    mkdirSync(join(bundle.dir, bundle.id));
    writeFileSync(join(bundle.dir, bundle.id, 'config.json'), '{}');
    assert.is(launched(bundle, [...still, 'run', bundle.id]), undefined);
  });
});

test('a program is for its caller: limits, ignored signals, capabilities, hostname', async () => {
  await withKept(({ isUsed }) => {
    assert.is(isUsed({ before: 'ulimit -Sn 123' }), false, 'limit of open files');
    assert.is(isUsed({ before: 'ulimit -n 456' }), false, 'hard limit of open files');
    assert.is(isUsed({ before: 'trap "" USR1' }), false, 'ignored signals');
    assert.ok(
      isUsed({ before: 'umask 0; trap : USR1; ulimit -f 1000' }),
      'what is not handed on does not count',
    );
    assert.ok(isUsed({ wrap: ['setpriv', '--no-new-privs'] }), 'nor does this');
    assert.is(isUsed({ wrap: ['setpriv', '--bounding-set', '-sys_time'] }), false, 'capabilities');
    const wrap = (name: string) => ['unshare', '--uts', 'sh', '-c', `hostname ${name}; exec "$@"`, 'sh'];
    assert.is(isUsed({ wrap: wrap('other') }), false, 'hostname');
    assert.ok(isUsed({ wrap: wrap('"$(hostname)"') }), 'the same hostname');
  });
});

test('a program is for environments without what is handed on to containers', async () => {
  await withKept(({ isUsed }) => {
    for (const name of ['NOTIFY_SOCKET', 'LISTEN_FDS'])
      assert.is(isUsed({ env: { ...bareEnv(), [name]: '1' } }), false, name);
    const env = {
      ...bareEnv(),
      BUN_OPTIONS: '--x',
      NODE_OPTIONS: '--y',
      LD_PRELOAD: '/nowhere.so',
      HOME: '/x',
    };
    assert.ok(isUsed({ env }), 'nobody reads these');
  });
});

test('a program is for root', async () => {
  await withKept(({ bundle }) => {
    const { stderr, exitCode } = Bun.spawnSync(
      [
        ...['setpriv', '--reuid', '65534', '--clear-groups', tinyrun, '--root', bundle.root],
        ...['--data-root', bundle.dataRoot, ...still, 'run', bundle.dir],
      ],
      { cwd: '/' },
    );
    assert.is(exitCode, 125);
    assert.match(stderr.toString(), /^tinyrun: /); // JavaScript's words: the program would have run
  });
});

test('the programs of an executable in another place are its own: they may call it', async () => {
  await withKept(({ bundle, isUsed }) => {
    const executable = join(bundle.root, '../tinyrun');
    copyFileSync(tinyrun, executable);
    assert.is(isUsed({ executable }), false);
    const args = ['--root', bundle.root, '--data-root', bundle.dataRoot, ...still, 'run', bundle.dir];
    assert.is(Bun.spawnSync([executable, ...args], { cwd: bundle.dir }).exitCode, 7);
    assert.ok(isUsed({ executable }), 'one file is all of tinyrun');
    assert.ok(isUsed());
    assert.is(kept(bundle).length, 2);
  });
});

test('with a cgroup of its own, mounts of others do not count, those of cgroups do', async () => {
  await withBundle((bundle) => {
    bundle.config.process.args = ['/payload', 'exit', '7'];
    writeConfig(bundle);
    // In a mount namespace of its own: planned there, then after a mount.
    const after = (mount: string) =>
      launched(bundle, ['run', bundle.dir], {
        wrap: ['unshare', '--mount'],
        before: `"$0" "$@"; ${mount}`,
      });
    assert.is(after('mount -t tmpfs none /mnt'), 7);
    assert.is(after('mount -t cgroup2 none /mnt'), undefined);
  });
});

test('a file that is damaged, or of another build, is planned anew', async () => {
  await withKept(({ bundle, isUsed, keep }) => {
    const file = join(programs(bundle), kept(bundle)[0]!);
    const whole = readFileSync(file);
    const changed = (at: number, ...words: number[]): Buffer => {
      const copy = Buffer.from(whole);
      words.forEach((word, i) => void copy.writeUInt32LE(word, at + 4 * i));
      return copy;
    };
    const otherBuild = Buffer.from(whole);
    otherBuild[whole.readUInt32LE(16)]! ^= 1; // the invocation starts with the build
    const bad: Record<string, Uint8Array> = {
      'cut short': whole.subarray(0, 9000),
      'cut to its header': whole.subarray(0, 48),
      empty: new Uint8Array(),
      text: Buffer.from('damaged\n'.repeat(100)),
      'another magic': changed(0, 0x12345678),
      'another build': otherBuild,
      'an invocation outside': changed(16, 0x7fffffff),
      'no invocation': changed(20, 0),
      'a number outside': changed(48, 0xffffff00),
      'checks outside': changed(24, 0xfffffff0),
      'too many checks': changed(28, 0x0fffffff),
      'patches outside': changed(32, 0xfffffff0),
      'too many patches': changed(36, 0xffffffff),
      'a path outside': changed(56 + 8, 0xffffffff),
      'contents outside': changed(56 + 12, 0xffffff00),
      'an unknown check': changed(56, 99),
      'an image outside': changed(40, 0xffffff00, 0x100),
    };
    for (const [what, bytes] of Object.entries(bad)) {
      writeFileSync(file, bytes);
      assert.is(isUsed(), false, what);
      keep();
      assert.is(readFileSync(file).length, whole.length, `${what}: it was kept again`);
      assert.ok(isUsed());
    }
  });
});

test('programs are not taken from files and directories that are not root’s alone', async () => {
  await withKept(({ bundle, isUsed, keep }) => {
    const directory = programs(bundle);
    const file = join(directory, kept(bundle)[0]!);
    const refused = (what: string, change: () => void, back: () => void): void => {
      change();
      assert.is(isUsed(), false, what);
      keep();
      back();
      assert.ok(isUsed(), `${what}: changed back`);
    };
    for (const path of [directory, file]) {
      const { mode } = statSync(path);
      refused(
        `${path} is for others`,
        () => chmodSync(path, mode | 0o020),
        () => chmodSync(path, mode),
      );
      refused(
        `${path} is another's`,
        () => chownSync(path, 65534, 0),
        () => chownSync(path, 0, 0),
      );
    }
    const elsewhere = `${directory}-elsewhere`;
    refused(
      'the directory is a link',
      () => {
        renameSync(directory, elsewhere);
        symlinkSync(elsewhere, directory);
      },
      () => {
        rmSync(directory);
        renameSync(elsewhere, directory);
      },
    );
    copyFileSync(file, `${elsewhere}-file`);
    rmSync(file);
    symlinkSync(`${elsewhere}-file`, file);
    chmodSync(`${elsewhere}-file`, 0o600);
    assert.is(isUsed(), false, 'the file is a link');
  });
});

/**
 * `create` of an id, without JavaScript: its exit code; undefined where that is needed. The container would hold a pipe to
 * stderr open, so that the dynamic loader's words are lost: 127 is its exit code, and none of `create`.
 */
function launchedCreate(bundle: Bundle, id: string, ...options: string[]): number | undefined {
  const code = launched(bundle, [...still, 'create', ...options, '--bundle', bundle.dir, id], {
    before: 'exec >/dev/null 2>&1',
  });
  return code === 127 ? undefined : code;
}

async function withCreated(use: (bundle: Bundle, ids: string[]) => void | Promise<void>): Promise<void> {
  await withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'exit', '7'];
    writeConfig(bundle);
    const ids = ['a', 'b', 'c', 'd'].map((letter) => `${bundle.id}-${letter}`);
    const words = [...still, 'create', '--bundle', bundle.dir, ids[0]!];
    const child = startTinyrun(bundle, words, { cwd: bundle.dir });
    assert.is(await child.exited, 0);
    await use(bundle, ids);
  });
}

test('create: a kept program makes containers of other ids of the same length', async () => {
  await withCreated(async (bundle, [first = '', second = '']) => {
    assert.is(launchedCreate(bundle, second), 0);
    const [one, two] = [first, second].map((id) => {
      const text = readFileSync(join(bundle.root, id, 'state.json'), 'utf8');
      return text
        .replaceAll(id, 'ID')
        .replace(/"pid": *\d+/, '')
        .replace(/"created":"[^"]*"/, '');
    });
    assert.is(two, one);
    const { status, id, created } = JSON.parse(runTinyrun(bundle, ['state', second]).stdout);
    assert.equal([status, id], ['created', second]);
    assert.ok(Date.now() - Date.parse(created) < 60_000);
    assert.is(runTinyrun(bundle, ['start', second]).code, 0);
    for (const other of [first, second]) assert.is(runTinyrun(bundle, ['delete', '--force', other]).code, 0);
    assert.equal(readdirSync(bundle.root), ['.programs']);
  });
});

test('create: not where the id is taken, the config another, or the id longer', async () => {
  await withCreated((bundle, [first = '', second = '', third = '']) => {
    assert.is(launchedCreate(bundle, first), undefined);
    assert.match(
      runTinyrun(bundle, [...still, 'create', '--bundle', bundle.dir, first]).stderr,
      'container with given ID already exists',
    );
    assert.is(launchedCreate(bundle, `${second}b`), undefined);
    assert.is(launchedCreate(bundle, '-b'), undefined);
    bundle.config.process.args = ['/payload', 'exit', '8'];
    writeConfig(bundle);
    assert.is(launchedCreate(bundle, third), undefined);
    bundle.config.process.args = ['/payload', 'exit', '7'];
    writeConfig(bundle);
    assert.is(launchedCreate(bundle, third), 0);
  });
});

test('create: its cgroup is the container’s own, and one that is there is looked at', async () => {
  await withBundle((bundle) => {
    bundle.config.process.args = ['/payload', 'trap', '15'];
    writeConfig(bundle);
    const ids = ['a', 'b', 'c'].map((letter) => `${bundle.id}-${letter}`);
    const create = (id: string) => {
      const words = [
        tinyrun,
        '--root',
        bundle.root,
        '--data-root',
        bundle.dataRoot,
        'create',
        '-b',
        bundle.dir,
        id,
      ];
      assert.is(Bun.spawnSync(words, { stdio: ['ignore', 'ignore', 'ignore'] }).exitCode, 0);
    };
    for (const id of ids) create(id);
    for (const id of ids) {
      const { pid } = JSON.parse(runTinyrun(bundle, ['state', id]).stdout);
      const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
      const { tinyrun: saved } = JSON.parse(readFileSync(join(bundle.root, id, 'state.json'), 'utf8'));
      for (const { controllers, path } of saved.cgroups) {
        assert.ok(path.endsWith(`/${id}`), path);
        const line = lines.find((text) => text.split(':')[1] === controllers);
        assert.ok(line?.endsWith(`/${id}`), line);
      }
    }
  });
});

test('create: pid files have their own names, and a config that names its id is for that one', async () => {
  await withCreated((bundle, [, second = '', third = '', fourth = '']) => {
    const file = (name: string): string => join(bundle.dir, name);
    const options = (name: string) => ['--pid-file', file(name)];
    const words = [...still, 'create', ...options('pid1'), '--bundle', bundle.dir, second];
    assert.is(
      Bun.spawnSync([tinyrun, '--root', bundle.root, '--data-root', bundle.dataRoot, ...words], {
        cwd: bundle.dir,
        stdio: ['ignore', 'ignore', 'ignore'],
      }).exitCode,
      0,
    );
    assert.is(launchedCreate(bundle, third, ...options('pid2')), 0);
    const { pid } = JSON.parse(runTinyrun(bundle, ['state', third]).stdout);
    assert.is(Number(readFileSync(file('pid2'), 'utf8')), pid);
    for (const id of [second, third]) runTinyrun(bundle, ['delete', '--force', id]);

    bundle.config.hostname = fourth;
    writeConfig(bundle);
    const before = planned(bundle);
    const own = [...still, 'create', '--no-new-keyring', '--bundle', bundle.dir, fourth];
    assert.is(
      Bun.spawnSync([tinyrun, '--root', bundle.root, '--data-root', bundle.dataRoot, ...own], {
        cwd: bundle.dir,
        stdio: ['ignore', 'ignore', 'ignore'],
      }).exitCode,
      0,
    );
    assert.equal(planned(bundle), before);
  });
});

test('a log file is opened by the program, whatever its name', async () => {
  await withBundle((bundle) => {
    const file = (name: string): string => join(bundle.root, '..', name);
    const words = (name: string, ...args: string[]) => [
      ...['--log', file(name), '--log-format', 'json', ...still, 'run', bundle.dir, '--', ...args],
    ];
    for (const args of [
      ['/payload', 'exit', '7'],
      ['/payload-none', 'x'],
    ]) {
      runTinyrun(bundle, words('log1', ...args));
      assert.ok(existsSync(file('log1')));
      const planned = readFileSync(file('log1'), 'utf8');
      const begun = Date.now();
      assert.is(launched(bundle, words('log2', ...args)), args[1] === 'exit' ? 7 : 127);
      const text = readFileSync(file('log2'), 'utf8');
      const own = (line: string): string => line.replace(/"time":"[^"]*"/, '');
      assert.is(own(text), own(planned));
      if (text !== '') {
        const { time, level } = JSON.parse(text);
        assert.is(level, 'error');
        assert.ok(Math.abs(Date.parse(time) - begun) < 60_000, time);
      }
      rmSync(file('log1'));
      rmSync(file('log2'));
    }
    const gone = words('d/lg', '/payload', 'exit', '7');
    mkdirSync(file('d'));
    assert.is(runTinyrun(bundle, gone).code, 7);
    rmSync(file('d'), { recursive: true });
    const { stderr, code } = runTinyrun(bundle, gone);
    assert.is(code, 125);
    assert.match(stderr, /^tinyrun: --log: open [^\n]*d\/lg: ENOENT no such file or directory\n$/);
    assert.equal(readdirSync(bundle.root), ['.programs']);
  });
});

/** As many binds, each of two paths of 180 bytes and more. */
const longBinds = (bundle: Bundle, count: number): string[] =>
  Array.from({ length: count }, (_, i) => {
    const name = String(i).padStart(150, 'long-');
    const source = join(bundle.root, '..', name);
    for (const path of [source, join(bundle.rootfs, 'tmp', name)]) mkdirSync(path, { recursive: true });
    return ['-v', `${source}:/tmp/${name}`];
  }).flat();

test('a hundred binds of long paths are no reason to plan again', async () => {
  await withKept(
    ({ bundle, keep, isUsed }) => {
      rmSync(join(bundle.root, '..', String(99).padStart(150, 'long-')), { recursive: true });
      assert.is(isUsed(), false, 'the last of the sources is missing');
      keep();
      assert.ok(existsSync(join(bundle.root, '..', String(99).padStart(150, 'long-'))));
    },
    (bundle) => longBinds(bundle, 100),
  );
});

test('a command line of more than 64 KiB is planned each time', async () => {
  await withBundle((bundle) => {
    const args = [...still, 'run', ...longBinds(bundle, 200), bundle.dir, '--', '/payload', 'exit', '7'];
    for (let i = 0; i < 2; i++) assert.is(runTinyrun(bundle, args).code, 7);
    assert.equal(planned(bundle), []);
    assert.is(launched(bundle, args), undefined);
  });
});

test('runs with messages, traces or overlays are planned each time', async () => {
  await withBundle((bundle) => {
    const run = (global: string[], ...args: string[]) =>
      runTinyrun(bundle, [...global, ...still, 'run', ...args, bundle.dir, '--', '/payload', 'true']);
    assert.is(run(['--debug']).code, 0);
    for (const args of [['--trace', '2'], ['--overlay'], ['--engine', 'ffi'], ['--preserve-fds', '1']])
      assert.is(run([], ...args).code, 0, args.join(' '));
    assert.equal(kept(bundle), []);
    bundle.config.linux!.maskedPaths = [];
    bundle.config.process.capabilities!.bounding!.push('CAP_NONSENSE');
    writeConfig(bundle);
    for (let i = 0; i < 2; i++) assert.match(run([]).stderr, 'CAP_NONSENSE');
    assert.equal(kept(bundle), []);
  });
});

test.run();
