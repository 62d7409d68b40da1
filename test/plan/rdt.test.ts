// Classes of service and measured groups of resctrl.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { IntelRdt } from '../../src/oci/config.ts';
import { rdtDirectories } from '../../src/plan/rdt.ts';
import { stateFile } from '../../src/plan/state.ts';
import { type Change, INPUTS, minimalConfig, plan, planInput, stepsOf } from '../support/plan-input.ts';

const RDT = INPUTS['resource control']!;
const withRdt = (intelRdt: IntelRdt, exists = false): Change => ({
  config: minimalConfig(({ linux }) => void Object.assign(linux!, { intelRdt })),
  resctrl: { mountPoint: '/sys/fs/resctrl', exists },
});
/** What the host program does in resctrl, without its error policies. */
const resctrlCalls = (change: Change): string[] => {
  let open = false;
  return stepsOf(change).flatMap(({ process, text }) => {
    const inside = text.includes('/sys/fs/resctrl');
    const writes: boolean = open && text.startsWith('write($file');
    open = inside && text.startsWith('$file = openat');
    return process === 0 && (inside || writes) ? [text.replace(/ {2}(ignore|goto|fail).*$/, '')] : [];
  });
};

test('the class and its limits are made before init, which joins them before it goes on', () => {
  assert.equal(resctrlCalls(RDT), [
    'mkdirat(AT_FDCWD, "/sys/fs/resctrl/c1", 0755)',
    '$file = openat(AT_FDCWD, "/sys/fs/resctrl/c1/schemata", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, "L3:0=f\\nMB:0=20\\n", 15)',
    'mkdirat(AT_FDCWD, "/sys/fs/resctrl/c1/mon_groups/c1", 0755)',
    '$file = openat(AT_FDCWD, "/sys/fs/resctrl/c1/tasks", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, &rdt-pid+0, $size)',
    '$file = openat(AT_FDCWD, "/sys/fs/resctrl/c1/mon_groups/c1/tasks", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, &rdt-pid+0, $size)',
    'unlinkat(AT_FDCWD, "/sys/fs/resctrl/c1/mon_groups/c1", AT_REMOVEDIR)',
    'unlinkat(AT_FDCWD, "/sys/fs/resctrl/c1", AT_REMOVEDIR)',
  ]);
  const texts = stepsOf(RDT).map(({ text }) => text);
  const at = (start: string): number => texts.findIndex((text) => text.startsWith(start));
  const order = [at('mkdirat(AT_FDCWD, "/sys/fs/resctrl/c1"'), at('$pid = clone3'), at('write($go-w')];
  assert.equal(
    order,
    order.toSorted((a, b) => a - b),
  );
});

test('a class with a name may be others’ as well: it stays', () => {
  const named = withRdt({ closID: 'gold', schemata: ['L3:0=3'], enableMonitoring: true });
  assert.equal(rdtDirectories(planInput(named)), ['/sys/fs/resctrl/gold/mon_groups/c1']);
  assert.equal(resctrlCalls(withRdt({ closID: 'gold' }, true)), [
    'mkdirat(AT_FDCWD, "/sys/fs/resctrl/gold", 0755)',
    '$file = openat(AT_FDCWD, "/sys/fs/resctrl/gold/tasks", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, &rdt-pid+0, $size)',
  ]);
});

test('the default class is /', () => {
  assert.equal(resctrlCalls(withRdt({ closID: '/' })), [
    '$file = openat(AT_FDCWD, "/sys/fs/resctrl/tasks", O_WRONLY|O_CLOEXEC, 0)',
    'write($file, &rdt-pid+0, $size)',
  ]);
});

test('state.json names what goes with the container', () => {
  const { text } = stateFile(planInput(RDT));
  assert.match(text, '"resctrl":["/sys/fs/resctrl/c1/mon_groups/c1","/sys/fs/resctrl/c1"]');
});

test('without resctrl, or without the class that is named, it is refused', () => {
  const unmounted = { ...withRdt({ closID: 'gold' }), resctrl: undefined };
  assert.throws(() => plan(unmounted), /^\/linux\/intelRdt: this machine has no resctrl filesystem mounted$/);
  assert.throws(
    () => plan(withRdt({ closID: 'gold' })),
    /^\/linux\/intelRdt\/closID: "gold": there is no such class of service$/,
  );
  assert.equal(resctrlCalls({ ...withRdt({}), resctrl: undefined }), []);
});

test.run();
