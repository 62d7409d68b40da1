// `tinyrun checkpoint`: criu writes a container's processes into files. The program holds the container's lock for
// changes, runs criu, and then, unless the container goes on, becomes the `delete` that removes what is left of it: as in
// runc, a container that was written to files is not one any more. spec/checkpoint.md.

import { INIT_STAT } from '../oci/state.ts';
import type { Op, Program, Report, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { DUMP_LOG, type DumpFacts, type DumpOptions, dumpArguments } from './criu.ts';
import { CHILD_BUFFERS, planChild, planTellFailure } from './criu-process.ts';
import type { HostFacts } from './host.ts';
import { HOST_NAME, planName } from './process.ts';
import { planLog } from './program.ts';
import { planBlockSignals } from './signals.ts';
import { makeDirectories, planWriteWhole } from './state.ts';

export interface CheckpointInput {
  id: string;
  stateRoot: string;
  /** Path of the criu to run. */
  criu: string;
  options: DumpOptions;
  facts: DumpFacts;
  /** What a restore must know, and criu does not keep. */
  note: CheckpointNote;
  host: Pick<HostFacts, 'sigIgnored'>;
  /** The tinyrun executable, and the global options that a command of ours is called with. */
  self: readonly string[];
  reports: readonly Report[];
  logFd: number | undefined;
  trace: number | undefined;
}

/** The file of an image directory that is ours; JSON. */
export const NOTE_FILE = 'tinyrun.json';

export interface CheckpointNote {
  /** As criu calls the files that were stdin, stdout and stderr; null: they are not the caller's. */
  stdio: (string | null)[];
  /** It dies with who has made it, also the one that restores it: PR_SET_PDEATHSIG outlives execve, and a dump. */
  foreground: boolean;
}

const EXIT = 1; // as runc for all failures

const words = (what: string, why: string, from = 'runtime'): Words => ({ what, why, from });
const LOCK =
  'Pause, resume, update and delete wait: a container that changes meanwhile cannot be written to files.';
const IMAGES = 'criu writes the images there.';
const NOTE = 'Which files the container had from outside, criu does not tell the one that restores it.';
const GONE = 'What was written to files is no container any more; its cgroup and its state go, as in runc.';

/** Plans a dump. Pure. */
export function planCheckpoint(input: CheckpointInput): Program {
  const note = JSON.stringify(input.note);
  return {
    sections: [{ name: 'host', ops: planDump(input, note), onFail: 'leave', exit: EXIT }],
    buffers: CHILD_BUFFERS,
    reports: input.reports,
    ...(input.trace === undefined ? {} : { trace: input.trace }),
  };
}

function planDump(input: CheckpointInput, note: string): Op[] {
  const { id, stateRoot, criu, options, facts, host, self } = input;
  const { imagePath, workPath, preDump, leaveRunning, statusFd } = options;
  const name = `criu ${preDump ? 'pre-dump' : 'dump'}`;
  return [
    ...planLog(input),
    planName(HOST_NAME),
    ...planBlockSignals(),
    o.openat(o.AT_FDCWD, `${stateRoot}/${id}/${INIT_STAT}`, ['O_RDONLY', 'O_NOFOLLOW'], {
      ...words(`open the lock of container ${id}`, LOCK),
      to: 'lock',
    }),
    o.flock(o.reg('lock'), ['LOCK_EX'], words(`lock container ${id}`, LOCK)),
    ...makeDirectories(imagePath, 0o700, IMAGES),
    ...(workPath === imagePath ? [] : makeDirectories(workPath, 0o700, 'criu writes its log there.')),
    ...(preDump ? [] : planNote(`${imagePath}/${NOTE_FILE}`, note)),
    ...planChild('dump', {
      ...{ name, argv: [criu, ...dumpArguments(options, facts)], host, from: '--image-path' },
      why: 'It stops the processes and writes all that they are into files.',
      before: () => [
        o.call('dup3', [2, 1, 0], words('make stderr its stdout', 'What it says is no output of ours.')),
      ],
      keep: statusFd === undefined ? [] : [statusFd],
    }),
    o.branch('code', '==', 0, 'dumped', words('has it succeeded?', 'criu exits with 0 then.')),
    ...planTellFailure(
      self,
      ['criu-failed', 'checkpoint', id, `${workPath}/${DUMP_LOG}`],
      { host, from: '--image-path' },
      'failed',
    ),
    o.label('failed'),
    o.set('exit', EXIT, words('fail, as it has been said', 'The container goes on, as criu left it.')),
    o.jump('leave', words('leave the container alone', 'It goes on, as criu left it.')),
    o.label('dumped'),
    ...(preDump || leaveRunning ? [] : planDelete(self, id)),
    o.label('leave'),
    o.exit(o.reg('exit'), words('end', 'The container is in its files.')),
  ];
}

function planNote(path: string, note: string): Op[] {
  const explain = (what: string): Words => words(what, NOTE);
  const size = new TextEncoder().encode(note).length;
  return [
    o.openat(
      o.AT_FDCWD,
      path,
      ['O_WRONLY', 'O_CREAT', 'O_TRUNC', 'O_NOFOLLOW'],
      { ...explain(`create ${path}`), to: 'file' },
      0o600,
    ),
    ...planWriteWhole(NOTE_FILE, note, size, explain),
    o.close(o.reg('file'), explain(`close ${path}`)),
  ];
}

/** Becomes `tinyrun delete --force ID`: a host program in the foreground may have removed it already. */
function planDelete(self: readonly string[], id: string): Op[] {
  return [
    o.call('rt_sigprocmask', [o.flags('SIG_SETMASK'), { struct: 'sigset', fields: {} }, 0, 8], {
      ...words('unblock all signals', 'The mask survives execve.'),
    }),
    o.execve(self[0]!, [...self, 'delete', '--force', id], [], words(`delete container ${id}`, GONE)),
  ];
}
