// tinyrun cp [-a] [-L] [-q] CONTAINER:PATH PATH|- | PATH|- CONTAINER:PATH

import { close, isTerminal } from '../../../native-bindings/libc.ts';
import { decompress } from '../../archive/compress.ts';
import { sinkOfFd, sourceOfFd } from '../../archive/source.ts';
import {
  type CopyEnd,
  type CopyOptions,
  copyFromArchive,
  copyToArchive,
  copyTree,
} from '../../container/copy.ts';
import { withHostRoot, withNamedRoot } from '../../container/root.ts';
import { AT_FDCWD, openDirectory } from '../../disk/files.ts';
import { type Owner, statInode } from '../../disk/inode.ts';
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
  const [from, to] = [argumentOf(line, 0, 'source'), argumentOf(line, 1, 'destination')];
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
      const end = ({ container, path }: Argument): CopyEnd =>
        container === undefined
          ? { container, root: host, path: cleaned(path, cwd), written: path }
          : { container, root, path: cleaned(path, '/'), written: `${container}:${path}` };
      if (isStream(to)) return copyOut(end(from), flag(line, 'follow-link'));
      const owner = flag(line, 'archive') ? undefined : from.container === undefined ? rootOwner : OURS;
      if (isStream(from)) return copyFromArchive(decompress(sourceOfFd(0, 'standard input')), end(to), owner);
      return copyTree(end(from), end(to), {
        followLink: flag(line, 'follow-link'),
        owner,
        ...(to.container === undefined ? toHost(owner, createLog(global)) : toContainer(global)),
      });
    }),
  );
  if (bytes !== undefined && !flag(line, 'quiet') && isTerminal(2))
    print(2, `Successfully copied ${humanSize(bytes)} to ${line.args[1]}\n`);
  return 0;
}

const OURS = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

async function copyOut(from: CopyEnd, followLink: boolean): Promise<undefined> {
  if (isTerminal(1))
    throw new TinyrunError('USAGE', 'cowardly refusing to write an archive to a terminal', {
      hint: 'redirect it',
    });
  await copyToArchive(from, sinkOfFd(1, 'standard output'), followLink);
}

/** What a container has made gets no rights on the host, unless owners are kept. */
const toHost = (owner: Owner | undefined, log: Log): Pick<CopyOptions, 'withoutRights'> =>
  owner === undefined
    ? {}
    : {
        withoutRights: (device) =>
          log.warn(`cp: ${device} is a device of the container, and left out (--archive copies it)`),
      };

/** The container's own files are below DATA_ROOT: to copy that into it would have no end. */
function toContainer({ dataRoot }: GlobalOptions): Pick<CopyOptions, 'forbidden'> {
  const directory = openDirectory(AT_FDCWD, `${dataRoot}/.`); // it may be a symlink
  if (directory === undefined) return {}; // a container of a bundle may have no files there
  try {
    const { identity } = statInode(directory, `look at ${dataRoot}`);
    return { forbidden: new Map([[identity, `is ${dataRoot}, where the container's own files are`]]) };
  } finally {
    close(directory);
  }
}

const isStream = ({ container, path }: Argument): boolean => container === undefined && path === '-';

/** @throws TinyrunError USAGE in Docker's words */
function argumentOf({ args }: CommandLine, index: number, name: string): Argument {
  const text = args[index] ?? '';
  if (text === '') throw new TinyrunError('USAGE', `${name} can not be empty`);
  const argument = readArgument(text);
  if (argument.path === '')
    throw new TinyrunError('USAGE', `cp ${text}: the path in the container can not be empty`, {
      hint: `write ${text}/ for all of it`,
    });
  return argument;
}

/** `CONTAINER:PATH`; a path of the host that has a colon is written with a slash or a dot in front. */
function readArgument(text: string): Argument {
  const colon = text.indexOf(':');
  if (colon <= 0 || text.startsWith('/') || text.startsWith('.')) return { container: undefined, path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** Absolute and clean, but for what stands at its end to say that it is a directory, or what is in one. */
function cleaned(path: string, cwd: string): string {
  const clean = absolute(path, cwd);
  if (clean === '/') return clean;
  if (/(^|\/)\.$/.test(path)) return `${clean}/.`;
  return path.endsWith('/') ? `${clean}/` : clean;
}
