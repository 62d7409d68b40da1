// `tinyrun state`: a container as JSON, in runc's form.

import { readContainer } from './store.ts';

/**
 * The state as text: OCI runtime.md, "Query State", indented as runc does.
 * @throws TinyrunError NOT_FOUND
 */
export function stateText(root: string, id: string): string {
  return `${JSON.stringify(readContainer(root, id).state, undefined, 2)}\n`;
}
