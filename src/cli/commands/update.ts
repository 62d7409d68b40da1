// tinyrun update
import { assertId } from '../../runtime/id.ts';
import { createLog } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { parseResources, readResourcesFile, updateContainer } from '../../runtime/update.ts';
import { byName } from '../by-name.ts';
import { type CommandLine, text } from '../command-line.ts';
import { absolute } from '../global.ts';
import { toResources } from '../update-options.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const id = line.args[0] ?? '';
  assertId(id);
  const file = text(line, 'resources');
  const resources =
    file === undefined || file === ''
      ? toResources(line)
      : parseResources(readResourcesFile(file === '-' ? file : absolute(file, cwd)), file);
  const rdt =
    file === undefined || file === ''
      ? { l3CacheSchema: text(line, 'l3-cache-schema'), memBwSchema: text(line, 'mem-bw-schema') }
      : {};
  const told = await byName(global, id, (one) =>
    updateContainer(global.root, one, resources, rdt, createLog(global)),
  );
  if (told !== undefined)
    await (await import('../../runtime/scope.ts')).setUnitProperties(told.unit, told.resources);
  return 0;
}
