// start, kill, state and delete without JavaScript (plan/verbs.ts): the same words and effects as with it, and no effect
// where something is not as usual.

import { chownSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { launchedWords } from '../support/launched.ts';
import { assertSucceeds, leftovers } from '../support/refusal.ts';

const say = (bundle: Bundle, ...args: string[]) => runTinyrun(bundle, args);
/** With JavaScript: the launcher leaves what is to be debugged to it. */
const sayByScript = (bundle: Bundle, ...args: string[]) => runTinyrun(bundle, ['--debug', ...args]);
/** Without JavaScript; undefined where that is needed. */
const launch = (bundle: Bundle, ...args: string[]) =>
  launchedWords(['--root', bundle.root, '--data-root', bundle.dataRoot, ...args]);

function create(bundle: Bundle): void {
  const words = [
    '--root',
    bundle.root,
    '--data-root',
    bundle.dataRoot,
    'create',
    '-b',
    bundle.dir,
    bundle.id,
  ];
  const done = Bun.spawnSync([tinyrun, ...words], { stdio: ['ignore', 'ignore', 'ignore'] });
  assert.is(done.exitCode, 0);
}

/** A bundle whose state root has the programs of all verbs already. */
async function withVerbs(use: (bundle: Bundle) => void | Promise<void>): Promise<void> {
  await withBundle(async (bundle) => {
    bundle.config.process.args = ['/payload', 'trap', '10'];
    bundle.config.annotations = { 'org.example.note': 'ünï "quoted"' };
    writeConfig(bundle);
    create(bundle);
    say(bundle, 'state', bundle.id);
    say(bundle, 'start', bundle.id);
    say(bundle, 'kill', bundle.id, 'KILL');
    await until('it has ended', () => say(bundle, 'state', bundle.id).stdout.includes('stopped'));
    assertSucceeds(say(bundle, 'delete', bundle.id));
    const programs = readdirSync(join(bundle.root, '.programs')).flatMap(
      (name) => name.match(/^[^.]+(?=\.)/) ?? [],
    );
    assert.equal(programs.sort(), ['delete', 'kill+KILL', 'start', 'state']);
    await use(bundle);
    assert.equal(leftovers(bundle), []);
  });
}

test('a whole life without JavaScript, and the state as JavaScript prints it', () =>
  withVerbs(async (bundle) => {
    const same = (status: string): void => {
      const launched = launch(bundle, 'state', bundle.id)!;
      assert.is(launched.code, 0);
      assert.is(launched.stdout, sayByScript(bundle, 'state', bundle.id).stdout);
      assert.is(JSON.parse(launched.stdout).status, status);
    };
    create(bundle);
    same('created');
    assert.is(launch(bundle, 'start', bundle.id)?.code, 0);
    same('running');
    assert.is(launch(bundle, 'kill', bundle.id, 'KILL')?.code, 0);
    await until('it has ended', () => say(bundle, 'state', bundle.id).stdout.includes('stopped'));
    same('stopped');
    assert.is(launch(bundle, 'delete', bundle.id)?.code, 0);
    assert.equal(leftovers(bundle), []);
  }));

test('what is refused is refused by JavaScript, in its words', () =>
  withVerbs(async (bundle) => {
    for (const verb of ['start', 'state', 'delete']) {
      assert.is(launch(bundle, verb, 'nobody'), undefined);
      assert.match(say(bundle, verb, 'nobody').stderr, /container does not exist: nobody/);
    }
    create(bundle);
    assert.is(launch(bundle, 'delete', bundle.id), undefined);
    assert.match(say(bundle, 'delete', bundle.id).stderr, /that is not stopped: created/);
    assertSucceeds(say(bundle, 'start', bundle.id));
    assert.is(launch(bundle, 'start', bundle.id), undefined);
    assert.match(say(bundle, 'start', bundle.id).stderr, /cannot start an already running container/);
    assertSucceeds(say(bundle, 'kill', bundle.id, 'KILL'));
    await until('it has ended', () => say(bundle, 'state', bundle.id).stdout.includes('stopped'));
    assert.is(launch(bundle, 'kill', bundle.id, 'KILL'), undefined);
    assert.match(say(bundle, 'kill', bundle.id, 'KILL').stderr, /container not running: stopped/);
    assertSucceeds(say(bundle, 'delete', bundle.id));
  }));

test('a process that only has the pid of init gets no signal, and the container counts as stopped', () =>
  withVerbs((bundle) => {
    create(bundle);
    const file = join(bundle.root, bundle.id, 'init.pidfd');
    const numbers = new BigUint64Array(new Uint8Array(readFileSync(file)).buffer);
    const other = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] });
    try {
      writeFileSync(
        file,
        new Uint8Array(new BigUint64Array([BigInt(other.pid), ...numbers.slice(1)]).buffer),
      );
      assert.is(launch(bundle, 'kill', bundle.id, 'KILL'), undefined);
      assert.is(other.exitCode, null);
      assert.is(JSON.parse(launch(bundle, 'state', bundle.id)!.stdout).status, 'stopped');
    } finally {
      other.kill('SIGKILL');
    }
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  }));

test('after a reboot, no process counts as init: pids and inodes are counted anew, side by side', () =>
  withVerbs((bundle) => {
    create(bundle);
    const file = join(bundle.root, bundle.id, 'init.pidfd');
    const before = readFileSync(file);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    assert.is(before.subarray(16).toString(), boot);
    for (const at of [16, 23]) {
      const changed = Buffer.from(before);
      changed[at]! ^= 1;
      writeFileSync(file, changed);
      assert.is(launch(bundle, 'kill', bundle.id, 'KILL'), undefined);
      assert.is(JSON.parse(launch(bundle, 'state', bundle.id)!.stdout).status, 'stopped');
    }
    writeFileSync(file, before);
    assert.is(JSON.parse(launch(bundle, 'state', bundle.id)!.stdout).status, 'created');
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  }));

test('a paused container, and one with hooks or without a pid namespace, is for JavaScript', () =>
  withVerbs(async (bundle) => {
    create(bundle);
    assertSucceeds(say(bundle, 'start', bundle.id));
    assertSucceeds(say(bundle, 'pause', bundle.id));
    assert.is(launch(bundle, 'state', bundle.id), undefined);
    assert.is(JSON.parse(say(bundle, 'state', bundle.id).stdout).status, 'paused');
    assertSucceeds(say(bundle, 'resume', bundle.id));
    assert.is(JSON.parse(launch(bundle, 'state', bundle.id)!.stdout).status, 'running');
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
    bundle.config.hooks = { poststop: [{ path: '/bin/true' }] };
    writeConfig(bundle);
    create(bundle);
    for (const verb of ['start', 'state']) assert.is(launch(bundle, verb, bundle.id), undefined, verb);
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
    bundle.config.hooks = {};
    bundle.config.linux!.namespaces = bundle.config.linux!.namespaces!.filter(({ type }) => type !== 'pid');
    writeConfig(bundle);
    create(bundle);
    assert.not.ok(existsSync(join(bundle.root, bundle.id, 'init.pidfd')));
    assert.is(launch(bundle, 'kill', bundle.id, 'KILL'), undefined);
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  }));

test('a state directory of another user is not believed: nobody is killed, nothing removed', () =>
  withVerbs((bundle) => {
    create(bundle);
    const directory = join(bundle.root, bundle.id);
    chownSync(directory, 1000, 1000);
    for (const words of [['start'], ['state'], ['kill', 'KILL'], ['delete']] as const) {
      const [verb, ...more] = words;
      assert.is(launch(bundle, verb, bundle.id, ...more), undefined, verb);
      assert.match(say(bundle, verb, bundle.id, ...more).stderr, /belongs to user 1000, not to root/);
    }
    for (const words of [
      ['exec', bundle.id, '/payload', 'true'],
      ['delete', '--force', bundle.id],
      ['pause', bundle.id],
    ])
      assert.match(runTinyrun(bundle, words).stderr, /belongs to user 1000, not to root/);
    assert.match(runTinyrun(bundle, ['list']).stderr, /warning.* belongs to user 1000/);
    chownSync(directory, 0, 0);
    assert.is(JSON.parse(launch(bundle, 'state', bundle.id)!.stdout).status, 'created');
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  }));

test('damaged files of a state directory are for JavaScript', () =>
  withVerbs((bundle) => {
    create(bundle);
    const at = (name: string) => join(bundle.root, bundle.id, name);
    for (const name of ['init.pidfd', 'state.text']) {
      renameSync(at(name), at('away'));
      assert.is(launch(bundle, 'state', bundle.id), undefined, name);
      writeFileSync(at(name), 'short');
      assert.is(launch(bundle, 'state', bundle.id), undefined, name);
      renameSync(at('away'), at(name));
    }
    assert.is(launch(bundle, 'state', bundle.id)?.code, 0);
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  }));

test.run();
