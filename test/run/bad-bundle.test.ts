// Bundles that are none, or not quite: what is told of config.json and the rootfs as files. Everything is found before
// anything is made. That a file cannot be read for its mode alone cannot happen: the runtime is root, who may read all.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { assertRefused } from '../support/refusal.ts';

interface Case {
  /** What is done to a good bundle. */
  spoil: (bundle: Bundle, file: string) => void;
  says: RegExp;
}

/** config.json as a file. */
const files: Record<string, Case> = {
  'that is missing': {
    spoil: (_, file) => rmSync(file),
    says: /^tinyrun: read .+\/bundle\/config\.json: ENOENT .+`tinyrun spec`$/m,
  },
  'that is a directory': {
    spoil: (_, file) => {
      rmSync(file);
      mkdirSync(file);
    },
    says: /read .+\/config\.json: EISDIR/,
  },
  'that is a fifo, without waiting for its other end': {
    spoil: (_, file) => {
      rmSync(file);
      execFileSync('mkfifo', [file]);
    },
    says: /config\.json is empty/,
  },
  'that is a dangling symlink': {
    spoil: (bundle, file) => {
      rmSync(file);
      symlinkSync(`${bundle.dir}/nowhere`, file);
    },
    says: /read .+\/config\.json: ENOENT/,
  },
  'that is a symlink to itself': {
    spoil: (_, file) => {
      rmSync(file);
      symlinkSync('config.json', file);
    },
    says: /read .+\/config\.json: ELOOP/,
  },
  'that is endless': {
    spoil: (_, file) => {
      rmSync(file);
      symlinkSync('/dev/zero', file);
    },
    says: /read .+\/config\.json: it is larger than 16 MiB/,
  },
  'of more than 16 MiB': {
    spoil: (_, file) => truncateSync(file, 16 * 1024 * 1024 + 1),
    says: /read .+\/config\.json: it is larger than 16 MiB/,
  },
  'that is empty': {
    spoil: (_, file) => truncateSync(file, 0),
    says: /config\.json is empty/,
  },
};

/** config.json as a text. */
const texts: Record<string, [text: string | Buffer, says: RegExp]> = {
  'of spaces': [' \n\t', /config\.json is empty/],
  'of words': ['hello', /config\.json: line 1, column 1: expected a value, found "hello"/],
  'of YAML': ['ociVersion: 1.0.0\n', /config\.json: line 1, column 1: expected a value/],
  'of random bytes': [Buffer.from([0x7f, 0x45, 0xff, 0xfe, 0x00]), /config\.json: line 1, column 1/],
  'that is truncated': [
    '{"ociVersion": "1.0.0", "process": {"args": ["a"',
    /line 1, column \d+: .+truncated\?/,
  ],
  'cut in a string': ['{"ociVersion": "1.0', /line 1, column 16: .+a string that is not closed/],
  'with a trailing comma': ['{"ociVersion": "1.0.0",}', /line 1, column 24: expected a name/],
  'with a comment': ['{\n  // mine\n}', /line 2, column 3: expected a name/],
  'with two values': ['{} {}', /line 1, column 4: expected the end/],
  'that is a list': ['[]', /config\.json must hold a JSON object, it holds a list/],
  'that is null': ['null', /config\.json must hold a JSON object, it holds null/],
  'that is a number': ['7', /config\.json must hold a JSON object, it holds a number/],
  'nested a hundred thousand deep': ['['.repeat(100_000), /config\.json: line 1, column \d+/],
  'without fields': [
    '{}',
    /config\.json: \/ociVersion: is missing; .+\/root: is missing; .+\/process: is missing/,
  ],
};

/** The rootfs. */
const roots: Record<string, Case> = {
  missing: {
    spoil: (bundle) => renameSync(bundle.rootfs, `${bundle.dir}/elsewhere`),
    says: /\/root\/path: open rootfs .+\/bundle\/rootfs: ENOENT/,
  },
  'a file': {
    spoil: (bundle) => {
      rmSync(bundle.rootfs, { recursive: true });
      writeFileSync(bundle.rootfs, '');
    },
    says: /\/root\/path: open rootfs .+\/bundle\/rootfs: ENOTDIR/,
  },
  'a dangling symlink': {
    spoil: (bundle) => {
      rmSync(bundle.rootfs, { recursive: true });
      symlinkSync('/nowhere/at/all', bundle.rootfs);
    },
    says: /\/root\/path: open rootfs .+\/bundle\/rootfs: ENOENT/,
  },
  'a symlink to itself': {
    spoil: (bundle) => {
      rmSync(bundle.rootfs, { recursive: true });
      symlinkSync('rootfs', bundle.rootfs);
    },
    says: /\/root\/path: open rootfs .+\/bundle\/rootfs: ELOOP/,
  },
  'a path of 5000 characters': {
    spoil: (bundle) => {
      bundle.config.root.path = 'x'.repeat(5000);
      writeConfig(bundle);
    },
    says: /\/root\/path: open rootfs .+: ENAMETOOLONG/,
  },
  'below a file': {
    spoil: (bundle) => {
      bundle.config.root.path = 'config.json/rootfs';
      writeConfig(bundle);
    },
    says: /\/root\/path: open rootfs .+\/config\.json\/rootfs: ENOTDIR/,
  },
  'an empty path': {
    spoil: (bundle) => {
      bundle.config.root.path = '';
      writeConfig(bundle);
    },
    says: /config\.json: \/root\/path: is empty/,
  },
};

const spoiled = ({ spoil, says }: Case, flags: string[] = []) =>
  withBundle((bundle) => {
    spoil(bundle, `${bundle.dir}/config.json`);
    assertRefused(bundle, says, { flags });
  });

for (const [name, spec] of Object.entries(files))
  test(`run refuses a config.json ${name}`, () => spoiled(spec));
for (const [name, [text, says]] of Object.entries(texts))
  test(`run refuses a config.json ${name}`, () =>
    spoiled({ spoil: (_, file) => writeFileSync(file, text), says }));
for (const [name, spec] of Object.entries(roots)) {
  test(`run refuses a rootfs that is ${name}`, () => spoiled(spec));
  test(`run --overlay refuses a rootfs that is ${name}`, () => spoiled(spec, ['--overlay']));
}

test('run refuses a bundle that is missing, or a file', () =>
  withBundle((bundle) => {
    assertRefused(bundle, /read .+\/nowhere\/config\.json: ENOENT/, { path: `${bundle.dir}/nowhere` });
    assertRefused(bundle, /read .+\/payload\/config\.json: ENOTDIR/, { path: `${bundle.rootfs}/payload` });
  }));

test('a config.json of mode 0 is read: root may', () =>
  withBundle((bundle) => {
    chmodSync(`${bundle.dir}/config.json`, 0);
    assertRefused(bundle, /"\/nowhere": stat \/nowhere: no such file/, { args: ['/nowhere'], code: 127 });
  }));

/** What a JavaScript engine would read in its working directory, or be told by its environment. */
function plant({ dir }: Bundle): Record<string, string> {
  const evil = `${dir}/evil.js`;
  writeFileSync(evil, `require('node:fs').writeFileSync(${JSON.stringify(`${dir}/ran`)}, '');`);
  for (const name of ['yargs', 'bun:ffi', 'node_modules']) {
    mkdirSync(`${dir}/node_modules/${name}`, { recursive: true });
    writeFileSync(`${dir}/node_modules/${name}/index.js`, `require(${JSON.stringify(evil)})`);
  }
  const [preload, paths] = [`preload = ["./evil.js"]\n`, { '*': ['./evil.js'] }];
  writeFileSync(`${dir}/bunfig.toml`, `${preload}[run]\n${preload}[test]\n${preload}`);
  writeFileSync(`${dir}/.env`, 'EVIL=1\nBUN_OPTIONS=--preload=./evil.js\nTINYRUN_EVIL=1\n');
  writeFileSync(`${dir}/package.json`, JSON.stringify({ main: 'evil.js', imports: { '#x': './evil.js' } }));
  writeFileSync(`${dir}/tsconfig.json`, JSON.stringify({ compilerOptions: { baseUrl: '.', paths } }));
  return {
    BUN_OPTIONS: `--preload=${evil}`,
    BUN_INSPECT: '127.0.0.1:0?wait=1',
    BUN_INSPECT_PRELOAD: evil,
    BUN_BE_BUN: '1',
    NODE_OPTIONS: `--require ${evil}`,
    NODE_PATH: `${dir}/node_modules`,
  };
}

test('nothing in the bundle or the environment gets code into tinyrun', () =>
  withBundle((bundle) => {
    const env = { ...process.env, ...plant(bundle) };
    for (const cwd of [bundle.dir, bundle.rootfs]) {
      const inside = runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'env'], { cwd, env });
      assert.is(inside.stderr, '');
      assert.is(inside.code, 0);
      assert.not.match(inside.stdout, /EVIL|BUN_|NODE_/);
      for (const words of [
        ['list'],
        ['explain', bundle.dir],
        ['run', '--help'],
        ['run', '--overlay', bundle.dir],
      ]) {
        const { stderr, code } = runTinyrun(bundle, words, { cwd, env, timeout: 5000 });
        assert.is(stderr, '', words.join(' '));
        assert.is(code, 0, words.join(' '));
      }
    }
    assert.not.ok(existsSync(`${bundle.dir}/ran`));
  }));

test.run();
