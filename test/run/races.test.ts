// Races: for an id, for the shared folders, and of a container against the set-up of another one that shares a
// directory with it (CVE-2021-30465, CVE-2024-45310, CVE-2025-31133).

import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rawSyscall } from '../../native-bindings/libc.ts';
import { constants } from '../../src/sys/constants.ts';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { leftovers } from '../support/refusal.ts';
import { startSwapping } from '../support/swap.ts';
import { makeVictim, type Victim } from '../support/victim.ts';

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

async function end(child: ReturnType<typeof startTinyrun>): Promise<Ended> {
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

for (const flags of [[], ['--overlay']])
  test(`of 16 runs with one id at once one gets it, ${flags[0] ?? 'without --overlay'}`, () =>
    withBundle(async (bundle) => {
      const words = ['run', ...flags, '--bundle', bundle.dir, bundle.id, '--', '/payload', 'trap'];
      const children = Array.from({ length: 16 }, () => startTinyrun(bundle, words));
      const ended = children.map(end);
      const refused = await settled(ended, 15);
      for (const { code, stderr } of refused) {
        assert.is(code, 1);
        assert.is(stderr, `tinyrun: container with given ID already exists: ${bundle.id}\n`);
      }
      assert.match(runTinyrun(bundle, ['state', bundle.id]).stdout, /"status": "running"/);
      assert.is(runTinyrun(bundle, ['list', '--quiet']).stdout, `${bundle.id}\n`);
      for (const child of children) child.kill('SIGTERM');
      const all = await Promise.all(ended);
      assert.equal(
        all.filter(({ code }) => code === 0).map(({ stdout }) => stdout),
        ['ready\n15\n'],
      );
      assert.equal(leftovers(bundle), []);
    }));

/** The first of some promises that are fulfilled, as many as asked for. */
function settled<T>(promises: readonly Promise<T>[], count: number): Promise<T[]> {
  const values: T[] = [];
  return new Promise((resolve, reject) => {
    for (const promise of promises)
      promise.then((value) => {
        if (values.push(value) === count) resolve(values);
      }, reject);
  });
}

test('30 runs at once share the folders of the state and of the layers', () =>
  withBundle(async (bundle) => {
    const ids = Array.from({ length: 30 }, (_, i) => `${bundle.id}-${i}`);
    const words = (id: string) => [
      '--bundle',
      bundle.dir,
      id,
      '--',
      '/payload',
      'write',
      '/file',
      id,
      '--',
      'cat',
      '/file',
    ];
    const all = await Promise.all(
      ids.map((id) => end(startTinyrun(bundle, ['run', '--overlay', ...words(id)]))),
    );
    assert.equal(
      all,
      ids.map((id) => ({ code: 0, stdout: id, stderr: '' })),
    );
    assert.equal(leftovers(bundle), []);
    assert.equal(readdirSync(join(bundle.dataRoot, 'containers')), []);
  }));

test('runs, lists and deletes of one id at once never fail in another way than by saying so', () =>
  withBundle(async (bundle) => {
    const commands = [
      ['run', '--overlay', '--bundle', bundle.dir, bundle.id],
      ['run', '--overlay', '--name', bundle.id, bundle.dir],
      ['list'],
      ['delete', '--force', bundle.id],
      ['state', bundle.id],
    ];
    for (let round = 0; round < 8; round++) {
      const all = await Promise.all(
        [...commands, ...commands].map(async (words) => ({
          words,
          ...(await end(startTinyrun(bundle, words))),
        })),
      );
      for (const { words, code, stderr } of all)
        if (code !== 137) assert.match(stderr, EXPECTED[words[0]!]!, `${words.join(' ')}: ${code}`);
    }
    runTinyrun(bundle, ['delete', '--force', bundle.id]);
    assert.equal(leftovers(bundle), []);
  }));

/** What may be said on stderr. */
const EXPECTED: Record<string, RegExp> = {
  run: /^$|^tinyrun: container with given ID already exists: [^\n]+\n$/,
  list: /^$/,
  delete: /^$|^tinyrun: cannot delete container [^\n]+\n$/,
  state: /^$|^tinyrun: container does not exist: [^\n]+\n$/,
};

/** Of four containers each. */
const ROUNDS = process.env['TINYRUN_TEST_ALL'] === '1' ? 100 : 25;

/** The name that is swapped with a symlink to the victim, and the mounts that lead through it. */
const swaps: Record<string, (bundle: Bundle) => void> = {
  'the destination of a bind': ({ config }) => {
    config.mounts?.push({ destination: '/swap', source: '/usr', options: ['bind', 'ro'] });
  },
  'a directory on the way to a destination': ({ config }) => {
    config.mounts?.push({ destination: '/swap/made/deeper', type: 'tmpfs', source: 'tmpfs' });
  },
  'a directory on the way to a file': ({ config }) => {
    config.mounts?.push({ destination: '/swap/made-file', source: 'config.json', options: ['bind'] });
  },
  'a directory of devices': ({ config }) => {
    config.mounts = config.mounts!.filter(({ destination }) => !destination.startsWith('/dev'));
    config.linux!.devices = [{ type: 'c', path: '/swap/null', major: 1, minor: 3, fileMode: 0o666 }];
  },
  'a masked and a read-only path': ({ config }) => {
    config.linux!.maskedPaths = ['/swap/file', '/swap'];
    config.linux!.readonlyPaths = ['/swap/directory'];
  },
  'the working directory': ({ config }) => {
    config.process.cwd = '/swap/made/deeper';
  },
  'the mount point of proc': ({ config }) => {
    config.mounts![0]!.destination = '/swap';
  },
};

for (const [name, change] of Object.entries(swaps))
  test(`${name} is swapped for a symlink again and again, and nothing outside is touched`, () =>
    withBundle(async (bundle) => {
      const victim = makeVictim(bundle);
      change(bundle);
      bundle.config.process.args = ['/payload', 'true'];
      writeConfig(bundle);
      const swapping = prepareSwap(bundle, victim);
      try {
        for (let round = 0; round < ROUNDS; round++)
          for (const { code, stderr } of await runSome(bundle, 4)) {
            if (code === 0) assert.is(stderr, '');
            else assert.match(stderr, /^tinyrun: [^\n]+\n$/, `${code}`);
            assert.ok([0, 125].includes(code), `${code}: ${stderr}`);
          }
      } finally {
        swapping.kill('SIGKILL');
        await swapping.exited;
      }
      victim.assertUntouched(name);
      assert.equal(
        leftovers(bundle).filter((path) => !path.startsWith('process')),
        [],
      );
    }));

/** A directory and two symlinks in the rootfs, which are swapped from now on. */
function prepareSwap({ rootfs }: Bundle, { relative }: Victim): ReturnType<typeof startSwapping> {
  const [directory, link] = [join(rootfs, 'swap'), join(rootfs, 'link')];
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'directory'), { recursive: true });
  writeFileSync(join(directory, 'file'), '');
  symlinkSync(relative, link);
  const swapped = rawSyscall('renameat2', constants['AT_FDCWD']!, directory, constants['AT_FDCWD']!, link, 2);
  assert.is(swapped, 0, 'this filesystem exchanges names');
  return startSwapping(directory, link);
}

const runSome = (bundle: Bundle, count: number): Promise<Ended[]> =>
  Promise.all(Array.from({ length: count }, () => end(startTinyrun(bundle, ['run', bundle.dir]))));

test.run();
