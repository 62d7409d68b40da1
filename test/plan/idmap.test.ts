// The user namespaces that idmapped binds take their mappings from.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Mount } from '../../src/oci/config.ts';
import {
  type Change,
  errno,
  minimalConfig,
  plan,
  run,
  sectionOf,
  stepsOf,
  textsOf,
} from '../support/plan-input.ts';

const MAPPED = [{ containerID: 0, hostID: 1000, size: 10 }];
const bind = (destination: string, more: Partial<Mount>): Mount => ({
  destination,
  source: '/srv/data',
  options: ['bind'],
  ...more,
});
const withMounts = (...mounts: Mount[]): Change => ({
  config: minimalConfig((config) => void Object.assign(config, { mounts })),
});
const own = { uidMappings: MAPPED, gidMappings: MAPPED };

test('the same mappings are made once, other ones again, and all descriptors are closed', () => {
  const other = { uidMappings: MAPPED, gidMappings: [{ containerID: 0, hostID: 5, size: 1 }] };
  const host = textsOf(
    sectionOf(plan(withMounts(bind('/a', own), bind('/b', own), bind('/c', other), bind('/d', {}))), 'host'),
  );
  assert.is(
    host.filter((text) => text.startsWith('$holder = clone3(clone_args{flags: CLONE_NEWUSER')).length,
    2,
  );
  assert.equal(
    host.filter((text) => /^store8 \$idmap-/.test(text)),
    ['store8 $idmap-0 &mount-attr+24', 'store8 $idmap-0 &mount-attr+24', 'store8 $idmap-1 &mount-attr+24'],
  );
  assert.equal(
    host.filter((text) => /^close\(\$idmap-/.test(text)),
    ['close($idmap-0)', 'close($idmap-1)'],
  );
});

test('the mappings are written as they are, from outside, before the mount is mapped and before it is attached', () => {
  const steps = stepsOf(withMounts(bind('/a', { ...own, options: ['rbind', 'ridmap', 'ro'] })));
  const at = (pattern: RegExp): number => steps.findIndex(({ text }) => pattern.test(text));
  const order = [
    at(/^write\(\$file, "0 1000 10\\n", 10\)/),
    at(/^\$idmap-0 = openat\(AT_FDCWD, &holder-user/),
    at(/^mount_setattr\(\$bind, "", AT_EMPTY_PATH\|AT_RECURSIVE, &mount-attr\+0, 32\)/),
    at(/^mount_setattr\(\$bind, "", AT_EMPTY_PATH, mount_attr\{attr_set: MOUNT_ATTR_RDONLY/),
    at(/^\$pid = clone3/),
    steps.findLastIndex(({ text }) => text.startsWith('move_mount(')),
  ];
  assert.equal(
    order,
    order.toSorted((a, b) => a - b),
  );
  assert.is(order.includes(-1), false);
});

test('EINVAL is told as what it means, and nothing goes on', () => {
  const { printed, exit } = run(withMounts(bind('/a', own)), ({ op }) =>
    op.call === 'mount_setattr' && op.what.endsWith('map its ids') ? errno('EINVAL') : undefined,
  );
  assert.match(
    printed.map(({ line }) => line).join(''),
    /mount \/srv\/data on \/a \(bind\): map its ids: the filesystem of \/srv\/data does not/,
  );
  assert.is(exit, 125);
});

test.run();
