// tinyrun diff CONTAINER: a line for each path that it has added, changed or deleted.
import { findChanges } from '../../container/changes.ts';
import { resolveContainer } from '../../container/find.ts';
import { printable } from '../../errors.ts';
import { containerLayer } from '../../image/container-layer.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';

export function run(line: CommandLine, global: GlobalOptions): number {
  const { dataRoot } = global;
  const { id, chainId } = resolveContainer(global, line.args[0]!);
  const { upper, lowers } = containerLayer(dataRoot, id, chainId);
  print(
    1,
    findChanges(upper, lowers)
      .map(({ kind, path }) => `${kind} ${printable(path, false)}\n`)
      .join(''),
  );
  return 0;
}
