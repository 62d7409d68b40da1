// tinyrun explain
import { TinyrunError } from '../../errors.ts';
import { formatFilter } from '../../explain/filter.ts';
import { formatListing, listingJson } from '../../explain/listing.ts';
import { printProgram } from '../../program/text.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { explainContainer } from '../../runtime/plan-run.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { type BundleForm, explicitForm, toRunOptions } from '../run-options.ts';

async function formOf(line: CommandLine, global: GlobalOptions): Promise<BundleForm> {
  const form = explicitForm(line) ?? (await import('../target.ts')).findTarget(line, global);
  if (form !== 'image') return form;
  throw new TinyrunError(
    'UNSUPPORTED',
    `explain ${line.args[0]}: a container of an image is planned when it is there`,
    {
      hint: 'create it, and `tinyrun start --trace FILE` it',
    },
  );
}

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const options = toRunOptions(line, cwd, await formOf(line, global));
  // A generated id would make each explanation differ from the last.
  const id = options.form === 'bundle' && !options.named ? 'ID' : options.id;
  const program = await explainContainer(global, { ...options, id });
  if (flag(line, 'json')) print(1, `${JSON.stringify(listingJson(program), undefined, 2)}\n`);
  else if (flag(line, 'filter')) print(1, formatFilter(program));
  else if (flag(line, 'program')) print(1, printProgram(program));
  else print(1, formatListing(program, { compact: flag(line, 'compact') }));
  return 0;
}
