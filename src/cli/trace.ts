// What `--trace` shows of a program, loaded only with that.

import type { TraceLines } from '../runtime/become.ts';

export const traceLines: TraceLines = async (program) =>
  (await import('../explain/listing.ts')).traceLines(program);
