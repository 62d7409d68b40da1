import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers } from '../../src/engine/recorder.ts';
import { listMounts, planMounts } from '../../src/plan/mounts.ts';
import { Places } from '../../src/plan/place.ts';
import { checkProgram } from '../../src/program/check.ts';
import { type Change, errno, minimalConfig, plan, planInput, run, textsOf } from '../support/plan-input.ts';

/** A container with a tmpfs on /d, where the rootfs has a directory. */
const withTmpfs = (options: string[], change: Change = {}): Change => ({
  present: new Set(['d']),
  ...change,
  config: minimalConfig((config) => {
    config.mounts = [{ destination: '/d', type: 'tmpfs', source: 'tmpfs', options }];
  }),
});

/** The ops that make the mounts. */
function planned(change: Change): string[] {
  const input = planInput(change);
  return textsOf(planMounts(listMounts(input), input, new Places(input.present)));
}

const isCopier: (argument: unknown) => boolean = (argument) =>
  typeof argument === 'object' &&
  argument !== null &&
  'vec' in argument &&
  JSON.stringify(argument).includes('copy-up');

/** What the copying process' wait status is, as if it had ended so. */
const endsWith =
  (status: number): Answers =>
  (call) => {
    if (call.call !== 'wait4' || !call.op.what.includes('copied')) return undefined;
    call.memory(1).set(new Uint8Array(new Uint32Array([status]).buffer));
    return 1000;
  };

const HIDDEN = 'RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24)';

test('a tmpfs with tmpcopyup is filled by a process of its own before it is attached', () => {
  assert.equal(planned(withTmpfs(['nosuid', 'tmpcopyup', 'size=1m'])), [
    '$fs = fsopen("tmpfs", FSOPEN_CLOEXEC)',
    'fsconfig($fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0)',
    'fsconfig($fs, FSCONFIG_SET_STRING, "size", "1m", 0)',
    'fsconfig($fs, FSCONFIG_CMD_CREATE, 0, 0, 0)',
    '$mount = fsmount($fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID)',
    'close($fs)',
    `$copy-from = openat2($root, "d", open_how{flags: O_RDONLY|O_DIRECTORY|O_CLOEXEC, resolve: ${HIDDEN}  on ENOENT -> filled-0`,
    'format $copy-from &copy-from+0',
    'format $mount &copy-to+0',
  ]);
});

test.run();
