// A container with a record, without the record: what `start` does once it knows all, as a process of its own. Its one
// argument is JSON, which test/support/kept.ts writes.

import { fcntl, flag, open } from '../../native-bindings/libc.ts';
import type { MonitorInput } from '../../src/plan/input.ts';
import { readConfig } from '../../src/runtime/config-file.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { GlobalOptions, RunOptions } from '../../src/runtime/options.ts';
import { planAndRun } from '../../src/runtime/plan-run.ts';
import { probeHost } from '../../src/runtime/probe.ts';

export interface Start {
  root: string;
  dataRoot: string;
  id: string;
  rootfs: string;
  /** Upper, work and merged directories are below it. */
  layer: string;
  init: boolean;
  monitor: MonitorInput;
}

const { root, dataRoot, id, rootfs, layer, init, monitor }: Start = JSON.parse(process.argv[2] ?? '');
const global: GlobalOptions = {
  ...{ root, dataRoot, log: undefined, logFormat: 'text', debug: false },
  ...{ rootless: 'auto', cgroupManager: 'cgroupfs' },
};
const lock = open(monitor.directory, flag('O_RDONLY', 'O_DIRECTORY'));
fcntl(lock, flag('F_SETFD'), 0);
const own = {
  kept: true,
  upper: `${layer}/diff`,
  work: `${layer}/work`,
  merged: `${layer}/merged`,
  lock,
  remove: false,
  release: false,
} as const;
const options: RunOptions = {
  ...{
    lifecycle: 'foreground',
    form: 'container',
    found: false,
    bundle: monitor.directory,
    configFile: undefined,
    id,
  },
  container: { layers: [rootfs], own, mounts: [], monitor },
  ...{ named: true, keep: false, remove: false, args: undefined, overlay: false, hostname: undefined, init },
  ...{
    volumes: [],
    mounts: [],
    tmpfs: [],
    volumesFrom: [],
    volumeDriver: undefined,
    addHosts: [],
    dns: [],
    dnsSearch: [],
  },
  ...{ noPivot: false, noNewKeyring: false, listenFds: 0, preserveFds: 0, notifySocket: undefined },
  ...{ pidFile: undefined, consoleSocket: undefined, pidfdSocket: undefined },
  ...{ engine: 'native', trace: undefined, stepFd: undefined },
};
const text = readConfig(`${monitor.directory}/config.json`);
await planAndRun(global, options, probeHost(), createLog(global), text, async () => []);
