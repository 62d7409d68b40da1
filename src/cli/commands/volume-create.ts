// tinyrun volume create [VOLUME]: prints its name.
import { TinyrunError } from '../../errors.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { createVolume } from '../../volume/store.ts';
import { CLUSTER_OPTIONS } from '../cluster-options.ts';
import { type CommandLine, text, texts } from '../command-line.ts';
import { keyValues } from '../key-values.ts';

export async function run(line: CommandLine, { dataRoot }: GlobalOptions): Promise<number> {
  for (const name of [...CLUSTER_OPTIONS.text, ...CLUSTER_OPTIONS.list])
    if (line.options[name] !== undefined)
      throw new TinyrunError('UNSUPPORTED', `create a volume: --${name} is for volumes of a cluster`, {
        hint: 'tinyrun has no cluster: leave it out',
      });
  const volume = await createVolume(dataRoot, {
    name: line.args[0],
    driver: text(line, 'driver'),
    options: keyValues(texts(line, 'opt')),
    labels: keyValues(texts(line, 'label')),
  });
  print(1, `${volume.name}\n`);
  return 0;
}
