// What is printed behind the message of a failure: what to do about it.

import { TinyrunError } from '../errors.ts';
import type { GlobalOptions } from '../runtime/options.ts';

/**
 * The hint of an error, behind a semicolon; empty where there is none. Who is not root, and was denied something that nothing
 * else is known of, is told so: most of what tinyrun does takes root, and a kernel only says EACCES. Of a full disk in the
 * data root it is told what takes its space, and what frees some.
 */
export function hintOf(error: unknown, { root, dataRoot }: Pick<GlobalOptions, 'root' | 'dataRoot'>): string {
  if (error instanceof TinyrunError && error.hint !== undefined) return `; ${error.hint}`;
  const message = error instanceof Error ? error.message : String(error);
  if (/\bENOSPC\b/.test(message) && message.includes(dataRoot))
    return '; see `tinyrun df`, and remove what is not used: tinyrun system prune';
  if (process.geteuid?.() === 0 || !/\b(EACCES|EPERM)\b/.test(message)) return '';
  const option = message.includes(dataRoot) ? '--data-root' : message.includes(root) ? '--root' : undefined;
  return `; you are not root: use sudo${option === undefined ? '' : `, or ${option} with a directory of your own`}`;
}
