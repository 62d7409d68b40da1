// tinyrun cp [-a] [-L] [-q] CONTAINER:PATH PATH|- | PATH|- CONTAINER:PATH

import { isTerminal } from '../../../native-bindings/libc.ts';
import { decompress } from '../../archive/compress.ts';
import { sinkOfFd, sourceOfFd } from '../../archive/source.ts';
import { type CopyEnd, copyFromArchive, copyToArchive, copyTree } from '../../container/copy.ts';
import { withHostRoot, withNamedRoot } from '../../container/root.ts';
import type { Owner } from '../../disk/inode.ts';
import { TinyrunError } from '../../errors.ts';
import { createLog, type Log, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag } from '../command-line.ts';
import { humanSize } from '../format/human.ts';
import { absolute } from '../global.ts';

/** What an argument names: a path of the host, of a container, or a stream. */
interface Argument {
  container: string | undefined;
  path: string;
}

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  const [from, to] = line.args.map(readArgument) as [Argument, Argument];
  if (from.container !== undefined && to.container !== undefined)
    throw new TinyrunError('USAGE', 'copying between containers is not supported', {
      hint: `tinyrun cp ${line.args[0]} - | tinyrun cp - ${line.args[1]}`,
    });
  if (from.container === undefined && to.container === undefined)
    throw new TinyrunError('USAGE', 'must specify at least one container source', {
      hint: 'write CONTAINER:PATH for one of the two',
    });
  const bytes = await withNamedRoot(global, (from.container ?? to.container)!, (root, rootOwner) =>
    withHostRoot((host) => {
      const end = (argument: Argument): CopyEnd =>
        argument.container === undefined
          ? { ...argument, root: host, path: cleaned(argument.path, cwd) }
          : { ...argument, root, path: cleaned(argument.path, '/') };
      return copy(line, from, to, end, from.container === undefined ? rootOwner : OURS, createLog(global));
    }),
  );
  if (bytes !== undefined && !flag(line, 'quiet') && isTerminal(2))
    print(2, `Successfully copied ${humanSize(bytes)} to ${line.args[1]}\n`);
  return 0;
}

const OURS = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/** Returns the bytes of files; undefined where a stream gets them. */
async function copy(
  line: CommandLine,
  from: Argument,
  to: Argument,
  end: (argument: Argument) => CopyEnd,
  owner: Owner,
  log: Log,
): Promise<number | undefined> {
  const newOwner = flag(line, 'archive') ? undefined : owner;
  const followLink = flag(line, 'follow-link');
  if (isStream(to)) {
    if (isTerminal(1))
      throw new TinyrunError('USAGE', 'cowardly refusing to write an archive to a terminal', {
        hint: 'redirect it',
      });
    await copyToArchive(end(from), sinkOfFd(1), followLink);
    return undefined;
  }
  if (isStream(from))
    return await copyFromArchive(decompress(sourceOfFd(0, 'standard input')), end(to), newOwner);
  const toHost = to.container === undefined && newOwner !== undefined;
  const leaveOut = (device: string): void =>
    log.warn(`cp: ${device} is a device of the container, and left out (--archive copies it)`);
  const withoutRights = toHost ? leaveOut : undefined;
  return await copyTree(end(from), end(to), { followLink, owner: newOwner, withoutRights });
}

const isStream = ({ container, path }: Argument): boolean => container === undefined && path === '-';

/** `CONTAINER:PATH`; a path of the host that has a colon is written with a slash or a dot in front. */
function readArgument(text: string): Argument {
  const colon = text.indexOf(':');
  if (colon <= 0 || text.startsWith('/') || text.startsWith('.')) return { container: undefined, path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** Absolute and clean, but for what stands at its end to say that it is a directory, or what is in one. */
function cleaned(path: string, cwd: string): string {
  const clean = absolute(path === '' ? '.' : path, cwd);
  if (clean === '/') return clean;
  if (/(^|\/)\.$/.test(path)) return `${clean}/.`;
  return path.endsWith('/') ? `${clean}/` : clean;
}
