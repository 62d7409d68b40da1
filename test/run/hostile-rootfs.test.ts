// Root filesystems that want out: symlinks in the place of every mount point and device, files that never end, and what
// a container leaves for the one who cleans up behind it. A victim beside the bundle must stay as it is, to the
// modification times. Races against the runtime are in races.test.ts.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Process } from '../../src/oci/config.ts';
import { type Bundle, type Result, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { runCommand } from '../support/container.ts';
import { assertFails, leftovers } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';
import { makeVictim, type Victim } from '../support/victim.ts';

/** What stands in the place of a mount point. */
const obstacles: Record<string, (path: string, victim: Victim) => void> = {
  'an absolute symlink': (path, { absolute }) => symlinkSync(`${absolute}/directory`, path),
  'an absolute symlink to a file': (path, { absolute }) => symlinkSync(`${absolute}/file`, path),
  'a symlink that climbs': (path, { relative }) => symlinkSync(`${relative}/directory`, path),
  'a symlink that climbs to a file': (path, { relative }) => symlinkSync(`${relative}/file`, path),
  'a symlink to a new name': (path, { relative }) => symlinkSync(`${relative}/new`, path),
  'a symlink to itself': (path) => symlinkSync(basename(path), path),
  'a symlink through proc': (path, { dir }) => symlinkSync(`/proc/self/root${dir}/directory`, path),
  'a symlink through proc/1': (path, { dir }) => symlinkSync(`/proc/1/cwd/../..${dir}/directory`, path),
  'a file': (path) => writeFileSync(path, ''),
  'a fifo': (path) => execFileSync('mkfifo', [path]),
};

const noDev = (config: Config) => {
  config.mounts = config.mounts?.filter(({ destination }) => !destination.startsWith('/dev')) ?? [];
};
const onlyPts = (config: Config) => {
  config.mounts = config.mounts?.filter(({ destination }) => !/^\/dev(?!\/pts)/.test(destination)) ?? [];
};
const terminal = (config: Config) => {
  onlyPts(config);
  config.process.terminal = true;
};
const nothing = () => {};

/** Mount points and devices, each with the config that has it made in the rootfs itself. */
const places: Record<string, (config: Config) => void> = {
  etc: nothing,
  proc: nothing,
  sys: nothing,
  dev: nothing,
  mnt: nothing,
  file: nothing,
  data: nothing,
  home: (config) => {
    config.process.cwd = '/home/here';
  },
  'etc/hosts': nothing,
  'etc/passwd': nothing,
  'dev/null': noDev,
  'dev/fd': noDev,
  'dev/ptmx': onlyPts,
  'dev/pts': onlyPts,
  'dev/console': terminal,
};

function addMounts({ config }: Bundle): void {
  config.mounts?.push(
    { destination: '/mnt/deep/er', source: '/usr', options: ['bind'] },
    { destination: '/file', source: 'config.json', options: ['bind'] },
    { destination: '/data', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777'] },
  );
}

/** A run ends well, or with one line of ours and nothing left. */
function assertClean(bundle: Bundle, result: Result): void {
  if (result.code === 0) assert.equal(leftovers(bundle), []);
  else assertFails(bundle, result, /^tinyrun: /, 125);
}

for (const [place, change] of Object.entries(places))
  test(`whatever stands in the place of /${place}, nothing outside of the rootfs is touched`, async () => {
    for (const [obstacle, make] of Object.entries(obstacles))
      await withBundle((bundle) => {
        const victim = makeVictim(bundle);
        change(bundle.config);
        addMounts(bundle);
        writeConfig(bundle);
        const path = join(bundle.rootfs, place);
        rmSync(path, { recursive: true, force: true });
        make(path, victim);
        for (const flags of [
          ['-v', `/usr:/${place}/usr`],
          ['--overlay', '--tmpfs', '/mnt/tmpfs'],
        ]) {
          const result = runTinyrun(bundle, ['run', ...flags, bundle.dir]);
          victim.assertUntouched(`${obstacle}, ${flags}: ${result.stderr}`);
          assertClean(bundle, result);
        }
      });
  });

test('proc and sysfs are mounted on ordinary directories only, so that what is masked is masked', () =>
  withBundle((bundle) => {
    for (const name of ['proc', 'sys']) {
      mkdirSync(join(bundle.rootfs, 'elsewhere'), { recursive: true });
      rmSync(join(bundle.rootfs, name), { recursive: true });
      symlinkSync('elsewhere', join(bundle.rootfs, name));
      const says = new RegExp(`^tinyrun: open /${name} in the rootfs as an ordinary directory: ENOTDIR`);
      assertFails(bundle, runTinyrun(bundle, ['run', bundle.dir]), says, 125);
      const inside = runTinyrun(bundle, ['run', '--overlay', bundle.dir, '--', '/payload', 'mountinfo']);
      assert.match(
        inside.stdout,
        new RegExp(` /${name} `),
        'in an overlay the init layer has a directory there',
      );
      assert.not.match(inside.stdout, / \/elsewhere/);
      rmSync(join(bundle.rootfs, name));
      mkdirSync(join(bundle.rootfs, name));
    }
  }));

/** What /etc/passwd may be; HOME is looked up there. */
const passwds: Record<string, (path: string, victim: Victim) => void> = {
  'a fifo': (path) => execFileSync('mkfifo', [path]),
  'a directory': (path) => mkdirSync(path),
  endless: (path) => execFileSync('mknod', [path, 'c', '1', '5']),
  'of a terabyte': (path) => {
    writeFileSync(path, '');
    truncateSync(path, 2 ** 40);
  },
  'a symlink to the host': (path, { absolute }) => symlinkSync(`${absolute}/passwd`, path),
  'without line ends': (path) => writeFileSync(path, 'x:'.repeat(100_000)),
};

for (const [name, make] of Object.entries(passwds))
  test(`an /etc/passwd that is ${name} holds nobody up`, () =>
    withBundle((bundle) => {
      make(join(bundle.rootfs, 'etc/passwd'), makeVictim(bundle));
      const { stdout, code } = runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'env'], {
        timeout: 5000,
      });
      assert.is(code, 0);
      assert.match(stdout, /^HOME=\/$/m);
    }));

/** A disk of the host that says where the home of user 4242 is; calls `use` with the minor number of its loop device. */
function withDisk(bundle: Bundle, use: (minor: string) => void): void {
  const image = join(bundle.dir, 'disk');
  writeFileSync(image, 'x:x:4242:0::/of-a-disk:/\n'.padEnd(4096, '\n'));
  const { stdout, code, stderr } = runCommand(['losetup', '--find', '--show', image]);
  assert.is(code, 0, stderr);
  try {
    use(/\d+$/.exec(stdout.trim())![0]);
  } finally {
    runCommand(['losetup', '--detach', stdout.trim()]);
  }
}

const noDisk = existsSync('/dev/loop-control') ? undefined : 'no loop devices';
const disk = 'an /etc/passwd that is a device is not opened, on a first run or a second';
if (noDisk !== undefined) skip(disk, noDisk);
else
  test(disk, () =>
    withBundle((bundle) =>
      withDisk(bundle, (minor) => {
        const path = join(bundle.rootfs, 'etc/passwd');
        bundle.config.process.user = { uid: 4242, gid: 0 };
        bundle.config.process.env = [];
        bundle.config.process.args = ['/payload', 'env'];
        writeConfig(bundle);
        const home = (): string => {
          const opens = join(bundle.dir, 'opens');
          const words = ['--root', bundle.root, '--data-root', bundle.dataRoot, 'run', bundle.dir];
          const tracer = ['strace', '-f', '-e', 'trace=openat,openat2', '-y', '-o', opens];
          const { stdout, stderr, code } = runCommand([
            ...(Bun.which('strace') ? tracer : []),
            tinyrun,
            ...words,
          ]);
          assert.is(code, 0, stderr);
          if (existsSync(opens)) assert.not.match(readFileSync(opens, 'utf8'), /^(?!.*O_PATH).*<.*passwd>/m);
          return stdout;
        };
        execFileSync('mknod', [path, 'b', '7', minor]);
        assert.match(home(), /^HOME=\/$/m);
        rmSync(path);
        writeFileSync(path, readFileSync(join(bundle.dir, 'disk')));
        assert.match(runTinyrun(bundle, ['run', bundle.dir]).stdout, /^HOME=\/of-a-disk$/m);
        assert.match(
          runTinyrun(bundle, ['run', bundle.dir]).stdout,
          /^HOME=\/of-a-disk$/m,
          'by a kept program',
        );
        rmSync(path);
        execFileSync('mknod', [path, 'b', '7', minor]);
        assert.match(home(), /^HOME=\/$/m);
      }),
    ),
  );

/** Runs tinyrun by a caller that leaves directories of the host open. */
function runCarelessly(bundle: Bundle, words: readonly string[]): Result {
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  const careless = ['sh', '-c', 'exec "$@" 3</ 4</ 9</', 'sh', tinyrun];
  return runCommand([...careless, ...roots, ...words]);
}

/** Configs that differ in what init has open when it enters the working directory and executes the program. */
const openings: Record<string, [flags: string[], change: (config: Config) => void]> = {
  'a plain run': [[], nothing],
  'an overlay': [['--overlay'], nothing],
  'an overlay with a bind': [['--overlay', '-v', '/usr:/mnt'], nothing],
  'a user namespace': [
    [],
    ({ linux }) => {
      linux?.namespaces?.push({ type: 'user' });
      linux!.uidMappings = [{ containerID: 0, hostID: 0, size: 65_536 }];
      linux!.gidMappings = [{ containerID: 0, hostID: 0, size: 65_536 }];
    },
  ],
  'a joined namespace': [
    [],
    ({ linux }) => {
      linux?.namespaces?.push({ type: 'cgroup', path: '/proc/self/ns/cgroup' });
    },
  ],
};

const UP = '../'.repeat(10);
const distribution = join(import.meta.dir, '../../dist');

for (const [name, [flags, change]] of Object.entries(openings))
  test(`no descriptor of ours is a way out, for the working directory or the program, in ${name}`, () =>
    withBundle((bundle) => {
      const victim = makeVictim(bundle);
      change(bundle.config);
      const run = (process: Partial<Process>, more: string[] = []) => {
        Object.assign(bundle.config.process, process);
        writeConfig(bundle);
        return runCarelessly(bundle, ['run', ...flags, ...more, bundle.dir]);
      };
      for (const fd of [3, 4, 5, 6, 7, 9]) {
        const cwd = `/proc/self/fd/${fd}/${UP}${victim.dir}/new`;
        const { stdout } = run({ cwd, args: ['/payload', 'cwd', '--', 'ls', '..'] });
        assert.not.ok(/unreachable|passwd/.test(stdout), `${fd}: ${stdout}`);
      }
      victim.assertUntouched('working directories');
      const fds = Array.from({ length: 60 }, (_, i) => `/proc/self/fd/${3 + i}/${UP}${distribution}`);
      const program = { cwd: '/', args: ['payload', 'args', 'out'], env: [`PATH=${fds.join(':')}`] };
      const executed = run(program);
      assert.is(executed.stdout, '');
      assert.is(executed.code, 127, executed.stderr);
      // That is how it would be: a caller may ask for it.
      assert.is(run(program, ['--preserve-fds', '1']).stdout, 'out\n');
    }));

test('a /dev that leads into a volume is refused: nothing is made or removed on the host', () =>
  withBundle((bundle) => {
    const volume = join(bundle.dir, 'volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'ptmx'), 'mine');
    rmSync(join(bundle.rootfs, 'dev'), { recursive: true });
    mkdirSync(join(bundle.rootfs, 'data'));
    symlinkSync('/data', join(bundle.rootfs, 'dev'));
    bundle.config.mounts = [{ destination: '/data', source: volume, options: ['bind'] }];
    writeConfig(bundle);
    const says = /^tinyrun: open \/dev in the rootfs as an ordinary directory: ENOTDIR/;
    assertFails(bundle, runTinyrun(bundle, ['run', bundle.dir]), says, 125);
    assert.is(execFileSync('ls', ['-A', volume]).toString(), 'ptmx\n');
    assert.is(readFileSync(join(volume, 'ptmx'), 'utf8'), 'mine');
  }));

test('a mask follows no symlink out of the rootfs, and covers what it leads to inside', () =>
  withBundle((bundle) => {
    const victim = makeVictim(bundle);
    const { rootfs, config } = bundle;
    writeFileSync(join(rootfs, 'secret'), 'secret');
    symlinkSync('/secret', join(rootfs, 'to-secret'));
    symlinkSync(`${victim.relative}/file`, join(rootfs, 'to-host'));
    symlinkSync('loop', join(rootfs, 'loop'));
    config.linux!.maskedPaths = ['/to-secret', '/to-host', '/missing'];
    config.linux!.readonlyPaths = ['/to-host', '/missing'];
    config.process.args = ['/payload', 'cat', '/secret'];
    writeConfig(bundle);
    const masked = runTinyrun(bundle, ['run', bundle.dir]);
    assert.is(masked.code, 0, masked.stderr);
    assert.is(masked.stdout, '');
    config.linux!.maskedPaths = ['/loop'];
    writeConfig(bundle);
    assertFails(bundle, runTinyrun(bundle, ['run', bundle.dir]), /open \/loop: ELOOP/, 125);
    victim.assertUntouched('masks');
  }));

test('cleaning up behind a container follows none of the symlinks that it left, however deep', () =>
  withBundle((bundle) => {
    const victim = makeVictim(bundle);
    const run = ['run', '--overlay', '--name', bundle.id, bundle.dir];
    assert.is(runTinyrun(bundle, run).code, 0);
    const upper = join(bundle.dataRoot, 'containers', bundle.id, 'upper');
    fillUpper(upper, victim);
    assert.is(runTinyrun(bundle, ['delete', bundle.id]).code, 0);
    victim.assertUntouched('deleted');
    assert.equal(leftovers(bundle), []);
  }));

/** What a container, root in its own layer, might leave there. */
function fillUpper(upper: string, { absolute, relative }: Victim): void {
  for (const [name, target] of Object.entries({
    a: absolute,
    r: relative,
    d: `${absolute}/directory`,
    up: '..',
  }))
    symlinkSync(target, join(upper, name));
  for (const name of ['-rf', ' ', '*', 'new\nline', '\u202e', 'x'.repeat(255), 'tinyrun-moved-0'])
    writeFileSync(join(upper, name), '');
  // Names that are no text, and directories deeper than PATH_MAX, each with a link to the host.
  const script = `
    cd "$1"; touch "$(printf '\\377\\376')"
    for i in $(seq 12); do mkdir -p "$3"; cd -P "$3"; ln -s "$2" out; done`;
  execFileSync('sh', ['-c', script, 'sh', upper, absolute, 'deep-down/'.repeat(100)]);
  mkdirSync(join(upper, 'locked'));
  symlinkSync(absolute, join(upper, 'locked', 'link'));
  chmodSync(join(upper, 'locked'), 0);
  execFileSync('mknod', [join(upper, 'whiteout'), 'c', '0', '0']);
}

test('a container that fills its own layer with symlinks and ends leaves the host alone', () =>
  withBundle((bundle) => {
    const victim = makeVictim(bundle);
    bundle.config.process.args = ['/payload', 'mkdir', '/new', '--', 'write', '/new/file', 'x'];
    writeConfig(bundle);
    for (const name of ['a', 'b']) symlinkSync(victim.absolute, join(bundle.rootfs, name));
    assert.is(runTinyrun(bundle, ['run', '--overlay', bundle.dir]).code, 0);
    victim.assertUntouched('purged');
    assert.equal(leftovers(bundle), []);
    assert.is(readFileSync(join(bundle.rootfs, 'a', 'file'), 'utf8'), "the host's file\n");
    assert.is(dirname(victim.dir), dirname(bundle.dir));
  }));

test('a second proc that a symlink of the image leads onto the first is masked as well', async () => {
  await withBundle((bundle) => {
    symlinkSync('/', join(bundle.rootfs, 'link'));
    mkdirSync(join(bundle.rootfs, 'proc'), { recursive: true });
    bundle.config.mounts!.push({ destination: '/link/proc', type: 'proc', source: 'proc' });
    bundle.config.linux!.maskedPaths = ['/proc/kallsyms', '/proc/fs'];
    bundle.config.linux!.readonlyPaths = ['/proc/sys'];
    const commands = ['cat', '/proc/kallsyms', '--', 'ls', '/proc/fs', '--', 'stat', '/proc/kallsyms'];
    bundle.config.process.args = ['/payload', ...commands];
    writeConfig(bundle);
    const { stdout, stderr, code } = runTinyrun(bundle, ['run', bundle.dir]);
    assert.equal([stderr, code], ['', 0]);
    assert.match(stdout, /^char 0666 \d+ \d+ 1:3 0 \/proc\/kallsyms\n$/);
  });
});

test.run();
