// `tinyrun kill`: a signal to the container process. OCI runtime.md, "Kill".

import type { GlobalOptions } from './options.ts';
import { signalProcess } from './process.ts';
import { assertLegal } from './status.ts';
import { readContainer } from './store.ts';

/**
 * Sends a signal to the init of a container.
 * @param signal number
 * @throws TinyrunError NOT_FOUND, or STATE in runc's words if it has ended
 */
export function killContainer({ root }: Pick<GlobalOptions, 'root'>, id: string, signal: number): void {
  const { state, init } = readContainer(root, id);
  assertLegal('kill', id, state.status);
  if (!signalProcess(init, signal, `container ${id}`)) assertLegal('kill', id, 'stopped');
}
