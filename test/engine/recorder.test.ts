// No kernel at all: the cases whose answers a script can give, and what only a recorder can show.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answers, record } from '../../src/engine/recorder.ts';
import type { Op, Program } from '../../src/program/op.ts';
import * as ops from '../../src/program/ops.ts';
import { buf, reg } from '../../src/program/ops.ts';
import { errnos } from '../../src/sys/errno.ts';
import { testCases } from './cases.ts';

const words = { what: 'do something', why: '', from: 'test' };

function hostProgram(host: Op[]): Program {
  return {
    sections: [
      {
        name: 'host',
        ops: [...host, ops.label('failed'), ops.exit(reg('exit'), words)],
        onFail: 'failed',
        exit: 9,
      },
    ],
    buffers: [{ name: 'status', size: 4 }],
    reports: [{ reg: 'stderr', format: 'text', prefix: '', suffix: '' }],
  };
}

test('record: calls have their arguments, and descriptors that later calls use', () => {
  const { calls, exit } = record(
    hostProgram([
      ops.openat(ops.AT_FDCWD, '/run', ['O_PATH'], { ...words, to: 'run' }),
      ops.mkdirat(reg('run'), 'tinyrun', 0o700, words),
    ]),
  );
  assert.equal(
    calls.map(({ text, value }) => `${text} = ${value}`),
    [
      'openat(AT_FDCWD, "/run", O_PATH|O_CLOEXEC, 0) = 3',
      'mkdirat(3, "tinyrun", 0700) = 0',
      'exit_group(0) = 0',
    ],
  );
  assert.is(exit, 0);
});

test('record: the answers say what fails, and what buffers hold', () => {
  const answers: Answers = (call) => {
    if (call.call === 'mkdirat' && call.string(1) === 'taken') return -errnos['EEXIST']!;
    if (call.call !== 'read') return undefined;
    call.memory(1)[0] = 42;
    return 1;
  };
  const recording = record(
    hostProgram([
      ops.read(0, buf('status'), 1, words),
      ops.load(buf('status'), 1, 'byte', words),
      ops.branch('byte', '!=', 42, 'failed', words),
      ops.mkdirat(ops.AT_FDCWD, 'taken', 0o700, { ...words, what: 'make it' }),
    ]),
    answers,
  );
  assert.equal(recording.printed, [{ fd: 2, line: 'make it: EEXIST file exists' }]);
  assert.is(recording.exit, 9);
  const failed = recording.ops.find(({ errno }) => errno !== undefined);
  assert.equal([failed?.number, failed?.value, failed?.text], [3, -17, 'mkdirat(AT_FDCWD, "taken", 0700)']);
});

test('record: parent and child are both followed', () => {
  const { calls, exit } = record(
    hostProgram([
      ops.clone3(['CLONE_NEWPID'], { ...words, to: 'pid' }),
      ops.branch('pid', '==', 0, 'child', words),
      ops.wait4(reg('pid'), buf('status'), [], words),
      ops.load(buf('status'), 4, 'status', words),
      ops.exitCode('status', 'exit', words),
      ops.jump('failed', words),
      ops.label('child'),
      ops.call('unshare', [ops.flags('CLONE_NEWNS')], words),
      ops.exit(5, words),
    ]),
  );
  assert.equal(
    calls.map((call) => `${call.process} ${call.call}`),
    ['0 clone3', '1 unshare', '1 exit_group', '0 wait4', '0 exit_group'],
  );
  assert.is(exit, 5);
});

test('record: a program that does not end is no recording', () => {
  const forever = hostProgram([ops.label('again'), ops.jump('again', words)]);
  assert.throws(() => record(forever), /has not ended after 100000 ops/);
});

testCases(
  'recorder',
  (program, { pretend = {} }) => {
    const outputs: Record<number, string> = { 1: '', 2: '' };
    const recording = record(program, (call) => {
      const errno = pretend[call.call];
      if (call.call === 'write')
        outputs[Number(call.args[0])] += new TextDecoder().decode(
          call.memory(1).subarray(0, Number(call.args[2])),
        );
      return errno === undefined ? undefined : -errnos[errno]!;
    });
    for (const { fd, line } of recording.printed) outputs[fd] += line;
    return { exitCode: recording.exit, stdout: outputs[1]!, stderr: outputs[2]! };
  },
  [
    {
      reason: 'it reads no real input',
      cases: ['a loop copies its input byte by byte', 'step mode takes a byte before each op'],
    },
    {
      reason: 'no real process is signalled, executed or in a namespace',
      cases: [
        'the exit code of a signalled process is 128 and the signal',
        'a blocked signal is waited for',
        'a trace shows each op as it ends, and before it begins where it does not come back',
        'pointers inside of argument vectors reach buffers and strings',
        'a process that was executed has fds 0, 1 and 2, the environment it was given, and no other',
        'a child writes to its parent through a pipe',
        'a hostname is set in a uts namespace of the child, and nowhere else',
        'a child of clone3 is process 1 of a pid namespace, and nobody in a user namespace',
        'pivot_root makes a tmpfs the root',
        'chroot makes a directory the root, and processes can be made below it',
        'setns goes back to a mount namespace',
      ],
    },
  ],
);

test.run();
