// tinyrun create IMAGE
import { close } from '../../../native-bindings/libc.ts';
import { createContainer } from '../../container/create.ts';
import { forgetUnfinished } from '../../container/unfinished.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { probeHost } from '../../runtime/probe.ts';
import type { CommandLine } from '../command-line.ts';
import { toCreateImageOptions } from '../container-options.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const options = toCreateImageOptions(line, global, cwd);
  const { record, lock } = await createContainer(global, options, probeHost());
  forgetUnfinished(global.dataRoot, record.id);
  close(lock);
  print(1, `${record.id}\n`);
  return 0;
}
