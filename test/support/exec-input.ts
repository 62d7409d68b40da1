// What `exec` is planned from, made up: a process in container `c1`, whose init is pid 77.

import type { ExecInput } from '../../src/plan/input.ts';
import { minimalConfig, planInput } from './plan-input.ts';

/** In the foreground, unless `change` says otherwise. */
export function execInput(change: Partial<ExecInput> = {}): ExecInput {
  return {
    ...planInput(),
    config: minimalConfig(),
    exits: { failure: 255, notExecutable: 255, notFound: 255 },
    reports: [{ reg: 'stderr', format: 'text', prefix: 'tinyrun: exec failed: ', suffix: '\n' }],
    init: { pid: 77, fd: 5 },
    chroot: false,
    cgroups: [],
    listenFds: 0,
    ...change,
  };
}
