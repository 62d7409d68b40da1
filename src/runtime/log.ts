import { writeAll } from '../../native-bindings/libc.ts';
import type { GlobalOptions } from './options.ts';
export interface Log { error(text: string): void; warn(text: string): void; debug(text: string): void }
export function createLog(_global: GlobalOptions): Log {
  const w = (text: string) => writeAll(2, new TextEncoder().encode(`tinyrun: ${text}\n`));
  return { error: w, warn: (t) => w(`warning: ${t}`), debug: () => {} };
}
