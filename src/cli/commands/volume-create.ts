// tinyrun volume create [VOLUME]: prints its name.
import { toLabels, toRecord } from '../../container/key-value.ts';
import { TinyrunError } from '../../errors.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { createVolume } from '../../volume/store.ts';
import { CLUSTER_OPTIONS } from '../cluster-options.ts';
import { type CommandLine, text, texts } from '../command-line.ts';

export async function run(line: CommandLine, { dataRoot }: GlobalOptions): Promise<number> {
  for (const name of [...CLUSTER_OPTIONS.text, ...CLUSTER_OPTIONS.list])
    if (line.options[name] !== undefined)
      throw new TinyrunError('UNSUPPORTED', `create a volume: --${name} is for volumes of a cluster`, {
        hint: 'tinyrun has no cluster: leave it out',
      });
  const name = text(line, 'name');
  if (name !== undefined && line.args.length > 0)
    throw new TinyrunError(
      'USAGE',
      'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
    );
  const volume = await createVolume(dataRoot, {
    name: name ?? line.args[0],
    driver: text(line, 'driver'),
    options: toRecord(texts(line, 'opt')),
    labels: toLabels(texts(line, 'label')),
  });
  print(1, `${volume.name}\n`);
  return 0;
}
