// The mount option tmpcopyup in whole containers: disk/copy-tree.ts behind plan/copy-up.ts, and the same bundle in crun
// and runc where these are installed. And the other command that stands behind a container, `purge`.

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import {
  type Bundle,
  runTinyrun,
  startTinyrun,
  tinyrun,
  withBundle,
  writeConfig,
} from '../support/bundle.ts';
import { mountAt, output, outputOf, type Run, refusalOf, runPayload, until } from '../support/container.ts';
import { leftovers, processesOf } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';
import { childrenOf, hasEnded } from '../support/steps.ts';
import { describeTree, makeTree, type Tree } from '../support/trees.ts';

const tmpfs =
  (destination: string, ...options: string[]) =>
  (config: Config): void =>
    void config.mounts!.push({ destination, type: 'tmpfs', source: 'tmpfs', options });

/** A directory /data of every kind of file in the rootfs, and a tmpfs on it. */
const filled =
  (...options: string[]) =>
  (config: Config, { rootfs }: Bundle): void => {
    const data = join(rootfs, 'data');
    mkdirSync(data);
    makeTree(data);
    chownSync(data, 7, 8);
    chmodSync(data, 0o2751);
    tmpfs('/data', 'tmpcopyup', ...options)(config);
  };

/** Runs a container until it has said that it is ready, looks at a directory of it, and ends it. */
async function lookInto(bundle: Bundle, command: string[], path: string): Promise<Tree> {
  bundle.config.process.args = ['/payload', 'args', 'ready', '--', 'sleep', '20'];
  writeConfig(bundle);
  const pidFile = join(bundle.dir, 'pid');
  const child = Bun.spawn([...command, '--pid-file', pidFile, '--bundle', bundle.dir, bundle.id], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    for await (const text of child.stdout) {
      assert.is(new TextDecoder().decode(text), 'ready\n');
      await until('the pid file is there', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
      const pid = readFileSync(pidFile, 'utf8');
      const tree = describeTree(`/proc/${pid}/root${path}`);
      process.kill(Number(pid), 'SIGKILL');
      return tree;
    }
    throw new Error(`${command.join(' ')} did not start it: ${await new Response(child.stderr).text()}`);
  } finally {
    await child.exited;
  }
}

const own = (bundle: Bundle): string[] => [
  tinyrun,
  '--root',
  bundle.root,
  '--data-root',
  bundle.dataRoot,
  'run',
];

test('a tmpfs with tmpcopyup starts as a copy of what it covers, in all that can be seen of it', async () => {
  for (const flags of [[], ['--overlay'], ['--engine', 'ffi']])
    await withBundle(async (bundle) => {
      filled('nosuid', 'nodev')(bundle.config, bundle);
      const source = describeTree(join(bundle.rootfs, 'data'));
      assert.equal(await lookInto(bundle, [...own(bundle), ...flags], '/data'), source, flags.join(' '));
      assert.equal(describeTree(join(bundle.rootfs, 'data')), source);
    });
});

/**
 * What crun 1.8 and runc 1.1 keep, too. They forget times, hard links and holes, and make root the owner of the tmpfs;
 * crun loses capabilities of files, and runc of directories all that its umask takes, and setgid and sticky bits.
 * @param modes the bits of modes to look at
 */
const kept = (tree: Tree, modes: number): Tree =>
  Object.fromEntries(
    Object.entries(tree).map(([name, { target, contents, size, device, owner, mode }]) => [
      name,
      {
        ...{ target, contents, size, device },
        owner: name === '.' ? '' : owner,
        mode: Number.parseInt(String(mode), 8) & modes,
      },
    ]),
  );

const userAttributes = (tree: Tree): string[] =>
  Object.entries(tree).flatMap(([name, { attributes }]) =>
    String(attributes)
      .split(',')
      .filter((text) => text.startsWith('user.'))
      .map((text) => `${name} ${text}`),
  );

test('crun fills a tmpfs with the same', async () => {
  if (Bun.which('crun') === null) return skip('crun fills a tmpfs with the same', 'crun is not installed');
  // Of a machine with both kinds of cgroup hierarchies crun 1.8 wants to see one only.
  const script =
    '[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup && exec crun --cgroup-manager=disabled "$@"';
  await withBundle(async (bundle) => {
    filled()(bundle.config, bundle);
    bundle.config.ociVersion = '1.0.2'; // it knows of none later than its own
    const crun = ['unshare', '-m', 'sh', '-c', script, 'crun', '--root', join(bundle.dir, 'crun'), 'run'];
    const theirs = await lookInto(bundle, crun, '/data');
    const ours = await lookInto(bundle, own(bundle), '/data');
    delete theirs['.']; // newer ones give it the mode of what it covers
    delete ours['.'];
    assert.equal(kept(ours, 0o177777), kept(theirs, 0o177777));
    assert.equal(userAttributes(ours), userAttributes(theirs));
    assert.ok(userAttributes(ours).length > 0);
  });
});

test('runc fills a tmpfs with the same, where it can', async () => {
  if (Bun.which('runc') === null) return skip('runc fills a tmpfs with the same', 'runc is not installed');
  await withBundle(async (bundle) => {
    filled()(bundle.config, bundle);
    const data = join(bundle.rootfs, 'data');
    // runc 1.1 fails at each of these.
    for (const name of [
      'fifo',
      'socket',
      'null',
      'block',
      'dangling',
      'sub/link-to-fifo',
      'sub/link-to-symlink',
    ])
      rmSync(join(data, name));
    const theirs = await lookInto(bundle, ['runc', '--root', join(bundle.dir, 'runc'), 'run'], '/data');
    const ours = await lookInto(bundle, own(bundle), '/data');
    assert.equal(kept(ours, 0o170755), kept(theirs, 0o170755));
    assert.is(ours['.']?.['mode'], theirs['.']?.['mode']);
  });
});

test('what is written there is in memory only, and mode=, uid=, gid= of the options win', async () => {
  await withBundle((bundle) => {
    const before = (): Tree => describeTree(join(bundle.rootfs, 'data'));
    filled('mode=1777', 'uid=3')(bundle.config, bundle);
    const tree = before();
    const commands = ['stat', '/data', '--', 'write', '/data/empty', 'x', '--', 'unlink', '/data/fifo'];
    assert.match(output(runPayload(bundle, commands)), /^directory 1777 3 8 /);
    assert.equal(before(), tree);
  });
});

test('a read-only tmpfs is filled, too', async () => {
  for (const option of ['ro', 'rro']) {
    const commands = ['cat', '/data/file', '--', 'try', 'write', '/data/new', '', '--', 'mountinfo'];
    const printed = await outputOf(commands, { config: filled(option) });
    assert.match(printed, /^contents\nwrite: 30 Read-only file system\n/);
    assert.ok(mountAt(printed, '/data').options.includes('ro'));
  }
});

test('several are filled each with its own, over a bind with what that shows, over nothing with nothing', async () => {
  const config: Run['config'] = (config, { rootfs, dir }) => {
    for (const name of ['a', 'b', 'c/inner']) mkdirSync(join(rootfs, name), { recursive: true });
    for (const name of ['a/in-a', 'b/in-b', 'c/inner/in-c']) writeFileSync(join(rootfs, name), '');
    mkdirSync(join(dir, 'host'));
    writeFileSync(join(dir, 'host/in-bind'), '');
    for (const destination of ['/a', '/b', '/c', '/c/inner']) tmpfs(destination, 'tmpcopyup')(config);
    config.mounts!.push({ destination: '/bound', source: 'host', options: ['bind'] });
    for (const destination of ['/bound', '/missing/directory']) tmpfs(destination, 'tmpcopyup')(config);
  };
  const commands = ['/a', '/b', '/c/inner', '/bound', '/missing/directory'].flatMap((path) => [
    'ls',
    path,
    '--',
  ]);
  assert.is(await outputOf(commands.slice(0, -1), { config }), 'in-a\nin-b\nin-c\nin-bind\n');
});

test('--tmpfs takes the option as well', async () => {
  const flags = ['--tmpfs', '/etc:tmpcopyup,size=1m'];
  const config: Run['config'] = (_, { rootfs }) => writeFileSync(join(rootfs, 'etc/name'), 'value');
  assert.match(
    await outputOf(['cat', '/etc/name', '--', 'mountinfo'], { config, flags }),
    /^value.* \/etc /s,
  );
});

test('a destination that leads outside by a symlink copies nothing of the host', async () => {
  const config: Run['config'] = (config, { rootfs, dir }) => {
    mkdirSync(join(dir, 'outside'));
    writeFileSync(join(dir, 'outside/secret'), '');
    symlinkSync('../../outside', join(rootfs, 'relative'));
    symlinkSync(join(dir, 'outside'), join(rootfs, 'absolute'));
    for (const name of ['/relative', '/absolute']) tmpfs(name, 'tmpcopyup')(config);
  };
  assert.is(await outputOf(['ls', '/relative/', '--', 'ls', '/absolute/'], { config }), '');
});

test('a tmpfs that is too small for it is refused in one line, also in the log, and nothing is left', async () => {
  await withBundle((bundle) => {
    filled('size=64k')(bundle.config, bundle);
    writeConfig(bundle);
    const message =
      'fill the tmpfs on /data: copy large: ENOSPC no space left on device; give it a larger size= or nr_inodes= in the options of the mount';
    for (const keep of [[], ['--keep']]) {
      const { stdout, stderr, code } = runTinyrun(bundle, ['run', ...keep, bundle.dir]);
      assert.equal([stdout, stderr, code], ['', `tinyrun: ${message}\n`, 125]);
      assert.equal(leftovers(bundle), []);
    }
    const log = join(bundle.dir, 'log');
    assert.is(runTinyrun(bundle, ['--log', log, '--log-format', 'json', 'run', bundle.id]).code, 1);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    assert.equal(
      lines.map((line) => JSON.parse(line).msg),
      [message],
    );
  });
});

test('what is no directory cannot be covered', async () => {
  const words = await refusalOf({ config: tmpfs('/payload', 'tmpcopyup') });
  assert.is(words, 'tinyrun: open /payload to copy it: ENOTDIR not a directory');
});

test('in a user namespace it is copied as root there', async () => {
  const user = 100_000;
  const check = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', tinyrun, '--version'];
  if (Bun.spawnSync(check).exitCode !== 0)
    return skip('in a user namespace it is copied as root there', `user ${user} may not execute ${tinyrun}`);
  const config: Run['config'] = (config, { rootfs, dir }) => {
    for (const folder of [dir, join(dir, '..')]) chmodSync(folder, 0o755);
    mkdirSync(join(rootfs, 'data/sub'), { recursive: true });
    writeFileSync(join(rootfs, 'data/file'), '');
    symlinkSync('/etc/shadow', join(rootfs, 'data/link'));
    for (const name of ['.', 'data', 'data/sub', 'data/file']) chownSync(join(rootfs, name), user, user);
    chownSync(join(rootfs, 'data/sub'), user + 5, user + 6);
    chmodSync(join(rootfs, 'data/sub'), 0o2750);
    tmpfs('/data', 'tmpcopyup')(config);
    config.linux!.namespaces!.push({ type: 'user' });
    config.linux!.uidMappings = config.linux!.gidMappings = [{ containerID: 0, hostID: user, size: 65536 }];
  };
  const printed = await outputOf(['stat', '/data/file', '/data/sub', '--', 'readlink', '/data/link'], {
    config,
  });
  assert.match(printed, /^file 0644 0 0 .*\ndirectory 2750 5 6 .*\n\/etc\/shadow\n$/);
});

test('a container killed while its tmpfs is filled leaves nothing', async () => {
  await withBundle(async (bundle) => {
    filled()(bundle.config, bundle);
    for (let i = 0; i < 10_000; i++) writeFileSync(join(bundle.rootfs, 'data', `file-${i}`), 'some text');
    // Without a pid namespace the kernel ends nobody but those who asked for it.
    bundle.config.linux!.namespaces = [{ type: 'mount' }];
    delete bundle.config.hostname;
    writeConfig(bundle);
    const child = startTinyrun(bundle, ['run', bundle.dir]);
    const copiers = (): number[] => childrenOf(child.pid).flatMap(childrenOf);
    await until('it is copying', () => copiers().length > 0);
    const family = [...childrenOf(child.pid), ...copiers()];
    child.kill('SIGKILL');
    await child.exited;
    await until('all its processes have ended', () => family.every(hasEnded));
    assert.equal(processesOf(bundle), []);
  });
});

// purge

test('what an overlay container has written is removed when it ends, and its exit code is kept', async () => {
  await withBundle((bundle) => {
    writeConfig(bundle);
    const write = ['mkdir', '/deep', '--', 'mkdir', '/deep/er', '--', 'write', '/deep/er/file', 'x', '--'];
    for (const [command, expected] of [
      [['exit', '42'], 42],
      [['true'], 0],
      [['exit', '255'], 255],
      [['cat', '/no-such-file'], 1],
    ] as const) {
      const { code } = runPayload(bundle, [...write, ...command], { flags: ['--overlay'] });
      assert.is(code, expected);
      assert.equal(leftovers(bundle), []);
      assert.not.ok(existsSync(join(bundle.rootfs, 'deep')));
    }
    assert.equal(readdirSync(join(bundle.dataRoot, 'containers')), []);
  });
});

test('purge and copy-up refuse what no program of ours calls them with', async () => {
  await withBundle((bundle) => {
    const rows: [string[], string][] = [
      [['purge', bundle.id, '-'], `purge ${bundle.id}: "-" is no exit code`],
      [['purge', '../x', '1'], '"../x"'],
      [['copy-up', 'x', '4', '/'], 'copy-up: "x" is no file descriptor'],
      [
        ['copy-up', '998', '999', '/data'],
        'fill the tmpfs on /data: open the directories: EBADF bad file descriptor',
      ],
    ];
    for (const [words, message] of rows) {
      const { stdout, stderr, code } = runTinyrun(bundle, words);
      assert.ok(stderr.startsWith('tinyrun: ') && stderr.includes(message), stderr);
      assert.equal([stdout, code, stderr.split('\n').length], ['', 1, 2]);
    }
  });
});

test.run();
