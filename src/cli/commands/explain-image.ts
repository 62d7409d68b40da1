// tinyrun explain IMAGE: what run IMAGE would do, once its container was made.
import { draftRecord } from '../../container/create.ts';
import { explainStart } from '../../container/start.ts';
import type { Program } from '../../program/op.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { probeHost } from '../../runtime/probe.ts';
import type { CommandLine } from '../command-line.ts';
import { toAttach, toCreateImageOptions } from '../container-options.ts';
import { engineOptions } from '../run-options.ts';

export async function programOf(line: CommandLine, global: GlobalOptions, cwd: string): Promise<Program> {
  const options = toCreateImageOptions(line, global, cwd);
  const { draft, requests } = draftRecord(global.dataRoot, options, probeHost(), 'ID');
  const how = { attach: toAttach(line), say: 'ID', ...engineOptions(line, cwd), trace: undefined };
  return await explainStart(global, draft, requests, how);
}
