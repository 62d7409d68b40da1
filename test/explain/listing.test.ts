import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatListing, listingJson, traceLines } from '../../src/explain/listing.ts';
import { checkProgram } from '../../src/program/check.ts';
import { decode } from '../../src/program/decode.ts';
import { encode } from '../../src/program/encode.ts';
import { parseProgram } from '../../src/program/text.ts';

const sample = parseProgram(`
buffer fds 8
buffer byte 1
report $stderr text "tinyrun: " "\\n"

section host  fail -> undo  exit 125
  ; make the state directory /run/tinyrun/x | Its name is the id: mkdir makes it, or says that the id is taken, in one step that no other process can come between. | runtime
  mkdirat(AT_FDCWD, "/run/tinyrun/x", 0700)  goto EEXIST -> taken
  ; make a pipe | Init waits on it until its cgroup and its maps are there. | runtime
  pipe2(&fds, O_CLOEXEC)
  ; take the reading end as wait | Init waits on it until its cgroup and its maps are there. | runtime
  $wait = load4 &fds+0
  ; take the writing end as go | Init waits on it until its cgroup and its maps are there. | runtime
  $go = load4 &fds+4
  ; start init in new namespaces | From here two processes run this program. | /linux/namespaces
  $pid = clone3(clone_args{flags: CLONE_NEWNS|CLONE_NEWPID, exit_signal: SIGCHLD}, 88)
  ; is this the child? | clone3 returns 0 in it. | runtime
  if $pid == 0 -> init
  ; let init go on | Its cgroup is there. | runtime
  write($go, "x", 1)
  ; leave | The container is made. | runtime
  exit_group(0)
taken:
  ; make the container: the id x is taken | Another container has it. | runtime
  fail
undo:
  ; leave | It failed. | runtime
  exit_group($exit)

section init  fail -> failed  exit 126
init:
  ; wait for the parent | It has to make the cgroup first. | runtime
  read($wait, &byte, 1)
  ; run /bin/true | This is the container process. | /process/args
  execve("/bin/true", ["true", "${'long '.repeat(40)}"], ["PATH=/bin"])  fail -> failed  exit 127
failed:
  ; leave | It failed. | runtime
  exit_group($exit)
`);

test('formatListing shows each op with its words, and where the two programs meet', () => {
  assert.is(
    formatListing(sample, { sections: ['host'] }),
    `host program: 10 ops; a failure goes to \`undo\` and exits 125

   0  make the state directory /run/tinyrun/x                                                runtime
        mkdirat(AT_FDCWD, "/run/tinyrun/x", 0700)  goto EEXIST -> taken
        Its name is the id: mkdir makes it, or says that the id is taken, in one step that no other
        process can come between.

   1  make a pipe                                                                            runtime
        pipe2(&fds, O_CLOEXEC)
        Init waits on it until its cgroup and its maps are there.
   2    $wait = load4 &fds+0                                            take the reading end as wait
   3    $go = load4 &fds+4                                                take the writing end as go

   4  start init in new namespaces                                                 /linux/namespaces
        $pid = clone3(clone_args{flags: CLONE_NEWNS|CLONE_NEWPID, exit_signal: SIGCHLD}, 88)
        From here two processes run this program.
        ==> the init program begins at op 10

   5    if $pid == 0 -> init                                                      is this the child?

   6  let init go on                                                                         runtime
        write($go, "x", 1)
        Its cgroup is there.
        ==> lets the init program go on: op 10

   7  leave                                                                                  runtime
        exit_group(0)
        The container is made.

taken:
   8  make the container: the id x is taken                                                  runtime
        fail
        Another container has it.

undo:
   9  leave                                                                                  runtime
        exit_group($exit)
        It failed.
`,
  );
});

test('formatListing numbers the init program after the host program', () => {
  const init = formatListing(sample, { sections: ['init'] });
  assert.match(
    init,
    /^init program: 3 ops; a failure goes to `failed` and exits 126\n\ninit:\n {2}10 {2}wait for the parent/,
  );
  assert.match(init, /<== waits for the host program: op 6\n {8}<== started by op 4 of the host program\n/);
  assert.match(init.replace(/\n {10}/g, ' '), /\["true", "(long ){16}"\.\.\.\],/);
});

test('formatListing says a reason once, at the first op of it that is no control op', () => {
  const text = formatListing(
    parseProgram(`
section host fail -> undo exit 1
; go on | Reason one. | runtime
if $exit == 0 -> undo
; first | Reason one. | runtime
close(0)
; second | Reason one. | runtime
close(1)
undo:
; leave | Reason two. | runtime
exit_group(0)
`),
  );
  assert.match(
    text,
    /if \$exit == 0 -> undo +go on\n {3}1 {2}first +runtime\n {8}close\(0\)\n {8}Reason one\.\n {3}2 {2}second/,
  );
  assert.is(text.match(/Reason one/g)?.length, 1);
});

test('formatListing keeps to the columns', () => {
  for (const columns of [80, 100, 132]) {
    const lines = formatListing(sample, { columns }).split('\n');
    assert.equal(
      lines.filter((line) => line.length > columns),
      [],
    );
  }
});

test('formatListing has a compact form of one line an op', () => {
  const lines = formatListing(sample, { compact: true, columns: 70 }).split('\n');
  assert.equal(lines.slice(2, 8), [
    '   0  make the state directory /run/tinyrun/x                  runtime',
    '   1  make a pipe                                              runtime',
    '   2    take the reading end as wait                           runtime',
    '   3    take the writing end as go                             runtime',
    '   4  start init in new namespaces                   /linux/namespaces',
    '   5    is this the child?                                     runtime',
  ]);
  assert.is(lines.filter((line) => /^ {2,3}\d+ {2}/.test(line)).length, 13);
});

test('listingJson gives every op with its labels, operands and error policy', () => {
  const listed = listingJson(sample);
  assert.is(listed.length, 13);
  assert.equal(
    listed.map((op) => op.number),
    [...listed.keys()],
  );
  assert.equal(listed[0], {
    number: 0,
    section: 'host',
    op: 'call',
    call: 'mkdirat',
    args: ['AT_FDCWD', '"/run/tinyrun/x"', '0700'],
    text: 'mkdirat(AT_FDCWD, "/run/tinyrun/x", 0700)  goto EEXIST -> taken',
    what: 'make the state directory /run/tinyrun/x',
    why: 'Its name is the id: mkdir makes it, or says that the id is taken, in one step that no other process can come between.',
    from: 'runtime',
    onError: { goto: { EEXIST: 'taken' } },
  });
  assert.equal(listed[10]!.labels, ['init']);
  assert.equal([listed[2]!.op, listed[2]!.call, listed[2]!.args], ['load', undefined, undefined]);
});

test('traceLines give encode one line an op, with long strings cut', () => {
  const lines = traceLines(sample);
  assert.is(lines[0], 'host   0 mkdirat(AT_FDCWD, "/run/tinyrun/x", 0700)');
  assert.is(lines[5], 'host   5 if $pid == 0 -> init');
  assert.match(
    lines[11]!,
    /^init {2}11 execve\("\/bin\/true", \["true", "(long ){16}"\.\.\.\], \["PATH=\/bin"\]\)$/,
  );
  assert.equal(
    decode(encode(sample, 'x64', lines)).ops.map((op) => op.line),
    lines,
  );
});

test('the program of these tests has no problems', () => {
  assert.equal(checkProgram(sample), []);
});

test.run();
