// tinyrun features
import { featuresOf } from '../../runtime/features.ts';
import { print } from '../../runtime/log.ts';
import { build } from './version.ts';

export function run(): number {
  print(1, `${JSON.stringify(featuresOf(build), undefined, 4)}\n`);
  return 0;
}
