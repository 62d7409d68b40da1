// Profiles and labels of security modules.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import type { Config } from '../../src/oci/config.ts';
import {
  type Change,
  errno,
  INPUTS,
  OVERLAY,
  plan,
  planInput,
  run,
  sectionOf,
  stepsOf,
  textsOf,
} from '../support/plan-input.ts';

const LABELS = INPUTS['security labels']!;
const MOUNT_LABEL = 'system_u:object_r:container_file_t:s0:c1,c2';

test("the profile is written by init, in the host's proc, before its rights are gone", () => {
  const texts = stepsOf(LABELS).map(({ text }) => text);
  const at = (start: string): number => {
    const found = texts.findIndex((text) => text.startsWith(start));
    assert.is.not(found, -1, start);
    return found;
  };
  const order = [
    at('$label-apparmorProfile = openat(AT_FDCWD, "/proc/self/attr/apparmor/exec", O_WRONLY|O_CLOEXEC, 0)'),
    at('move_mount($root'),
    at('pivot_root('),
    at('write($label-apparmorProfile, "exec docker-default", 19)'),
    at('close($label-apparmorProfile)'),
    at('setgroups('),
    at('execve('),
  ];
  assert.equal(
    order,
    order.toSorted((a, b) => a - b),
  );
});

test("the SELinux label is the keys', too, and mountLabel that of new filesystems", () => {
  const texts = textsOf(sectionOf(plan(LABELS), 'init'));
  const label = '"system_u:system_r:container_t:s0:c1,c2", 38)';
  assert.ok(
    texts.some((text) => text.startsWith(`write($file, ${label}`)),
    'keycreate',
  );
  assert.ok(
    texts.some((text) => text.startsWith(`write($label-selinuxLabel, ${label}`)),
    'exec',
  );
  const types: string[] = [];
  let type = '';
  for (const text of texts) {
    type = /^\$fs = fsopen\("(\w+)"/.exec(text)?.[1] ?? type;
    if (text === `fsconfig($fs, FSCONFIG_SET_STRING, "context", "${MOUNT_LABEL}", 0)`) types.push(type);
  }
  assert.equal([...new Set(types)].toSorted(), ['devpts', 'tmpfs']);
});

test('an overlay has the mount label, also through mount(2)', () => {
  const overlay = (kernel: [number, number]): string[] =>
    textsOf(plan({ ...LABELS, rootfs: OVERLAY, host: { kernel } }).sections.flatMap(({ ops }) => ops));
  assert.ok(overlay([6, 18]).includes(`fsconfig($fs, FSCONFIG_SET_STRING, "context", "${MOUNT_LABEL}", 0)`));
  assert.ok(
    overlay([5, 15]).some(
      (text) => /^mount\("overlay"/.test(text) && text.includes(`,context=\\"${MOUNT_LABEL}\\"`),
    ),
  );
});

test('a profile that is not loaded is told', () => {
  const change: Change = {
    ...LABELS,
    config: (config) => void Object.assign(config.process, { apparmorProfile: 'x' }),
  };
  const { printed, exit } = run(change, ({ op }) =>
    op.what === 'set AppArmor profile x' ? errno('ENOENT') : undefined,
  );
  assert.is(exit, 125);
  assert.match(printed[0]!.line, 'set AppArmor profile x: this kernel knows no such profile: is it loaded?');
});

test('what this kernel has not got is refused, with field and value', () => {
  const rows: [(config: Config) => void, string][] = [
    [
      ({ process }) => void Object.assign(process, { apparmorProfile: 'a' }),
      '/process/apparmorProfile: "a": this kernel has no AppArmor, or it is off',
    ],
    [
      ({ process }) => void Object.assign(process, { selinuxLabel: 's' }),
      '/process/selinuxLabel: "s": this kernel has no SELinux, or it is off',
    ],
    [
      ({ linux }) => void Object.assign(linux!, { mountLabel: 'm' }),
      '/linux/mountLabel: "m": this kernel has no SELinux, or it is off',
    ],
  ];
  for (const [config, message] of rows) {
    try {
      plan({ config });
      assert.unreachable(message);
    } catch (error) {
      assert.instance(error, TinyrunError);
      assert.is(error instanceof Error && error.message, message);
    }
  }
  assert.equal(planInput().securityModules, []);
});

test.run();
