// features: complete, true to the tables that it is made of, and at least what runc has.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runTinyrun, withBundle } from '../support/bundle.ts';
import { output, runCommand } from '../support/container.ts';
import { isInstalled } from '../support/peers.ts';
import { skip } from '../support/skip.ts';

type Features = Record<string, unknown> & { linux: Record<string, Record<string, unknown>> };

async function features(): Promise<Features> {
  let text = '';
  await withBundle((bundle) => {
    text = output(runTinyrun(bundle, ['features'], { env: {} }));
  });
  return JSON.parse(text) as Features;
}

test('features has every property of the spec', async () => {
  const { linux, ...others } = await features();
  assert.equal(Object.keys(others), [
    'ociVersionMin',
    'ociVersionMax',
    'hooks',
    'mountOptions',
    'annotations',
    'potentiallyUnsafeConfigAnnotations',
  ]);
  assert.equal(Object.keys(linux), [
    'namespaces',
    'capabilities',
    'cgroup',
    'seccomp',
    'apparmor',
    'selinux',
    'intelRdt',
    'memoryPolicy',
    'mountExtensions',
    'netDevices',
  ]);
  assert.equal(Object.keys(linux['cgroup']!), ['v1', 'v2', 'systemd', 'systemdUser', 'rdma']);
  const lists = ['actions', 'operators', 'archs', 'knownFlags', 'supportedFlags'];
  assert.equal(Object.keys(linux['seccomp']!), ['enabled', ...lists]);
  for (const list of lists) assert.ok((linux['seccomp']![list] as string[]).length > 0, list);
});

/** All lists and flags of a features object by path. */
function entriesOf(value: unknown, at = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[at, value]];
  return Object.entries(value).flatMap(([key, below]) => entriesOf(below, `${at}/${key}`));
}

/** What runc has in its lists that tinyrun leaves to the filesystem: POSIX ACLs are no option of ours. */
const NOT_OURS = ['acl', 'noacl'];

test('features has all that runc has', async () => {
  if (!isInstalled('runc')) return skip('features has all that runc has', 'runc is not installed');
  const ours = new Map(entriesOf(await features()));
  for (const [at, theirs] of entriesOf(JSON.parse(runCommand(['runc', 'features']).stdout))) {
    if (at.startsWith('/annotations/') || at === '/ociVersionMax') continue;
    if (Array.isArray(theirs)) {
      const own = ours.get(at) as string[];
      assert.equal(
        theirs.filter((name) => !own.includes(name) && !NOT_OURS.includes(name)),
        [],
        at,
      );
    } else if (theirs === true) assert.type(ours.get(at), 'boolean', at);
    else assert.is(ours.get(at), theirs, at);
  }
});

test.run();
