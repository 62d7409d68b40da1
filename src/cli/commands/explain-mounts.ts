// tinyrun explain mounts
import { withMountTree } from '../../inspect/mount-tree.ts';
import { subjectOf } from '../../inspect/subject-of.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';
import { formatComparison } from '../format/mount-kinds.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const subject = await subjectOf(global, line.args[0] ?? '');
  print(
    1,
    withMountTree(subject, (tree) => formatComparison(subject, tree)),
  );
  return 0;
}
