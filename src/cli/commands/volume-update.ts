// tinyrun volume update: Docker has it for volumes of a cluster, which tinyrun has not.
import { TinyrunError } from '../../errors.ts';

export function run(): number {
  throw new TinyrunError('UNSUPPORTED', 'volume update: only volumes of a cluster can be updated', {
    hint: 'a volume keeps its options and labels: clone it (volume clone), or make another one and copy the data',
  });
}
