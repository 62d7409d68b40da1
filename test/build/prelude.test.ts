// The executable's first code (native-bindings/prelude.c), in an executable built as tinyrun is, and in tinyrun itself.

import { dlopen } from 'bun:ffi';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildExecutable } from '../../scripts/build.ts';
import { compilerFor, hostArch, top } from '../../scripts/native.ts';
import { compilePrelude, injectPrelude } from '../../scripts/prelude.ts';
import { readInvocation, readPrelude } from '../../src/runtime/prelude.ts';
import { skip } from '../support/skip.ts';

const source = `
import { readPrelude } from '${join(top, 'src/runtime/prelude.ts')}';
const { BUN_JSC_useWarmUpMarkedBlocks: heap, BUN_JSC_useFTLJIT: compiler, ...env } = process.env;
console.log(JSON.stringify({ prelude: readPrelude(), own: [heap, compiler], env, args: process.argv.slice(2) }));
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

    for (const variables of ['BUN_OPTIONS=--x', '', 'BUN_JSC_useWarmUpMarkedBlocks=1 BUN_JSC_useFTLJIT=1']) {
      const bare = JSON.parse(shell(`exec env -i ${variables} ./main`));
      assert.equal(bare.env, {});
      assert.equal(bare.own, ['0', '0'], 'what the engine always gets');
    }
    // What the kernel puts behind the environment moves with it, by any number of words.
    for (let removed = 0; removed < 6; removed++) {
      const words = Array.from({ length: removed }, (_, i) => `BUN_${i}=x A${i}=y`).join(' ');
      const { env } = JSON.parse(shell(`exec env -i FIRST=1 ${words} LAST=2 ./main`));
      assert.equal(Object.keys(env), [
        'FIRST',
        ...Array.from({ length: removed }, (_, i) => `A${i}`),
        'LAST',
      ]);
    }
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

test('the prelude starts before the dynamic loader, and loads that for the engine', () => {
  const { stdout } = Bun.spawnSync(['readelf', '--program-headers', '--wide', join(top, 'dist/tinyrun')]);
  assert.not.match(stdout.toString(), 'INTERP');
  inFolder((_, shell) => {
    const said = shell(`LD_PRELOAD=/nowhere.so ${join(top, 'dist/tinyrun')} --version 2>&1`);
    assert.match(said, /nowhere\.so.*cannot be preloaded/);
    assert.match(said, /tinyrun version/);
  });
});

test('with the setuid bit, tinyrun refuses everybody, and no library of the caller is loaded', () => {
  if (process.geteuid?.() !== 0) return skip('tinyrun with the setuid bit', 'this takes root');
  inFolder((folder, shell) => {
    const copy = join(folder, 'tinyrun');
    copyFileSync(join(top, 'dist/tinyrun'), copy);
    chmodSync(folder, 0o755);
    chmodSync(copy, 0o4755);
    const nobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups';
    for (const words of ['list', 'state x', 'run x'])
      assert.is(
        shell(
          `LD_PRELOAD=/nowhere.so ${nobody} ./tinyrun --root ${folder} ${words} 2>&1; test $? = 1`,
        ).replace(/^ERROR.*cannot be preloaded.*\n/gm, ''),
        'tinyrun: this executable must not be setuid: remove the bit\n',
      );
    assert.match(
      shell(`env LD_PRELOAD= ${nobody} env LD_PRELOAD=/nowhere.so ./tinyrun list 2>&1; true`),
      /^tinyrun: this[^\n]*\n$/,
    );
  });
});

test('the prelude compiles without a warning for the other architecture', () => {
  const arch = hostArch === 'x64' ? 'arm64' : 'x64';
  if (compilerFor(arch) === undefined)
    return skip('the prelude for the other architecture', `no C compiler for ${arch}`);
  const engine = { entry: 0x1000, interpreterHeader: 0x200078, interpreterPath: '/lib/ld.so' };
  assert.ok(compilePrelude(arch, engine, 'build').length > 1000);
});

test('without the build there is no prelude, and nothing is read', () => {
  assert.is(readPrelude(), undefined);
  assert.is(readInvocation(), undefined);
});

test('what is not an executable of fixed addresses is refused, untouched', () => {
  inFolder((folder) => {
    const file = join(folder, 'file');
    writeFileSync(file, 'not an executable');
    assert.throws(() => injectPrelude(file, hostArch, 'build'), /not an ELF file/);
    writeFileSync(file, new Uint8Array(Bun.spawnSync(['cat', '/bin/sh']).stdout));
    assert.throws(() => injectPrelude(file, hostArch, 'build'), /position-independent/);
    assert.is(Bun.spawnSync(['cmp', file, '/bin/sh']).exitCode, 0);
  });
});

test.run();
