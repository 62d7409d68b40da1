// tinyrun commit [OPTIONS] CONTAINER [REFERENCE]: prints the image's id.
import { commitContainer } from '../../container/commit.ts';
import { resolveContainer } from '../../container/find.ts';
import { parseReference } from '../../image/reference.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
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
  return 0;
}
