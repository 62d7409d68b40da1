// tinyrun copy-up FROM TO DESTINATION [KEEP]: what a child of init becomes to fill a tmpfs of tmpcopyup
// (plan/copy-up.ts). FROM and TO are inherited descriptors, KEEP is which of `mode,uid,gid` the tmpfs keeps.
import { SystemError } from '../../../native-bindings/libc.ts';
import { copyTree } from '../../disk/copy-tree.ts';
import { TinyrunError } from '../../errors.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args }: CommandLine): number {
  const [from = '', to = '', destination = '', keep = ''] = args;
  for (const fd of [from, to])
    if (!/^\d{1,10}$/.test(fd))
      throw new TinyrunError('USAGE', `copy-up: ${JSON.stringify(fd)} is no file descriptor`);
  const names = keep.split(',');
  const kept = (['mode', 'uid', 'gid'] as const).filter((name) => names.includes(name));
  try {
    copyTree(Number(from), Number(to), { keep: new Set(kept) });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new TinyrunError('HOST', `fill the tmpfs on ${destination}: ${error.message}`, {
      cause: error,
      ...(error.errno === 'ENOSPC'
        ? { hint: 'give it a larger size= or nr_inodes= in the options of the mount' }
        : {}),
    });
  }
  return 0;
}
