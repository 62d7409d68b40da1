// One suite of small programs for all engines: whatever runs a program has to print the same and end the same way.
// Programs that change namespaces do so in a child of their own; the folder that a case gets is removed afterwards.

import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineName, Finished, SpawnOptions } from '../../src/engine/engine.ts';
import type { Buffer, ErrorPolicy, Op, Program, Reg, Report, Words } from '../../src/program/op.ts';
import * as ops from '../../src/program/ops.ts';
import { AT_FDCWD, buf, flags, reg } from '../../src/program/ops.ts';
import { skip } from '../support/skip.ts';

export interface Case {
  name: string;
  program: (folder: string) => Program;
  stdin?: string;
  /** What a trace shows of each op. */
  lines?: string[];
  /** For the recorder, whose calls succeed otherwise: errnos by call. */
  pretend?: Readonly<Record<string, string>>;
  expected: { exitCode?: number; stdout?: string | RegExp; stderr?: string | RegExp };
}

/** Runs the program of a case. */
export type Run = (program: Program, of: Case) => Promise<Finished> | Finished;

/** Registers a test for each case but those that an engine cannot do, for a reason. */
export function testCases(
  engine: EngineName,
  run: Run,
  without: { reason: string; cases: string[] }[] = [],
): void {
  const left = new Set(without.flatMap(({ cases }) => cases));
  for (const one of cases) {
    if (left.delete(one.name)) continue;
    test(`${engine}: ${one.name}`, async () => {
      if (engine !== 'recorder' && process.getuid?.() !== 0)
        return skip(`${engine}: ${one.name}`, 'needs root');
      const folder = mkdtempSync(join(tmpdir(), 'tinyrun-engine-'));
      try {
        check(await run(one.program(folder), one), one);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
  assert.equal([...left], [], 'cases of these names do not exist');
}

function check(finished: Finished, { expected }: Case): void {
  const { exitCode = 0, stdout = '', stderr = '' } = expected;
  for (const [what, got, wanted] of [
    ['stderr', finished.stderr, stderr],
    ['stdout', finished.stdout, stdout],
  ] as const)
    if (typeof wanted === 'string') assert.is(got, wanted, `${what}: ${JSON.stringify(got)}`);
    else assert.match(got, wanted, `${what}: ${JSON.stringify(got)}`);
  assert.is(finished.exitCode, exitCode);
}

/** How an engine runs a case in a child. */
export function spawnOptions({ stdin, lines }: Pick<Case, 'stdin' | 'lines'>): SpawnOptions {
  return {
    name: 'program',
    fallbackDirectory: tmpdir(),
    debug: (text) => console.error(text),
    ...(stdin === undefined ? {} : { stdin: new TextEncoder().encode(stdin) }),
    ...(lines === undefined ? {} : { lines }),
  };
}

// Parts of programs

const doing = (what: string): Words => ({ what, why: 'A test wants it.', from: 'test' });
const plain = doing('do something');
const into = (to: Reg, onError?: ErrorPolicy) => ({
  ...plain,
  to,
  ...(onError === undefined ? {} : { onError }),
});

const say = (text: string): Op => ops.write(1, text, text.length, plain);
const sayBuffer = (name: string, size: number, at = 0): Op => ops.write(1, buf(name, at), size, plain);
/** Writes a register as decimal, padded with spaces to 6 characters. */
const sayRegister = (register: Reg): Op[] => [
  ops.format(register, buf('number'), { width: 6 }, plain),
  sayBuffer('number', 6),
];
const end = (code: number): Op => ops.exit(code, plain);
/** Waits for the child whose pid is in register `pid`; its exit code is then in `code`. */
const waitForChild: Op[] = [
  ops.wait4(reg('pid'), buf('status'), [], plain),
  ops.load(buf('status'), 4, 'status', plain),
  ops.exitCode('status', 'code', plain),
];
/** A child that runs `child`, and a parent that goes on with `parent`. */
const forked = (cloneFlags: string[], child: Op[], parent: Op[]): Op[] => [
  ops.clone3(cloneFlags, into('pid')),
  ops.branch('pid', '==', 0, 'child', plain),
  ...parent,
  end(0),
  ops.label('child'),
  ...child,
  end(0),
];

const textReport: Report = { reg: 'stderr', format: 'text', prefix: 'tinyrun: ', suffix: '\n' };

/** A host section that ends with the code of register `exit` where it fails. */
function program(host: Op[], more: Partial<Program> = {}, onFail: Op[] = []): Program {
  const fail: Op[] = [ops.label('failed'), ...onFail, ops.exit(reg('exit'), plain)];
  const buffers: Buffer[] = [
    { name: 'number', size: 20 },
    { name: 'status', size: 4 },
    { name: 'fds', size: 8 },
    { name: 'area', size: 400 },
  ];
  return {
    sections: [{ name: 'host', ops: [...host, ...fail], onFail: 'failed', exit: 9 }],
    reports: [textReport],
    ...more,
    buffers: [...buffers, ...(more.buffers ?? [])],
  };
}

/** For each comparison: y where it is taken, n where it is passed. */
function comparisons(): Op[] {
  const table = [
    ['==', 5, 5],
    ['==', 5, 6],
    ['!=', 5, 6],
    ['!=', 5, 5],
    ['<', -1, 0],
    ['<', 0, 0],
    ['>=', 0, 0],
    ['>=', -2, -1],
    ['&', 6, 4],
    ['&', 6, 1],
    ['&', 2 ** 40, 2 ** 40],
    ['<', -(2 ** 40), -1],
  ] as const;
  return table.flatMap(([is, value, constant], i) => [
    ops.set('value', value, plain),
    ops.branch('value', is, constant, `taken${i}`, plain),
    say('n'),
    ops.jump(`next${i}`, plain),
    ops.label(`taken${i}`),
    say('y'),
    ops.label(`next${i}`),
  ]);
}

/** The nodename in struct new_utsname, <linux/utsname.h>: the second of six fields of 65 bytes. */
const sayHostname = (length: number): Op[] => [
  ops.call('uname', [buf('area')], plain),
  sayBuffer('area', length, 65),
];

/** A tmpfs on `folder`, in a mount namespace of its own, with the directory `inside`; its fd is in register `root`. */
const tmpfsOn = (folder: string): Op[] => [
  ops.call('unshare', [flags('CLONE_NEWNS')], plain),
  ops.call('mount', ['none', '/', 0, flags('MS_REC', 'MS_PRIVATE'), 0], plain),
  ops.fsopen('tmpfs', into('fs')),
  ops.fsconfigString(reg('fs'), 'size', '64k', plain),
  ops.fsconfigCreate(reg('fs'), plain),
  ops.fsmount(reg('fs'), ['MOUNT_ATTR_NOSUID', 'MOUNT_ATTR_NODEV'], into('mount')),
  ops.openat(AT_FDCWD, folder, ['O_PATH', 'O_DIRECTORY'], into('place')),
  ops.moveMount(reg('mount'), reg('place'), plain),
  ops.openat(AT_FDCWD, folder, ['O_PATH', 'O_DIRECTORY'], into('root')),
  ops.mkdirat(reg('root'), 'inside', 0o755, plain),
];
/** Whether `path` exists: y or n. */
const sayWhether = (path: string, i: number): Op[] => [
  ops.call('faccessat', [AT_FDCWD, path, 0], { ...plain, onError: { goto: { ENOENT: `missing${i}` } } }),
  say('y'),
  ops.jump(`known${i}`, plain),
  ops.label(`missing${i}`),
  say('n'),
  ops.label(`known${i}`),
];

const SIGKILL = 9;
const SIGTERM = 15;
const sigset = (...signals: number[]) => ({
  bytes: new Uint8Array(
    new BigUint64Array([signals.reduce((set, one) => set | (1n << BigInt(one - 1)), 0n)]).buffer,
  ),
});

export const cases: Case[] = [
  {
    name: 'a program writes and ends with its code',
    program: () => program([say('hello\n'), end(3)]),
    expected: { exitCode: 3, stdout: 'hello\n' },
  },
  {
    name: 'branches compare with sign, and all 64 bits',
    program: () => program([...comparisons(), end(0)]),
    expected: { stdout: 'ynynynynynyy' },
  },
  {
    name: 'a loop copies its input byte by byte',
    stdin: 'abc',
    program: () =>
      program([
        ops.label('again'),
        ops.read(0, buf('area'), 1, into('count')),
        ops.branch('count', '==', 0, 'done', plain),
        ops.load(buf('area'), 1, 'byte', plain),
        ...sayRegister('byte'),
        ops.jump('again', plain),
        ops.label('done'),
        end(0),
      ]),
    expected: { stdout: '    97    98    99' },
  },
  {
    name: 'store is little endian, load extends with zeros',
    program: () =>
      program([
        ops.set('value', -2, plain),
        ops.store('value', buf('area', 4), 8, plain),
        ops.load(buf('area', 4), 1, 'byte', plain),
        ops.load(buf('area', 10), 4, 'edge', plain), // two bytes of it, two of zero
        ops.load(buf('area', 4), 8, 'whole', plain),
        ...['byte', 'edge', 'whole'].flatMap(sayRegister),
        end(0),
      ]),
    expected: { stdout: '   254 65535    -2' },
  },
  {
    name: 'format pads to a width, and says how much it wrote',
    program: () =>
      program([
        ops.set('value', -42, plain),
        ops.format('value', buf('area'), { width: 8, pad: '.' }, plain),
        sayBuffer('area', 8),
        ops.format('value', buf('area', 40), { to: 'length' }, plain),
        ops.write(1, buf('area', 40), reg('length'), plain),
        ...sayRegister('length'),
        end(0),
      ]),
    expected: { stdout: '.....-42-42     3' },
  },
  {
    name: 'an ignored errno goes on, and the register has it',
    pretend: { mkdirat: 'EEXIST' },
    program: () =>
      program([
        ops.mkdirat(AT_FDCWD, '/', 0o755, into('made', { ignore: ['ENOENT', 'EEXIST'] })),
        ...sayRegister('made'),
        end(0),
      ]),
    expected: { stdout: '   -17' },
  },
  {
    name: 'an errno leads to its label, any other to that of *',
    pretend: { openat: 'ENOENT', mkdirat: 'EEXIST' },
    program: () =>
      program([
        ops.openat(
          AT_FDCWD,
          '/no/such',
          [],
          into('fd', { goto: { EPERM: 'failed', ENOENT: 'missing', '*': 'failed' } }),
        ),
        ops.label('missing'),
        ...sayRegister('fd'),
        ops.mkdirat(AT_FDCWD, '/', 0o755, into('made', { goto: { ENOENT: 'failed', '*': 'other' } })),
        ops.label('other'),
        ...sayRegister('made'),
        end(0),
      ]),
    expected: { stdout: '    -2   -17' },
  },
  {
    name: 'a failure prints what was done and the errno, and goes to the clean-up with its exit code',
    pretend: { openat: 'ENOENT' },
    program: () =>
      program(
        [
          ops.openat(AT_FDCWD, '/no/such', [], {
            ...doing('open the door'),
            to: 'door',
            onError: { exit: 4 },
          }),
        ],
        {},
        [...sayRegister('door'), say(' cleaned')],
      ),
    expected: {
      exitCode: 4,
      stdout: '    -1 cleaned',
      stderr: 'tinyrun: open the door: ENOENT no such file or directory\n',
    },
  },
  {
    name: 'fail prints its own words',
    program: () => program([ops.fail(doing('the door is a wall'))]),
    expected: { exitCode: 9, stderr: 'tinyrun: the door is a wall\n' },
  },
  {
    name: 'reports go to several fds in text and JSON, and nowhere while their register is unset',
    pretend: { openat: 'ENOENT' },
    program: () =>
      program(
        [
          ops.openat(AT_FDCWD, '/no', [], { ...doing('open "it"'), onError: { fail: 'once more' } }),
          ops.label('once more'),
          ops.set('log', 1, plain),
          ops.openat(AT_FDCWD, '/no', [], doing('open "it" again')),
        ],
        { reports: [textReport, { reg: 'log', format: 'json', prefix: '{"msg":"', suffix: '"}\n' }] },
      ),
    expected: {
      exitCode: 9,
      stderr:
        'tinyrun: open "it": ENOENT no such file or directory\n' +
        'tinyrun: open "it" again: ENOENT no such file or directory\n',
      stdout: '{"msg":"open \\"it\\" again: ENOENT no such file or directory"}\n',
    },
  },
  {
    name: 'a child has copies of registers and buffers, and its exit code arrives',
    program: () =>
      program([
        ops.set('value', 1, plain),
        ops.store('value', buf('area'), 1, plain),
        ...forked(
          [],
          [
            ops.load(buf('area'), 1, 'value', plain),
            ...sayRegister('value'),
            ops.set('value', 2, plain),
            ops.store('value', buf('area'), 1, plain),
            end(7),
          ],
          [
            ...waitForChild,
            ...sayRegister('code'),
            ops.load(buf('area'), 1, 'area', plain),
            ...sayRegister('area'),
            ...sayRegister('value'),
          ],
        ),
      ]),
    expected: { stdout: '     1     7     1     1' },
  },
  {
    name: 'a child writes to its parent through a pipe',
    program: () =>
      program([
        ...ops.pipe('reader', 'writer', plain),
        ...forked(
          [],
          [ops.write(reg('writer'), 'from the child', 14, plain)],
          [
            ops.close(reg('writer'), plain),
            ops.read(reg('reader'), buf('area'), 100, into('count')),
            ops.write(1, buf('area'), reg('count'), plain),
            ...waitForChild,
          ],
        ),
      ]),
    expected: { stdout: 'from the child' },
  },
  {
    name: 'the exit code of a signalled process is 128 and the signal',
    program: () =>
      program(
        forked(
          [],
          [ops.call('getpid', [], into('me')), ops.kill(reg('me'), SIGKILL, plain)],
          [...waitForChild, ...sayRegister('code'), ops.exit(reg('code'), plain)],
        ),
      ),
    expected: { exitCode: 137, stdout: '   137' },
  },
  {
    name: 'a blocked signal is waited for',
    program: () =>
      program([
        ops.call('rt_sigprocmask', [flags('SIG_BLOCK'), sigset(SIGTERM), 0, 8], plain),
        ops.call('getpid', [], into('me')),
        ops.kill(reg('me'), SIGTERM, plain),
        ops.call('sched_yield', [], plain),
        ops.call('rt_sigtimedwait', [sigset(SIGTERM), 0, 0, 8], into('signal')),
        ...sayRegister('signal'),
        end(0),
      ]),
    expected: { stdout: `    ${SIGTERM}` },
  },
  {
    name: 'a trace shows each op as it ends, and before it begins where it does not come back',
    pretend: { openat: 'ENOENT' },
    lines: ['set it', 'open', 'exit'],
    program: () => ({
      sections: [
        {
          name: 'host',
          ops: [
            ops.set('value', 5, plain),
            ops.openat(AT_FDCWD, '/no/such', [], { ...plain, onError: { ignore: ['ENOENT'] } }),
            ops.label('failed'),
            end(0),
          ],
          onFail: 'failed',
          exit: 9,
        },
      ],
      buffers: [],
      reports: [],
      trace: 2,
    }),
    expected: {
      stderr: /^set it = 5 \d+ ns\nopen = -2 ENOENT no such file or directory \d+ ns\nexit = 0 0 ns\n$/,
    },
  },
  {
    name: 'step mode takes a byte before each op',
    stdin: '12345678',
    program: () =>
      program(
        [ops.set('value', 1, plain), ops.read(0, buf('area'), 3, plain), sayBuffer('area', 3), end(0)],
        { step: 0 },
      ),
    expected: { stdout: '345' },
  },
  {
    name: 'pointers inside of argument vectors reach buffers and strings',
    program: () =>
      program([
        ops.set('value', 12, plain),
        ops.format('value', buf('number'), {}, plain),
        ops.call(
          'execve',
          [
            '/bin/sh',
            { vec: ['sh', '-c', 'echo "$0 $1 $HOME"', buf('number'), 'arg'] },
            { vec: ['HOME=/nowhere'] },
          ],
          plain,
        ),
      ]),
    expected: { stdout: '12 arg /nowhere\n' },
  },
  {
    name: 'a process that was executed has fds 0, 1 and 2, the environment it was given, and no other',
    program: () =>
      program([
        ops.execve('/bin/sh', ['sh', '-c', 'ls /proc/self/fd; env -u PWD -u _ -u SHLVL'], ['A=B'], plain),
      ]),
    expected: { stdout: '0\n1\n2\n3\nA=B\n' }, // 3 is the directory that ls reads
  },
  {
    name: 'a hostname is set in a uts namespace of the child, and nowhere else',
    program: () =>
      program(
        forked(
          [],
          [
            ops.call('unshare', [flags('CLONE_NEWUTS')], plain),
            ops.call('sethostname', ['inside', 6], plain),
            ...sayHostname(6),
            say(' '),
          ],
          [...waitForChild, ...sayHostname(hostname().length)],
        ),
      ),
    expected: { stdout: `inside ${hostname()}` },
  },
  {
    name: 'a child of clone3 is process 1 of a pid namespace, and nobody in a user namespace',
    program: () =>
      program(
        forked(
          ['CLONE_NEWUSER', 'CLONE_NEWPID'],
          [
            ops.call('getpid', [], into('me')),
            ...sayRegister('me'),
            ops.call('getuid', [], into('user')),
            ...sayRegister('user'),
            end(5),
          ],
          [...waitForChild, ...sayRegister('code')],
        ),
      ),
    expected: { stdout: '     1 65534     5' },
  },
  {
    name: 'pivot_root makes a tmpfs the root',
    program: (folder) =>
      program(
        forked(
          ['CLONE_NEWPID'],
          [
            ...tmpfsOn(folder),
            ops.call('fchdir', [reg('root')], plain),
            ops.call('pivot_root', ['.', '.'], plain),
            ops.call('umount2', ['.', flags('MNT_DETACH')], plain),
            ops.call('chdir', ['/'], plain),
            ...sayWhether('/inside', 1),
            ...sayWhether('/proc', 2),
            end(6),
          ],
          [
            ...waitForChild,
            ...sayRegister('code'),
            ...sayWhether('/proc', 3),
            ...sayWhether(`${folder}/inside`, 4),
          ],
        ),
      ),
    expected: { stdout: 'yn     6yn' },
  },
  {
    name: 'chroot makes a directory the root, and processes can be made below it',
    program: (folder) =>
      program(
        forked(
          [],
          [
            ...tmpfsOn(folder),
            ops.call('chroot', [`${folder}/inside`], plain),
            ops.call('chdir', ['/'], plain),
            ...sayWhether('/proc', 1),
            ops.clone3([], into('pid')),
            ops.branch('pid', '==', 0, 'grandchild', plain),
            ...waitForChild,
            ...sayRegister('code'),
            end(0),
            ops.label('grandchild'),
            end(8),
          ],
          [...waitForChild, ...sayRegister('code')],
        ),
      ),
    expected: { stdout: 'n     8     0' },
  },
  {
    name: 'setns goes back to a mount namespace',
    program: (folder) =>
      program(
        forked(
          [],
          [
            ops.openat(AT_FDCWD, '/proc/self/ns/mnt', ['O_RDONLY'], into('before')),
            ...tmpfsOn(folder),
            ...sayWhether(`${folder}/inside`, 1),
            ops.setns(reg('before'), 'CLONE_NEWNS', plain),
            ...sayWhether(`${folder}/inside`, 2),
          ],
          [...waitForChild, ...sayRegister('code')],
        ),
      ),
    expected: { stdout: 'yn     0' },
  },
];
