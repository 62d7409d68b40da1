// Checks the `process` object: of config.json, and of the process file that `exec --process` reads, which is the same.
// OCI config.md, "Process" and what follows it.
import { capabilities } from '../sys/capabilities.ts';
import { rlimits } from '../sys/rlimits.ts';
import { type Checker, INT32, show, UINT16, UINT64 } from './checker.ts';
import { isIdList } from './id-list.ts';
import type { Json } from './json.ts';

/** SCHED_ISO is in the spec, but no Linux has it. */
const POLICIES = ['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH', 'SCHED_IDLE', 'SCHED_DEADLINE'];
const SCHEDULER_FLAGS = [
  'SCHED_FLAG_RESET_ON_FORK',
  'SCHED_FLAG_RECLAIM',
  'SCHED_FLAG_DL_OVERRUN',
  'SCHED_FLAG_KEEP_POLICY',
  'SCHED_FLAG_KEEP_PARAMS',
  'SCHED_FLAG_UTIL_CLAMP_MIN',
  'SCHED_FLAG_UTIL_CLAMP_MAX',
];
const RLIMITS: readonly string[] = rlimits;
const CAPABILITY_SETS = ['effective', 'bounding', 'inheritable', 'permitted', 'ambient'];
const IO_CLASSES = ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'];

/**
 * Checks a process object.
 *
 * @param at its JSON pointer: `/process`, or empty for a process file
 */
export function checkProcess(checker: Checker, process: Json, at: string): void {
  if (checker.boolean(process, at, 'terminal')) checkConsoleSize(checker, process, at);
  if (checker.required(process, at, 'cwd')) checker.absolutePath(process, at, 'cwd');
  checkEnv(checker, process, at);
  if (checker.required(process, at, 'args')) {
    checker.strings(process, at, 'args');
    const args = process['args'];
    if (Array.isArray(args) && args.length === 0)
      checker.fail(`${at}/args`, 'is empty: there is nothing to run');
  }
  checkRlimits(checker, process, at);
  checkCapabilities(checker, process, at);
  checker.boolean(process, at, 'noNewPrivileges');
  checker.integer(process, at, 'oomScoreAdj', {
    min: -1000,
    max: 1000,
    what: 'an integer from -1000 to 1000',
  });
  checkScheduler(checker, process, at);
  checkIoPriority(checker, process, at);
  checkAffinity(checker, process, at);
  checkUser(checker, process, at);
  checker.string(process, at, 'apparmorProfile');
  checker.string(process, at, 'selinuxLabel');
}

function checkConsoleSize(checker: Checker, process: Json, at: string): void {
  const size = checker.object(process, at, 'consoleSize');
  if (size === undefined) return;
  for (const side of ['height', 'width']) {
    if (checker.required(size, `${at}/consoleSize`, side))
      checker.integer(size, `${at}/consoleSize`, side, UINT16); // struct winsize, ioctl_tty(2)
  }
}

function checkEnv(checker: Checker, process: Json, at: string): void {
  const env = checker.strings(process, at, 'env');
  for (let i = 0; i < env.length; i++) {
    const entry = env[i]!;
    // As runc; crun silently leaves out what has no `=`.
    if (entry.indexOf('=') < 1) checker.fail(`${at}/env/${i}`, `${show(entry)} is not NAME=value`, entry);
  }
}

function checkRlimits(checker: Checker, process: Json, at: string): void {
  const seen = new Set<string>();
  checker.objects(process, at, 'rlimits', (rlimit, at) => {
    const type = checker.required(rlimit, at, 'type') ? checker.string(rlimit, at, 'type') : undefined;
    if (type !== undefined) {
      if (!RLIMITS.includes(type)) checker.fail(`${at}/type`, `${show(type)} is not a resource limit`, type);
      // The spec wants this error; runc 1.1 and crun 1.8 set one after the other.
      if (seen.has(type)) checker.fail(`${at}/type`, `${show(type)} is given twice`, type);
      seen.add(type);
    }
    const limit = (key: string) =>
      checker.required(rlimit, at, key) ? checker.integer(rlimit, at, key, UINT64) : undefined;
    const soft = limit('soft');
    const hard = limit('hard');
    if (soft !== undefined && hard !== undefined && soft > hard)
      checker.fail(`${at}/soft`, `${soft} is above the hard limit ${hard}`, soft);
  });
}

function checkCapabilities(checker: Checker, process: Json, at: string): void {
  const sets = checker.object(process, at, 'capabilities');
  if (sets === undefined) return;
  for (const set of CAPABILITY_SETS) {
    const names = checker.strings(sets, `${at}/capabilities`, set);
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      // A warning and no error since version 1.1 of the spec; runc and crun leave it out, too.
      if (!Object.hasOwn(capabilities, name))
        checker.warn(
          `${at}/capabilities/${set}/${i}`,
          `unknown capability ${show(name)} is not granted`,
          name,
        );
    }
  }
}

function checkScheduler(checker: Checker, process: Json, processAt: string): void {
  const scheduler = checker.object(process, processAt, 'scheduler');
  if (scheduler === undefined) return;
  const at = `${processAt}/scheduler`;
  const policy = checker.required(scheduler, at, 'policy')
    ? checker.oneOf(scheduler, at, 'policy', POLICIES)
    : undefined;
  checker.integer(scheduler, at, 'nice', { min: -20, max: 19, what: 'an integer from -20 to 19' });
  checker.strings(scheduler, at, 'flags').forEach((flag, i) => {
    if (!SCHEDULER_FLAGS.includes(flag))
      checker.fail(`${at}/flags/${i}`, `${show(flag)} is not one of ${SCHEDULER_FLAGS.join(', ')}`, flag);
  });
  const priority = checker.integer(scheduler, at, 'priority', INT32);
  if (policy === 'SCHED_FIFO' || policy === 'SCHED_RR') {
    if (priority === undefined || priority < 1 || priority > 99)
      checker.fail(`${at}/priority`, `${show(priority ?? 0)} is not 1 to 99, as ${policy} demands`, priority);
  } else if (policy !== undefined && priority !== undefined && priority !== 0) {
    checker.fail(`${at}/priority`, `${priority} is for SCHED_FIFO and SCHED_RR, not for ${policy}`, priority);
  }
  for (const key of ['runtime', 'deadline', 'period']) {
    const time = checker.integer(scheduler, at, key, UINT64);
    if (time !== undefined && time !== 0 && policy !== undefined && policy !== 'SCHED_DEADLINE')
      checker.fail(`${at}/${key}`, `${time} is for SCHED_DEADLINE, not for ${policy}`, time);
  }
}

function checkIoPriority(checker: Checker, process: Json, at: string): void {
  const io = checker.object(process, at, 'ioPriority');
  if (io === undefined) return;
  if (checker.required(io, `${at}/ioPriority`, 'class'))
    checker.oneOf(io, `${at}/ioPriority`, 'class', IO_CLASSES);
  if (checker.required(io, `${at}/ioPriority`, 'priority'))
    checker.integer(io, `${at}/ioPriority`, 'priority', { min: 0, max: 7, what: 'an integer from 0 to 7' });
}

function checkAffinity(checker: Checker, process: Json, at: string): void {
  const affinity = checker.object(process, at, 'execCPUAffinity');
  if (affinity === undefined) return;
  for (const key of ['initial', 'final']) {
    const list = checker.string(affinity, `${at}/execCPUAffinity`, key);
    if (list !== undefined && list !== '' && !isIdList(list))
      checker.fail(`${at}/execCPUAffinity/${key}`, `${show(list)} is not a list of CPUs such as 0-3,7`, list);
  }
}

function checkUser(checker: Checker, process: Json, processAt: string): void {
  const user = checker.object(process, processAt, 'user');
  if (user === undefined) return;
  const at = `${processAt}/user`;
  checker.id(user, at, 'uid');
  checker.id(user, at, 'gid');
  // umask(2) drops higher bits, as do runc and crun; a umask beyond 0777 was most likely written in octal digits.
  checker.integer(user, at, 'umask', { min: 0, max: 0o777, what: 'a umask from 0 to 511 (octal 777)' });
  checker.ids(user, at, 'additionalGids');
}
