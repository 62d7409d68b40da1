// tinyrun volume create [VOLUME]: prints its name.
import { TinyrunError } from '../../errors.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { createVolume } from '../../volume/store.ts';
import { type CommandLine, text, texts } from '../command-line.ts';
import { CLUSTER_OPTIONS } from '../tables/volume.ts';

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

/** `KEY=VALUE` each; a key alone has the empty value. */
const keyValues = (words: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
