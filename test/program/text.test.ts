import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { checkProgram } from '../../src/program/check.ts';
import type { Op } from '../../src/program/op.ts';
import { call as makeCall } from '../../src/program/ops.ts';
import { parseProgram, printOp, printProgram } from '../../src/program/text.ts';
import { randomProgram } from './generator.ts';
import { runProgram } from './interpreter.ts';

const words = { what: 'do it', why: 'It is a test.', from: 'runtime' };

const canonical = `buffer state 4096 "{\\"id\\":\\"x\\"}"
buffer maps 4 base64"AAEC/w=="
buffer fds 8
report $stderr text "tinyrun: " "\\n"
report $log json "{\\"msg\\":\\"" "\\"}\\n"
trace 5
step 6

section host  fail -> undo  exit 125
  ; make the state directory | another container may not take this id | runtime
  $state = openat(AT_FDCWD, "/run/tinyrun/x", O_RDONLY|O_CLOEXEC, 0)  ignore EEXIST, EINTR  goto ENOENT -> make, * -> undo  fail -> undo  exit 127
  ; a \\| b | back\\\\slash, new\\nline | /process/args/0
  openat2($root, "etc", open_how{flags: O_PATH|O_CLOEXEC, resolve: RESOLVE_IN_ROOT}, 24)
make:
again:
  ; start init | it is a child | /linux/namespaces
  $pid = clone3(clone_args{flags: CLONE_NEWPID, exit_signal: SIGCHLD}, 88)
  ; no flags | none of them | runtime
  unlinkat(AT_FDCWD, "x", none)
  ; run it | the end | /process
  execve("/bin/sh", ["sh", "-c", "echo \\"$0\\""], [])
  ; scatter | two parts | runtime
  writev(1, iovec[{iov_base: "ab", iov_len: 2}, {iov_base: &fds+4, iov_len: 4}], 2)
  ; go | round | runtime
  jump again
  ; are we the child? | zero | runtime
  if $pid == 0 -> init
  ; which bits | any | runtime
  if $pid & O_PATH|O_CLOEXEC -> init
  ; all of them | minus one | runtime
  if $pid != -1n -> init
  ; five | five | runtime
  $x = 5
  ; a constant | of a name | runtime
  $x = SIGKILL
  ; a mask | of 64 bits | runtime
  rt_sigprocmask(SIG_BLOCK, sigset{bits: 0xffffffffffffffffn}, -5n, 8n)
  ; the pid | as digits | runtime
  $n = format $pid &state+6 width 10 pad "/"
  ; the pid | as it is | runtime
  format $pid &state+0
  ; into the message | as bytes | runtime
  store4 $pid &fds+4
  ; from the message | as bytes | runtime
  $status = load8 &fds+0
  ; its code | for the caller | runtime
  $exit = exitcode $status
  ; this is wrong | it says so | runtime
  fail -> undo  exit 126
undo:
  exit_group($exit)

section init  fail -> init-failed  exit 1
init:
init-failed:
  ; leave | now | runtime
  fail
`;

test('printProgram prints what parseProgram read, for a text in canonical form', () => {
  assert.is(printProgram(parseProgram(canonical)), canonical);
});

test('parseProgram reads back five hundred random programs as they were', () => {
  for (let seed = 0; seed < 500; seed++) {
    const program = randomProgram(seed);
    const text = printProgram(program);
    assert.equal(parseProgram(text), program, `seed ${seed}`);
    assert.is(printProgram(parseProgram(text)), text);
  }
});

test('parseProgram reads strings back that are no valid UTF-16', () => {
  const op = makeCall('chdir', ['a\ud800b\udc00'], words);
  const text = `section host fail -> a exit 1\n${printOp(op)}`;
  assert.match(text, /"a\\ud800b\\udc00"/);
  assert.equal(parseProgram(text).sections[0]!.ops, [{ ...op, what: '', why: '', from: '' }]);
});

test('printProgram shows nothing invisible', () => {
  for (let seed = 0; seed < 200; seed++) {
    const found = printProgram(randomProgram(seed)).match(/[\p{Cc}\p{Cf}\p{Cs}]/gu) ?? [];
    assert.equal(
      found.filter((character) => character !== '\n'),
      [],
    );
  }
});

test('the program in spec/program.md is canonical, has no problems, and runs', () => {
  const page = readFileSync(join(import.meta.dirname, '../../spec/program.md'), 'utf8');
  const text = /```\n(buffer [^`]*)```/.exec(page)![1]!;
  const program = parseProgram(text);
  assert.is(printProgram(program), text);
  assert.equal(checkProgram(program), []);
  if (process.getuid?.() !== 0) return console.log('skipped: running it needs root');
  assert.equal(runProgram(program), { exit: 0, signal: undefined, stdout: '1\n', stderr: '' });
});

test('parseProgram takes any indentation, comments and empty lines', () => {
  const program = parseProgram(
    '# a program\n\nsection host fail->a exit 1\n   a :\n;w|y|runtime\n\n\texit_group( 0 )\n',
  );
  assert.equal(program.sections[0]!.ops, [
    { op: 'label', name: 'a' },
    makeCall('exit_group', [0], { what: 'w', why: 'y', from: 'runtime' }),
  ]);
});

test('printOp shows modes in octal and devices in hexadecimal', () => {
  const op: Op = {
    op: 'call',
    call: 'mknodat',
    args: [{ flags: ['AT_FDCWD'] }, 'null', 0o020666, 0x103],
    ...words,
  };
  assert.is(printOp(op), 'mknodat(AT_FDCWD, "null", 020666, 0x103)');
  const mkdir: Op = { op: 'call', call: 'mkdirat', args: [{ reg: 'dir' }, 'a', 0o700], ...words };
  assert.is(printOp(mkdir), 'mkdirat($dir, "a", 0700)');
});

test('printOp cuts long strings where it is told to', () => {
  const op: Op = { op: 'call', call: 'write', args: [1, 'abcdefgh', 8], ...words };
  assert.is(printOp(op, 4), 'write(1, "abcd"..., 8)');
  assert.is(printOp(op), 'write(1, "abcdefgh", 8)');
});

const start = 'section host  fail -> a  exit 1\n';
const invalid: Record<string, string> = {
  'close(0)': 'line 1: an op stands before the first section',
  [`${start}close(0`]: 'line 2: expected `)`, not the end of the line',
  [`${start}close(0] `]: 'line 2: expected `)`, not `]`',
  [`${start}close(0) 5`]: 'line 2: expected the end of the line, not `5`',
  [`${start}close(08)`]: 'line 2: expected an octal number, not `08`',
  [`${start}close(9007199254740993)`]:
    'line 2: expected at most 2^53, or an n behind the number, not `9007199254740993`',
  [`${start}close(0x1g)`]: 'line 2: expected a number, not `0x1g`',
  [`${start}close("\\q")`]: 'line 2: a string has the escapes of JSON: "\\q"',
  [`${start}close("open)`]: 'line 2: unexpected "open)',
  [`${start}close(base64"?")`]: 'line 2: not base64: ?',
  [`${start}close(path)`]: 'line 2: expected an operand, not `path`',
  [`${start}close(0) ignore 5`]: 'line 2: expected the name of an errno, not `5`',
  [`${start}\n\nfrobnicate`]: 'line 4: unknown op frobnicate',
  [`${start}store3 $a &b`]: 'line 2: unknown op store3',
  [`${start}if $a > 3 -> x`]: 'line 2: unexpected > 3 -> x',
  [`${start}if $a = 3 -> x`]: 'line 2: unknown comparison =',
  [`${start}; one | two | three | four`]: 'line 2: words have three parts: what | why | from',
  [`${start}; a \\q b`]: 'line 2: words do not know the escape \\q',
  [`${start}; a\n; b`]: 'line 3: the words above have no op',
  [`${start}; a\nb:`]: 'line 3: a label has no words',
  [`${start}; a`]: 'line 2: the words above have no op',
  'section guest  fail -> a  exit 1': 'line 1: a section is host or init, not guest',
  'section host': 'line 1: a section says where failures go: section host fail -> LABEL exit NUMBER',
  'report $a xml "" ""': 'line 1: a report is text or json, not xml',
  'buffer 5': 'line 1: expected a name, not `5`',
  'buffer a 5n': 'line 1: expected a number without n, not `5n`',
};

test('parseProgram says in which line it understands what not', () => {
  for (const [text, message] of Object.entries(invalid)) {
    assert.throws(
      () => parseProgram(text),
      (error: unknown) =>
        error instanceof TinyrunError && error.code === 'PROGRAM' && error.message === message,
      text,
    );
  }
});

test.run();
