// tinyrun volume inspect VOLUME...

import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { resolveVolume, type Volume } from '../../volume/store.ts';
import { type CommandLine, text } from '../command-line.ts';
import { forEach } from '../each.ts';
import { formatInspect } from '../format/inspect.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const found: unknown[] = [];
  const code = await forEach(line.args, global, async (name) => {
    found.push(inspected(await resolveVolume(global.dataRoot, name)));
  });
  print(1, formatInspect(text(line, 'format'), found));
  return code;
}

/** The fields of Docker's inspect, in its order. */
const inspected = (volume: Volume): Record<string, unknown> => ({
  CreatedAt: volume.createdAt,
  Driver: volume.driver,
  Labels: volume.labels,
  Mountpoint: volume.mountpoint,
  Name: volume.name,
  Options: volume.options,
  Scope: volume.scope,
  ...(volume.status === undefined ? {} : { Status: volume.status }),
});
