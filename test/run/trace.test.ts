// `tinyrun run --trace`: each op with its result, errno and time as it ends, from all processes, in a file or on a file
// descriptor; the same under both engines.

import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { until } from '../support/container.ts';
import { assertFails, assertSucceeds } from '../support/refusal.ts';
import { whileRunning } from '../support/running.ts';
import { parseTrace, type TracedOp } from '../support/traced.ts';

/** Runs with a trace file, and reads that. */
function traceOf(bundle: Bundle, words: readonly string[], code = 0): TracedOp[] {
  const file = join(bundle.dir, 'trace');
  writeFileSync(file, '');
  const result = runTinyrun(bundle, ['run', '--trace', file, ...words]);
  assert.is(result.code, code, result.stderr);
  return parseTrace(readFileSync(file, 'utf8'));
}

const of = (trace: readonly TracedOp[], section: string, call: string): TracedOp[] =>
  trace.filter((op) => op.section === section && new RegExp(`^(\\$\\S+ = )?${call}\\(`).test(op.text));

test('a trace shows each op of both programs with its result and time', () =>
  withBundle((bundle) => {
    const trace = traceOf(bundle, ['--bundle', bundle.dir, bundle.id, '--', '/payload', 'exit', '7'], 7);
    const host = trace.filter(({ section }) => section === 'host');
    assert.equal(
      host.slice(0, 3).map(({ number }) => number),
      [0, 1, 2],
    );
    assert.match(host.at(-1)!.text, /^exit_group\(/);
    assert.is(host.at(-1)!.nanoseconds, 0, 'a call that does not come back is shown before it');
    const init = trace.filter(({ section }) => section === 'init');
    assert.match(init.at(-1)!.text, /^execve\("\/payload", /);

    const cloned = of(trace, 'host', 'clone3').map(({ result }) => result); // who comes first is up to the kernel
    assert.is(cloned.length, 2, 'it returns in the parent and in the child');
    assert.ok(cloned.includes(0) && Math.max(...cloned) > 1, "the host program sees init's pid");
    const [status] = trace.filter(({ text }) => text.startsWith('$exit = exitcode'));
    assert.is(status!.result, 7);
    const [wait] = of(trace, 'host', 'rt_sigtimedwait');
    assert.ok(wait!.nanoseconds > 1000, 'it waited');
    for (const { result, errno } of trace) assert.is(errno !== undefined, result < 0 && result > -4096);
  }));

test('a trace shows the errno of a call that failed, also where that is no failure', () =>
  withBundle((bundle) => {
    const trace = traceOf(bundle, [bundle.dir, '--', '/missing'], 127);
    const missing = trace.filter(({ text }) => text.includes('"/missing"'));
    assert.ok(missing.some(({ result, errno }) => result === -2 && errno === 'ENOENT'));
    const exists = of(trace, 'host', 'mkdirat').find(({ text }) => text.includes('"/tmp"'));
    assert.equal([exists!.result, exists!.errno], [-17, 'EEXIST']);
  }));

test('a trace goes to a file descriptor as well', () =>
  withBundle((bundle) => {
    const file = join(bundle.dir, 'trace');
    const fd = openSync(file, 'w');
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const command = [tinyrun, ...roots, 'run', '--trace', '5', bundle.dir, '--', '/payload', 'fds'];
    const done = Bun.spawnSync(command, { stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', fd] });
    closeSync(fd);
    assert.equal([done.exitCode, done.stderr?.toString()], [0, '']);
    const open = done.stdout
      ?.toString()
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    assert.equal(open, ['0', '1', '2'], 'the container has none of it');
    assert.ok(parseTrace(readFileSync(file, 'utf8')).length > 100);
  }));

test('a trace file is appended to, and no container sees it', () =>
  withBundle((bundle) => {
    const words = [bundle.dir, '--', '/payload', 'fds'];
    const once = traceOf(bundle, words).length;
    const file = join(bundle.dir, 'trace');
    const { stdout } = runTinyrun(bundle, ['run', '--trace', file, ...words]);
    assert.equal(stdout.trimEnd().split('\n').length, 3);
    assert.is(parseTrace(readFileSync(file, 'utf8')).length, 2 * once);
  }));

test('a trace of a terminal shows the process that reads keys, too', () =>
  withBundle(async (bundle) => {
    bundle.config.process.terminal = true;
    writeConfig(bundle);
    const file = join(bundle.dir, 'trace');
    const words = ['run', '--trace', file, bundle.dir, '--', '/payload', 'trap'];
    await whileRunning(bundle, words, async (running) => {
      const input = () => readFileSync(file, 'utf8').includes('prctl(PR_SET_NAME, "tinyrun:input")');
      await running.shows('ready');
      await until('the process that reads keys is there', input);
      running.kill('SIGTERM');
      assert.is(await running.exited, 0);
    });
    const cloned = of(parseTrace(readFileSync(file, 'utf8')), 'host', 'clone3');
    assert.is(cloned.length, 2 + 2, 'each returns in the parent and in the child');
  }));

test('a trace that cannot be written to is refused', () =>
  withBundle((bundle) => {
    const result = runTinyrun(bundle, ['run', '--trace', '/nowhere/trace', bundle.dir]);
    assertFails(bundle, result, /^tinyrun: --trace: open \/nowhere\/trace: ENOENT/, 125);
    const closed = runTinyrun(bundle, ['run', '--trace', '99', bundle.dir]);
    assertFails(bundle, closed, /^tinyrun: --trace 99: file descriptor 99 is not open$/m, 125);
  }));

test('both engines do the same ops with the same results', () =>
  withBundle((bundle) => {
    const words = ['--bundle', bundle.dir, bundle.id];
    assertSucceeds(runTinyrun(bundle, ['run', ...words])); // makes the state root
    const [native, ffi] = ['native', 'ffi'].map((engine) => traceOf(bundle, ['--engine', engine, ...words]));
    for (const section of ['host', 'init']) {
      const ops = (trace: TracedOp[] | undefined) =>
        trace!
          // How long a program is in memory, an engine decides: what is set apart behind its end differs.
          .filter((op) => op.section === section && !op.text.startsWith('madvise('))
          .toSorted((a, b) => a.number - b.number) // behind clone3, two processes take turns as they please
          .map(({ number, errno }) => `${number} ${errno ?? 'ok'}`);
      assert.ok(ops(native).length > 50);
      assert.equal(ops(ffi), ops(native));
    }
  }));

test('the ffi engine runs the same container', () =>
  withBundle((bundle) => {
    const inside = [
      'ids',
      '--',
      'sigmask',
      '--',
      'limits',
      '--',
      'cwd',
      '--',
      'umask',
      '--',
      'env',
      '--',
      'fds',
    ];
    const program = ['--', '/payload', ...inside];
    const native = runTinyrun(bundle, ['run', bundle.dir, ...program]);
    const ffi = runTinyrun(bundle, ['run', '--engine', 'ffi', bundle.dir, ...program]);
    const withoutPipes = (text: string) => text.replaceAll(/(pipe|socket):\[\d+\]/g, '$1');
    assert.is(withoutPipes(ffi.stdout), withoutPipes(native.stdout));
    assert.equal([ffi.stderr, ffi.code], [native.stderr, native.code]);
  }));

test.run();
