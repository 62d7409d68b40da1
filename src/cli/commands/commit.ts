// tinyrun commit [OPTIONS] CONTAINER [REFERENCE]: prints the image's id.
import { isTerminal } from '../../../native-bindings/libc.ts';
import { commitContainer } from '../../container/commit.ts';
import { resolveContainer } from '../../container/find.ts';
import type { ContainerRecord } from '../../container/record.ts';
import { parseReference } from '../../image/reference.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { readUses } from '../../volume/uses.ts';
import { type CommandLine, flag, text, texts } from '../command-line.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const [called = '', reference] = line.args;
  const record = resolveContainer(global, called);
  const image = await commitContainer(global, record, {
    name: reference === undefined ? undefined : parseReference(reference),
    author: text(line, 'author'),
    message: text(line, 'message'),
    changes: texts(line, 'change'),
    pause: !flag(line, 'no-pause') && line.options['pause'] !== false,
  });
  print(1, `${image.id}\n`);
  if (isTerminal(2)) print(2, leftOut(global, record));
  return 0;
}

/** What many expect to be in the image; in no script's way. */
function leftOut({ dataRoot }: GlobalOptions, { id, name }: ContainerRecord): string {
  const volumes = (readUses(dataRoot, id)?.mounts ?? []).filter(({ point }) => point.Type === 'volume');
  if (volumes.length === 0) return '';
  const told = volumes.map(({ point }) => `${point.Name} at ${point.Destination}`).join(', ');
  return (
    `Volumes are no part of the image: ${told}\n` +
    `(one with what is in them: tinyrun export --include-volumes ${name} | tinyrun image import - NAME)\n`
  );
}
