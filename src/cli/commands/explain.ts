// tinyrun explain
import { formatFilter } from '../../explain/filter.ts';
import { formatListing, listingJson } from '../../explain/listing.ts';
import { printProgram } from '../../program/text.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { explainContainer } from '../../runtime/plan-run.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { toRunOptions } from '../run-options.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const options = toRunOptions(line, cwd);
  // A generated id would make each explanation differ from the last.
  const id = options.form === 'bundle' && !options.named ? 'ID' : options.id;
  const program = await explainContainer(global, { ...options, id });
  if (flag(line, 'json')) print(1, `${JSON.stringify(listingJson(program), undefined, 2)}\n`);
  else if (flag(line, 'filter')) print(1, formatFilter(program));
  else if (flag(line, 'program')) print(1, printProgram(program));
  else print(1, formatListing(program, { compact: flag(line, 'compact') }));
  return 0;
}
