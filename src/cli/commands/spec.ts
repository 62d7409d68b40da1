// tinyrun spec: a config.json to start from. Never over one that is there.
import { close, open, rawSyscall, SystemError } from '../../../native-bindings/libc.ts';
import { TinyrunError } from '../../errors.ts';
import { defaultConfig, rootlessConfig } from '../../oci/defaults.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { constants } from '../../sys/constants.ts';
import { errnos } from '../../sys/errno.ts';
import { type CommandLine, flag, text } from '../command-line.ts';
import { absolute } from '../global.ts';

const basename = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export function run(line: CommandLine, _global: GlobalOptions, cwd: string): number {
  const bundle = absolute(text(line, 'bundle') ?? '.', cwd);
  const path = absolute(text(line, 'file') ?? 'config.json', bundle);
  const fd = open(path, constants['O_WRONLY']! | constants['O_CREAT']! | constants['O_EXCL']!, 0o666);
  if (fd === -errnos['EEXIST']!)
    throw new TinyrunError('EXISTS', `File ${basename(path)} exists. Remove it first`, { data: { path } }); // runc's words
  if (fd < 0) throw new SystemError(`create ${path}`, -fd);
  const config = flag(line, 'rootless')
    ? rootlessConfig(rawSyscall('geteuid'), rawSyscall('getegid'))
    : defaultConfig();
  print(fd, `${JSON.stringify(config, undefined, '\t')}\n`);
  close(fd);
  return 0;
}
