import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { traceLines } from '../../src/explain/listing.ts';
import { checkProgram } from '../../src/program/check.ts';
import { type Arch, type Encoded, encode } from '../../src/program/encode.ts';
import * as layout from '../../src/program/layout.ts';
import { link } from '../../src/program/link.ts';
import type { Program } from '../../src/program/op.ts';
import { parseProgram } from '../../src/program/text.ts';
import { randomNumbers } from './generator.ts';
import {
  hostArch,
  interpreter,
  type Ran,
  runEncoded,
  runFile,
  runProgram,
  withFolder,
} from './interpreter.ts';

// The programs that are run; the words of ops that can't fail are left out.

const hello = parseProgram(`
section host  fail -> undo  exit 125
  ; say hello | it is polite | runtime
  write(1, "hello\\n", 6)
  ; leave | with a code of its own | runtime
  exit_group(7)
undo:
  exit_group($exit)
`);

/** Ops of a host section with a report on stderr, and the usual way to fail. */
function program(ops: string, declarations = ''): Program {
  return parseProgram(`
buffer out 64
buffer status 4
report $stderr text "tinyrun: " "!\\n"
${declarations}
section host  fail -> undo  exit 125
${ops}
undo:
  write(1, "undone ", 7)
  exit_group($exit)
`);
}

const cases: Record<string, { program: Program; stdout?: string; stderr?: string; exit: number }> = {
  'writes and exits with a code of its own': { program: hello, stdout: 'hello\n', exit: 7 },

  'takes branches that hold and passes those that do not': {
    program: program(`
  $x = -5
  if $x >= -4 -> bad
  if $x == 5 -> bad
  if $x != -5 -> bad
  if $x & 2 -> bits
  write(1, "no bits ", 8)
bits:
  if $x < -4 -> good
bad:
  exit_group(1)
good:
  if $unset == -1 -> unset
  exit_group(2)
unset:
  if $x & 4 -> bad
  $unset = SIGKILL
  exit_group($unset)`),
    stdout: '',
    exit: 9,
  },

  'formats registers, padded and not': {
    program: program(`
  $x = -9007199254740991
  $n = format $x &out+0
  $y = 42
  format $y &out+17 width 5 pad "/"
  format $unset &out+22
  write(1, &out, $n)
  write(1, &out+17, 7)
  exit_group($n)`),
    stdout: '-9007199254740991///42-1',
    exit: 17,
  },

  'stores and loads one, two, four and eight bytes': {
    program: program(
      `
  $x = load8 &big+0
  store8 $x &out+0
  $low = load1 &out+0
  if $low != 240 -> undo
  $two = load2 &out+0
  if $two != 57072 -> undo
  $four = load4 &out+0
  if $four != 2596069104 -> undo
  $eight = load8 &out+0
  if $eight != 1311768467463790320n -> undo
  $minus = -1
  store4 $minus &out+8
  $zero = load8 &out+8
  if $zero != 4294967295 -> undo
  exit_group(0)`,
      'buffer big 8 base64"8N68mnhWNBI="',
    ),
    exit: 0,
  },

  'waits for a child and takes its exit code': {
    program: program(`
  ; make a child | it ends at once | runtime
  $pid = clone3(clone_args{exit_signal: SIGCHLD}, 88)
  if $pid == 0 -> child
  ; wait | for its status | runtime
  wait4($pid, &status, 0, 0)
  $s = load4 &status+0
  $code = exitcode $s
  exit_group($code)
child:
  exit_group(44)`),
    exit: 44,
  },

  'turns the signal that ended a child into 128 and the signal': {
    program: program(`
  $pid = clone3(clone_args{exit_signal: SIGCHLD}, 88)
  if $pid == 0 -> child
  kill($pid, SIGKILL)
  wait4($pid, &status, 0, 0)
  $s = load4 &status+0
  $code = exitcode $s
  exit_group($code)
child:
  pause()
  jump child`),
    exit: 137,
  },

  'goes on after an errno that is ignored, which stands in the register': {
    program: program(`
  ; open it | it is not there | runtime
  $fd = openat(AT_FDCWD, "/nonexistent/x", O_RDONLY, 0)  ignore ENOENT
  if $fd == -2 -> good
  exit_group(1)
good:
  write(1, "went on", 7)
  exit_group(0)`),
    stdout: 'went on',
    exit: 0,
  },

  'goes where an errno leads': {
    program: program(`
  ; close it | nobody opened it | runtime
  $r = close(999)  ignore EINTR  goto ENOENT -> undo, EBADF -> other
  exit_group(1)
other:
  if $r != -9 -> undo
  ; close it again | any errno | runtime
  close(999)  goto * -> any
  exit_group(2)
any:
  exit_group(3)`),
    exit: 3,
  },

  'prints the words of a failure and takes the way of its section': {
    program: program(`
  $kept = 5
  ; open the secret | it is not there | runtime
  $kept = openat(AT_FDCWD, "/nonexistent/x", O_RDONLY, 0)
  exit_group(0)`),
    stdout: 'undone ',
    stderr: 'tinyrun: open the secret: ENOENT no such file or directory!\n',
    exit: 125,
  },

  'prints the words of a failure and takes its own way and exit code': {
    program: program(`
  ; find /bin/nothing | it is not there | runtime
  execve("/bin/nothing", ["nothing"], [])  fail -> own  exit 127
own:
  write(1, "own ", 4)
  exit_group($exit)`),
    stdout: 'own ',
    stderr: 'tinyrun: find /bin/nothing: ENOENT no such file or directory!\n',
    exit: 127,
  },

  'leaves the register of a failed call alone': {
    program: program(`
  $kept = 5
  ; close it | nobody opened it | runtime
  $kept = close(999)  fail -> look
look:
  exit_group($kept)`),
    stderr: 'tinyrun: close it: EBADF bad file descriptor!\n',
    exit: 5,
  },

  'fails with words of its own': {
    program: program(`
  ; there is no null device | really | runtime
  fail  exit 3`),
    stdout: 'undone ',
    stderr: 'tinyrun: there is no null device!\n',
    exit: 3,
  },

  'says nothing while the register of a report is negative': {
    program: program(
      `
  ; close it | nobody opened it | runtime
  close(999)
  $log = 2
  exit_group(0)`,
      'report $log text "log: " "\\n"',
    ),
    stdout: 'undone ',
    stderr: 'tinyrun: close it: EBADF bad file descriptor!\n',
    exit: 125,
  },

  'executes another program with arguments and environment': {
    program: program(`
  ; run sh | it prints | runtime
  execve("/bin/sh", ["sh", "-c", "echo $0 $1 $A; exit 21", "zero", "one"], ["A=naïve"])`),
    stdout: 'zero one naïve\n',
    exit: 21,
  },
};

/** What check.ts says of these programs apart from their missing words, and of registers left unset on purpose. */
function problems(program: Program): string[] {
  return checkProgram(program, hostArch).filter(
    (problem) => !/it has no words|no op sets register unset/.test(problem),
  );
}

for (const [name, { program, stdout = '', stderr = '', exit }] of Object.entries(cases)) {
  test(`a linked program ${name}`, () => {
    assert.equal(problems(program), []);
    assert.equal(runProgram(program), { exit, signal: undefined, stdout, stderr });
  });
}

test('a linked program reports in JSON', () => {
  const json = 'report $stderr json "{\\"level\\":\\"error\\",\\"msg\\":\\"" "\\"}\\n"';
  const failing = program(
    '  ; open "the\\nsecret" \\u001b | it is not there | runtime\n  open("/nonexistent", 0, 0)\n  exit_group(0)',
    json,
  );
  const { stderr } = runProgram(failing);
  const [text, line] = [stderr.slice(0, stderr.indexOf('{')), stderr.slice(stderr.indexOf('{'))];
  assert.is(text, 'tinyrun: open "the\\nsecret" \\x1b: ENOENT no such file or directory!\n');
  const parsed: unknown = JSON.parse(line);
  assert.equal(parsed, {
    level: 'error',
    msg: 'open "the\nsecret" \u001b: ENOENT no such file or directory',
  });
});

test('a linked program traces each op with its result, and before it runs where it does not come back', () => {
  const traced = program(
    '  $r = close(999)  ignore EBADF\n  $x = 5\n  write(1, "hi", 2)\n  exit_group(0)',
    'trace 2',
  );
  const { stderr, stdout } = runProgram(traced, { lines: traceLines(traced) });
  assert.is(stdout, 'hi');
  const lines = stderr.trimEnd().split('\n');
  const expected = [
    'host   0 close(999) = -9 EBADF bad file descriptor N ns',
    'host   1 $x = 5 = 5 N ns',
    'host   2 write(1, "hi", 2) = 2 N ns',
    'host   3 exit_group(0) = 0 N ns',
  ];
  assert.equal(
    lines.map((line) => line.replace(/\d+ ns$/, 'N ns')),
    expected,
  );
});

test('a linked program waits for a byte before each op in step mode', () => {
  withFolder((folder) => {
    const file = join(folder, 'program');
    const stepped = { ...hello, step: 0, trace: 1 };
    writeFileSync(file, link(encode(stepped, hostArch, ['write', 'exit']), interpreter(), hostArch), {
      mode: 0o755,
    });
    const bytes = 'sleep 0.2; echo first >&2; printf 1; sleep 0.2; echo second >&2; printf 1';
    const { stderr } = runFile(['/bin/sh', '-c', `{ ${bytes}; } | "$0" >&2`, file]);
    const lines = stderr.replace(/\d+ ns/g, 'N ns');
    assert.is(lines, 'first\nhello\nwrite = 6 N ns\nsecond\nexit = 0 N ns\n');
  });
});

// The executable

function readSegments(
  elf: Uint8Array,
): { type: number; flags: number; at: number; address: number; fileSize: number; size: number }[] {
  const view = new DataView(elf.buffer, elf.byteOffset);
  return Array.from({ length: view.getUint16(56, true) }, (_, i) => {
    const at = Number(view.getBigUint64(32, true)) + i * view.getUint16(54, true);
    const long = (offset: number) => Number(view.getBigUint64(at + offset, true));
    return {
      type: view.getUint32(at, true),
      flags: view.getUint32(at + 4, true),
      at: long(8),
      address: long(16),
      fileSize: long(32),
      size: long(40),
    };
  });
}

test('link makes an executable of three segments, of which none is both writable and executable', () => {
  for (const arch of ['x64', 'arm64'] as const) {
    const page = arch === 'x64' ? 0x1000 : 0x10000;
    const zeroed = { ...hello, buffers: [{ name: 'b', size: 100_000 }] };
    const encoded = encode(zeroed, arch);
    const code = new Uint8Array(5000).fill(0x90);
    const elf = link(encoded, code, arch);
    const view = new DataView(elf.buffer);
    assert.equal([...elf.subarray(0, 7)], [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    assert.is(view.getUint16(16, true), 2); // ET_EXEC
    assert.is(view.getUint16(18, true), arch === 'x64' ? 62 : 183);
    assert.is(Number(view.getBigUint64(24, true)), layout.CODE_ADDRESS + layout.CODE_OFFSET);
    const [text, ops, arena, stack] = readSegments(elf);
    assert.equal([text?.flags, ops?.flags, arena?.flags, stack?.flags], [5, 4, 6, 6]);
    assert.equal(
      [text?.address, ops?.address, arena?.address],
      [layout.CODE_ADDRESS, layout.PROGRAM_ADDRESS, layout.ARENA_ADDRESS],
    );
    for (const segment of [text, ops, arena]) assert.is((segment!.at - segment!.address) % page, 0);
    assert.equal(elf.subarray(ops!.at, ops!.at + ops!.fileSize), encoded.program);
    assert.equal(elf.subarray(layout.CODE_OFFSET, layout.CODE_OFFSET + 5000), code);
    assert.equal([arena!.fileSize, arena!.size], [encoded.arena.length, encoded.arenaSize]);
    assert.ok(arena!.size > 100_000 && elf.length < 100_000 + arena!.at);
    assert.is(stack!.type, 0x6474e551); // PT_GNU_STACK
  }
});

test('a linked program writes to zeroed buffers far behind what the file holds', () => {
  const far = program(
    '  $x = 65\n  store1 $x &far+99999\n  write(1, &far+99999, 1)\n  exit_group(0)',
    'buffer far 100000',
  );
  assert.equal(runProgram(far), { exit: 0, signal: undefined, stdout: 'A', stderr: '' });
});

// Malformed images

const harmless = program(
  `
  ; write to a closed descriptor | it fails | runtime
  $n = write(999, "hello", 5)  goto EBADF -> on
on:
  $x = 7
  format $x &out+0 width 5 pad "0"
  store4 $x &out+8
  $y = load4 &out+8
  if $y == 7 -> end
  $z = exitcode $x
  jump end
end:
  exit_group(0)`,
  'buffer more 16',
);

function withByte(at: number, byte: number): Encoded {
  const encoded = encode(harmless, hostArch);
  encoded.program[at] = byte;
  return encoded;
}

test('a program that breaks the format ends with the exit code for that', () => {
  const header = (name: layout.HeaderField) => 4 * layout.headerFields.indexOf(name);
  const op = (number: number, at: number) => layout.HEADER_SIZE + number * layout.OP_SIZE + at;
  const broken: [number, number][] = [
    [header('magic'), 0],
    [header('version'), 2],
    [header('opCount') + 2, 1],
    [header('opsAt') + 3, 1],
    [header('registerCount'), 1],
    [header('reportCount'), 3],
    [header('report0Register'), 99],
    [header('errnosAt') + 3, 0x7f],
    [op(0, 0), 9], // kind
    [op(0, 2), 7], // arguments
    [op(0, 3), 5], // error rules
    [op(0, 1), 99], // result register
    [op(0, layout.OP_ERRORS + 2), 99], // target
    [op(2, layout.OP_ARGS), 99], // register to format
    [op(2, layout.OP_ARGS + 10), 1], // its place
    [op(3, layout.OP_ARGS + 16), 9], // bytes to store
    [op(5, layout.OP_ARGS + 8), 9], // comparison
    [op(5, layout.OP_ARGS + 24), 99], // target
  ];
  assert.is(runEncoded(withByte(0, 0x54)).exit, 0); // what is tested differs from what runs
  for (const [at, byte] of broken) {
    const { exit, signal, stdout, stderr } = runEncoded(withByte(at, byte));
    assert.equal(
      { exit, signal, stdout, stderr },
      { exit: layout.MALFORMED_EXIT, signal: undefined, stdout: '', stderr: '' },
      `byte ${at}`,
    );
  }
});

test('a program with random bytes changed ends by itself, never by a signal of a bad access', () => {
  const below = randomNumbers(42);
  const opCount = new DataView(encode(harmless, hostArch).program.buffer).getUint32(
    4 * layout.headerFields.indexOf('opCount'),
    true,
  );
  const ends = new Map<string, number>();
  withFolder((folder) => {
    for (let i = 0; i < 400; i++) {
      const encoded = encode(harmless, hostArch);
      for (let changes = 1 + below(2); changes > 0; changes--) {
        const at = below(layout.HEADER_SIZE + opCount * layout.OP_SIZE);
        const [number, offset] = [
          Math.floor((at - layout.HEADER_SIZE) / layout.OP_SIZE),
          (at - layout.HEADER_SIZE) % layout.OP_SIZE,
        ];
        // Which call it is, and with what operands, is the program's own affair.
        if (
          number >= 0 &&
          offset >= 4 &&
          offset < layout.OP_ERRORS &&
          encoded.program[at - offset] === layout.kinds.call
        )
          continue;
        if (number >= 0 && offset === 0) continue; // would make a call of something else
        if (number < 0 && at >> 2 === layout.headerFields.indexOf('opsAt')) continue; // so would this
        encoded.program[at] = below(256);
      }
      const file = join(folder, `program${i}`);
      writeFileSync(file, link(encoded, interpreter(), hostArch), { mode: 0o755 });
      // A changed target can make an endless loop: that is no bad access.
      const { exit, signal } = runFile(['timeout', '0.2', file]);
      assert.not.ok(
        signal !== undefined || [132, 134, 135, 136, 139].includes(exit ?? -1),
        `change ${i} ended with ${exit} ${signal}`,
      );
      ends.set(`${exit}`, (ends.get(`${exit}`) ?? 0) + 1);
    }
  });
  assert.ok((ends.get(`${layout.MALFORMED_EXIT}`) ?? 0) > 50, 'most changes break the format');
  assert.ok((ends.get('0') ?? 0) > 20, 'some changes do not matter');
});

// The other architecture

function runForeign(): Ran | string {
  const arch: Arch = hostArch === 'x64' ? 'arm64' : 'x64';
  const [compiler, emulator] =
    arch === 'arm64'
      ? ['aarch64-linux-gnu-gcc', 'qemu-aarch64-static']
      : ['x86_64-linux-gnu-gcc', 'qemu-x86_64-static'];
  for (const tool of [compiler, emulator]) if (Bun.which(tool) === null) return `${tool} is not installed`;
  return runProgram(hello, { arch, wrapper: [emulator] });
}

test('a linked program runs on the other architecture too', () => {
  const ran = runForeign();
  if (typeof ran === 'string') return console.log(`skipped: ${ran}`);
  assert.equal(ran, { exit: 7, signal: undefined, stdout: 'hello\n', stderr: '' });
});

test('the interpreter stays under 16 KB', () => {
  assert.ok(interpreter().length < 16384);
});

test.run();
