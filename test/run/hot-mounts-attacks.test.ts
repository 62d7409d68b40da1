// A container that swaps what is attached to it, or was: nothing outside is touched, and no other mount of it goes.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, writeConfig } from '../support/bundle.ts';
import { attach, detach, inside, refusal, usesOf, withRunning } from '../support/hot-mounts.ts';
import { assertRefusal } from '../support/refusal.ts';
import { startSwapping } from '../support/swap.ts';
import { makeVictim, type Victim } from '../support/victim.ts';

const ROUNDS = process.env['TINYRUN_TEST_ALL'] === '1' ? 100 : 12;
/** Until one has got through between two swaps. */
const MOST_ROUNDS = 500;

/** /swap is a directory and a symlink to the victim, in turn. */
function prepareSwap({ rootfs }: Bundle, { relative }: Victim): ReturnType<typeof startSwapping> {
  const [directory, link] = [join(rootfs, 'swap'), join(rootfs, 'link')];
  mkdirSync(join(directory, 'directory'), { recursive: true });
  symlinkSync(relative, link);
  return startSwapping(directory, link);
}

for (const [name, spec] of [
  ['the mount point of a new volume', 'new:/swap'],
  ['a directory on the way to it', 'new:/swap/directory'],
  ['what is missing on the way', 'new:/swap/made/deeper'],
  ['the mount point of a tmpfs', 'type=tmpfs,target=/swap'],
  ['that of a bind', '/usr:/swap/directory:ro'],
] as const)
  test(`${name} is swapped for a symlink again and again, and nothing outside is touched`, () =>
    withRunning([], async (bundle) => {
      const victim = makeVictim(bundle);
      const swapping = prepareSwap(bundle, victim);
      const target = /(\/swap[^:,]*)/.exec(spec)?.[1] ?? '';
      let attached = 0;
      try {
        for (let round = 0; round < ROUNDS || (attached === 0 && round < MOST_ROUNDS); round++) {
          const result = runTinyrun(bundle, ['volume', 'attach', bundle.id, spec]);
          if (result.code === 0) attached++;
          else assertRefusal(result, /swap|link|Duplicate/);
          const back = runTinyrun(bundle, ['volume', 'detach', bundle.id, target]);
          if (back.code !== 0) assertRefusal(back, /swap|link/);
        }
      } finally {
        swapping.kill('SIGKILL');
        await swapping.exited;
      }
      assert.ok(attached > 0, 'it was attached at times');
      victim.assertUntouched(name);
    }));

/** A masked path that this kernel has. */
const MASKED = ['kcore', 'timer_list', 'keys'].find((name) => existsSync(`/proc/${name}`)) ?? 'none';
const AT = `/tmp/x/${MASKED}`;

/** What is on a masked path: a file of the host, or an empty tmpfs. */
const masked = (bundle: Bundle, path: string): string => inside(bundle, 'stat', path).split(' ')[0] ?? '';

for (const [name, flags, spec] of [
  ['that was attached', [], `v:${AT}`],
  ['in memory', [], `type=tmpfs,target=${AT}`],
  ['of a flag', ['-v', `v:${AT}`], undefined],
] as const)
  test(`a symlink on the way to a mount ${name}: detach takes no mask away in its place`, () =>
    withRunning([...flags], (bundle) => {
      if (spec !== undefined) attach(bundle, spec);
      assert.is(masked(bundle, `/proc/${MASKED}`), 'char');
      renameSync(join(bundle.rootfs, 'tmp/x'), join(bundle.rootfs, 'tmp/y'));
      symlinkSync('/proc', join(bundle.rootfs, 'tmp/x'));
      for (const force of [[], ['-f']])
        assert.match(
          refusal(bundle, 'detach', ...force, bundle.id, AT),
          'it is not mounted there; the container has unmounted it, or has moved',
        );
      assert.is(masked(bundle, `/proc/${MASKED}`), 'char');
      assert.is(usesOf(bundle).length, 1, 'it is in use as before');
      if (spec?.startsWith('v:')) assert.match(refusal(bundle, 'rm', 'v'), 'volume is in use');
      rmSync(join(bundle.rootfs, 'tmp/x'));
      renameSync(join(bundle.rootfs, 'tmp/y'), join(bundle.rootfs, 'tmp/x'));
      detach(bundle, bundle.id, AT);
      assert.equal(usesOf(bundle), []);
    }));

const HOST = mkdtempSync('/tmp/tinyrun-test-');
process.on('exit', () => rmSync(HOST, { recursive: true, force: true }));

for (const [name, flags, spec] of [
  ['that was attached', [], 'v:/tmp/x/d'],
  ['of a flag', ['-v', 'v:/tmp/x/d'], undefined],
  ['of a flag, a directory of the host', ['-v', `${HOST}:/tmp/x/d`], undefined],
  ['of a flag, in memory', ['--tmpfs', '/tmp/x/d'], undefined],
] as const)
  test(`another mount of the container that is moved to the place of one ${name} stays`, () =>
    withRunning(['-v', 'other:/other/d', ...flags], (bundle) => {
      if (spec !== undefined) attach(bundle, spec);
      inside(bundle, 'write', '/other/d/file', '');
      renameSync(join(bundle.rootfs, 'tmp/x'), join(bundle.rootfs, 'tmp/y'));
      renameSync(join(bundle.rootfs, 'other'), join(bundle.rootfs, 'tmp/x'));
      assert.match(refusal(bundle, 'detach', bundle.id, '/tmp/x/d'), 'it is not mounted there');
      assert.is(inside(bundle, 'ls', '/tmp/x/d'), 'file\n');
      assert.is(usesOf(bundle).length, 2);
    }));

test('a bind whose source was replaced on the host can be detached', () => {
  const source = join(HOST, 'source');
  mkdirSync(source);
  return withRunning(['-v', `${source}:/tmp/x`], (bundle) => {
    renameSync(source, join(HOST, 'old'));
    mkdirSync(source);
    detach(bundle, bundle.id, '/tmp/x');
    assert.equal(usesOf(bundle), []);
  });
});

test('in proc nothing is mounted, whatever is to be mounted and however it is spelled', () =>
  withRunning(
    [],
    (bundle) => {
      for (const target of [
        '/proc',
        '/proc/sys',
        '/proc/self/fd',
        '/proc/1/root/tmp',
        '/link',
        '/link/sys/fs',
      ])
        for (const spec of [`new:${target}`, `type=tmpfs,target=${target}`, `/usr:${target}`])
          assert.match(
            refusal(bundle, 'attach', bundle.id, spec),
            / it is inside of proc| (ELOOP|EXDEV|ENOENT|EACCES) /,
            spec,
          );
      for (const target of ['/proc/no/such', '/proc/meminfo', '/link/version'])
        refusal(bundle, 'attach', bundle.id, `new:${target}`);
      assert.equal(usesOf(bundle), []);
      assert.is(masked(bundle, `/proc/${MASKED}`), 'char');
    },
    (bundle) => {
      symlinkSync('/proc', join(bundle.rootfs, 'link'));
      writeConfig(bundle);
    },
  ));

test.run();
