// tinyrun where
import { withMountTree } from '../../inspect/mount-tree.ts';
import { subjectOf } from '../../inspect/subject-of.ts';
import { whereIs } from '../../inspect/where.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { usersOf } from '../../volume/uses.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { formatWhere, whereJson } from '../format/where.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const [name = '', path = ''] = line.args;
  const subject = await subjectOf(global, name);
  const where = withMountTree(subject, (tree) => whereIs(subject, tree, path, !flag(line, 'no-follow')));
  const volume = where.mount.point?.Name;
  const users = volume === undefined ? [] : usersOf(global.dataRoot, volume);
  const others = users.filter(({ id }) => id !== subject.id);
  const json = flag(line, 'json');
  print(1, json ? `${JSON.stringify(whereJson(where, others), undefined, 2)}\n` : formatWhere(where, others));
  return 0;
}
