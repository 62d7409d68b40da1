// A verb -> its launch file (launch-file.ts).

import { linkProgram } from '../engine/native.ts';
import { ID_PLACE, planVerb, type Verb } from '../plan/verbs.ts';
import { encodeLaunchFile } from './launch-file.ts';

/** The bytes of the file for a verb in a state root. */
export function verbFile(root: string, verb: Verb): Uint8Array {
  const image = linkProgram(planVerb(root, verb), process.arch === 'arm64' ? 'arm64' : 'x64');
  return encodeLaunchFile({
    invocation: new Uint8Array(),
    checks: [],
    placeholders: [{ kind: 'given id', text: ID_PLACE }],
    inChild: true,
    image,
  });
}
