// tinyrun debug chainid
import { TinyrunError } from '../../errors.ts';
import { chainIdsOf } from '../../image/chain-id.ts';
import { isDigest } from '../../image/reference.ts';
import { print } from '../../runtime/log.ts';
import type { CommandLine } from '../command-line.ts';

export function run(line: CommandLine): number {
  for (const diffId of line.args)
    if (!isDigest(diffId))
      throw new TinyrunError('USAGE', `${JSON.stringify(diffId)} is no diff id: sha256:HEX`);
  print(1, `${chainIdsOf(line.args).at(-1)}\n`);
  return 0;
}
