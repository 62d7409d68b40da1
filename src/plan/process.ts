// The container's process itself: working directory, descriptors, and the execve that init ends with. OCI config.md,
// "Process". Messages and exit codes are runc's where engines read them: 126 cannot be executed, 127 not found.

import type { ErrorPolicy, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { cleanInside } from './clean-inside.ts';
import type { ProcessInput } from './input.ts';
import { CLOSE, planParts, ROOT } from './mount-point.ts';
import { noProgram, notExecuted } from './words.ts';

const CWD_SIZE = 4096; // PATH_MAX
export const processBuffers = [{ name: 'cwd', size: CWD_SIZE }];

/** What ps shows of the program that stays beside a container; its monitor is known by it. */
export const HOST_NAME = 'tinyrun:host';

export const planName = (name: string): Op =>
  o.prctl('PR_SET_NAME', [name], {
    what: `call this process ${name}`,
    why: 'So that one finds it in ps and top.',
    from: 'runtime',
  });

export const planUmask = (mask: number, why: string, from: string): Op =>
  o.call('umask', [mask], { what: `set umask ${mask.toString(8).padStart(4, '0')}`, why, from });

/**
 * Init program, inside the new root: enters the working directory.
 * @param make it where it is missing, as runc does for a container's first process
 */
export function planCwd({ config }: ProcessInput, make: boolean): Op[] {
  const { cwd } = config.process;
  const path = cleanInside(cwd);
  if (path === '') return []; // pivot_root has left us in /
  const words = (what: string, why: string): Words => ({ what, why, from: '/process/cwd' });
  const enter = `enter working directory ${cwd}`;
  const inside =
    'Resolved inside the root, and through no magic link: /proc/self/fd/7 may lead out of it (CVE-2024-21626).';
  const open = (onMissing: boolean): Op =>
    o.openInRoot(ROOT, path, ['O_PATH', 'O_DIRECTORY'], {
      ...words(enter, inside),
      to: 'cwd',
      ...(onMissing ? { onError: { goto: { ENOENT: 'make-cwd' } } } : {}),
    });
  const outside = 'For a directory that is not below the root the kernel says "(unreachable)".';
  return [
    open(make),
    ...(make
      ? [
          o.jump('have-cwd', words('the working directory is there', 'It usually is.')),
          o.label('make-cwd'),
          ...planParts(path, 'directory', words),
          open(false),
          o.label('have-cwd'),
        ]
      : []),
    o.call('fchdir', [o.reg('cwd')], words(enter, 'Where the program starts.')),
    o.close(o.reg('cwd'), words('close the working directory', CLOSE)),
    o.call('getcwd', [o.buf('cwd'), CWD_SIZE], words('ask where we are', outside)),
    o.load(o.buf('cwd'), 1, 'slash', words('take the first character', outside)),
    o.branch('slash', '==', '/'.charCodeAt(0), 'cwd-inside', words('is it inside the root?', outside)),
    o.fail(words(`${enter}: it is outside of the container`, outside)),
    o.label('cwd-inside'),
  ];
}

/** Init program: no descriptor of ours or of the host survives execve. */
export function planCloseDescriptors({ preserveFds, logFd, trace, step }: ProcessInput): Op[] {
  // More may be promised than the caller has opened: then files of --log, --trace and --step-fd are among these numbers.
  const ours = [logFd, trace, step].filter((fd) => fd !== undefined && fd >= 3 && fd < 3 + preserveFds);
  return [
    ...ours.map((fd) =>
      o.call('fcntl', [fd!, o.flags('F_SETFD'), o.flags('FD_CLOEXEC')], {
        what: `close descriptor ${fd} at execve`,
        why: 'A file of messages is for the caller, not for the container, however many descriptors are preserved.',
        from: '--preserve-fds',
      }),
    ),
    o.call('close_range', [3 + preserveFds, 0xffffffff, o.flags('CLOSE_RANGE_CLOEXEC')], {
      what: `close descriptors from ${3 + preserveFds} at execve`,
      why: 'A descriptor of the host that leaks in is a way out (CVE-2024-21626).',
      from: preserveFds === 0 ? 'runtime' : '--preserve-fds',
    }),
  ];
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where execve looks for the program, in order: along the PATH of the container, where it has no slash. */
function candidatesOf({ config }: ProcessInput): string[] {
  const { args, env = [] } = config.process;
  const program = args[0]!;
  if (program.includes('/')) return [program];
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH;
  if (path === '' || program === '') return []; // finds nothing, as in runc; an empty part of a longer PATH is the working directory
  return path.split(':').map((directory) => (directory === '' ? program : `${directory}/${program}`));
}

/** The environment of the container's process. */
export function environmentOf({ config, home }: ProcessInput): readonly string[] {
  const { env = [] } = config.process;
  return env.some((entry) => entry.startsWith('HOME=')) ? env : [...env, `HOME=${home}`];
}

/**
 * Init program: execve, along PATH where the program has no slash.
 * @param more of the environment, where it is known only when the program runs
 */
export function planExec(input: ProcessInput, more: readonly o.Text[] = []): Op[] {
  const environment = [...environmentOf(input), ...more];
  const candidates = candidatesOf(input);
  return [
    ...candidates.flatMap((candidate, i) => planTry(input, candidate, environment, i)),
    ...planNotExecuted(input, candidates),
  ];
}

/**
 * Init program of a container that outlives us: is there a program that it may execute? execve comes too late for a
 * message to the caller of `create`, who reads in it that a program is missing (runc looks as well).
 */
export function planLookup(input: ProcessInput): Op[] {
  const why = 'When execve fails, after `start`, nobody reads the reason any more.';
  const words = (what: string): Words => ({ what, why, from: '/process/args/0' });
  const name = JSON.stringify(input.config.process.args[0]);
  return [
    ...candidatesOf(input).flatMap((candidate, i) => {
      const [next, denied] = [`looked-${i}`, `locked-${i}`];
      return [
        o.call('faccessat2', [o.AT_FDCWD, candidate, X_OK, o.flags('AT_EACCESS')], {
          ...words(`exec: ${name}`),
          onError: { goto: onwards(input, next, denied), exit: input.exits.notExecutable },
        }),
        o.call(
          'statx',
          [o.AT_FDCWD, candidate, 0, o.flags('STATX_TYPE'), o.buf('statx')],
          words(`look at ${candidate}`),
        ),
        o.load(o.buf('statx', STX_MODE), 2, 'mode', words('take its type')),
        o.branch('mode', '&', NOT_REGULAR, denied, words('is it no regular file?')),
        o.jump('program-found', words(`${candidate} can be executed`)),
        o.label(denied),
        o.set('denied', 1, words(`${candidate} is there, but may not be executed`)),
        o.label(next),
      ];
    }),
    o.branch('denied', '==', 1, 'lookup-denied', words('was one of them no executable file?')),
    planNotFound(input),
    o.label('lookup-denied'),
    planDenied(input),
    o.label('program-found'),
  ];
}

/** <unistd.h>; the place of stx_mode in struct statx; bits of S_IFMT that a regular file does not have. */
const [X_OK, STX_MODE, NOT_REGULAR] = [1, 28, 0o060000];

const EXEC = 'Init becomes the program: the same process, the same pid, everything above stays as it is.';

/** What makes the search go on. Along PATH a link that leads nowhere is not found, as in runc: engines exit with 127. */
const onwards = (
  { config }: ProcessInput,
  next: string,
  denied: string,
): NonNullable<ErrorPolicy['goto']> => ({
  ENOENT: next,
  ENOTDIR: next,
  ...(config.process.args[0]!.includes('/') ? {} : { ELOOP: next }),
  EACCES: denied,
});

function planTry(input: ProcessInput, candidate: string, env: readonly o.Text[], index: number): Op[] {
  const { config, exits } = input;
  const { args } = config.process;
  const words = (what: string): Words => ({ what, why: EXEC, from: '/process/args' });
  const next = `tried-${index}`;
  const denied = `denied-${index}`;
  return [
    o.execve(candidate, args, env, {
      ...words(`exec: ${JSON.stringify(candidate)}`),
      onError: { goto: onwards(input, next, denied), exit: exits.notExecutable },
    }),
    o.label(denied),
    o.set('denied', 1, words(`${candidate} is there, but may not be executed`)),
    o.label(next),
  ];
}

function planNotExecuted(input: ProcessInput, candidates: readonly string[]): Op[] {
  const { config, exits } = input;
  const name = JSON.stringify(config.process.args[0]);
  const words = (what: string): Words => ({ what, why: REASON, from: '/process/args/0' });
  const notFound = planNotFound(input);
  if (candidates.length === 0) return [notFound];
  return [
    o.branch('denied', '==', 1, 'exec-denied', words('was one of them no executable file?')),
    ...candidates.flatMap((candidate, i) => [
      o.call('faccessat', [o.AT_FDCWD, candidate, 0], {
        ...words(`is ${candidate} there?`),
        onError: { goto: { '*': `absent-${i}` } },
      }),
      o.jump('no-interpreter', words('it is: what it needs to run is missing')),
      o.label(`absent-${i}`),
    ]),
    notFound,
    o.label('no-interpreter'),
    o.fail(
      words(
        `exec: ${name}: no such file or directory: the file is there, but not the interpreter or loader that it names`,
      ),
      {
        exit: exits.notFound,
      },
    ),
    o.label('exec-denied'),
    planDenied(input),
  ];
}

const REASON = 'Nothing could be executed; the reason is worth a precise word.';

function planNotFound({ config, exits }: ProcessInput): Op {
  const program = config.process.args[0]!;
  return o.fail({ what: noProgram(program), why: REASON, from: '/process/args/0' }, { exit: exits.notFound });
}

function planDenied({ config, exits }: ProcessInput): Op {
  const what = notExecuted(config.process.args[0]!, 'permission denied');
  return o.fail({ what, why: REASON, from: '/process/args/0' }, { exit: exits.notExecutable });
}
