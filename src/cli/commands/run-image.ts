// tinyrun run IMAGE: create and start.
import { createContainer } from '../../container/create.ts';
import { startContainer } from '../../container/start.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { probeHost } from '../../runtime/probe.ts';
import type { CommandLine } from '../command-line.ts';
import { toAttach, toCreateImageOptions } from '../container-options.ts';
import { engineOptions } from '../run-options.ts';
import { traceLines } from '../trace.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<never> {
  const options = toCreateImageOptions(line, global, cwd);
  const attach = toAttach(line);
  const { record, lock } = await createContainer(global, options, probeHost());
  try {
    const how = { attach, say: record.id, ...engineOptions(line, cwd) };
    return await startContainer(global, record, lock, how, traceLines);
  } catch (error) {
    // It has not begun: nobody else would remove it.
    if (record.hostConfig.AutoRemove) {
      const { removeContainer } = await import('../../container/remove.ts');
      await removeContainer(global, record, { force: false, volumes: true });
    }
    throw error;
  }
}
