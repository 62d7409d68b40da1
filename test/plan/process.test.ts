import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers } from '../../src/engine/recorder.ts';
import type { Process } from '../../src/oci/config.ts';
import { checkProgram } from '../../src/program/check.ts';
import { type Change, errno, minimalConfig, plan, run, stepsOf } from '../support/plan-input.ts';

const withProcess = (process: Partial<Process>, change: Change = {}): Change => ({
  ...change,
  config: minimalConfig((config) => {
    Object.assign(config.process, process);
  }),
});

/** The programs that are tried when none of them is there. */
const tried = (process: Partial<Process>): unknown[] =>
  stepsOf(withProcess(process), nothingThere)
    .filter(({ op }) => op.call === 'execve')
    .map(({ op }) => op.args[0]);

const nothingThere: Answers = ({ call }) =>
  call === 'execve' || call === 'faccessat' ? errno('ENOENT') : undefined;

const DEFAULT_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

test('planExec: a program without a slash is looked for along PATH', () => {
  const rows: [string[], string, string[]][] = [
    [['PATH=/a:/b'], 'x', ['/a/x', '/b/x']],
    [['PATH=/a', 'PATH=/b'], 'x', ['/b/x']], // as getenv of most programs, the last one is in effect
    [['PATH=/a::b:'], 'x', ['/a/x', 'x', 'b/x', 'x']], // an empty part is the working directory
    [['PATH='], 'x', []],
    [['APATH=/a', 'PATHS=/b'], 'x', DEFAULT_PATH.map((directory) => `${directory}/x`)],
    [['PATH=/a'], './x', ['./x']],
    [['PATH=/a'], 'bin/x', ['bin/x']],
    [['PATH=/a'], '/bin/x', ['/bin/x']],
  ];
  for (const [env, program, expected] of rows)
    assert.equal(tried({ args: [program], env }), expected, `${env} ${program}`);
});

/** argv and envp of the process. */
function started(process: Partial<Process>, change: Change = {}) {
  const { op } = stepsOf(withProcess(process, change)).find(({ op }) => op.call === 'execve')!;
  return op.args.slice(1);
}

test('planExec: HOME is added where the config sets none, and kept where it does', () => {
  const rows: [string[], string[]][] = [
    [[], ['HOME=/home/u']],
    [['A=1'], ['A=1', 'HOME=/home/u']],
    [
      ['HOME=/x', 'A=1'],
      ['HOME=/x', 'A=1'],
    ],
    [['HOME='], ['HOME=']],
    [['MYHOME=/x'], ['MYHOME=/x', 'HOME=/home/u']],
  ];
  for (const [env, expected] of rows)
    assert.equal(started({ env }, { home: '/home/u' })[1], { vec: expected }, String(env));
  const { env: _, ...rest } = minimalConfig().process;
  const config = minimalConfig((config) => {
    config.process = rest;
  });
  const { op } = stepsOf({ config }).find(({ op }) => op.call === 'execve')!;
  assert.equal(op.args[2], { vec: ['HOME=/root'] });
});

test('planExec: arguments are handed on as they are', () => {
  const args = ['/bin/x', '', 'a b', 'ü', '-c', '\n'];
  assert.equal(started({ args })[0], { vec: args });
});

/** How a container ends whose candidates fail with these errnos, one after the other. */
function ends(process: Partial<Process>, errnos: string[], there: string[] = []) {
  let i = 0;
  const { exit, printed } = run(withProcess(process), (call) => {
    if (call.call === 'faccessat') return there.includes(call.string(1)) ? 0 : errno('ENOENT');
    if (call.call !== 'execve') return undefined;
    const name = errnos[i++];
    return name === undefined ? undefined : errno(name);
  });
  return [exit, ...printed.map(({ line }) => line)];
}

const PATH = { args: ['x'], env: ['PATH=/a:/b'] };
const FULL = { args: ['/a/x'] };

test('exit codes and words of a program that cannot be executed', () => {
  const noLoader =
    'no such file or directory: the file is there, but not the interpreter or loader that it names';
  const rows: [Partial<Process>, string[], string[], (string | number)[]][] = [
    [PATH, ['ENOENT', 'ENOENT'], [], [127, 'tinyrun: exec: "x": executable file not found in $PATH\n']],
    [PATH, ['ENOTDIR', 'ENOENT'], [], [127, 'tinyrun: exec: "x": executable file not found in $PATH\n']],
    [PATH, ['EACCES', 'ENOENT'], [], [126, 'tinyrun: exec: "x": permission denied\n']],
    [PATH, ['ENOENT', 'EACCES'], [], [126, 'tinyrun: exec: "x": permission denied\n']],
    [PATH, ['EACCES'], [], [0]], // the next one is fine
    [PATH, ['ENOENT'], [], [0]],
    [PATH, ['ENOENT', 'ENOENT'], ['/b/x'], [127, `tinyrun: exec: "x": ${noLoader}\n`]],
    [
      { args: ['x'], env: ['PATH='] },
      [],
      [],
      [127, 'tinyrun: exec: "x": executable file not found in $PATH\n'],
    ],
    [FULL, ['ENOENT'], [], [127, 'tinyrun: exec: "/a/x": stat /a/x: no such file or directory\n']],
    [FULL, ['ENOENT'], ['/a/x'], [127, `tinyrun: exec: "/a/x": ${noLoader}\n`]],
    [FULL, ['EACCES'], [], [126, 'tinyrun: exec: "/a/x": permission denied\n']],
    [FULL, ['ENOEXEC'], [], [126, 'tinyrun: exec: "/a/x": ENOEXEC exec format error\n']],
    [FULL, ['E2BIG'], [], [126, 'tinyrun: exec: "/a/x": E2BIG argument list too long\n']],
    [FULL, ['ETXTBSY'], [], [126, 'tinyrun: exec: "/a/x": ETXTBSY text file busy\n']],
  ];
  for (const [process, errnos, there, expected] of rows)
    assert.equal(ends(process, errnos, there), expected, `${process.args} ${errnos} ${there}`);
});

test('nothing is wrong with programs whose PATH is strange', () => {
  for (const path of ['', ':', '/a:/a', 'a'])
    assert.equal(checkProgram(plan(withProcess({ args: ['x'], env: [`PATH=${path}`] }))), [], path);
});

const exits = { failure: 1, notExecutable: 1, notFound: 1 };

test('the exit codes are those that the caller asked for', () => {
  for (const name of ['ENOENT', 'EACCES', 'ENOEXEC']) {
    const { exit } = run(withProcess(FULL, { exits }), ({ call }) =>
      call === 'execve' || call === 'faccessat' ? errno(name) : undefined,
    );
    assert.is(exit, 1, name);
  }
});

// Working directory

/** What is done for the working directory. */
const entered = (cwd: string, special?: Answers): string[] =>
  stepsOf(withProcess({ cwd }), special)
    .filter(({ op }) => op.from === '/process/cwd')
    .map(({ text }) => text.replace(/ {2}.*/, ''));

/** Resolved inside the root, through no magic link. */
const IN_ROOT =
  'open_how{flags: O_PATH|O_DIRECTORY|O_CLOEXEC, resolve: RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}, 24)';
const ENTERED = ['fchdir($cwd)', 'close($cwd)', 'getcwd(&cwd+0, 4096)'];

test('planCwd: a working directory that is there is entered and looked at', () => {
  assert.equal(entered('/a/b'), [`$cwd = openat2($root, "a/b", ${IN_ROOT}`, ...ENTERED]);
});

test('planCwd: in / nothing is to be done', () => {
  for (const cwd of ['/', '//', '/a/..']) assert.equal(entered(cwd), []);
});

test('planCwd: a missing one is made, as runc does', () => {
  let missing = true;
  const special: Answers = (call) => {
    if (call.call !== 'openat2' || call.op.from !== '/process/cwd' || !missing) return undefined;
    missing = false;
    return errno('ENOENT');
  };
  assert.equal(entered('/a/./b/', special), [
    `$cwd = openat2($root, "a/b", ${IN_ROOT}`,
    'mkdirat($root, "a", 0755)',
    `$parent = openat2($root, "a", ${IN_ROOT}`,
    'mkdirat($parent, "b", 0755)',
    'close($parent)',
    `$cwd = openat2($root, "a/b", ${IN_ROOT}`,
    ...ENTERED,
  ]);
});

test('planCwd: a directory outside of the container ends it', () => {
  const outside: Answers = (call) => {
    if (call.call !== 'getcwd') return undefined;
    call.memory(0).set(new TextEncoder().encode('(unreachable)/x'));
    return 16;
  };
  const { exit, printed, calls } = run(withProcess({ cwd: '/proc/self/fd/7' }), outside);
  assert.is(exit, 125);
  assert.is(
    printed[0]?.line,
    'tinyrun: enter working directory /proc/self/fd/7: it is outside of the container\n',
  );
  assert.not.ok(calls.some(({ call }) => call === 'execve'));
});

test('planCloseDescriptors: --preserve-fds keeps that many', () => {
  for (const [preserveFds, first] of [
    [0, 3],
    [2, 5],
  ]) {
    const change = { config: minimalConfig(), preserveFds: preserveFds! };
    const { op, text } = stepsOf(change).find(({ op }) => op.call === 'close_range')!;
    assert.is(text, `close_range(${first}, 4294967295, CLOSE_RANGE_CLOEXEC)`);
    assert.is(op.from, preserveFds === 0 ? 'runtime' : '--preserve-fds');
  }
});

test.run();
