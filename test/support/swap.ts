// A hostile container's part in a race.

import { join } from 'node:path';

/** Exchanges two names over and over, as fast as it can, until it is killed. */
export function startSwapping(first: string, second: string) {
  const script = `
    const { rawSyscall } = await import(${JSON.stringify(join(import.meta.dir, '../../native-bindings/libc.ts'))});
    for (;;) rawSyscall('renameat2', -100, ${JSON.stringify(first)}, -100, ${JSON.stringify(second)}, 2);`;
  return Bun.spawn([process.execPath, '-e', script], { stdio: ['ignore', 'inherit', 'inherit'] });
}
