// tinyrun volume du [VOLUME...]: how much is in volumes, and who uses them. Those that are mounted only while they are
// used are mounted for that.
import { createLog, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { withData } from '../../volume/mounted.ts';
import { listVolumes } from '../../volume/store.ts';
import { usageOf } from '../../volume/usage.ts';
import { type User, usersByVolume } from '../../volume/uses.ts';
import { type CommandLine, text } from '../command-line.ts';
import { forEach } from '../each.ts';
import { humanSize } from '../format/human.ts';
import { formatList } from '../format/list.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const { dataRoot } = global;
  const log = createLog(global);
  const all = await listVolumes(dataRoot, ({ error }) =>
    log.warn(error instanceof Error ? error.message : String(error)),
  );
  const names = line.args.length > 0 ? line.args : all.map(({ name }) => name);
  const users = usersByVolume(dataRoot);
  const rows: Record<string, unknown>[] = [];
  const code = await forEach(names, global, async (name) => {
    const { bytes, files } = (await withData(dataRoot, name, usageOf)) ?? { bytes: 0, files: 0 };
    const by = (users.get(name) ?? []).map(nameOf).join(',');
    rows.push({
      Name: name,
      Size: humanSize(bytes),
      Bytes: bytes,
      Files: files,
      UsedBy: by,
    });
  });
  const list = formatList({
    format: text(line, 'format'),
    quiet: false,
    table: [
      ['VOLUME NAME', 'Name'],
      ['SIZE', 'Size'],
      ['FILES', 'Files'],
      ['USED BY', 'UsedBy'],
    ],
    id: 'Name',
    rows,
  });
  print(1, list);
  return code;
}

const nameOf = ({ id, name }: User): string => name ?? id.slice(0, 12);
