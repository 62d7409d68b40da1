// tinyrun where
import { withMountTree } from '../../inspect/mount-tree.ts';
import { bundleSubject } from '../../inspect/subject.ts';
import { whereIs } from '../../inspect/where.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { formatWhere, whereJson } from '../format/where.ts';

export function run(line: CommandLine, global: GlobalOptions): number {
  const [name = '', path = ''] = line.args;
  const subject = bundleSubject(global, name);
  const where = withMountTree(subject, (tree) => whereIs(subject, tree, path, !flag(line, 'no-follow')));
  print(1, flag(line, 'json') ? `${JSON.stringify(whereJson(where), undefined, 2)}\n` : formatWhere(where));
  return 0;
}
