// tinyrun attach [--no-stdin] [--sig-proxy=false] [--detach-keys KEYS] CONTAINER

import { attach } from '../../container/attach.ts';
import { resolveContainer } from '../../container/find.ts';
import { containerDirectory } from '../../oci/state.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { toDetachKeys } from '../container-options.ts';

export async function run(line: CommandLine, { root, dataRoot }: GlobalOptions): Promise<number> {
  const { id, config } = resolveContainer({ root, dataRoot }, line.args[0]!);
  const proxies = line.options['sig-proxy'] === undefined || flag(line, 'sig-proxy');
  const container = { id, directory: containerDirectory(dataRoot, id), tty: config.Tty };
  return await attach(root, container, {
    stdin: config.OpenStdin && !flag(line, 'no-stdin'),
    sigProxy: proxies,
    detachKeys: toDetachKeys(line),
  });
}
