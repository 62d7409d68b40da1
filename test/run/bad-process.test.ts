// Processes that cannot be: programs that cannot be executed, and `process` objects and ids that are refused.
// The bundle form's exit codes are Docker's: 126 cannot be executed, 127 not found, 125 everything else.

import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Process } from '../../src/oci/config.ts';
import { runTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { elf } from '../support/elf.ts';
import { assertFails, assertRefused, assertSucceeds, leftovers } from '../support/refusal.ts';
import { whileRunning } from '../support/running.ts';

interface Program {
  name: string;
  /** What is at /program. */
  make: (path: string) => void;
  /** The container's words; default: /program. */
  args?: string[];
  code: 126 | 127;
  says: RegExp;
}

const executable = (content: string | Uint8Array) => (path: string) =>
  writeFileSync(path, content, { mode: 0o755 });
const nothing = () => {};

const programs: Program[] = [
  {
    name: 'that is missing',
    make: nothing,
    code: 127,
    says: /exec: "\/program": stat \/program: no such file or directory$/m,
  },
  {
    name: 'that is not in PATH',
    make: nothing,
    args: ['program'],
    code: 127,
    says: /exec: "program": executable file not found in \$PATH$/m,
  },
  {
    name: 'that is a symlink to itself in PATH',
    make: (path) => {
      mkdirSync(join(path, '../bin'), { recursive: true });
      symlinkSync('program', join(path, '../bin/program'));
    },
    args: ['program'],
    code: 127,
    says: /exec: "program": executable file not found in \$PATH$/m,
  },
  {
    name: 'below a file',
    make: nothing,
    args: ['/payload/program'],
    code: 127,
    says: /exec: "\/payload\/program": stat \/payload\/program: no such file or directory$/m,
  },
  {
    name: 'with an empty name',
    make: nothing,
    args: [''],
    code: 127,
    says: /exec: "": executable file not found in \$PATH$/m,
  },
  {
    name: 'that is a directory',
    make: mkdirSync,
    code: 126,
    says: /exec: "\/program": permission denied$/m,
  },
  {
    name: 'that is not executable',
    make: (path) => writeFileSync(path, '#!/payload\n', { mode: 0o644 }),
    code: 126,
    says: /exec: "\/program": permission denied$/m,
  },
  {
    name: 'that is a dangling symlink',
    make: (path) => symlinkSync('/nowhere', path),
    code: 127,
    says: /exec: "\/program": stat \/program: no such file or directory$/m,
  },
  {
    name: 'that is a symlink to itself',
    make: (path) => symlinkSync('program', path),
    code: 126,
    says: /exec: "\/program": ELOOP/,
  },
  {
    name: 'that is empty',
    make: executable(''),
    code: 126,
    says: /exec: "\/program": ENOEXEC/,
  },
  {
    name: 'that is a text without #!',
    make: executable('echo hello\n'),
    code: 126,
    says: /exec: "\/program": ENOEXEC/,
  },
  {
    name: 'for another processor',
    make: executable(elf({ machine: 'riscv64' })),
    code: 126,
    says: /exec: "\/program": ENOEXEC/,
  },
  {
    name: 'that is a truncated ELF file',
    make: executable(elf().subarray(0, 80)),
    code: 126,
    says: /exec: "\/program": (ENOEXEC|EIO)/,
  },
  {
    name: 'with a missing interpreter',
    make: executable('#!/nope\n'),
    code: 127,
    says: /exec: "\/program": no such file or directory: the file is there, but not the interpreter/,
  },
  {
    name: 'with a missing loader',
    make: executable(elf({ interpreter: '/lib/nope.so' })),
    code: 127,
    says: /exec: "\/program": no such file or directory: the file is there, but not the interpreter or loader/,
  },
  {
    name: 'that is its own interpreter',
    make: executable('#!/program\n'),
    code: 126,
    says: /exec: "\/program": ELOOP/,
  },
  {
    name: 'with more arguments than execve takes',
    make: nothing,
    args: ['/payload', 'x'.repeat(131_072)],
    code: 126,
    says: /exec: "\/payload": E2BIG/,
  },
];

for (const { name, make, args = ['/program'], code, says } of programs)
  test(`run refuses a program ${name}`, () =>
    withBundle((bundle) => {
      make(`${bundle.rootfs}/program`);
      bundle.config.process.args = args;
      writeConfig(bundle);
      assertRefused(bundle, says, { code });
    }));

test('run refuses a program that its user may not execute', () =>
  withBundle((bundle) => {
    writeFileSync(`${bundle.rootfs}/program`, elf(), { mode: 0o700 });
    chmodSync(`${bundle.rootfs}/program`, 0o700);
    Object.assign(bundle.config.process, { args: ['/program'], user: { uid: 1000, gid: 1000 } });
    delete bundle.config.process.capabilities;
    writeConfig(bundle);
    assertRefused(bundle, /exec: "\/program": permission denied$/m, { code: 126 });
  }));

/** Fields of `process`, as they might stand in config.json. */
const fields: Record<string, [process: object, says: RegExp]> = {
  'without args': [{ args: undefined }, /\/process\/args: is missing/],
  'with no args': [{ args: [] }, /\/process\/args: is empty: there is nothing to run/],
  'whose args are a text': [{ args: '/payload true' }, /\/process\/args: "\/payload true" is not a list/],
  'with a number among the args': [{ args: ['/payload', 7] }, /\/process\/args\/1: 7 is not a string/],
  'with a NUL byte in an argument': [{ args: ['/payload', 'a\0b'] }, /\/process\/args\/1: .+ NUL byte/],
  'with a relative cwd': [{ cwd: 'tmp' }, /\/process\/cwd: "tmp" is not an absolute path/],
  'whose cwd is a file': [{ cwd: '/payload' }, /enter working directory \/payload: ENOTDIR/],
  'whose cwd is below a file': [{ cwd: '/payload/x' }, /working directory \/payload\/x: ENOTDIR/],
  'with an environment entry that is none': [
    { env: ['PATH'] },
    /\/process\/env\/0: "PATH" is not NAME=value/,
  ],
  'with an unknown rlimit': [
    { rlimits: [{ type: 'RLIMIT_LUCK', soft: 1, hard: 1 }] },
    /\/process\/rlimits\/0\/type: "RLIMIT_LUCK" is not a resource limit/,
  ],
  'with an rlimit given twice': [
    {
      rlimits: [
        { type: 'RLIMIT_CORE', soft: 1, hard: 1 },
        { type: 'RLIMIT_CORE', soft: 2, hard: 2 },
      ],
    },
    /\/process\/rlimits\/1\/type: "RLIMIT_CORE" is given twice/,
  ],
  'with a soft limit above the hard one': [
    { rlimits: [{ type: 'RLIMIT_CORE', soft: 2, hard: 1 }] },
    /\/process\/rlimits\/0\/soft: 2 is above the hard limit 1/,
  ],
  'with a uid of 33 bits': [{ user: { uid: 4294967296, gid: 0 } }, /\/process\/user\/uid: 4294967296 is not/],
  'with a uid that means "unchanged"': [{ user: { uid: 4294967295, gid: 0 } }, /\/uid: 4294967295 is no id/],
  'with a negative uid': [{ user: { uid: -1, gid: 0 } }, /\/process\/user\/uid: -1 is not a 32-bit/],
  'with a fractional gid': [{ user: { uid: 0, gid: 1.5 } }, /\/process\/user\/gid: 1\.5 is not a 32-bit/],
  'with a uid in quotes': [{ user: { uid: '0', gid: 0 } }, /\/process\/user\/uid: "?0"? is not a 32-bit/],
  'with a group that is a name': [
    { user: { uid: 0, gid: 0, additionalGids: ['wheel'] } },
    /\/process\/user\/additionalGids\/0: "?wheel"? is not a 32-bit/,
  ],
  'whose terminal is a text': [{ terminal: 'yes' }, /\/process\/terminal: "?yes"? is not true or false/],
};

for (const [name, [process, says]] of Object.entries(fields))
  test(`run refuses a process ${name}`, () =>
    withBundle((bundle) => {
      bundle.config.process = { ...bundle.config.process, ...(process as Partial<Process>) };
      writeConfig(bundle);
      assertRefused(bundle, says);
    }));

test('an unknown capability is warned about and not granted, and the container runs', () =>
  withBundle((bundle) => {
    bundle.config.process.capabilities = { bounding: ['CAP_KILL', 'CAP_FLY'] };
    writeConfig(bundle);
    const { stderr, code } = runTinyrun(bundle, ['run', bundle.dir]);
    const warning =
      /^tinyrun: warning: .+: \/process\/capabilities\/bounding\/1: unknown capability "CAP_FLY".+\n$/;
    assert.match(stderr, warning);
    assert.is(code, 0);
  }));

const ids: Record<string, string> = {
  'with a slash': 'a/b',
  'that is ..': '..',
  'that is .': '.',
  'that starts with a dot': '.hidden',
  'that is empty': '',
  'with a space': 'a b',
  'with a newline': 'a\nb',
  'with a letter of another alphabet': 'ä',
  'of 256 characters': 'x'.repeat(256),
  'of 1025 characters': 'x'.repeat(1025),
  'that climbs out of the state root': '../../etc',
};

for (const [name, id] of Object.entries(ids))
  test(`no command takes an id ${name}`, () =>
    withBundle((bundle) => {
      const says = /container id cannot be empty|invalid container ID format: "/;
      assertFails(bundle, runTinyrun(bundle, ['run', '--bundle', bundle.dir, id]), says, 1);
      assertFails(bundle, runTinyrun(bundle, ['run', '--name', id, bundle.dir]), says, 125);
      assertFails(bundle, runTinyrun(bundle, ['state', id]), says, 1);
      assertFails(bundle, runTinyrun(bundle, ['delete', '--force', id]), says, 1);
    }));

const TAKEN = /^tinyrun: container with given ID already exists: .+\n$/;

test('run refuses the id of a running container, which goes on', () =>
  withBundle((bundle) =>
    whileRunning(
      bundle,
      ['run', '--bundle', bundle.dir, bundle.id, '--', '/payload', 'trap'],
      async (first) => {
        await first.shows('ready\n'); // a signal before that would have no effect on the first process of a pid namespace
        const second = runTinyrun(bundle, ['run', '--bundle', bundle.dir, bundle.id]);
        assert.match(second.stderr, TAKEN);
        assert.is(second.code, 1);
        assert.match(runTinyrun(bundle, ['state', bundle.id]).stdout, /"status": "running"/);
        first.kill('SIGTERM');
        assert.is(await first.exited, 0);
        assert.equal(leftovers(bundle), []);
      },
    ),
  ));

test('run refuses the id of a kept container, until it is deleted', () =>
  withBundle((bundle) => {
    const run = () => runTinyrun(bundle, ['run', '--overlay', '--name', bundle.id, bundle.dir]);
    assertSucceeds(run());
    const before = leftovers(bundle);
    const second = run();
    assert.match(second.stderr, TAKEN);
    assert.is(second.code, 125);
    assert.equal(leftovers(bundle), before, 'the kept container is as it was');
    assertSucceeds(runTinyrun(bundle, ['delete', bundle.id]));
    assert.equal(leftovers(bundle), []);
    assertSucceeds(run());
  }));

test.run();
