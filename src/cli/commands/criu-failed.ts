// tinyrun criu-failed VERB ID LOG: what a program runs when its criu has failed (plan/criu-process.ts).
import { criuFailure } from '../../runtime/criu.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';

export function run({ args: [verb = '', id = '', log = ''] }: CommandLine, _: GlobalOptions): never {
  throw criuFailure(verb, id, log);
}
