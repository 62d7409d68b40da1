// `tinyrun state`: a container as JSON, in runc's form.

import { formatState } from '../oci/state.ts';
import { readContainer } from './store.ts';

/**
 * The state as text: OCI runtime.md, "Query State", indented as runc does.
 * @throws TinyrunError NOT_FOUND
 */
export function stateText(root: string, id: string): string {
  return formatState(readContainer(root, id).state);
}
