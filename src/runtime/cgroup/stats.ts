// The statistics of a container: which files of which directory, and the text of one line of `events`.

import { isUnified } from '../../cgroup/path.ts';
import { listDirectory } from '../../disk/files.ts';
import { exactJson } from '../../oci/json.ts';
import { type Cgroups, directoryV1, directoryV2, readCgroupFile } from './files.ts';
import type { ReadFile, Statistics } from './statistics.ts';
import { statisticsV1 } from './statistics-v1.ts';
import { statisticsV2 } from './statistics-v2.ts';

/** The container's statistics now; of a controller that it has no cgroup of, all is zero or absent. */
export function readStatistics(cgroups: Cgroups): Statistics {
  const unified = isUnified(cgroups);
  const read: ReadFile = (controller, file) => {
    const directory = unified ? directoryV2(cgroups) : directoryV1(cgroups, controller);
    return directory === undefined ? undefined : readCgroupFile(`${directory}/${file}`);
  };
  return (unified ? statisticsV2 : statisticsV1)(read, hugePageSizes());
}

/** `{"type":"stats","id":ID,"data":{...}}` */
export const statisticsLine = (id: string, data: Statistics): string =>
  `${exactJson({ type: 'stats', id, data })}\n`;

/** The sizes of huge pages that this kernel has, as files of the hugetlb controller are named: `2MB`, `1GB`. */
function hugePageSizes(): string[] {
  return listDirectory('/sys/kernel/mm/hugepages').flatMap((name) => {
    const kilobytes = /^hugepages-(\d+)kB$/.exec(name)?.[1];
    return kilobytes === undefined ? [] : [pageSize(Number(kilobytes))];
  });
}

/** @param kilobytes a power of two */
export function pageSize(kilobytes: number): string {
  if (kilobytes >= 1 << 20) return `${kilobytes / (1 << 20)}GB`;
  return kilobytes >= 1 << 10 ? `${kilobytes / (1 << 10)}MB` : `${kilobytes}KB`;
}
