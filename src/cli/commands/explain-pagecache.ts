// tinyrun explain pagecache
import { close } from '../../../native-bindings/libc.ts';
import { withMountTree } from '../../inspect/mount-tree.ts';
import { openShared, pagesLookedAt, type SharedFile, watchPageCache } from '../../inspect/page-cache.ts';
import { subjectOf } from '../../inspect/subject-of.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import type { CommandLine } from '../command-line.ts';
import { formatList } from '../format/list.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const [a = '', b = '', path = ''] = line.args;
  const open = async (called: string): Promise<SharedFile> => {
    const subject = await subjectOf(global, called);
    return withMountTree(subject, (tree) => openShared(subject, tree, path));
  };
  const files: SharedFile[] = [];
  try {
    for (const called of [a, b]) files.push(await open(called));
    print(1, explain(path, [a, b], files as [SharedFile, SharedFile]));
  } finally {
    for (const { fd } of files) close(fd);
  }
  return 0;
}

function explain(path: string, [a, b]: [string, string], [first, second]: [SharedFile, SharedFile]): string {
  const isOne = first.identity === second.identity;
  const verdict = isOne
    ? 'one inode: its pages are in memory once, whichever container reads them'
    : 'two inodes: each has pages of its own (one of the containers has its own copy, or their images differ)';
  const steps = watchPageCache(first, second);
  const table = formatList({
    ...{ format: undefined, quiet: false, id: 'When' },
    table: [
      [`OF ${pagesLookedAt(first)} PAGES IN MEMORY`, 'When'],
      [`THROUGH ${a}`, 'First'],
      [`THROUGH ${b}`, 'Second'],
    ],
    rows: steps.map(({ when, ...of }) => ({ When: when, First: `${of.first}`, Second: `${of.second}` })),
  });
  const places = [first, second].map(
    ({ hostPath, inode }, index) => `  ${[a, b][index]}  inode ${inode}  ${hostPath}`,
  );
  return [`${path} is`, ...places, verdict, '', table].join('\n');
}
