// Cgroups by systemd: `--systemd-cgroup`. In the virtual machine whose process 1 is systemd (test/vm); elsewhere only that
// its absence is told.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Bundle,
  runTinyrun,
  startTinyrun,
  tinyrun,
  withBundle,
  writeConfig,
} from '../support/bundle.ts';
import { output, runCommand, until } from '../support/container.ts';
import { isInstalled } from '../support/peers.ts';
import { assertFails, assertSucceeds } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';

const isThere = existsSync('/run/systemd/system') && Bun.which('systemctl') !== null;
const ROOT = '/sys/fs/cgroup';

/** A test of systemd, on a machine that has it. */
const withSystemd = (name: string, use: () => void | Promise<void>): void =>
  test(name, () => (isThere ? use() : skip(name, 'systemd is not process 1')));

const systemd = (bundle: Bundle, ...args: string[]) => runTinyrun(bundle, ['--systemd-cgroup', ...args]);

/** Properties of a unit, by name. */
function show(unit: string, ...names: string[]): Record<string, string> {
  const lines = output(runCommand(['systemctl', 'show', unit, ...names.map((name) => `--property=${name}`)]));
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}
const isLoaded = (unit: string): boolean => show(unit, 'LoadState')['LoadState'] !== 'not-found';
const isGone = (unit: string): Promise<void> => until(`${unit} is gone`, () => !isLoaded(unit));

const LIMITS = {
  memory: { limit: 0x4000000, swap: 0x6000000, reservation: 0x2000000 },
  cpu: { quota: 50000, period: 100000, cpus: '0' },
  pids: { limit: 50 },
};

/** Its output is no pipe, which the container would hold open. */
const quiet = (...command: string[]) => runCommand(['sh', '-c', '"$@" >/dev/null 2>&1', 'sh', ...command]);

/** Starts the bundle's container, which waits to be ended; `use` gets its unit. */
async function whileDetached(bundle: Bundle, unit: string, use: () => void | Promise<void>): Promise<void> {
  bundle.config.process.args = ['/payload', 'trap', 'USR1'];
  writeConfig(bundle);
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  const run = ['run', '--detach', '--bundle', bundle.dir, bundle.id];
  assertSucceeds(quiet(tinyrun, ...roots, '--systemd-cgroup', ...run));
  await use();
  assertSucceeds(systemd(bundle, 'delete', '--force', bundle.id));
  assert.is(isLoaded(unit), false, 'delete waits for it');
}

test('without systemd --systemd-cgroup is one clear error, and nothing is left behind', () => {
  const name = 'without systemd --systemd-cgroup is one clear error';
  if (isThere) return skip(name, 'systemd is here');
  return withBundle((bundle) => {
    const says =
      /^tinyrun: ask systemd for a cgroup: connect to .+: \w+; without systemd leave --systemd-cgroup out\n$/;
    assertFails(bundle, systemd(bundle, 'run', '--bundle', bundle.dir, bundle.id), says, 1);
    bundle.config.linux!.cgroupsPath = '/a/b';
    writeConfig(bundle);
    const path = /\/linux\/cgroupsPath: "\/a\/b" is no slice:prefix:name/;
    assertFails(bundle, systemd(bundle, 'run', '--bundle', bundle.dir, bundle.id), path, 1);
  });
});

withSystemd('a run is in a scope, alone, and the scope is gone afterwards', () =>
  withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'cat', '/proc/self/cgroup'];
    bundle.config.linux!.namespaces = bundle.config.linux!.namespaces!.filter(
      ({ type }) => type !== 'cgroup',
    );
    writeConfig(bundle);
    const printed = output(systemd(bundle, 'run', '--bundle', bundle.dir, bundle.id));
    assert.match(printed, `0::/system.slice/runc-${bundle.id}.scope\n`);
    await isGone(`runc-${bundle.id}.scope`);
  }),
);

withSystemd('systemd knows the limits, and looking through its units again changes nothing', () =>
  withBundle(async (bundle) => {
    bundle.config.linux!.resources = { ...bundle.config.linux!.resources, ...LIMITS };
    const unit = `runc-${bundle.id}.scope`;
    const directory = join(ROOT, 'system.slice', unit);
    await whileDetached(bundle, unit, () => {
      const properties = {
        ActiveState: 'active',
        Slice: 'system.slice',
        Delegate: 'yes',
        MemoryMax: '67108864',
        MemoryLow: '33554432',
        MemorySwapMax: '33554432',
        CPUQuotaPerSecUSec: '500ms',
        AllowedCPUs: '0',
        TasksMax: '50',
        TasksCurrent: '1',
      };
      assert.equal(show(unit, ...Object.keys(properties)), properties);
      const files = {
        'memory.max': '67108864',
        'memory.low': '33554432',
        'cpu.max': '50000 100000',
        'cpuset.cpus': '0',
        'pids.max': '50',
      };
      const read = () =>
        Object.fromEntries(
          Object.keys(files).map((file) => [file, readFileSync(join(directory, file), 'utf8').trim()]),
        );
      assert.equal(read(), files);
      assertSucceeds(runCommand(['systemctl', 'daemon-reload']));
      assert.equal(read(), files);
      const state: unknown = JSON.parse(output(systemd(bundle, 'state', bundle.id)));
      const pid = typeof state === 'object' && state !== null && 'pid' in state ? state.pid : 0;
      assert.is(readFileSync(join(directory, 'cgroup.procs'), 'utf8'), `${pid}\n`, 'nobody else is in it');
    });
  }),
);

withSystemd('update tells systemd as well', () =>
  withBundle(async (bundle) => {
    bundle.config.linux!.resources = { ...bundle.config.linux!.resources, ...LIMITS };
    const unit = `runc-${bundle.id}.scope`;
    await whileDetached(bundle, unit, () => {
      assertSucceeds(systemd(bundle, 'update', '--memory', '33554432', '--pids-limit', '20', bundle.id));
      assert.equal(show(unit, 'MemoryMax', 'TasksMax', 'CPUQuotaPerSecUSec'), {
        MemoryMax: '33554432',
        TasksMax: '20',
        CPUQuotaPerSecUSec: '500ms',
      });
      assertSucceeds(runCommand(['systemctl', 'daemon-reload']));
      const file = join(ROOT, 'system.slice', unit, 'pids.max');
      assert.is(readFileSync(file, 'utf8'), '20\n');
    });
  }),
);

withSystemd('a container that is paused is deleted with its scope', () =>
  withBundle(async (bundle) => {
    await whileDetached(bundle, `runc-${bundle.id}.scope`, () => {
      assertSucceeds(systemd(bundle, 'pause', bundle.id));
    });
  }),
);

withSystemd('slice:prefix:name says where the scope is', () =>
  withBundle(async (bundle) => {
    const slice = `tinyrun-${bundle.id.replace('tinyrun-test-', '')}.slice`;
    bundle.config.linux!.cgroupsPath = `${slice}:box:${bundle.id}`;
    const unit = `box-${bundle.id}.scope`;
    await whileDetached(bundle, unit, () => {
      assert.is(show(unit, 'ControlGroup')['ControlGroup'], `/tinyrun.slice/${slice}/${unit}`);
      assert.ok(existsSync(join(ROOT, 'tinyrun.slice', slice, unit)));
    });
    for (const one of [slice, 'tinyrun.slice']) assertSucceeds(runCommand(['systemctl', 'stop', one]));
  }),
);

withSystemd('annotations set properties of the scope', () =>
  withBundle(async (bundle) => {
    bundle.config.annotations = {
      'org.systemd.property.TimeoutStopSec': '7',
      'org.systemd.property.Description': "'a test of ours'",
    };
    const unit = `runc-${bundle.id}.scope`;
    await whileDetached(bundle, unit, () => {
      assert.equal(show(unit, 'TimeoutStopUSec', 'Description'), {
        TimeoutStopUSec: '7s',
        Description: 'a test of ours',
      });
    });
  }),
);

withSystemd('a run that fails leaves no scope', () =>
  withBundle(async (bundle) => {
    const unit = `runc-${bundle.id}.scope`;
    bundle.config.process.args = ['/missing'];
    writeConfig(bundle);
    assertFails(bundle, systemd(bundle, 'run', '--bundle', bundle.dir, bundle.id), /\/missing/, 1);
    await isGone(unit);
    bundle.config.annotations = { 'org.systemd.property.NoSuchThing': 'true' };
    writeConfig(bundle);
    const says = new RegExp(`make ${unit}: systemd says: .*NoSuchThing`);
    assertFails(bundle, systemd(bundle, 'run', '--bundle', bundle.dir, bundle.id), says, 1);
    await isGone(unit);
  }),
);

withSystemd('an id that is taken is refused, and so is a scope of someone else', () =>
  withBundle(async (bundle) => {
    const unit = `runc-${bundle.id}.scope`;
    const again = (root: string) =>
      runTinyrun({ ...bundle, root }, ['--systemd-cgroup', 'run', '--bundle', bundle.dir, bundle.id]);
    await whileDetached(bundle, unit, () => {
      assert.match(again(bundle.root).stderr, /container with (the )?given ID already exists|exists/);
      assert.match(again(join(bundle.root, '../other')).stderr, `make ${unit}: there is such a scope`);
      assert.is(show(unit, 'ActiveState')['ActiveState'], 'active');
    });
  }),
);

withSystemd('a limit of one process holds, and the placeholder is not in its way', () =>
  withBundle(async (bundle) => {
    bundle.config.linux!.resources = { ...bundle.config.linux!.resources, pids: { limit: 1 } };
    bundle.config.process.args = ['/payload', 'args', 'started', '--', 'try', 'true'];
    writeConfig(bundle);
    const { stdout, stderr } = systemd(bundle, 'run', '--bundle', bundle.dir, bundle.id);
    assert.match(stdout, 'started');
    assert.match(stderr, 'try: 11 Resource temporarily unavailable');
    await isGone(`runc-${bundle.id}.scope`);
  }),
);

withSystemd('in a user namespace, and with namespaces to join, it is the same', () =>
  withBundle(async (bundle) => {
    const { linux } = bundle.config;
    linux!.namespaces!.push({ type: 'user' });
    linux!.namespaces = linux!.namespaces!.map((one) =>
      one.type === 'uts' ? { ...one, path: '/proc/self/ns/uts' } : one,
    );
    delete bundle.config.hostname;
    linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    linux!.gidMappings = linux!.uidMappings;
    bundle.config.process.args = ['/payload', 'args', 'started'];
    writeConfig(bundle);
    assert.match(output(systemd(bundle, 'run', '--bundle', bundle.dir, bundle.id)), 'started');
    await isGone(`runc-${bundle.id}.scope`);
  }),
);

withSystemd('six at once have a scope each', () =>
  withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'cat', '/proc/self/cgroup'];
    bundle.config.linux!.namespaces = bundle.config.linux!.namespaces!.filter(
      ({ type }) => type !== 'cgroup',
    );
    writeConfig(bundle);
    const ids = Array.from({ length: 6 }, (_, i) => `${bundle.id}-${i}`);
    await Promise.all(
      ids.map(async (id) => {
        const child = startTinyrun(bundle, ['--systemd-cgroup', 'run', '--bundle', bundle.dir, id]);
        const said = new Response(child.stderr).text();
        const printed = await new Response(child.stdout).text();
        assert.is(await child.exited, 0, await said);
        assert.match(printed, `/runc-${id}.scope\n`);
      }),
    );
    for (const id of ids) await isGone(`runc-${id}.scope`);
  }),
);

withSystemd('create and start, with the same scope as under runc', () =>
  withBundle(async (bundle) => {
    const name = 'create and start, with the same scope as under runc';
    bundle.config.linux!.resources = { ...bundle.config.linux!.resources, ...LIMITS };
    bundle.config.process.args = ['/payload', 'trap', 'USR1'];
    // Without a cgroup namespace runc's own mount of cgroup2 changes the options of the host's.
    bundle.config.mounts = bundle.config.mounts!.filter(({ type }) => type !== 'cgroup');
    writeConfig(bundle);
    const names = [
      'Slice',
      'MemoryMax',
      'MemoryLow',
      'MemorySwapMax',
      'CPUQuotaPerSecUSec',
      'AllowedCPUs',
      'TasksMax',
    ];
    const rest = [
      'Delegate',
      'DefaultDependencies',
      'CPUAccounting',
      'MemoryAccounting',
      'IOAccounting',
      'TasksAccounting',
    ];
    const unit = `runc-${bundle.id}.scope`;
    const under = async (runtime: string, root: string): Promise<Record<string, string>> => {
      const command = [runtime, '--root', root, '--systemd-cgroup'];
      assertSucceeds(quiet(...command, 'create', '--bundle', bundle.dir, bundle.id));
      assertSucceeds(quiet(...command, 'start', bundle.id));
      const shown = show(unit, ...names, ...rest);
      assertSucceeds(quiet(...command, 'delete', '--force', bundle.id));
      await isGone(unit);
      return shown;
    };
    const own = await under(tinyrun, bundle.root);
    assert.is(own['MemoryMax'], '67108864');
    if (!isInstalled('runc')) return skip(name, 'runc is not installed');
    assert.equal(own, await under('runc', join(bundle.root, '../runc')));
  }),
);

test.run();
