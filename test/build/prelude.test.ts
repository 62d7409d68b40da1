// The executable's first code (native-bindings/prelude.c), in an executable built as tinyrun is, and in tinyrun itself.

import { dlopen } from 'bun:ffi';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildExecutable } from '../../scripts/build.ts';
import { hostArch, top } from '../../scripts/native.ts';
import { injectPrelude } from '../../scripts/prelude.ts';
import { readPrelude } from '../../src/runtime/prelude.ts';

const source = `
import { readPrelude } from '${join(top, 'src/runtime/prelude.ts')}';
console.log(JSON.stringify({ prelude: readPrelude(), env: process.env, args: process.argv.slice(2) }));
`;

const { symbols } = dlopen('libc.so.6', { clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' } });
/** CLOCK_MONOTONIC in nanoseconds; the engine's own clocks start with the process. */
function monotonic(): number {
  const time = new BigInt64Array(2);
  symbols.clock_gettime(1, time);
  return Number(time[0]) * 1e9 + Number(time[1]);
}

/** What the program prints when started by `sh -c SCRIPT`, in a folder of its own. */
function inFolder(
  use: (folder: string, shell: (script: string, env?: Record<string, string>) => string) => void,
) {
  const folder = mkdtempSync('/tmp/tinyrun-test-');
  try {
    use(folder, (script, env = {}) => {
      const done = Bun.spawnSync(['sh', '-c', script], {
        cwd: folder,
        env: { PATH: process.env['PATH'], ...env },
      });
      assert.is(done.exitCode, 0, done.stderr.toString());
      return done.stdout.toString();
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Variables that make Bun's own executable do something else, each of which fails the program or shows in its output. */
const steering = {
  BUN_BE_BUN: '1',
  BUN_OPTIONS: '--preload=./evil.js',
  BUN_INSPECT: '127.0.0.1:0?wait=1',
  BUN_INSPECT_PRELOAD: './evil.js',
  NODE_OPTIONS: '--require ./evil.js',
  NODE_CHANNEL_FD: '1',
  JSC_dumpOptions: '3',
  JSC_dumpGeneratedBytecodes: '1',
  MiMalloc_Verbose: '1',
  Malloc: '1',
  ICU_DATA: '/nowhere',
};

test('the prelude keeps the soft limit of open files, the clock, and the environment but for what steers the engine', () => {
  inFolder((folder, shell) => {
    writeFileSync(join(folder, 'main.ts'), source);
    writeFileSync(join(folder, 'evil.js'), 'console.log("evil"); process.exit(66);');
    for (const file of ['bunfig.toml', '.bunfig.toml'])
      writeFileSync(join(folder, file), 'preload = ["./evil.js"]\n');
    writeFileSync(join(folder, '.env'), 'FROM_DOTENV=1\n');
    buildExecutable(join(folder, 'main.ts'), join(folder, 'main'));

    const before = monotonic();
    const env = {
      ...steering,
      BUNDLE: 'kept',
      NODE: 'kept',
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      EMPTY: '',
    };
    const seen = JSON.parse(shell('ulimit -Sn 123; ulimit -Hn 4567; exec ./main a --inspect -b', env));
    assert.equal(seen.prelude.noFile, { soft: 123, hard: 4567 });
    assert.ok(seen.prelude.startedAt > before && seen.prelude.startedAt < monotonic());
    assert.equal(seen.args, ['a', '--inspect', '-b']);
    const { PATH, PWD, ...rest } = seen.env;
    assert.ok(PATH !== undefined && PWD !== undefined);
    assert.equal(
      Object.keys(rest)
        .filter((name) => name !== '_' && name !== 'OLDPWD' && name !== 'SHLVL')
        .sort(),
      ['BUNDLE', 'EMPTY', 'HOME', 'NODE', 'XDG_CONFIG_HOME'],
    );

    const bare = JSON.parse(shell('exec env -i BUN_OPTIONS=--x ./main'));
    assert.equal(bare.env, {});
  });
});

test('tinyrun itself is not steered by the environment or by files of the working directory', () => {
  inFolder((folder, shell) => {
    writeFileSync(join(folder, 'evil.js'), 'console.log("evil"); process.exit(66);');
    for (const file of ['bunfig.toml', '.bunfig.toml'])
      writeFileSync(join(folder, file), 'preload = ["./evil.js"]\n');
    const command = `exec ${join(top, 'dist/tinyrun')} --version`;
    const plain = shell(command);
    assert.match(plain, /tinyrun/);
    assert.is(shell(command, { ...steering, HOME: folder, XDG_CONFIG_HOME: folder }), plain);
    assert.equal(readdirSync(folder).sort(), ['.bunfig.toml', 'bunfig.toml', 'evil.js']);
  });
});

test('without the build there is no prelude, and nothing is read', () => {
  assert.is(readPrelude(), undefined);
});

test('what is not an executable of fixed addresses is refused, untouched', () => {
  inFolder((folder) => {
    const file = join(folder, 'file');
    writeFileSync(file, 'not an executable');
    assert.throws(() => injectPrelude(file, hostArch), /not an ELF file/);
    writeFileSync(file, new Uint8Array(Bun.spawnSync(['cat', '/bin/sh']).stdout));
    assert.throws(() => injectPrelude(file, hostArch), /position-independent/);
    assert.is(Bun.spawnSync(['cmp', file, '/bin/sh']).exitCode, 0);
  });
});

test.run();
