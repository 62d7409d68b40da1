// Where an archive is written that a command makes: a file of a name, or standard output, unless that is a terminal.

import { isTerminal } from '../../native-bindings/libc.ts';
import type { Compression } from '../archive/compress.ts';
import { type ByteSink, sinkOfFd } from '../archive/source.ts';
import { withNewFile } from '../disk/write.ts';
import { TinyrunError } from '../errors.ts';
import { type CommandLine, text } from './command-line.ts';
import { absolute } from './global.ts';

/** The value of `--compress`. */
export function compressionOf(line: CommandLine): Compression {
  const given = text(line, 'compress');
  return given === 'gzip' || given === 'zstd' ? given : 'none';
}

/**
 * Writes to what `--output` names; a file appears when it is whole.
 * @param cwd absolute
 * @throws TinyrunError USAGE, and what `write` throws
 */
export async function writeOutput(
  line: CommandLine,
  cwd: string,
  write: (sink: ByteSink) => Promise<void>,
): Promise<void> {
  const output = text(line, 'output') ?? '-';
  if (output === '') throw new TinyrunError('USAGE', '--output: the name of the file is empty');
  if (output !== '-') {
    const path = absolute(output, cwd);
    return await withNewFile(path, async (fd) => await write(sinkOfFd(fd, path)));
  }
  if (isTerminal(1))
    throw new TinyrunError('USAGE', 'cowardly refusing to save to a terminal', {
      hint: 'use the -o flag or redirect',
    });
  await write(sinkOfFd(1, 'standard output'));
}
