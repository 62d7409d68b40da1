// Programs of earlier runs are used again: same results, own ids, and nothing that root alone has not written.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
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

const programs = ({ root }: Bundle): string => join(root, '.programs');
const kept = (bundle: Bundle): string[] =>
  existsSync(programs(bundle)) ? readdirSync(programs(bundle)) : [];

/** What a container sees, without what differs between any two: mount ids, the container's own, devices and inode numbers. */
function look(bundle: Bundle): string {
  const args = ['run', bundle.dir, '--', '/payload'];
  const words = ['mountinfo', '--', 'status', '--', 'env', '--', 'limits', '--', 'hostname', '--', 'fds'];
  const { stdout, stderr, code } = runTinyrun(bundle, [...args, ...words]);
  assert.is(code, 0, stderr);
  return stdout
    .replace(/^\d+ \d+ \d+:\d+ /gm, '')
    .replace(/(master|shared):\d+/g, '$1')
    .replace(/^(Pid|Tgid|NSpid|voluntary_ctxt_switches|nonvoluntary_ctxt_switches|Vm\w+|Rss\w+):.*$/gm, '')
    .replace(/\/[0-9a-f]{12}( \/sys\/fs\/cgroup)/g, '/ID$1') // its cgroup is named after it
    .replace(/(pipe|socket):\[\d+\]/g, '$1');
}

test('a container from a kept program is the same as one that was planned', async () => {
  await withBundle((bundle) => {
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
    for (let i = 0; i < 3; i++) {
      started.push(startTinyrun(bundle, ['run', bundle.dir]));
      await Bun.sleep(150);
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
    assert.is(new Set(texts.map(({ created }) => created)).size, 3);
    assert.equal(readdirSync(bundle.root), ['.programs']);
  });
});

test('another config, another command line, another rootfs make another program', async () => {
  await withBundle((bundle) => {
    const say = (...args: string[]) =>
      runTinyrun(bundle, ['run', ...args, bundle.dir, '--', '/payload', 'hostname']);
    say();
    bundle.config.hostname = 'changed';
    writeConfig(bundle);
    assert.is(say().stdout.trim(), 'changed');
    assert.is(say('--hostname', 'flag').stdout.trim(), 'flag');
    assert.is(kept(bundle).length, 3);
    rmSync(join(bundle.rootfs, 'proc'), { recursive: true });
    assert.is(say().stdout.trim(), 'changed');
    assert.is(kept(bundle).length, 3);
    writeFileSync(join(bundle.rootfs, 'etc/passwd'), 'root:x:0:0::/home/of/root:/bin/sh\n');
    assert.match(
      runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'env']).stdout,
      'HOME=/home/of/root',
    );
  });
});

test('a mount destination that has become a dangling symlink is looked for where that leads', async () => {
  await withBundle((bundle) => {
    bundle.config.mounts?.push({ destination: '/mnt', type: 'tmpfs', source: 'tmpfs' });
    writeConfig(bundle);
    const run = () => runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'mountinfo']);
    assert.match(run().stdout, / \/mnt /);
    rmSync(join(bundle.rootfs, 'mnt'), { recursive: true });
    symlinkSync('elsewhere', join(bundle.rootfs, 'mnt'));
    const { stdout, stderr, code } = run();
    assert.is(code, 0, stderr);
    assert.match(stdout, / \/elsewhere /);
  });
});

test('the programs of an executable in another place are its own: they may call it', async () => {
  await withBundle((bundle) => {
    const other = join(bundle.root, '../tinyrun');
    copyFileSync(tinyrun, other);
    for (const executable of [other, tinyrun]) {
      const args = ['--root', bundle.root, '--data-root', bundle.dataRoot, 'run', bundle.dir];
      assert.is(Bun.spawnSync([executable, ...args]).exitCode, 0);
    }
    assert.is(kept(bundle).length, 2);
  });
});

test('a kept program that is cut short or not of its key is planned anew', async () => {
  await withBundle((bundle) => {
    const run = () => runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'exit', '7']).code;
    assert.is(run(), 7);
    const file = join(programs(bundle), kept(bundle)[0]!);
    const whole = readFileSync(file);
    const bad = [
      whole.subarray(0, 9000),
      whole.subarray(0, 20),
      '',
      '{}\n',
      'damaged\n',
      whole.toString('latin1').replace(/"key":"./, '"key":"!'),
    ];
    for (const text of bad) {
      writeFileSync(file, text, 'latin1');
      assert.is(run(), 7);
      assert.equal(readFileSync(file).length, whole.length, 'it was kept again');
    }
  });
});

test('programs are not taken from a directory that is not for root alone', async () => {
  await withBundle((bundle) => {
    const run = () => runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'exit', '7']).code;
    run();
    const file = join(programs(bundle), kept(bundle)[0]!);
    const text = readFileSync(file);
    const header = text.subarray(0, text.indexOf('\n') + 1);
    // Were it used, it would fail: it is the header with zeroes behind it.
    writeFileSync(file, Buffer.concat([header, Buffer.alloc(text.length - header.length)]));
    chmodSync(programs(bundle), 0o770);
    assert.is(run(), 7);
    assert.is(readFileSync(file).at(-1), 0, 'and nothing is written there');
  });
});

test('runs with messages, names, traces or overlays are planned each time', async () => {
  await withBundle((bundle) => {
    const run = (...args: string[]) =>
      runTinyrun(bundle, ['run', ...args, bundle.dir, '--', '/payload', 'true']);
    for (const args of [['--name', 'a', '--rm'], ['--trace', '2'], ['--overlay'], ['--engine', 'ffi']])
      assert.is(run(...args).code, 0);
    bundle.config.linux!.resources = { memory: { kernel: 1 } };
    writeConfig(bundle);
    for (let i = 0; i < 2; i++) assert.match(run().stderr, '/linux/resources/memory/kernel');
    assert.equal(kept(bundle), []);
  });
});

test.run();
