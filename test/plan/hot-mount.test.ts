// Programs that work in a container that runs: nothing is wrong with them, and nothing of the container is trusted.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planHotAttach, planHotDetach } from '../../src/plan/hot-mount.ts';
import { planHotRoot } from '../../src/plan/hot-root.ts';
import type { HotInput } from '../../src/plan/hot-stage.ts';
import { checkProgram } from '../../src/program/check.ts';
import type { Program } from '../../src/program/op.ts';
import { printProgram } from '../../src/program/text.ts';
import { parseTmpfsFlag, parseVolumeFlag } from '../../src/volume/flag.ts';
import { toFlagMount } from '../../src/volume/oci-mounts.ts';
import { minimalConfig } from '../support/plan-input.ts';

const [TOLD, SOCKET] = [7, 8];
const ROOT = { inodeLow: 2, inodeHigh: 1, major: 8, minor: 1 };
const AROUND = { target: 'ro', attributes: ['MOUNT_ATTR_RDONLY'] };

const input = (chroot: boolean, user: boolean): HotInput => ({
  config: minimalConfig(({ linux }) => user && linux!.namespaces!.push({ type: 'user' })),
  ...{ id: 'c1', bundle: '/bundle', chroot, init: { pid: 42, fd: 3 } },
  ...{ sources: new Map([['/srv/data', 'directory']]), logFd: undefined, trace: undefined },
  reports: [{ reg: 'stderr', format: 'text', prefix: 'tinyrun: ', suffix: '\n' }],
});

function programs(hot: HotInput): [name: string, program: Program][] {
  const bind = toFlagMount(parseVolumeFlag('/srv/data:/ro/d:ro', '/'));
  const tmpfs = toFlagMount(parseTmpfsFlag('/ro/t:size=64k'));
  return [
    ...[bind, tmpfs].flatMap((mount): [string, Program][] => [
      [`attach ${mount.from}`, planHotAttach(hot, mount, undefined, TOLD)],
      [`attach ${mount.from} in a read-only mount`, planHotAttach(hot, mount, AROUND, TOLD)],
    ]),
    ['detach', planHotDetach(hot, '/a/b', ROOT, false)],
    ['detach below the root', planHotDetach(hot, '/a', ROOT, true)],
    ['the root', planHotRoot(hot, false, SOCKET)],
    ['the root alone', planHotRoot(hot, true, SOCKET)],
  ];
}

const VARIANTS = [input(false, false), input(true, false), input(false, true)];

test('nothing is wrong with any of them', () => {
  for (const hot of VARIANTS)
    for (const [name, program] of programs(hot))
      for (const arch of ['x64', 'arm64'] as const) assert.equal(checkProgram(program, arch), [], name);
});

test('in the container no path is opened but inside its root, and nothing is executed', () => {
  for (const hot of VARIANTS)
    for (const [name, program] of programs(hot)) {
      const [, stage = ''] = printProgram(program).split('setns(');
      assert.not.match(stage, 'execve(', name);
      const opened = [...stage.matchAll(/(openat2?)\((\S+), "([^"]*)"/g)].map(([, ...call]) =>
        call.join(' '),
      );
      for (const call of opened)
        assert.ok(
          /^openat (AT_FDCWD|-100) \/$|^openat \$parent b?a?$|^openat2 \$root /.test(call),
          `${name}: ${call}`,
        );
      if (!name.startsWith('the root')) assert.match(stage, 'RESOLVE_IN_ROOT', name);
    }
});

test('what is taken away is looked at first, through no symlink', () => {
  const text = printProgram(planHotDetach(VARIANTS[0]!, '/a/b', ROOT, false));
  const [before = '', after = ''] = text.split('umount2(');
  assert.match(before, 'RESOLVE_NO_SYMLINKS');
  for (const word of [2, 1, 8]) assert.match(before, `if $word != ${word} -> no-mount`);
  assert.match(after, /^"b", UMOUNT_NOFOLLOW\)/);
});

test.run();
