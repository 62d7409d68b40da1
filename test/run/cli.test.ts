// The command line with real containers: names and how long a container is kept, state, list, delete, files of
// messages and pids, help. Exit codes are in exit-codes.test.ts.

import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { output, runCommand } from '../support/container.ts';
import { assertFails, assertSucceeds, leftovers } from '../support/refusal.ts';
import { whileRunning } from '../support/running.ts';
import { skip } from '../support/skip.ts';

/** stdout of a command that succeeds. */
const say = (bundle: Bundle, ...args: string[]): string => output(runTinyrun(bundle, args));
const stateOf = (bundle: Bundle, id: string): Record<string, unknown> => JSON.parse(say(bundle, 'state', id));

// Help

test('the help of every command has examples, which begin with it', () =>
  withBundle((bundle) => {
    const help = say(bundle, '--help');
    const names = [...help.matchAll(/^ {2}tinyrun ([a-z-]+(?: [a-z-]+)?)(?: {2,}|$)/gm)].map(
      ([, name]) => name!,
    );
    assert.ok(names.length > 5);
    for (const name of names.filter((name) => name !== 'completion')) {
      const words = name.split(' ');
      const text = say(bundle, ...words, '--help');
      assert.ok(text.startsWith(`tinyrun ${name}`));
      assert.match(text, new RegExp(`\n\nExamples:\n  tinyrun ${name}( .+)? {2,}[a-z].+\n`), name);
      assert.is(text, say(bundle, ...words, '-h'));
    }
  }));

test('completion prints a script by which bash completes commands and options', () =>
  withBundle((bundle) => {
    const file = join(bundle.dir, 'completion');
    writeFileSync(file, say(bundle, 'completion'));
    const complete = (...words: string[]): string[] => {
      const script = `. ${file}; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _tinyrun_yargs_completions`;
      const env = { PATH: `${dirname(tinyrun)}:${process.env['PATH']}` };
      return output(runCommand(['bash', '-c', `${script}; echo "\${COMPREPLY[@]}"`], { env }))
        .trim()
        .split(' ');
    };
    assert.equal(complete('tinyrun', 'st'), ['start', 'state', 'stop']);
    assert.equal(complete('tinyrun', 'delete', '--for'), ['--force']);
  }));

test("--version has runc's three lines, with the commit", () =>
  withBundle((bundle) => {
    assert.match(
      say(bundle, '--version'),
      /^tinyrun version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.\d+\.\d+\n$/,
    );
  }));

test('in a directory that was removed all works that does not need it, and relative paths are missing', () =>
  withBundle((bundle) => {
    const script = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"';
    const inRemoved = (...args: string[]) =>
      runCommand(['sh', '-c', script, join(bundle.dir, 'gone'), tinyrun, '--root', bundle.root, ...args]);
    assert.is(output(inRemoved('list', '--quiet')), '');
    assert.is(inRemoved('run', bundle.dir, '--', '/payload', 'true').code, 0);
    assert.is(inRemoved('exec', 'c1', 'true').code, 255);
    const missing = /^tinyrun: read .*the removed working directory\/b\/config.json: ENOENT/;
    assertFails(bundle, inRemoved('run', './b'), missing, 125);
  }));

test('a reader that goes away is no error', () =>
  withBundle((bundle) => {
    const script = `{ "$@"; echo "exit code $?" >&2; } | head -n 1`;
    const { stdout, stderr } = runCommand([
      'sh',
      '-c',
      script,
      'sh',
      tinyrun,
      'explain',
      '--json',
      bundle.dir,
    ]);
    assert.equal([stdout, stderr], ['[\n', 'exit code 141\n']);
  }));

// Ids, and how long a container is kept

test('words behind -- are the program, options among them as well', () =>
  withBundle((bundle) => {
    assert.is(say(bundle, 'run', bundle.dir, '--', '/payload', 'args', '--rm', '-v', 'x'), '--rm\n-v\nx\n');
    assert.is(say(bundle, 'run', bundle.dir), '', "without them, config.json's");
  }));

test('a container without a name has an id of its own while it runs, and is gone afterwards', () =>
  withBundle(async (bundle) => {
    const args = ['run', bundle.dir, '--', '/payload', 'trap'];
    await whileRunning(bundle, args, async (first) => {
      await whileRunning(bundle, args, async (second) => {
        await Promise.all([first.shows('ready\n'), second.shows('ready\n')]);
        const ids = say(bundle, 'list', '-q').trimEnd().split('\n');
        assert.is(new Set(ids).size, 2);
        for (const id of ids) assert.match(id, /^[0-9a-f]{12}$/);
        second.kill('SIGTERM');
        assert.is(await second.exited, 0);
      });
      first.kill('SIGTERM');
      assert.is(await first.exited, 0);
    });
    assert.equal(leftovers(bundle), []);
  }));

test('a container with a name is kept until it is deleted', () =>
  withBundle((bundle) => {
    const { id, dir, rootfs } = bundle;
    assertSucceeds(runTinyrun(bundle, ['run', '--name', id, dir]));
    const { created, ...state } = stateOf(bundle, id);
    assert.match(String(created), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
    assert.equal(state, {
      ociVersion: '1.3.0',
      id,
      pid: 0,
      status: 'stopped',
      bundle: dir,
      rootfs,
      owner: '',
    });
    assert.match(say(bundle, 'list'), new RegExp(`\n${id} +0 +stopped +${dir} +\\S+ +root\n$`));

    const again = runTinyrun(bundle, ['run', '--name', id, dir]);
    assert.equal([again.code, again.stdout], [125, '']);
    assert.is(again.stderr, `tinyrun: container with given ID already exists: ${id}\n`);

    assertSucceeds(runTinyrun(bundle, ['delete', id]));
    assert.is(say(bundle, 'list', '-q'), '');
    assert.equal(leftovers(bundle), []);
    assertSucceeds(runTinyrun(bundle, ['run', '--name', id, '--rm', dir]));
    assert.equal(leftovers(bundle), [], '--rm keeps nothing');
  }));

test('--keep keeps a container without a name, and its own layer', () =>
  withBundle((bundle) => {
    const program = ['/payload', 'write', '/file', 'x'];
    assertSucceeds(runTinyrun(bundle, ['run', '--keep', '--overlay', bundle.dir, '--', ...program]));
    const id = say(bundle, 'list', '-q').trimEnd();
    assert.is(stateOf(bundle, id)['status'], 'stopped');
    assert.is(readFileSync(join(bundle.dataRoot, 'containers', id, 'upper/file'), 'utf8'), 'x');
    assertSucceeds(runTinyrun(bundle, ['delete', id]));
    assert.equal(leftovers(bundle), []);
    assert.is(existsSync(join(bundle.dataRoot, 'containers', id)), false);
  }));

test("runc's form names the bundle and the id, and keeps nothing", () =>
  withBundle((bundle) => {
    assertSucceeds(runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]));
    assertSucceeds(runTinyrun(bundle, ['run', '-b', bundle.dir, bundle.id]));
    assertSucceeds(runTinyrun(bundle, ['run', bundle.id], { cwd: bundle.dir }));
    assert.equal(leftovers(bundle), []);
    const failed = runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id, '--', '/missing']);
    assertFails(bundle, failed, /\/missing/, 1);
  }));

test('state, list and delete of a running container', () =>
  withBundle(async (bundle) => {
    const { id, dir, rootfs } = bundle;
    await whileRunning(bundle, ['run', '--name', id, dir, '--', '/payload', 'trap'], async (running) => {
      await running.shows('ready\n');
      const pid = running.init();
      const { created, ...state } = stateOf(bundle, id);
      assert.equal(state, {
        ociVersion: '1.3.0',
        id,
        pid,
        status: 'running',
        bundle: dir,
        rootfs,
        owner: '',
      });
      assert.equal(JSON.parse(say(bundle, 'list', '-f', 'json')), [{ ...state, created, owner: 'root' }]);
      assert.match(say(bundle, 'list'), new RegExp(`^ID .*\n${id} +${pid} +running +${dir} `));

      const refused = runTinyrun(bundle, ['delete', id]);
      assert.equal([refused.code, refused.stdout], [1, '']);
      assert.is(refused.stderr, `tinyrun: cannot delete container ${id} that is not stopped: running\n`);
      const taken = runTinyrun(bundle, ['run', '--bundle', dir, id]);
      assert.equal(
        [taken.code, taken.stderr],
        [1, `tinyrun: container with given ID already exists: ${id}\n`],
      );

      assertSucceeds(runTinyrun(bundle, ['delete', '--force', id]));
      assert.is(await running.exited, 137);
    });
    assert.is(say(bundle, 'list', '-f', 'json'), 'null\n');
    assert.equal(leftovers(bundle), []);
    assertSucceeds(runTinyrun(bundle, ['delete', '--force', id]));
  }));

test("the pid file has the digits of the container's pid and nothing else", () =>
  withBundle(async (bundle) => {
    const file = join(bundle.dir, 'pid');
    const args = ['run', '--name', bundle.id, '--pid-file', 'pid', bundle.dir, '--', '/payload', 'trap'];
    await whileRunning(bundle, args, async (running) => {
      await running.shows('ready\n');
      assert.is(readFileSync(file, 'utf8'), `${running.init()}`);
      assert.is(stateOf(bundle, bundle.id)['pid'], running.init());
      running.kill('SIGTERM');
      assert.is(await running.exited, 0);
    });
  }));

// Messages

/** A name that any way of quoting has to work for. */
const AWKWARD = 'a"b\\c\td';

for (const [who, words] of [
  ['tinyrun', ['run', '--bundle', `/nowhere/${AWKWARD}`, 'c1']],
  ['the program', ['run', '.', '--', AWKWARD]],
] as const) {
  test(`what ${who} has to say goes to stderr and to the log file, as JSON`, () =>
    withBundle((bundle) => {
      const log = join(bundle.dir, 'log');
      const { stderr } = runTinyrun(bundle, ['--log', log, '--log-format', 'json', ...words]);
      const lines = readFileSync(log, 'utf8').split('\n');
      assert.is(lines.length, 2);
      const entry = JSON.parse(lines[0]!);
      assert.equal(Object.keys(entry), ['level', 'msg', 'time']);
      assert.is(entry.level, 'error');
      assert.is(`tinyrun: ${entry.msg}\n`, stderr);
      assert.match(entry.msg, /a\\?"b\\{1,2}c/);
      assert.ok(Math.abs(Date.parse(entry.time) - Date.now()) < 60_000, entry.time);
    }));

  test(`what ${who} has to say goes to stderr and to the log file, as text`, () =>
    withBundle((bundle) => {
      const { stderr } = runTinyrun(bundle, ['--log', 'log', ...words]);
      const line = readFileSync(join(bundle.dir, 'log'), 'utf8');
      const [, quoted] =
        /^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=error msg=("(?:[^"\\]|\\.)*")\n$/.exec(line) ?? [];
      assert.is(`tinyrun: ${JSON.parse(quoted ?? '""')}\n`, stderr);
    }));
}

test('messages are appended to the log file', () =>
  withBundle((bundle) => {
    for (let i = 0; i < 2; i++) runTinyrun(bundle, ['--log', 'log', 'run', '.', '--', '/missing']);
    runTinyrun(bundle, ['--log', 'log', 'state', 'none']);
    assert.is(readFileSync(join(bundle.dir, 'log'), 'utf8').split('\n').length, 4);
  }));

test('--debug changes nothing of a container', () =>
  withBundle((bundle) => {
    const { stdout, code } = runTinyrun(bundle, ['--debug', 'run', '.', '--', '/payload', 'args', 'hello']);
    assert.equal([stdout, code], ['hello\n', 0]);
    const failed = runTinyrun(bundle, ['--debug', 'run', '/nowhere']);
    assert.match(failed.stderr, /^tinyrun: [^\n]+\n(.*\n)+/);
  }));

// spec

test('run runs what spec writes', () =>
  withBundle((bundle) => {
    const config = specConfig(bundle);
    assert.is(config.process.terminal, true);
    const { stdout, code } = runTinyrun(bundle, ['run', bundle.dir, '--', '/payload', 'args', 'hello']);
    assert.equal([stdout, code], ['hello\r\n', 0]);
  }));

test('runc runs what spec writes', () =>
  withBundle((bundle) => {
    if (Bun.which('runc') === null) return skip('spec for runc', 'no runc');
    const config = specConfig(bundle);
    Object.assign(config.process, { terminal: false, args: ['/payload', 'args', 'hello'] });
    writeFileSync(join(bundle.dir, 'config.json'), JSON.stringify(config));
    const runc = ['runc', '--root', join(bundle.root, 'runc'), 'run', '--bundle', bundle.dir, bundle.id];
    const { stdout, stderr, code } = runCommand(runc);
    assert.equal([stdout, code], ['hello\n', 0], stderr);
  }));

test('spec --file names the file, which is never replaced', () =>
  withBundle((bundle) => {
    const written = ['spec', '--bundle', bundle.dir, '--file', 'other.json'];
    say(bundle, ...written);
    assert.is(JSON.parse(readFileSync(join(bundle.dir, 'other.json'), 'utf8')).ociVersion, '1.3.0');
    assertFails(
      bundle,
      runTinyrun(bundle, written),
      /^tinyrun: File other.json exists. Remove it first$/m,
      1,
    );
  }));

/** Replaces the bundle's config.json by spec's. */
function specConfig(bundle: Bundle): Config {
  const path = join(bundle.dir, 'config.json');
  rmSync(path);
  assertSucceeds(runTinyrun(bundle, ['spec']));
  return JSON.parse(readFileSync(path, 'utf8'));
}

test('--hostname without a uts namespace is refused: it would be the host’s name', () =>
  withBundle((bundle) => {
    delete bundle.config.hostname;
    bundle.config.linux!.namespaces = bundle.config.linux!.namespaces!.filter(({ type }) => type !== 'uts');
    writeConfig(bundle);
    const name = hostname();
    const { stderr, code } = runTinyrun(bundle, ['run', '--hostname', name, bundle.dir]);
    assert.match(
      stderr,
      /^tinyrun: --hostname .+: without a uts namespace it would be the host's name; .+\n$/,
    );
    assert.is(code, 125);
  }));

test('a container with annotations of megabytes can be read and deleted', () =>
  withBundle((bundle) => {
    bundle.config.annotations = { long: 'x'.repeat(3_000_000) };
    writeConfig(bundle);
    assert.is(runTinyrun(bundle, ['run', '--name', bundle.id, bundle.dir]).code, 0);
    assert.is(JSON.parse(runTinyrun(bundle, ['state', bundle.id]).stdout).status, 'stopped');
    assert.is(runTinyrun(bundle, ['delete', bundle.id]).code, 0);
    assert.is(existsSync(join(bundle.root, bundle.id)), false);
  }));

test('files of --log and --trace are not the container’s, however many descriptors are preserved', () =>
  withBundle((bundle) => {
    const files = ['log', 'trace'].map((name) => join(bundle.dir, name));
    const args = ['--log', files[0]!, 'run', '--preserve-fds', '60', '--trace', files[1]!, bundle.dir];
    const { stdout, stderr, code } = runTinyrun(bundle, [...args, '--', '/payload', 'fds']);
    assert.is(code, 0, stderr);
    for (const file of files) assert.not.match(stdout, file);
  }));

test('a symlink in the way of the pid file is replaced, not followed', () =>
  withBundle((bundle) => {
    const victim = join(bundle.dir, 'victim');
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, join(bundle.dir, 'pid~'));
    const pidFile = join(bundle.dir, 'pid');
    assert.is(runTinyrun(bundle, ['run', '--pid-file', pidFile, bundle.dir]).code, 0);
    assert.is(readFileSync(victim, 'utf8'), 'untouched');
    assert.match(readFileSync(pidFile, 'utf8'), /^\d+$/);
  }));

test.run();
