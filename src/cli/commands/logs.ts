// tinyrun logs [--follow] [--tail N] [--since TIME] [--until TIME] [--timestamps] CONTAINER

import { resolveContainer } from '../../container/find.ts';
import { showLogs } from '../../container/logs.ts';
import { TinyrunError } from '../../errors.ts';
import { containerDirectory } from '../../oci/state.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, text } from '../command-line.ts';
import { parseMoment } from '../moment.ts';

export function run(line: CommandLine, { root, dataRoot }: GlobalOptions): number {
  const { id, name, hostConfig } = resolveContainer({ root, dataRoot }, line.args[0]!);
  if (hostConfig.LogConfig.Type === 'none')
    throw new TinyrunError('UNSUPPORTED', `logs of ${name}: its output is not kept (--log-driver none)`, {
      data: { id },
    });
  const moment = (option: string): bigint | undefined => {
    const value = text(line, option);
    return value === undefined || value === '' ? undefined : parseMoment(value, Date.now(), `--${option}`);
  };
  showLogs(
    root,
    { id, directory: containerDirectory(dataRoot, id) },
    {
      tail: parseTail(text(line, 'tail')),
      since: moment('since'),
      until: moment('until'),
      timestamps: flag(line, 'timestamps'),
      follow: flag(line, 'follow'),
    },
  );
  return 0;
}

/** Docker takes a negative number for all. */
function parseTail(given = 'all'): number | undefined {
  if (given === 'all' || /^-\d+$/.test(given)) return undefined;
  if (/^\d+$/.test(given)) return Number(given);
  throw new TinyrunError('USAGE', `invalid value ${JSON.stringify(given)} for --tail: it is no number`, {
    hint: 'a number of lines, or all',
  });
}
