// tinyrun explain
import { formatFilter } from '../../explain/filter.ts';
import { formatListing, listingJson } from '../../explain/listing.ts';
import type { Program } from '../../program/op.ts';
import { printProgram } from '../../program/text.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { explainContainer } from '../../runtime/plan-run.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { explicitForm, toRunOptions } from '../run-options.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const program = await programOf(line, global, cwd);
  if (flag(line, 'json')) print(1, `${JSON.stringify(listingJson(program), undefined, 2)}\n`);
  else if (flag(line, 'filter')) print(1, formatFilter(program));
  else if (flag(line, 'program')) print(1, printProgram(program));
  else print(1, formatListing(program, { compact: flag(line, 'compact') }));
  return 0;
}

async function programOf(line: CommandLine, global: GlobalOptions, cwd: string): Promise<Program> {
  const form = explicitForm(line) ?? (await import('../target.ts')).findTarget(line, global);
  if (form === 'image') return (await import('./explain-image.ts')).programOf(line, global, cwd);
  const options = toRunOptions(line, cwd, form);
  // A generated id would make each explanation differ from the last.
  const id = options.form === 'bundle' && !options.named ? 'ID' : options.id;
  return explainContainer(global, { ...options, id });
}
