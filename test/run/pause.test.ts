// pause and resume, with real containers: the freezer, and what the other commands say of a paused container.

import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, startTinyrun, withBundle } from '../support/bundle.ts';
import { isV2 } from '../support/cgroup.ts';
import { inCgroup, read } from '../support/contained.ts';
import { output, until } from '../support/container.ts';
import { assertRefusal, assertSucceeds } from '../support/refusal.ts';

const say = (bundle: Bundle, ...words: string[]) => runTinyrun(bundle, [...words, bundle.id]);
const statusOf = (bundle: Bundle): string => JSON.parse(output(say(bundle, 'state'))).status;

test('a paused container does nothing, not even end, until it is resumed', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', async () => {
      assertSucceeds(say(bundle, 'pause'));
      assert.is(statusOf(bundle), 'paused');
      assert.match(output(runTinyrun(bundle, ['list'])), / paused /);
      assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'TERM']));
      await Bun.sleep(50);
      assert.is(read(`${bundle.dir}/output`), 'ready', 'it has not seen the signal');
      assertSucceeds(say(bundle, 'resume'));
      await until('it has ended', () => statusOf(bundle) === 'stopped');
      assert.is(read(`${bundle.dir}/output`), 'ready\n15');
    }),
  ));

test('a created container is paused, and is created again when it is resumed', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'create', () => {
      assertSucceeds(say(bundle, 'pause'));
      assert.is(statusOf(bundle), 'paused');
      assertRefusal(say(bundle, 'start'), /cannot start a container in the paused state/);
      assertSucceeds(say(bundle, 'resume'));
      assert.is(statusOf(bundle), 'created');
      assertSucceeds(say(bundle, 'start'));
      assert.is(statusOf(bundle), 'running');
    }),
  ));

test('pause twice, resume twice, and both of an ended container are refused in words of runc', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', async () => {
      assertRefusal(say(bundle, 'resume'), /container not paused/);
      assertSucceeds(say(bundle, 'pause'));
      assertRefusal(say(bundle, 'pause'), /container not running/);
      assertSucceeds(say(bundle, 'resume'));
      assertSucceeds(runTinyrun(bundle, ['kill', bundle.id, 'KILL']));
      await until('it has ended', () => statusOf(bundle) === 'stopped');
      assertRefusal(say(bundle, 'pause'), /container not running/);
      assertRefusal(say(bundle, 'resume'), /container not paused/);
      assertRefusal(runTinyrun(bundle, ['pause', 'nobody']), /container does not exist/);
    }),
  ));

test('of many callers at once one pauses the container, and the others are refused', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', async () => {
      const codes = await Promise.all(
        Array.from({ length: 6 }, () => startTinyrun(bundle, ['pause', bundle.id]).exited),
      );
      assert.equal(codes.sort(), [0, 1, 1, 1, 1, 1]);
      assert.is(statusOf(bundle), 'paused');
    }),
  ));

test('processes in cgroups below are paused with the others', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ pid, file }) => {
      const below = file('freezer', 'below', 'below');
      mkdirSync(below);
      try {
        writeFileSync(`${below}/cgroup.procs`, String(pid));
        assertSucceeds(say(bundle, 'pause'));
        const state = isV2 ? read(`${below}/cgroup.events`) : read(`${below}/freezer.state`);
        assert.match(state, /^FROZEN$|^frozen 1$/m);
        assertSucceeds(say(bundle, 'resume'));
      } finally {
        writeFileSync(file('freezer', 'cgroup.procs', 'cgroup.procs'), String(pid));
        rmdirSync(below);
      }
    }),
  ));

test('without a freezer, pause says which controller is missing, and the container runs on', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ cgroups }) => {
      const file = join(bundle.root, bundle.id, 'state.json');
      const text = read(file);
      const withCgroups = (left: typeof cgroups) => {
        const state = JSON.parse(text);
        writeFileSync(file, JSON.stringify({ ...state, tinyrun: { ...state.tinyrun, cgroups: left } }));
      };
      withCgroups([]);
      assertRefusal(say(bundle, 'pause'), /no cgroup of the freezer controller: it has no cgroup of its own/);
      assertRefusal(say(bundle, 'ps'), /no cgroup of the pids controller/);
      withCgroups([{ controllers: 'cpu', path: '/sys/fs/cgroup/cpu' }]);
      assertRefusal(say(bundle, 'pause'), /no cgroup of the freezer controller: it has cgroups of cpu only/);
      assert.is(statusOf(bundle), 'running');
      writeFileSync(file, text);
    }),
  ));

test.run();
