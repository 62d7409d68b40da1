// One program of the host that a program of ours runs beside itself, and waits for: criu, and who tells of its failure. It
// has the caller's stdin, stdout and stderr. How it has ended is in register `code`; where there was no execve, that has
// been said, and the code is NOT_EXECUTED.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { HostFacts } from './host.ts';
import { planRestoreSignals } from './signals.ts';

/** None of criu's or tinyrun's own exit codes. */
const NOT_EXECUTED = 70;

/** Where criu finds ip(8), tar(1) and their like; and where criu itself is looked for. */
export const TOOLS_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Child {
  /** For messages: `criu dump`. */
  name: string;
  argv: readonly string[];
  why: string;
  from: string;
  host: Pick<HostFacts, 'sigIgnored'>;
  /** What the child does first; failures go to the label. */
  before: (lost: string) => readonly Op[];
  /** Descriptors that it is given besides; else none from 3 on. */
  keep: readonly (number | { fd: { reg: string }; as: number })[];
}

export const CHILD_BUFFERS = [{ name: 'status', size: 8 }];

/** Runs it to its end. */
export function planChild(unique: string, { name, argv, why, from, host, before, keep }: Child): Op[] {
  const words = (what: string, reason = why): Words => ({ what, why: reason, from });
  const [parent, lost] = [`parent-${unique}`, `lost-${unique}`];
  const fails = (op: Op): Op => (op.op === 'call' ? { ...op, onError: { fail: lost, ...op.onError } } : op);
  const outside = 'Descriptors of ours are no business of another program.';
  return [
    o.clone3([], { ...words(`start a process for ${name}`), to: 'child' }),
    o.branch('child', '!=', 0, parent, words('are we it?', 'clone3 returns twice.')),
    ...[
      o.prctl(
        'PR_SET_PDEATHSIG',
        [o.flags('SIGKILL')],
        words('die with its parent', 'Nobody else waits for it.'),
      ),
      ...before(lost),
      ...planRestoreSignals(host.sigIgnored),
      o.call('umask', [0o022], words('set umask 0022', 'It gets what programs usually have.')),
      o.call('close_range', [3, 0xffffffff, o.flags('CLOSE_RANGE_CLOEXEC')], {
        ...words('close descriptors from 3 at execve', outside),
      }),
      ...keep.map((kept) =>
        typeof kept === 'number'
          ? o.call('fcntl', [kept, o.flags('F_SETFD'), 0], words(`but keep descriptor ${kept}`))
          : o.call('dup3', [kept.fd, kept.as, 0], words(`but give it descriptor ${kept.as}`)),
      ),
      o.execve(argv[0]!, argv, [`PATH=${TOOLS_PATH}`], words(`run ${name}`)),
    ].map(fails),
    o.label(lost),
    o.exit(NOT_EXECUTED, words('end', 'It has said why.')),
    o.label(parent),
    o.wait4(o.reg('child'), o.buf('status'), [], words(`wait for the end of ${name}`)),
    o.load(o.buf('status'), 4, 'status', words('take its wait status')),
    o.exitCode('status', 'code', words('take its exit code')),
  ];
}

/** What tells why criu has failed, unless it was not even there: `tinyrun criu-failed`, which reads its log. */
export function planTellFailure(
  self: readonly string[],
  words: readonly string[],
  { host, from }: Pick<Child, 'host' | 'from'>,
  next: string,
): Op[] {
  const why = 'What has failed is the last error in its log: to find that takes a program that can loop.';
  return [
    o.branch('code', '==', NOT_EXECUTED, next, { what: 'was there a criu to run?', why, from }),
    ...planChild('tell', {
      ...{ name: 'tinyrun criu-failed', argv: [...self, ...words], why, from, host },
      before: () => [],
      keep: [],
    }),
  ];
}
