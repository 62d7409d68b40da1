// A pid, written: into a path of /proc, and into the file of --pid-file.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { ProcessInput } from './input.ts';

/** Where the pid stands in a `/proc/PID/file` path: padded with slashes, since their number does not matter. */
export const PROC_PID = '/proc/' + '/'.repeat(10);

/** `--pid-file`: digits only, in place at once, as engines expect from runc. */
export function planPidFile({ pidFile }: Pick<ProcessInput, 'pidFile'>): Op[] {
  if (pidFile === undefined) return [];
  const words = (what: string): Words => ({
    what,
    why: 'The caller finds the process by this file; it never reads half a number.',
    from: '--pid-file',
  });
  const aside = `${pidFile}~`;
  const drop = { onError: { fail: 'drop-pid-file' } };
  return [
    o.format('pid', o.buf('pidtext'), { to: 'size' }, words('write the pid as digits')),
    // The directory may be one where others write, such as /tmp: what they have put there is not opened.
    o.unlinkat(o.AT_FDCWD, aside, [], {
      ...words(`create pid file ${pidFile}: remove what is in its way`),
      onError: { ignore: ['ENOENT'] },
    }),
    o.openat(
      o.AT_FDCWD,
      aside,
      ['O_WRONLY', 'O_CREAT', 'O_EXCL'],
      { ...words(`create pid file ${pidFile}`), to: 'file' },
      0o644,
    ),
    o.write(o.reg('file'), o.buf('pidtext'), o.reg('size'), {
      ...words(`write pid file ${pidFile}`),
      ...drop,
    }),
    o.close(o.reg('file'), words('close the pid file')),
    o.renameat(o.AT_FDCWD, aside, o.AT_FDCWD, pidFile, {
      ...words(`put pid file ${pidFile} in its place`),
      ...drop,
    }),
    o.jump('pid-file-written', words('the pid file is there')),
    o.label('drop-pid-file'),
    o.unlinkat(o.AT_FDCWD, aside, [], {
      ...words(`remove ${aside}`),
      onError: { ignore: ['ENOENT'], fail: 'undo' },
    }),
    o.jump('undo', words('undo the rest')),
    o.label('pid-file-written'),
  ];
}
