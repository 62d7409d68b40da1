// tinyrun delete
import type { ContainerRecord } from '../../container/record.ts';
import { AT_FDCWD, exists } from '../../disk/files.ts';
import { deleteContainer } from '../../runtime/delete.ts';
import { assertId } from '../../runtime/id.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { keepVerb } from '../../runtime/verb-cache.ts';
import { findRecord } from '../by-name.ts';
import { type CommandLine, flag } from '../command-line.ts';

/** As the launcher names it; `-f` and other forms take JavaScript each time. */
const forced = (line: CommandLine): string[] => (flag(line, 'force') ? ['--force'] : []);

async function removeNamed(global: GlobalOptions, record: ContainerRecord, force: boolean): Promise<number> {
  const { removeContainer } = await import('../../container/remove.ts');
  await removeContainer(global, record, { force, volumes: false });
  return 0;
}

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const id = line.args[0] ?? '';
  const remove = (one: string): Promise<void> => deleteContainer(global, one, flag(line, 'force'));
  if (flag(line, 'regex')) {
    await (await import('../../runtime/matching.ts')).forEachMatch(global.root, id, remove);
  } else {
    assertId(id);
    const record = exists(AT_FDCWD, `${global.root}/${id}`) ? undefined : await findRecord(global, id);
    if (record !== undefined) return await removeNamed(global, record, flag(line, 'force'));
    await remove(id);
    await keepVerb(global.root, { name: 'delete' }, ...forced(line));
  }
  return 0;
}
