// New limits for a cgroup that has some already. The kernel refuses with EINVAL what does not fit what is there (a memory
// limit above that of memory and swap, a quota above what an older period allows, a burst above the quota): which of two
// limits must be written first depends on their values before and after. So what is refused is tried again after the
// others; and if it is refused still, all files get back what they had.

import { SystemError } from '../../../native-bindings/libc.ts';
import type { CgroupWrite } from '../../cgroup/row.ts';
import { TinyrunError } from '../../errors.ts';
import { type Cgroups, readCgroupFile, writeCgroupFile } from './files.ts';

/** A write that was made, and what stood there. */
interface Undo {
  path: string;
  before: string;
}

/** A write that the kernel did not take. */
interface Refused {
  write: CgroupWrite;
  error: SystemError;
}

/**
 * Makes all writes, or none.
 * @param id for messages
 * @throws TinyrunError HOST naming file and value
 */
export function applyLimits(id: string, writes: readonly CgroupWrite[], cgroups: Cgroups): void {
  const undos: Undo[] = [];
  for (let waiting = writes; waiting.length > 0; ) {
    const refused: Refused[] = [];
    for (const write of waiting) {
      const error = tryWrite(write, cgroups, undos);
      if (error !== undefined) refused.push({ write, error });
    }
    const final = refused.find(({ error }) => error.errno !== 'EINVAL');
    // Where none of them was taken, the same again would have the same end.
    if (final !== undefined || refused.length === waiting.length) {
      restore(undos);
      throw failure(id, final ?? refused[0]!, cgroups);
    }
    waiting = refused.map(({ write }) => write);
  }
}

/** Returns the kernel's refusal. */
function tryWrite(write: CgroupWrite, cgroups: Cgroups, undos: Undo[]): SystemError | undefined {
  const { path, value, before } = target(write, cgroups);
  if (before === undefined && write.optional) return undefined;
  try {
    writeCgroupFile(path, value);
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  }
  const again = before === undefined ? undefined : restorable(path, before);
  if (again !== undefined) undos.push({ path, before: again });
  return undefined;
}

/** The file that a write is for, of several names the first that the kernel has, and what is in it; undefined: it has none. */
function target(
  write: CgroupWrite,
  cgroups: Cgroups,
): { path: string; value: string; before: string | undefined } {
  const directory = cgroups.find(({ controllers }) => controllers === write.controllers)?.path;
  for (let choice: NonNullable<CgroupWrite['otherwise']> = write; ; choice = choice.otherwise) {
    const path = `${directory}/${choice.file}`;
    const before = contentsOf(path);
    if (before !== undefined || choice.otherwise === undefined) return { path, value: choice.value, before };
  }
}

/** Empty for a file that cannot be read; undefined where there is none. */
function contentsOf(path: string): string | undefined {
  try {
    return readCgroupFile(path)?.trimEnd();
  } catch (error) {
    if (error instanceof SystemError) return '';
    throw error;
  }
}

/** What puts a file back to its contents, where one write does: a list of devices is written line by line. */
function restorable(path: string, before: string): string | undefined {
  if (before === '') return /\/cpuset\.(cpus|mems)$/.test(path) ? '\n' : undefined;
  return before.includes('\n') ? undefined : before;
}

/** Puts everything back, last first; what does not fit yet is tried again after the others. */
function restore(undos: readonly Undo[]): void {
  let waiting = [...undos].reverse();
  for (let last = -1; waiting.length !== last; ) {
    last = waiting.length;
    waiting = waiting.filter(({ path, before }) => {
      try {
        writeCgroupFile(path, before);
        return false;
      } catch (error) {
        if (error instanceof SystemError) return true;
        throw error;
      }
    });
  }
}

const HINTS: Readonly<Record<string, string>> = {
  'memory.limit_in_bytes':
    'memory alone must not have more than memory and swap together: raise --memory-swap, too',
  'memory.memsw.limit_in_bytes':
    'memory and swap together must not have less than memory alone: lower --memory, too',
  'cpu.cfs_quota_us': 'a quota is at least 1000 microseconds, and no more than the cgroup above has',
};

/** The kernel's refusal, in runc's words where it has words of its own. */
function failure(id: string, { write, error }: Refused, cgroups: Cgroups): TinyrunError {
  const data = { id, pointer: write.from, errno: error.errno };
  if (error.errno === 'EBUSY' && write.file === 'memory.limit_in_bytes') {
    const { path, value } = target(write, cgroups);
    const usage = (name: string) => contentsOf(path.replace(/limit_in_bytes$/, name)) ?? '';
    const words = `unable to set memory limit to ${value} (current usage: ${usage('usage_in_bytes')}, peak usage: ${usage('max_usage_in_bytes')})`;
    return new TinyrunError('HOST', `update container ${id}: ${words}`, { data, cause: error });
  }
  const hint = error.errno === 'EINVAL' ? HINTS[write.file] : undefined;
  return new TinyrunError('HOST', `update container ${id}: ${error.message}`, {
    data,
    cause: error,
    hint,
  });
}
