// `tinyrun events`: statistics of a container at intervals, and a line when the kernel ended one of its processes for want
// of memory; until the container's end.

import { flag } from '../../native-bindings/libc.ts';
import { TinyrunError } from '../errors.ts';
import { watchOom } from './cgroup/oom.ts';
import { readStatistics, statisticsLine } from './cgroup/stats.ts';
import { waitFor } from './poll.ts';
import { withPidfd } from './process.ts';
import { type Container, readContainer } from './store.ts';

/**
 * The statistics of a running container as one line of JSON.
 * @throws TinyrunError NOT_FOUND, or STATE if it does not run, in runc's words
 */
export function containerStatistics(root: string, id: string): string {
  return statisticsLine(id, readStatistics(runningContainer(root, id).cgroups));
}

/**
 * Gives `tell` each event as a line, and returns when the container has ended. The first statistics come after the
 * first interval, as runc's.
 * @param interval milliseconds
 * @throws TinyrunError NOT_FOUND, or STATE if it does not run
 */
export function followContainer(
  root: string,
  id: string,
  interval: number,
  tell: (line: string) => void,
): void {
  const { init, cgroups } = runningContainer(root, id);
  const seen = withPidfd(init, (pidfd) => {
    const oom = watchOom(cgroups);
    const end = { fd: pidfd, events: flag('POLLIN') };
    try {
      for (let next = performance.now() + interval; ; ) {
        const [ended] = waitFor(oom === undefined ? [end] : [end, oom], next - performance.now());
        // What ended init may have been the lack of memory: that is told first.
        if (oom?.take()) tell(`${JSON.stringify({ type: 'oom', id })}\n`);
        if (ended) return true;
        if (performance.now() < next) continue;
        next += interval;
        tell(statisticsLine(id, readStatistics(cgroups)));
      }
    } finally {
      oom?.close();
    }
  });
  if (!seen) throw notRunning(id);
}

function runningContainer(root: string, id: string): Container {
  const container = readContainer(root, id);
  if (container.state.status === 'stopped') throw notRunning(id);
  return container;
}

const notRunning = (id: string): TinyrunError =>
  new TinyrunError('STATE', `container with id ${id} is not running`, { data: { id } });
