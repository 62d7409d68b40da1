// ps, with real containers and the host's ps(1).

import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runTinyrun, withBundle } from '../support/bundle.ts';
import { inCgroup } from '../support/contained.ts';
import { output, until, withHelper } from '../support/container.ts';
import { assertRefusal, assertSucceeds } from '../support/refusal.ts';

test("ps shows the container's processes and no others, as ps -ef does", () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ pid }) => {
      const [head, ...lines] = output(runTinyrun(bundle, ['ps', bundle.id]))
        .trimEnd()
        .split('\n');
      assert.match(head!, /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
      assert.is(lines.length, 1);
      assert.match(lines[0]!, new RegExp(`^root +${pid} .* /payload trap$`));
    }),
  ));

test('words behind the id are for ps(1), options among them', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ pid }) => {
      const table = output(runTinyrun(bundle, ['ps', bundle.id, '-o', 'pid,comm', '-e']));
      assert.equal(
        table
          .trimEnd()
          .split('\n')
          .map((line) => line.trim().split(/ +/)),
        [
          ['PID', 'COMMAND'],
          [String(pid), 'payload'],
        ],
      );
      assert.match(output(runTinyrun(bundle, ['ps', bundle.id, '--', 'aux'])), /^USER +PID .*\n.*payload/);
      assertRefusal(
        runTinyrun(bundle, ['ps', bundle.id, '-e', '-o', 'comm']),
        /couldn't find PID field in ps output/,
      );
      assertRefusal(runTinyrun(bundle, ['ps', bundle.id, '--no-such-option']), /^tinyrun: ps /);
    }),
  ));

test('ps --format json is a list of pids, those in cgroups below among them', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ pid, cgroups }) =>
      withHelper(['sleep', '60'], (other) => {
        const paths = cgroups.map(({ path }) => `${path}/a.b`);
        const parent = (path: string): string => path.slice(0, path.lastIndexOf('/'));
        for (const path of paths) {
          mkdirSync(path);
          if (path.includes('/cpuset/'))
            for (const [name, value] of [
              ['cpuset.cpus', '0'],
              ['cpuset.mems', '0'],
            ])
              writeFileSync(`${path}/${name}`, value!);
        }
        const home = new Map(paths.map((path) => [path, parent(parent(path))]));
        try {
          for (const path of paths) writeFileSync(`${path}/cgroup.procs`, String(other));
          const pids = JSON.parse(output(runTinyrun(bundle, ['ps', '--format', 'json', bundle.id])));
          assert.equal(new Set(pids), new Set([pid, other]));
        } finally {
          for (const path of paths) {
            writeFileSync(`${home.get(path)}/cgroup.procs`, String(other));
            rmdirSync(path);
          }
        }
      }),
    ),
  ));

test('of an ended container ps shows nothing, and that is no failure', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', async () => {
      assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
      await until(
        'it has ended',
        () => JSON.parse(output(runTinyrun(bundle, ['state', bundle.id]))).status === 'stopped',
      );
      assert.match(output(runTinyrun(bundle, ['ps', bundle.id])), /^UID .*\n$/);
      assert.is(output(runTinyrun(bundle, ['ps', '-f', 'json', bundle.id])), 'null\n');
      assertRefusal(runTinyrun(bundle, ['ps', 'nobody']), /container does not exist/);
    }),
  ));

test.run();
