import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkProgram } from '../../src/program/check.ts';
import type { Op, Program } from '../../src/program/op.ts';
import { parseProgram } from '../../src/program/text.ts';
import { hostProgram } from './interpreter.ts';

/** Ops of a host section in text form, each with good words, and the usual end; `undo` begins at the op behind them. */
function ops(text: string, declarations = ''): Program {
  const worded = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) =>
      line.endsWith(':') || line.startsWith(';') ? line : `; do it | It is a test. | runtime\n${line}`,
    );
  const { sections, buffers } = parseProgram(
    `${declarations}\nsection host fail -> undo exit 1\n${worded.join('\n')}`,
  );
  return hostProgram(sections[0]!.ops, { buffers });
}

const valid: Record<string, Program> = {
  'a register that some path has set': ops('$fd = close(0)\nif $fd == 0 -> undo\nclose($fd)'),
  'clean-up that asks whether a register is set': ops(
    'again:\nif $fd < 0 -> on\nclose($fd)\non:\n$fd = dup(0)\njump again',
  ),
  'a register set in a loop, later in the text': ops(
    'again:\nif $x == 1 -> last\n$x = 1\njump again\nlast:\nclose($x)',
  ),
  'the presets': ops('write($stderr, "a", 1)\nexit_group($exit)'),
  'an unfinished program behind execve that goes on after an error': ops(
    'execve("a", ["a"], [])  ignore ENOENT\nclose(0)',
  ),
  'prctl with as many arguments as its operation takes': ops(
    'prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\nprctl(PR_SET_NAME, "x")',
  ),
  'a negative constant that stands alone': ops('unlinkat(AT_FDCWD, "a", none)'),
  'a string written with and without its NUL': ops('write(1, "ä", 2)\nwrite(1, "ä", 3)'),
  'a failure ignored whatever its errno': ops('close(0)  ignore *'),
};

test('checkProgram finds nothing in valid programs', () => {
  for (const [name, program] of Object.entries(valid)) assert.equal(checkProgram(program), [], name);
});

const words = { what: 'do it', why: 'It is a test.', from: 'runtime' };
const close = (more: Partial<Extract<Op, { op: 'call' }>>): Op => ({
  op: 'call',
  call: 'close',
  args: [0],
  ...words,
  ...more,
});
const set = (count: number): Op[] =>
  Array.from({ length: count }, (_, i) => ({ op: 'set', to: `r${i}`, value: 0, ...words }));

const invalid: [Program, string[]][] = [
  // Names
  [ops('frobnicate()'), ['host 0 frobnicate: x64 has no system call frobnicate']],
  [ops('close(0)\nflock(0, LOCK_FOO)'), ['host 1 flock: unknown constant LOCK_FOO']],
  [ops('if $exit & O_FOO -> undo'), ['host 0 branch: unknown constant O_FOO']],
  [ops('$x = O_FOO'), ['host 0 set: unknown constant O_FOO']],
  [ops('openat(0, "a", AT_FDCWD|O_PATH, 0)'), ['host 0 openat: AT_FDCWD is negative and stands alone']],
  [
    ops('close(0)  ignore EFOO  goto EBAR -> undo'),
    ['host 0 close: unknown errno EBAR', 'host 0 close: unknown errno EFOO'],
  ],
  [ops('clone3(clone_argz{}, 88)'), ['host 0 clone3: unknown struct clone_argz']],
  [ops('clone3(clone_args{flag: 0}, 88)'), ['host 0 clone3: struct clone_args has no field flag']],
  [
    ops('clone3(clone_args{flags: $exit}, 88)'),
    ['host 0 clone3: register exit stands in a constant: store it into a buffer'],
  ],
  [ops('jump nowhere'), ['host 0 jump: there is no label nowhere']],
  [ops('close(0)  fail -> nowhere'), ['host 0 close: there is no label nowhere']],
  [ops('a:\nclose(0)\na:'), ['program: label a is defined twice']],
  [
    { ...ops(''), sections: [{ ...ops('').sections[0]!, onFail: 'gone' }] },
    ['section host: there is no label gone'],
  ],
  [
    hostProgram([{ op: 'label', name: 'a b' }]),
    ['program: label "a b" is not made of letters, digits and _./-'],
  ],
  [hostProgram([close({ to: 'a b' })]), ['program: register "a b" is not made of letters, digits and _./-']],
  [ops('', 'buffer a 1\nbuffer a 1'), ['program: buffer a is defined twice']],

  // Operands and buffers
  [ops('close(0, 0)'), ['host 0 close: it has 2 arguments, not 1']],
  [ops('prctl(1, 2, 3, 4, 5, 6, 7)'), ['host 0 prctl: 7 arguments are more than 6']],
  [ops('close(18446744073709551616n)'), ['host 0 close: 18446744073709551616 needs more than 64 bits']],
  [
    hostProgram([close({ args: [2 ** 60] })]),
    ['host 0 close: 1152921504606847000 is no integer, or above 2^53'],
  ],
  [ops('chdir("a\\u0000b")'), ['host 0 chdir: "a\\u0000b" has a NUL or is no UTF-8']],
  [ops('chdir("a\\ud800b")'), ['host 0 chdir: "a\\ud800b" has a NUL or is no UTF-8']],
  [ops('write(1, &b, 1)'), ['host 0 write: there is no buffer b']],
  [ops('$x = load4 &b+5', 'buffer b 8'), ['host 0 load: byte 9 is outside of buffer b']],
  [ops('store8 $exit &b+1', 'buffer b 8'), ['host 0 store: byte 9 is outside of buffer b']],
  [ops('format $exit &b+0', 'buffer b 8'), ['host 0 format: byte 20 is outside of buffer b']],
  [
    ops('format $exit &b+0 width 0 pad "ab"', 'buffer b 8'),
    ['host 0 format: its width is 0', 'host 0 format: its pad "ab" is not one ASCII character'],
  ],
  [ops('read(0, &b+4, 5)', 'buffer b 8'), ['host 0 read: `count` is 5, and there are 4 bytes']],
  [ops('write(1, "abc", 5)'), ['host 0 write: `count` is 5, and there are 4 bytes']],
  [ops('clone3(clone_args{}, 89)'), ['host 0 clone3: `size` is 89, and there are 88 bytes']],
  [ops('', 'buffer b 2 "äb"'), ['program: buffer b has 2 bytes and contents of 3']],
  [ops('', 'buffer b 0'), ['program: buffer b has 0 bytes']],

  // Limits
  [
    hostProgram([close({ onError: { ignore: ['EPERM', 'ENOENT', 'ESRCH', 'EINTR', 'EIO'] } })]),
    ['host 0 close: 5 error rules are more than 4'],
  ],
  [hostProgram(set(254)), ['program: 256 registers are more than 255']],
  [hostProgram([], { reports: [], trace: -1 }), ['program: -1 is no file descriptor']],
  [ops('close(0)  exit 256'), ['host 0 close: exit code 256 is not 0 to 255']],
  [
    { ...ops(''), sections: [{ ...ops('').sections[0]!, exit: -1 }] },
    ['program: section host: exit code -1 is not 0 to 255'],
  ],
  [
    { ...ops(''), reports: [{ reg: 'log', format: 'text', prefix: '', suffix: '\n' }] },
    ['program: no op sets register log of a report'],
  ],
  [
    { sections: [], buffers: [], reports: [] },
    ['program: the sections are none, not host and init', 'program: there are no ops'],
  ],

  // Words
  [hostProgram([close({ what: '', why: '', from: '' })]), ['host 0 close: it has no words']],
  [hostProgram([close({ why: '' })]), ['host 0 close: its `why` is empty']],
  [hostProgram([close({ what: ' x' })]), ['host 0 close: its `what` has space around it']],
  [
    hostProgram([close({ from: 'mounts/0' })]),
    ['host 0 close: its `from` is mounts/0, not runtime, a /pointer or a --flag'],
  ],

  // Paths
  [ops('close($fd)'), ['host 0 close: no op sets register fd']],
  [ops('if $fd < 0 -> undo'), ['host 0 branch: no op sets register fd']],
  [ops('close($fd)\n$fd = dup(0)'), ['host 0 close: no path sets register fd before this']],
  [
    ops('$fd = dup(0)  fail -> bad\njump undo\nbad:\nclose($fd)'),
    ['host 2 close: no path sets register fd before this'],
  ],
  [ops('jump undo\nclose(0)\nclose(0)'), ['host 1 close: no path leads here']],
  [ops('exit_group(0)\nclose(0)'), ['host 1 close: no path leads here']],
  [
    {
      ...ops(''),
      sections: [{ name: 'host', ops: [{ op: 'label', name: 'undo' }, close({})], onFail: 'undo', exit: 1 }],
    },
    ['host 0 close: section host runs off its end'],
  ],
  [
    {
      ...ops(''),
      sections: [
        {
          name: 'host',
          ops: [close({}), { op: 'jump', to: 'end', ...words }, { op: 'label', name: 'end' }],
          onFail: 'end',
          exit: 1,
        },
      ],
    },
    ['host 0 close: no op stands behind label end', 'host 1 jump: no op stands behind label end'],
  ],
];

test('checkProgram names every problem with the op that has it', () => {
  for (const [program, problems] of invalid) assert.equal(checkProgram(program), problems);
});

test('checkProgram knows that the child of clone3 has the registers of its parent', () => {
  const text = (before: string) => `
section host fail -> undo exit 1
  ; a | b | runtime
  $root = dup(0)
  ; a | b | runtime
  $pid = clone3(clone_args{}, 88)
  ; a | b | runtime
  if $pid == 0 -> init
  ; a | b | runtime
  $late = dup(0)
undo:
  ; a | b | runtime
  exit_group($exit)
section init fail -> failed exit 1
init:
  ; a | b | runtime
  close(${before})
failed:
  ; a | b | runtime
  exit_group($exit)
`;
  assert.equal(checkProgram(parseProgram(text('$root'))), []);
  assert.equal(checkProgram(parseProgram(text('$late'))), [
    'init 5 close: no path sets register late before this',
  ]);
});

test('checkProgram knows the system calls of both architectures', () => {
  const program = ops('pause()');
  assert.equal(checkProgram(program, 'x64'), []);
  assert.equal(checkProgram(program, 'arm64'), ['host 0 pause: arm64 has no system call pause']);
});

test.run();
