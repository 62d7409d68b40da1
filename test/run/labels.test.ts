// Profiles and labels on this very kernel.

import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { outputOf, refusalOf } from '../support/container.ts';
import { skip } from '../support/skip.ts';
import { leftOf, withStore } from '../support/store.ts';

const ENABLED = '/sys/module/apparmor/parameters/enabled';
const hasAppArmor = existsSync(ENABLED) && readFileSync(ENABLED, 'utf8') === 'Y\n';
const hasSelinux = readFileSync('/proc/filesystems', 'utf8').includes('\tselinuxfs\n');

const withProfile =
  (apparmorProfile: string) =>
  (config: Config): void =>
    void Object.assign(config.process, { apparmorProfile });

test('a profile is refused by a kernel without AppArmor, and before anything is made', async () => {
  if (hasAppArmor) return skip('a profile without AppArmor', 'this kernel has AppArmor');
  assert.match(
    await refusalOf({ config: withProfile('docker-default') }),
    'config.json: /process/apparmorProfile: "docker-default": this kernel has no AppArmor, or it is off',
  );
  await withStore((store) => {
    const { stderr, code } = store.t('create', '--security-opt', 'apparmor=docker-default', 'bb');
    assert.is(code, 1);
    assert.match(
      stderr,
      'tinyrun: --security-opt apparmor=docker-default: this kernel has no AppArmor, or it',
    );
    assert.equal(leftOf(store), []);
    store.out('create', '--security-opt', 'apparmor=unconfined', 'bb');
  });
});

test('with AppArmor the program runs under its profile, and one that is not loaded is told', async () => {
  if (!hasAppArmor) return skip('a profile with AppArmor', 'this kernel has no AppArmor');
  // unconfined is a profile that every kernel with AppArmor has.
  const printed = await outputOf(['cat', '/proc/self/attr/apparmor/current'], {
    config: withProfile('unconfined'),
  });
  assert.is(printed, 'unconfined\n');
  const words = await refusalOf({ config: withProfile('tinyrun-test-missing') });
  assert.is(
    words,
    'tinyrun: set AppArmor profile tinyrun-test-missing: this kernel knows no such profile: is it loaded?',
  );
});

test('a label is refused by a kernel without SELinux', async () => {
  if (hasSelinux) return skip('a label without SELinux', 'this kernel has SELinux');
  const words = await refusalOf({ config: ({ linux }) => void Object.assign(linux!, { mountLabel: 'm' }) });
  assert.match(words, 'config.json: /linux/mountLabel: "m": this kernel has no SELinux, or it is off');
});

test.run();
