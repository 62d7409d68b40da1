// tinyrun restore
import type { GlobalOptions } from '../../runtime/options.ts';
import { restoreContainer } from '../../runtime/restore.ts';
import type { CommandLine } from '../command-line.ts';
import { flag } from '../command-line.ts';
import { toRestoreOptions } from '../criu-options.ts';
import { toCreateOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export const run = (line: CommandLine, global: GlobalOptions, cwd: string): Promise<never> =>
  restoreContainer(
    global,
    {
      ...toCreateOptions(line, cwd),
      lifecycle: flag(line, 'detach') ? 'detached' : 'foreground',
      init: false,
      noPivot: false,
    },
    toRestoreOptions(line, cwd),
    traceLines,
  );
