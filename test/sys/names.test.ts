// Signals, errnos, limits and arguments between their names and numbers.

import { readFileSync } from 'node:fs';
import { constants as host } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allConstants, constants } from '../../src/sys/constants.ts';
import { errnoCauses, errnoName, errnos, errnoWords } from '../../src/sys/errno.ts';
import { rlimits } from '../../src/sys/rlimits.ts';
import { parseSignal, signalName, signals } from '../../src/sys/signals.ts';
import { argumentKind, argumentsOf, syscallArguments } from '../../src/sys/syscall-arguments.ts';
import { plannedSyscalls, syscallTable } from '../../src/sys/syscalls.ts';

test('a signal is read as people write it', () => {
  const cases: Readonly<Record<string, number>> = {
    ...{
      TERM: 15,
      SIGTERM: 15,
      term: 15,
      sigterm: 15,
      Kill: 9,
      '15': 15,
      '0': 0,
      '64': 64,
      SIGPOLL: 29,
      CLD: 17,
    },
    ...{
      RTMIN: 34,
      'RTMIN+0': 34,
      'SIGRTMIN+3': 37,
      'rtmin+30': 64,
      RTMAX: 64,
      'RTMAX-1': 63,
      'SIGRTMAX-30': 34,
    },
  };
  for (const text in cases) assert.is(parseSignal(text), cases[text], text);
});

test('what is no signal is undefined', () => {
  const texts = [
    '',
    'SIG',
    'SIGSIGTERM',
    'TERMINATE',
    ' TERM',
    '-1',
    '00',
    '09',
    '65',
    '1.0',
    '0x9',
    '9 ',
    '1e1',
  ];
  for (const text of [
    ...texts,
    'RTMIN+31',
    'RTMAX-31',
    'RTMIN-1',
    'RTMAX+1',
    'RTMIN+',
    'toString',
    'constructor',
  ])
    assert.is(parseSignal(text), undefined, JSON.stringify(text));
});

test('a signal name is the usual one and reads back', () => {
  for (let n = 1; n <= 64; n++) {
    if (n === 32 || n === 33) assert.is(signalName(n), `signal ${n}`);
    else assert.is(parseSignal(signalName(n)), n);
  }
  assert.equal([6, 17, 29, 34, 37, 64].map(signalName), [
    ...['SIGABRT', 'SIGCHLD', 'SIGIO', 'SIGRTMIN', 'SIGRTMIN+3', 'SIGRTMAX'],
  ]);
  assert.equal([0, 65].map(signalName), ['signal 0', 'signal 65']);
});

test('signals are those of the constants and of the host', () => {
  const { CLD: _, ...known } = signals; // the C library's second name of CHLD
  for (const name in known) assert.is(known[name], allConstants()[`SIG${name}`], name);
  for (const [name, number] of Object.entries(host.signals)) assert.is(parseSignal(name), number, name);
});

test('every errno has a name and words, and the usual name wins', () => {
  for (const name in errnos) {
    assert.match(errnoWords[name]!, /^[a-z0-9./.][^A-Z]*$/, name);
    assert.is(errnos[errnoName(errnos[name]!)], errnos[name], name);
  }
  assert.equal(Object.keys(errnoWords), Object.keys(errnos));
  assert.equal([1, 11, 35, 95, 133].map(errnoName), [
    'EPERM',
    'EAGAIN',
    'EDEADLK',
    'EOPNOTSUPP',
    'EHWPOISON',
  ]);
  assert.equal([0, 41, 999].map(errnoName), ['errno 0', 'errno 41', 'errno 999']);
  assert.is(errnoWords['ENOENT'], 'no such file or directory');
  for (const name in errnoCauses) assert.ok(errnos[name], name);
});

test('a limit stands at the place of its number', () => {
  assert.equal(
    rlimits.map((name) => constants[name]),
    rlimits.map((_, number) => number),
  );
  assert.is(rlimits.length, Object.keys(allConstants()).filter((name) => name.startsWith('RLIMIT_')).length);
});

test('arguments are listed for system calls that exist, six at most', () => {
  for (const [call, args] of Object.entries(syscallArguments)) {
    assert.ok(call in syscallTable('x64'), call);
    assert.ok(args.length <= 6, call);
    assert.is(new Set(args.map(([name]) => name)).size, args.length, call);
  }
  assert.equal(argumentsOf('mkdirat'), [
    ['dirfd', 'dirfd'],
    ['pathname', 'path'],
    ['mode', 'mode'],
  ]);
  assert.is(argumentsOf('toString'), undefined);
  assert.is(argumentsOf('prctl'), undefined, 'its arguments depend on the operation');
  assert.equal(
    [0, 2, 3].map((i) => argumentKind('mknodat', i)),
    ['dirfd', 'mode', 'device'],
  );
  assert.is(argumentKind('mknodat', 4), undefined);
  assert.is(argumentKind('toString', 0), undefined);
});

test('both architectures number their calls once each and share the newer numbers', () => {
  const FIRST_SHARED = 424; // since Linux 5.1 a call has one number everywhere
  for (const table of [syscallTable('x64'), syscallTable('arm64')]) {
    const numbers = Object.values(table);
    assert.is(new Set(numbers).size, numbers.length);
    assert.is(Math.max(...numbers), 469);
  }
  const shared = (table: Readonly<Record<string, number>>) =>
    Object.entries(table).filter(([, number]) => number >= FIRST_SHARED);
  assert.equal(shared(syscallTable('x64')), shared(syscallTable('arm64')));
});

test('what plans and system calls of our own name stands in the small tables, which every start makes', () => {
  const sources = [
    ...new Bun.Glob('src/{plan,program,engine,runtime}/*.ts').scanSync('.'),
    'native-bindings/libc.ts',
  ];
  const all = allConstants();
  const calls = new Set(plannedSyscalls());
  for (const file of sources) {
    const text = readFileSync(file, 'utf8');
    for (const [, name = ''] of text.matchAll(/'([A-Z_][A-Z0-9_]+)'/g))
      if (name in all)
        assert.ok(name in constants, `${file}: move ${name} into \`constants\` of src/sys/constants.ts`);
    for (const [, name = ''] of text.matchAll(/\bcall\(\s*'([a-z0-9_]+)'/g))
      assert.ok(calls.has(name), `${file}: move ${name} into \`planned\` of src/sys/syscalls.ts`);
  }
});

test.run();
