// tinyrun mounts
import { hostView } from '../../inspect/host-view.ts';
import { withMountTree } from '../../inspect/mount-tree.ts';
import { subjectOf } from '../../inspect/subject-of.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { formatMounts, mountsJson } from '../format/mount-tree.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const subject = await subjectOf(global, line.args[0] ?? '');
  const output = withMountTree(subject, (tree) => {
    const host = hostView(subject, tree);
    return flag(line, 'json')
      ? `${JSON.stringify(mountsJson(subject, tree, host), undefined, 2)}\n`
      : formatMounts(subject, tree, host);
  });
  print(1, output);
  return 0;
}
