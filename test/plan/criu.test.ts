// The command lines of criu, and the programs around it, on a made-up kernel with a made-up criu.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answers, type Recording, record } from '../../src/engine/recorder.ts';
import { type CheckpointInput, planCheckpoint } from '../../src/plan/checkpoint.ts';
import {
  type DumpFacts,
  type DumpOptions,
  dumpArguments,
  externalMounts,
  type RestoreOptions,
  restoreArguments,
} from '../../src/plan/criu.ts';
import { planRestore, type RestoreInput } from '../../src/plan/restore.ts';
import { checkProgram } from '../../src/program/check.ts';
import { numberOps } from '../../src/program/flow.ts';
import type { Program } from '../../src/program/op.ts';
import { printOp } from '../../src/program/text.ts';
import {
  type Change,
  errno,
  minimalConfig,
  OWN_CGROUP_V1,
  OWN_CGROUP_V2,
  planInput,
  quietLinux,
  registerOf,
} from '../support/plan-input.ts';

const COMMON = {
  imagePath: '/images',
  workPath: '/work',
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  lazyPages: false,
  manageCgroups: 'soft',
  emptyNetwork: false,
};
const DUMP: DumpOptions = {
  ...COMMON,
  leaveRunning: false,
  preDump: false,
  parentPath: undefined,
  pageServer: undefined,
  statusFd: undefined,
};
const RESTORE: RestoreOptions = { ...COMMON, lsmProfile: undefined, lsmMountContext: undefined };
const FACTS: DumpFacts = {
  pid: 77,
  rootfs: '/bundle/rootfs',
  external: [],
  stdio: [undefined, undefined, undefined],
  freezer: undefined,
  networkInode: undefined,
};

/** The words of a dump that those of a plain one do not have. */
function added(options: Partial<DumpOptions>, facts: Partial<DumpFacts> = {}): string {
  const plain = new Set(dumpArguments(DUMP, FACTS));
  return dumpArguments({ ...DUMP, ...options }, { ...FACTS, ...facts })
    .filter((word) => !plain.has(word))
    .join(' ');
}

test('dumpArguments: a plain dump', () => {
  assert.is(
    dumpArguments(DUMP, FACTS).join(' '),
    'dump -t 77 --root /bundle/rootfs -v4 -o dump.log -D /images -W /work --manage-cgroups=soft --enable-external-masters',
  );
});

test('dumpArguments: each flag of runc has its words', () => {
  assert.is(added({ tcpEstablished: true }), '--tcp-established');
  assert.is(added({ extUnixSk: true }), '--ext-unix-sk');
  assert.is(added({ shellJob: true }), '--shell-job');
  assert.is(added({ fileLocks: true }), '--file-locks');
  assert.is(added({ autoDedup: true }), '--auto-dedup');
  assert.is(added({ manageCgroups: 'full' }), '--manage-cgroups=full');
  assert.is(added({ emptyNetwork: true }), '--empty-ns net');
  assert.is(added({ leaveRunning: true }), '--leave-running');
  assert.is(added({ preDump: true, leaveRunning: true }), 'pre-dump --track-mem');
  assert.is(added({ parentPath: '../first' }), '--track-mem --prev-images-dir ../first');
});

test('dumpArguments: memory goes to a page server, or is served by criu itself with lazy pages', () => {
  const pageServer = { address: '192.0.2.1', port: '27' };
  assert.is(added({ pageServer }), '--page-server --address 192.0.2.1 --port 27');
  assert.is(
    added({ pageServer, lazyPages: true, statusFd: 5 }),
    '--lazy-pages --address 192.0.2.1 --port 27 --status-fd 5',
  );
});

test('dumpArguments: what is from outside is named', () => {
  assert.is(added({}, { freezer: '/sys/fs/cgroup/c1' }), '--freeze-cgroup /sys/fs/cgroup/c1');
  assert.is(added({}, { networkInode: '4026' }), '--external net[4026]:extRootNetNS');
  assert.is(added({}, { external: [{ inside: '/data', outside: '/srv' }] }), '--external mnt[/data]:/data');
  const stdio = ['file[1f:5]', 'pipe[9]', 'file[1f:5]'];
  assert.is(added({}, { stdio }), '--external file[1f:5]', 'criu asks of no pipe');
});

test('restoreArguments: everything has its place outside', () => {
  const words = restoreArguments(
    { ...RESTORE, lsmProfile: 'apparmor:x', lsmMountContext: 'a:b' },
    {
      rootfs: '/r',
      pidFile: '/run/c1/criu.pid',
      external: [{ inside: '/data', outside: '/srv' }],
      stdio: ['file[1f:5]', undefined, 'pipe[9]'],
      cgroups: [
        { controllers: 'memory', path: '/sys/fs/cgroup/memory/c1', mountPoint: '/sys/fs/cgroup/memory' },
        { controllers: '', path: '/sys/fs/cgroup/unified/c1', mountPoint: '/sys/fs/cgroup/unified' },
      ],
      networkFd: 200,
    },
  ).join(' ');
  assert.is(
    words,
    'restore --root /r -v4 -o restore.log -D /images -W /work --manage-cgroups=soft --restore-detached ' +
      '--restore-sibling --pidfile /run/c1/criu.pid --evasive-devices --cgroup-root memory:/c1 --cgroup-root /c1 ' +
      '--external mnt[/data]:/srv --inherit-fd fd[0]:file[1f:5] --inherit-fd fd[2]:pipe[9] ' +
      '--inherit-fd fd[200]:extRootNetNS --lsm-profile apparmor:x --lsm-mount-context a:b --enable-external-masters',
  );
});

test('externalMounts: binds, cgroups without a namespace of their own, masked files; nothing that is remounted', () => {
  const config = minimalConfig((config) => {
    config.mounts = [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/a/../data/', source: '/srv/data', options: ['rbind'] },
      { destination: '/data', options: ['remount', 'bind', 'ro'] },
      { destination: '/file', source: 'file', options: ['bind'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
    ];
  });
  const mounts = (change: Change): string =>
    externalMounts(planInput({ config, ...change }), ['/proc/kcore'])
      .map(({ inside, outside }) => `${inside}=${outside}`)
      .join(' ');
  assert.is(
    mounts(OWN_CGROUP_V2),
    '/data=/srv/data /file=/bundle/file /sys/fs/cgroup=/sys/fs/cgroup/engine/c1 /proc/kcore=/dev/null',
  );
  assert.match(mounts(OWN_CGROUP_V1), ' /sys/fs/cgroup/memory=/sys/fs/cgroup/memory/engine/c1 ');
  config.linux!.namespaces!.push({ type: 'cgroup' });
  assert.not.match(mounts(OWN_CGROUP_V2), 'cgroup');
});

const checkpointInput = (options: Partial<DumpOptions> = {}): CheckpointInput => ({
  id: 'c1',
  stateRoot: '/run/tinyrun',
  criu: '/usr/sbin/criu',
  options: { ...DUMP, ...options },
  facts: FACTS,
  note: { stdio: [null, null, null], foreground: false },
  host: planInput().host,
  self: ['/usr/bin/tinyrun', '--root', '/run/tinyrun'],
  reports: planInput().reports,
  logFd: undefined,
  trace: undefined,
});

function restoreInput(change: Change = {}, more: Partial<RestoreInput> = {}): RestoreInput {
  const input = planInput({ ...OWN_CGROUP_V2, ...change });
  const { mounts = [] } = input.config;
  return {
    ...input,
    criu: '/usr/sbin/criu',
    options: RESTORE,
    external: [],
    note: { stdio: ['file[1f:5]', null, null], foreground: false },
    onRootfs: mounts.filter(({ destination }) => ['/proc', '/dev', '/sys'].includes(destination)),
    ...more,
  };
}

const PROGRAMS: Readonly<Record<string, () => Program>> = {
  checkpoint: () => planCheckpoint(checkpointInput()),
  'checkpoint of memory': () => planCheckpoint(checkpointInput({ preDump: true })),
  'checkpoint of one that goes on': () =>
    planCheckpoint(checkpointInput({ leaveRunning: true, statusFd: 5 })),
  'restore in the foreground': () => planRestore(restoreInput()),
  'restore, detached': () =>
    planRestore(restoreInput({ lifecycle: 'detached', transient: false, pidFile: '/tmp/pid' })),
  'restore on v1': () => planRestore(restoreInput(OWN_CGROUP_V1)),
  'restore into a network': () =>
    planRestore(
      restoreInput({
        config: minimalConfig((config) => {
          config.linux!.namespaces!.push({ type: 'network', path: '/run/netns/n' });
        }),
      }),
    ),
};

/** A kernel with a criu that exits with this code; what it restores is process 4077, which ends with 3. */
function linuxWithCriu(code = 0): Answers {
  const linux = quietLinux();
  const digits = [...'4077\n'];
  let offset = 0;
  return (call) => {
    const of = registerOf(call, 0);
    if (call.call === 'wait4') call.memory(1).set([0, of === 'child' ? code : 3]);
    if (call.call === 'wait4') return 4077;
    if (call.call === 'lseek') {
      const by = Number(call.args[1]);
      offset = printOp(call.op).includes('SEEK_SET') ? by : offset + by;
      return offset;
    }
    if (call.call === 'read' && of === 'file' && call.args[2] === 1) {
      const digit = digits.shift();
      if (digit !== undefined) call.memory(1)[0] = digit.charCodeAt(0);
      return digit === undefined ? 0 : 1;
    }
    if (call.call === 'rt_sigtimedwait') return SIGCHLD;
    return linux(call);
  };
}
const SIGCHLD = 17;

const runOf = (program: Program, special: Answers = () => undefined, code = 0): Recording => {
  const linux = linuxWithCriu(code);
  return record(program, (call) => special(call) ?? linux(call));
};

/** The calls of a run that match, as planned; those of the host program alone, or of all. */
function callsOf(program: Program, pattern: RegExp, recording = runOf(program)): string[] {
  const places = numberOps(program);
  return recording.calls
    .map(({ number }) => printOp(places[number]!.op))
    .filter((text) => pattern.test(text));
}

for (const [name, make] of Object.entries(PROGRAMS)) {
  test(`${name}: nothing is wrong with the program`, () => {
    for (const arch of ['x64', 'arm64'] as const) assert.equal(checkProgram(make(), arch), [], arch);
  });

  test(`${name}: ends well where criu succeeds`, () => {
    const { exit, printed } = runOf(make());
    assert.equal(printed, []);
    assert.is(
      exit,
      name === 'restore in the foreground' || name.endsWith('v1') || name.endsWith('network') ? 3 : 0,
    );
  });

  test(`${name}: where criu fails, it is told why by who reads its log`, () => {
    const program = make();
    const recording = runOf(program, undefined, 1);
    assert.equal(recording.printed, []);
    assert.ok(recording.exit !== 0);
    const told = callsOf(program, /^execve\("\/usr\/bin\/tinyrun"/, recording);
    assert.is(told.length, 1);
    assert.match(told[0]!, /"criu-failed", "(checkpoint|restore)", "c1", "\/work\/(dump|restore)\.log"/);
  });

  test(`${name}: a failure of any call is told, and ends with a failure`, () => {
    const { length } = runOf(make()).calls;
    for (let at = 0; at < length; at++) {
      let count = 0;
      const { exit, printed } = runOf(make(), ({ call }) =>
        count++ === at && !/^(exit_group|rt_sigtimedwait)$/.test(call) ? errno('EIO') : undefined,
      );
      assert.ok(exit === 0 || exit === 3 || printed.length > 0, `call ${at}: exit code ${exit}, and silence`);
    }
  });
}

test('planCheckpoint: what is in files is no container any more, unless it goes on', () => {
  const deleted =
    /^execve\("\/usr\/bin\/tinyrun", \["\/usr\/bin\/tinyrun", "--root", "\/run\/tinyrun", "delete", "--force", "c1"\]/;
  assert.is(callsOf(planCheckpoint(checkpointInput()), deleted).length, 1);
  for (const options of [{ preDump: true }, { leaveRunning: true }])
    assert.equal(callsOf(planCheckpoint(checkpointInput(options)), deleted), []);
});

test('planCheckpoint: nobody else changes the container meanwhile', () => {
  const texts = callsOf(planCheckpoint(checkpointInput()), /^flock|^execve/);
  assert.match(texts[0]!, /^flock\(\$lock, LOCK_EX\)/);
  assert.match(texts[1]!, 'criu');
});

test('planRestore: the pid that criu tells in digits is that of the container', () => {
  const { ops } = runOf(planRestore(restoreInput()));
  const pid = ops.find(({ text }) => text.includes('$pid = lseek'));
  assert.is(pid?.value, 4077);
});

test('planRestore: criu is in the cgroups and in mounts of its own before it runs', () => {
  const texts = callsOf(
    planRestore(restoreInput()),
    /^unshare|MS_SLAVE|^move_mount|^execve|cgroup\.procs"/,
  ).filter((text) => !text.startsWith('mount_setattr($root'));
  assert.match(texts[0]!, /cgroup\.procs/);
  assert.match(texts[1]!, 'unshare(CLONE_NEWNS)');
  assert.match(texts[2]!, 'MS_SLAVE');
  assert.match(texts[3]!, /^move_mount\(\$root, "", AT_FDCWD, "\/bundle\/rootfs"/);
  assert.match(texts[4]!, /^execve\("\/usr\/sbin\/criu"/);
});

test('planRestore: a mount point that is a symlink, or lies behind one, is refused before criu runs', () => {
  const program = planRestore(restoreInput());
  const opened = callsOf(program, /^\$target = openat2/);
  assert.is(opened.length, 3);
  for (const text of opened)
    assert.match(text, /RESOLVE_IN_ROOT\|RESOLVE_NO_MAGICLINKS\|RESOLVE_NO_SYMLINKS/);
  const recording = runOf(program, ({ call, text }) =>
    call === 'openat2' && text.includes('"dev"') ? errno('ELOOP') : undefined,
  );
  assert.is(recording.exit, 125);
  assert.match(recording.printed[0]!.line, /open mount point \/dev in the rootfs, through no symlink: ELOOP/);
  assert.equal(callsOf(program, /^execve/, recording), []);
});

test.run();
