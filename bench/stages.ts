// What `tinyrun run BUNDLE` is, with a clock: bench/budget.ts builds it as dist/tinyrun is built, so that it starts and
// loads alike. The steps are those of src/cli/main.ts and src/runtime/run.ts, which shall not even have to ask whether
// to read a clock.

import { parseFast } from '../src/cli/fast.ts';
import { toGlobalOptions } from '../src/cli/global.ts';
import { createLog } from '../src/runtime/log.ts';

const main = Bun.nanoseconds();
const line = parseFast(process.argv.slice(2));
if (line === undefined) throw new Error('stages: not a command line of the fast path');
const cwd = process.cwd();
const global = toGlobalOptions(line.options, cwd);
const log = createLog(global);
const { run } = await import('./stages-run.ts');
await run(line, global, cwd, log, main);
