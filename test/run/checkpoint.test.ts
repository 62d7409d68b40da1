// checkpoint and restore, with real containers: around a made-up criu on every machine, and with the real one where it
// works (`criu check`).

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { inCgroup } from '../support/contained.ts';
import { output, runCommand, until } from '../support/container.ts';
import { criuProblem, withCriu } from '../support/criu.ts';
import { assertFails, assertRefusal, assertSucceeds, leftovers } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';

const say = (bundle: Bundle, ...words: string[]) => runTinyrun(bundle, words);
const statusOf = (bundle: Bundle): string => JSON.parse(output(say(bundle, 'state', bundle.id))).status;
const images = (bundle: Bundle): string => join(bundle.dir, 'images');
const into = (bundle: Bundle): string[] => ['--image-path', images(bundle)];

/** A made-up criu that leaves this log, beside the words it was called with, and exits so. */
const CRIU = (code: number, log = ''): string =>
  `[ "$1" = pre-dump ] || [ "$1" = dump ] && name=dump || name=restore
while [ $# -gt 0 ]; do echo "$1" >>"$words"; [ "$1" != -W ] || work=$2; shift; done
printf '%s' '${log}' >"$work/$name.log"
exit ${code}`;
const criu = (bundle: Bundle, code = 0, log = ''): string => `words=${bundle.dir}/words\n${CRIU(code, log)}`;
const words = (bundle: Bundle): string => readFileSync(join(bundle.dir, 'words'), 'utf8');

const LOG = `(00.01) Warn  (criu/a.c:1): mnt: never mind
(00.02)      1: Error (criu/files-reg.c:1710): Cannot find it
(00.03) Error (criu/cr-dump.c:2053): Dumping FAILED.
`;

test('without criu both commands are refused, and say what to install', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', () => {
      const says =
        /(checkpoint|restore) container \S+: the host has no criu in \S+; install it \(Debian: criu\)/;
      assertRefusal(withCriu(bundle, undefined, 'checkpoint', ...into(bundle), bundle.id), says);
      assertRefusal(withCriu(bundle, undefined, 'restore', ...into(bundle), 'other'), says);
      assert.is(statusOf(bundle), 'running');
      assert.not.ok(existsSync(images(bundle)));
    }),
  ));

test('a criu in the working directory or along PATH is not run', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', () => {
      writeFileSync(join(bundle.dir, 'criu'), `#!/bin/sh\necho >${bundle.dir}/run\n`, { mode: 0o755 });
      withCriu(bundle, criu(bundle, 1), 'checkpoint', ...into(bundle), bundle.id);
      assert.not.ok(existsSync(join(bundle.dir, 'run')));
      assert.match(words(bundle), 'dump\n');
    }),
  ));

test('what criu says last is why it failed, with the path of its log; the container goes on', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', () => {
      const result = withCriu(bundle, criu(bundle, 1, LOG), 'checkpoint', ...into(bundle), bundle.id);
      assertRefusal(
        result,
        new RegExp(
          `checkpoint container ${bundle.id}: criu: Cannot find it; its log: ${images(bundle)}/dump.log`,
        ),
      );
      assert.is(statusOf(bundle), 'running');
    }),
  ));

test('what criu has written to files is deleted, unless it goes on', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'run', ({ pid }) => {
      for (const flag of ['--leave-running', '--pre-dump']) {
        assertSucceeds(withCriu(bundle, criu(bundle), 'checkpoint', flag, ...into(bundle), bundle.id));
        assert.is(statusOf(bundle), 'running');
      }
      assertSucceeds(withCriu(bundle, criu(bundle), 'checkpoint', ...into(bundle), bundle.id));
      assert.match(words(bundle), `dump\n-t\n${pid}\n--root\n${bundle.rootfs}\n`);
      assert.match(say(bundle, 'state', bundle.id).stderr, /container does not exist/);
      assert.equal(leftovers(bundle), []);
    }),
  ));

test('only what runs can be written to files', () =>
  withBundle((bundle) =>
    inCgroup(bundle, 'create', () => {
      const checkpoint = () => say(bundle, 'checkpoint', ...into(bundle), bundle.id);
      assertRefusal(checkpoint(), /cannot be checkpointed in created state/);
      assertRefusal(say(bundle, 'checkpoint', ...into(bundle), 'other'), /container does not exist: other/);
    }),
  ));

/** Images of a container that was, as far as tinyrun looks at them. */
function makeImages(bundle: Bundle, foreground = false): void {
  mkdirSync(images(bundle));
  const note = { stdio: [null, 'pipe[7]', 'file[1f:5]'], foreground };
  writeFileSync(join(images(bundle), 'tinyrun.json'), JSON.stringify(note));
}

const restore = (bundle: Bundle, ...more: string[]): string[] => [
  ...['restore', '--bundle', bundle.dir, ...into(bundle), ...more],
  bundle.id,
];

test('a restore that fails says why, and leaves nothing', () =>
  withBundle((bundle) => {
    makeImages(bundle);
    for (const flags of [[], ['--detach']]) {
      const result = withCriu(bundle, criu(bundle, 1, LOG), ...restore(bundle, ...flags));
      assertFails(
        bundle,
        result,
        /restore container \S+: criu: Cannot find it; its log: \S+\/restore\.log/,
        1,
      );
    }
    assert.match(words(bundle), '--inherit-fd\nfd[1]:pipe[7]\n--inherit-fd\nfd[2]:file[1f:5]\n');
    const silent = withCriu(bundle, criu(bundle, 0), ...restore(bundle));
    assertFails(bundle, silent, /open criu\.pid: ENOENT/, 1);
  }));

test('a mount point that the image has made a symlink is refused before criu runs', () =>
  withBundle((bundle) => {
    makeImages(bundle);
    rmSync(join(bundle.rootfs, 'sys'), { recursive: true });
    symlinkSync('/tmp', join(bundle.rootfs, 'sys'));
    const result = withCriu(bundle, criu(bundle), ...restore(bundle));
    assertFails(bundle, result, /open mount point \/sys in the rootfs, through no symlink: ELOOP/, 1);
    assert.not.ok(existsSync(join(bundle.dir, 'words')), 'criu did not run');
  }));

test('what criu cannot carry on its command line is refused', () =>
  withBundle((bundle) => {
    const refuse = (says: RegExp, change: (config: Config) => void, ...flags: string[]): void => {
      const before = structuredClone(bundle.config);
      change(bundle.config);
      writeConfig(bundle);
      assertFails(bundle, withCriu(bundle, criu(bundle), ...restore(bundle, ...flags)), says, 1);
      bundle.config = before;
    };
    const nothing = (): void => {};
    refuse(/--image-path is a directory of `tinyrun checkpoint`/, nothing);
    makeImages(bundle, true);
    refuse(/it was run in the foreground, and would die with us/, nothing, '--detach');
    refuse(/hands no terminal over/, nothing, '--console-socket', '/nothing');
    refuse(/its session's terminal|its terminal: criu hands none over/, ({ process }) => {
      process.terminal = true;
    });
    refuse(/containers with a user namespace are not in this version/, ({ linux }) => {
      linux!.namespaces!.push({ type: 'user' });
      linux!.uidMappings = linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    });
    refuse(/it shares its ipc namespace with others/, ({ linux }) => {
      linux!.namespaces = linux!.namespaces!.map((one) =>
        one.type === 'ipc' ? { ...one, path: '/proc/1/ns/ipc' } : one,
      );
    });
    refuse(/only criu knows the moment of its prestart and createRuntime hooks/, (config) => {
      config.hooks = { createRuntime: [{ path: '/bin/true' }] };
    });
    writeFileSync(join(images(bundle), 'tinyrun.json'), '{"stdio":["x","y","--z"],"foreground":false}');
    refuse(/tinyrun\.json is not as checkpoint writes it/, nothing);
  }));

// With criu itself

/** A test that needs criu; `verb` is how its container is run. */
function testWithCriu(name: string, use: (bundle: Bundle) => Promise<void>): void {
  test(name, async () => {
    const problem = criuProblem();
    if (problem !== undefined) return skip(name, problem);
    await withBundle(use);
  });
}

/** Runs a command of tinyrun whose container has `output` as its stdout: a pipe would stay open as long as that lives. */
function sayToOutput(bundle: Bundle, ...command: string[]): void {
  const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
  const script = `exec >>${bundle.dir}/output 2>>${bundle.dir}/said; exec "$@"`;
  const { code } = runCommand(['sh', '-c', script, 'sh', tinyrun, ...roots, ...command]);
  assert.is(readFileSync(join(bundle.dir, 'said'), 'utf8'), '');
  assert.is(code, 0);
}

const printed = (bundle: Bundle): string => readFileSync(join(bundle.dir, 'output'), 'utf8');

/** A container that waits for signals, with a volume. */
async function runTrap(bundle: Bundle, ...flags: string[]): Promise<void> {
  writeFileSync(join(bundle.dir, 'output'), '');
  writeFileSync(join(bundle.dir, 'said'), '');
  mkdirSync(join(bundle.dir, 'volume'));
  bundle.config.process.args = ['/payload', 'trap', '10'];
  bundle.config.mounts!.push({ destination: '/volume', source: 'volume', options: ['bind'] });
  bundle.config.linux!.resources = { ...bundle.config.linux!.resources, pids: { limit: 77 } };
  writeConfig(bundle);
  sayToOutput(bundle, 'run', ...flags, '--bundle', bundle.dir, bundle.id);
  await until('it takes signals', () => printed(bundle).includes('ready'));
}

testWithCriu('a container is written to files, and goes on from them where it was', async (bundle) => {
  await runTrap(bundle, '--detach');
  assertSucceeds(say(bundle, 'kill', bundle.id, '10'));
  await until('it has seen the signal', () => printed(bundle).includes('10'));
  assertSucceeds(say(bundle, 'checkpoint', ...into(bundle), bundle.id));
  assert.equal(leftovers(bundle), []);
  sayToOutput(bundle, ...restore(bundle, '--detach', '--pid-file', join(bundle.dir, 'pid')));
  assert.is(statusOf(bundle), 'running');
  const { pid } = JSON.parse(output(say(bundle, 'state', bundle.id)));
  assert.is(readFileSync(join(bundle.dir, 'pid'), 'utf8'), String(pid));
  assert.match(
    output(say(bundle, 'exec', bundle.id, '/payload', 'cat', '/proc/self/mountinfo')),
    ' /volume ',
  );
  assertSucceeds(say(bundle, 'kill', bundle.id, '10'));
  assertSucceeds(say(bundle, 'kill', bundle.id, 'TERM'));
  await until('it has ended', () => statusOf(bundle) === 'stopped');
  assert.is(printed(bundle), 'ready\n10\n10\n15\n');
  assertSucceeds(say(bundle, 'delete', bundle.id));
  assert.equal(leftovers(bundle), []);
});

testWithCriu('a restored container has its cgroup with its limits', async (bundle) => {
  await runTrap(bundle, '--detach');
  assertSucceeds(say(bundle, 'checkpoint', ...into(bundle), bundle.id));
  sayToOutput(bundle, ...restore(bundle, '--detach'));
  const { pid } = JSON.parse(output(say(bundle, 'state', bundle.id)));
  assert.is(output(say(bundle, 'ps', '--format', 'json', bundle.id)), `[${pid}]\n`);
  assertSucceeds(say(bundle, 'pause', bundle.id));
  assertSucceeds(say(bundle, 'resume', bundle.id));
  const { data } = JSON.parse(output(say(bundle, 'events', '--stats', bundle.id)));
  assert.is(data.pids.limit, 77);
  assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  assert.equal(leftovers(bundle), []);
});

testWithCriu(
  'no_new_privs, capabilities, ids and the seccomp filter are those that it had',
  async (bundle) => {
    bundle.config.process.noNewPrivileges = true;
    bundle.config.process.user = { uid: 1000, gid: 100 };
    bundle.config.linux!.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mount', 'ptrace'], action: 'SCMP_ACT_ERRNO' }],
    };
    const credentials = (): string[] => {
      const { pid } = JSON.parse(output(say(bundle, 'state', bundle.id)));
      const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
      return lines.filter((line) => /^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp):/.test(line));
    };
    await runTrap(bundle, '--detach');
    const before = credentials();
    assert.ok(before.includes('NoNewPrivs:\t1') && before.includes('Seccomp:\t2'));
    assertSucceeds(say(bundle, 'checkpoint', ...into(bundle), bundle.id));
    sayToOutput(bundle, ...restore(bundle, '--detach'));
    assert.equal(credentials(), before);
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  },
);

testWithCriu('a network namespace that it was given is joined again', async (bundle) => {
  const file = join(bundle.dir, 'network');
  writeFileSync(file, '');
  // Bound here, since the file of another process goes with it.
  assert.is(runCommand(['unshare', `--net=${file}`, 'true']).code, 0);
  try {
    bundle.config.linux!.namespaces = bundle.config.linux!.namespaces!.map((one) =>
      one.type === 'network' ? { ...one, path: file } : one,
    );
    const network = (): string => {
      const { pid } = JSON.parse(output(say(bundle, 'state', bundle.id)));
      return readlinkSync(`/proc/${pid}/ns/net`);
    };
    await runTrap(bundle, '--detach');
    const before = network();
    assertSucceeds(say(bundle, 'checkpoint', ...into(bundle), bundle.id));
    sayToOutput(bundle, ...restore(bundle, '--detach'));
    assert.is(network(), before);
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  } finally {
    runCommand(['umount', file]);
  }
});

testWithCriu('one that goes on can be written to files again, and only what has changed', async (bundle) => {
  await runTrap(bundle, '--detach');
  const path = (name: string): string[] => ['--image-path', join(images(bundle), name)];
  assertSucceeds(say(bundle, 'checkpoint', '--leave-running', ...path('whole'), bundle.id));
  assert.is(statusOf(bundle), 'running');
  assertSucceeds(say(bundle, 'checkpoint', '--pre-dump', ...path('first'), bundle.id));
  assertSucceeds(say(bundle, 'checkpoint', '--parent-path', '../first', ...path('last'), bundle.id));
  const from = ['restore', '--bundle', bundle.dir, '--detach'];
  for (const name of ['last', 'whole']) {
    sayToOutput(bundle, ...from, ...path(name), bundle.id);
    assert.is(statusOf(bundle), 'running');
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
  }
  assert.equal(leftovers(bundle), []);
});

testWithCriu(
  'restored in the foreground it is waited for, gets signals, and nothing is left',
  async (bundle) => {
    await runTrap(bundle, '--detach');
    assertSucceeds(say(bundle, 'checkpoint', ...into(bundle), bundle.id));
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const script = `exec >>${bundle.dir}/output 2>>${bundle.dir}/said; exec "$@"`;
    const child = Bun.spawn(['sh', '-c', script, 'sh', tinyrun, ...roots, ...restore(bundle)], {
      stdin: 'ignore',
    });
    await until('it runs', () => say(bundle, 'state', bundle.id).stdout.includes('"running"'));
    child.kill('SIGUSR1');
    await until('the signal has arrived', () => printed(bundle).includes('10'));
    child.kill('SIGTERM');
    await child.exited;
    assert.is(printed(bundle), 'ready\n10\n15\n');
    assert.is(child.exitCode, 0);
    assert.equal(leftovers(bundle), []);
  },
);

testWithCriu(
  'what was run in the foreground ends with its checkpoint, and is restored there only',
  async (bundle) => {
    writeFileSync(join(bundle.dir, 'output'), '');
    bundle.config.process.args = ['/payload', 'trap', '10'];
    writeConfig(bundle);
    const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
    const start = (...command: string[]) =>
      Bun.spawn(
        ['sh', '-c', `exec >>${bundle.dir}/output 2>&1; exec "$@"`, 'sh', tinyrun, ...roots, ...command],
        {
          stdin: 'ignore',
        },
      );
    const first = start('run', '--bundle', bundle.dir, bundle.id);
    await until('it takes signals', () => printed(bundle).includes('ready'));
    assertSucceeds(say(bundle, 'checkpoint', ...into(bundle), bundle.id));
    await first.exited;
    assert.is(first.exitCode, 137);
    assert.equal(leftovers(bundle), []);
    assertRefusal(say(bundle, ...restore(bundle, '--detach')), /it was run in the foreground/);
    const second = start(...restore(bundle));
    await until('it runs', () => say(bundle, 'state', bundle.id).stdout.includes('"running"'));
    second.kill('SIGKILL');
    await second.exited;
    await until('it has died with us', () => leftovers(bundle).every((path) => !path.startsWith('process')));
    assertSucceeds(say(bundle, 'delete', '--force', bundle.id));
    assert.equal(leftovers(bundle), []);
  },
);

testWithCriu('criu refuses a file that is not what it was, in its own words', async (bundle) => {
  await runTrap(bundle, '--detach');
  assertSucceeds(say(bundle, 'checkpoint', ...into(bundle), bundle.id));
  appendFileSync(join(bundle.rootfs, 'payload'), 'x');
  writeFileSync(join(bundle.dir, 'config.json'), JSON.stringify(bundle.config));
  const result = say(bundle, ...restore(bundle, '--detach'));
  assertFails(bundle, result, /restore container \S+: criu: .+; its log: \S+\/restore\.log/, 1);
});

test.run();
