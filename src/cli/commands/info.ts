// tinyrun info, system info
import { type HostInfo, hostInfo } from '../../inspect/host-info.ts';
import { createLog, print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, text } from '../command-line.ts';
import { humanSize } from '../format/human.ts';
import { formatOne } from '../format/inspect.ts';
import { build } from './version.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const format = text(line, 'format');
  const info = await hostInfo(global, build.version, createLog(global));
  print(1, format ? formatOne(format, info) : listing(info));
  return 0;
}

/** Docker's labels, for people. */
function listing(info: HostInfo): string {
  const lines: [label: string, value: string | number][] = [
    ['Containers', info.Containers],
    [' Running', info.ContainersRunning],
    [' Paused', info.ContainersPaused],
    [' Stopped', info.ContainersStopped],
    ['Images', info.Images],
    ['Server Version', info.ServerVersion],
    ['Storage Driver', info.Driver],
    ...info.DriverStatus.map(([name, value]): [string, string] => [` ${name}`, value]),
    ['Plugins', ''],
    [' Volume', info.Plugins.Volume.join(' ')],
    [' Network', info.Plugins.Network.join(' ')],
    [' Log', info.Plugins.Log.join(' ')],
    ['Cgroup Driver', info.CgroupDriver],
    ['Cgroup Version', info.CgroupVersion],
    ['Kernel Version', info.KernelVersion],
    ['Operating System', info.OperatingSystem],
    ['Architecture', info.Architecture],
    ['CPUs', info.NCPU],
    ['Total Memory', humanSize(info.MemTotal)],
    ['Name', info.Name],
    ['Root Dir', info.Root],
    ['State Root', info.StateRoot],
  ];
  return lines.map(([label, value]) => `${label}:${value === '' ? '' : ` ${value}`}\n`).join('');
}
