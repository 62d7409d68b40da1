// events, with real containers: statistics once and at intervals, the lack of memory, the end.

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { isV2 } from '../support/cgroup.ts';
import { type Contained, inCgroup, read } from '../support/contained.ts';
import { output, runCommand, until } from '../support/container.ts';
import { isInstalled } from '../support/peers.ts';
import { assertRefusal, assertSucceeds } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';

const statistics = (bundle: Bundle, id = bundle.id) =>
  JSON.parse(output(runTinyrun(bundle, ['events', '--stats', id])));

/** Follows a container's events while `use` runs and until they end by themselves. */
async function follow(bundle: Bundle, interval: string, use: (lines: () => string[]) => Promise<void>) {
  const child = startTinyrun(bundle, ['events', '--interval', interval, bundle.id]);
  let text = '';
  const collected = (async () => {
    const utf8 = new TextDecoder();
    for await (const bytes of child.stdout) text += utf8.decode(bytes, { stream: true });
  })();
  const lines = () => text.split('\n').slice(0, -1);
  try {
    await use(lines);
    assert.is(await child.exited, 0);
    await collected;
    return lines();
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

test('events --stats is one line of JSON that tells what the container uses', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ file }) => {
      assertSucceeds(runTinyrun(bundle, ['update', '--memory', '64M', '--pids-limit', '25', bundle.id]));
      const { type, id, data } = statistics(bundle);
      assert.equal([type, id], ['stats', bundle.id]);
      assert.equal(data.pids, { current: 1, limit: 25 });
      assert.is(data.memory.usage.limit, 64 << 20);
      assert.type(data.memory.raw.pgfault, 'number');
      assert.is(read(file('pids', 'pids.current', 'pids.current')), '1');
    }),
  ));

test('statistics come at each interval, until the container ends', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', async () => {
      const lines = await follow(bundle, '20ms', async (lines) => {
        await until('three lines', () => lines().length >= 3);
        assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
      });
      for (const line of lines) assert.is(JSON.parse(line).type, 'stats');
    }),
  ));

/** Lets a process of the container's memory cgroup take more than it may have. */
function lackMemory({ file }: Contained): void {
  const procs = file('memory', 'cgroup.procs', 'cgroup.procs');
  const script = `echo $$ >${procs}; head -c 200000000 /dev/zero | tail >/dev/null`;
  assert.is.not(runCommand(['sh', '-c', `${script}; exit 3`]).code, -1);
}

test('when the kernel ends a process for want of memory, events tells', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', async (contained) => {
      const limit = ['--memory', '20M', '--memory-swap', '20M'];
      assertSucceeds(runTinyrun(bundle, ['update', ...limit, bundle.id]));
      const lines = await follow(bundle, '1h', async (lines) => {
        // Only once it watches, there is something to see: an eventfd or the file of events is open.
        for (let tries = 0; lines().length === 0; tries++) {
          if (tries === 20) throw new Error('no notice of the lack of memory');
          lackMemory(contained);
          await Bun.sleep(50);
        }
        assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
      });
      assert.equal(JSON.parse(lines[0]!), { type: 'oom', id: bundle.id });
    }),
  ));

test('events of a container that has ended, or at no interval, are refused in words of runc', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', async () => {
      for (const interval of ['0', '-1s'])
        assertRefusal(
          runTinyrun(bundle, ['events', `--interval=${interval}`, bundle.id]),
          /duration interval must be greater than 0/,
        );
      assertRefusal(runTinyrun(bundle, ['events', '--interval', '5', bundle.id]), /invalid value "5"/);
      assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
      await until(
        'it has ended',
        () => JSON.parse(output(runTinyrun(bundle, ['state', bundle.id]))).status === 'stopped',
      );
      const says = new RegExp(`container with id ${bundle.id} is not running`);
      assertRefusal(runTinyrun(bundle, ['events', bundle.id]), says);
      assertRefusal(runTinyrun(bundle, ['events', '--stats', bundle.id]), says);
      assertRefusal(runTinyrun(bundle, ['events', 'nobody']), /container does not exist/);
    }),
  ));

// Against runc

/** Tells tinyrun's state of a container that runc runs. */
function adopt(bundle: Bundle, pid: number): void {
  const directory = join(bundle.root, 'adopted');
  mkdirSync(directory, { recursive: true });
  copyFileSync(`/proc/${pid}/stat`, join(directory, 'init.stat'));
  const cgroups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [, controllers = '', path = ''] = line.split(':');
      const name = controllers.replace('name=', '') || 'unified';
      return { controllers, path: `/sys/fs/cgroup/${name}${path}` };
    })
    .filter(({ path }) => existsSync(path));
  const texts = { ociVersion: '1.0.0', bundle: bundle.dir, rootfs: bundle.rootfs, created: '', owner: '' };
  const state = { ...texts, id: 'adopted', pid, tinyrun: { transient: false, cgroups } };
  writeFileSync(join(directory, 'state.json'), JSON.stringify(state));
}

/** What changes from one look to the next, and only that, as 0. */
const settled = (text: string): string =>
  text
    .replace(
      /"(usage|max|total_?\w*|kernel|user|\w*(rss|cache|anon|file|dirty|pgpgin|pgpgout))":\d+/g,
      '"$1":0',
    )
    .replace(/"(percpu\w*)":\[[^\]]*\]/g, '"$1":[]');

test("the statistics are runc's, field by field", () => {
  const name = "the statistics are runc's";
  if (!isInstalled('runc')) return skip(name, 'runc is not installed');
  if (isV2) return skip(name, 'this host has no v1 hierarchies');
  return withBundle((bundle) => {
    bundle.config.process.args = ['/payload', 'trap'];
    bundle.config.linux!.cgroupsPath = `/${bundle.id}`;
    writeConfig(bundle);
    const root = join(bundle.root, '..', 'runc');
    const runc = (...words: string[]) => runCommand(['runc', '--root', root, ...words]);
    const script = `exec >${bundle.dir}/output 2>&1; exec runc --root ${root} run -d --bundle ${bundle.dir} ${bundle.id}`;
    assert.is(runCommand(['sh', '-c', script]).code, 0, read(`${bundle.dir}/output`));
    try {
      assert.is(runc('update', '--memory', '64M', '--cpu-quota', '50000', bundle.id).code, 0);
      adopt(bundle, JSON.parse(runc('state', bundle.id).stdout).pid);
      const theirs = runc('events', '--stats', bundle.id).stdout.replaceAll(bundle.id, 'adopted');
      const ours = output(runTinyrun(bundle, ['events', '--stats', 'adopted']));
      assert.is(settled(ours), settled(theirs));
      assert.match(ours, /"hierarchical_memory_limit":67108864,/);
    } finally {
      runc('delete', '--force', bundle.id);
    }
  });
});

test.run();
