// tinyrun volume inspect VOLUME...

import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { interruptedImports } from '../../volume/interrupted.ts';
import { resolveVolume, type Volume } from '../../volume/store.ts';
import { type CommandLine, text } from '../command-line.ts';
import { forEach } from '../each.ts';
import { formatInspect } from '../format/inspect.ts';

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const found: unknown[] = [];
  const code = await forEach(line.args, global, async (name) => {
    const volume = await resolveVolume(global.dataRoot, name);
    found.push(inspected(volume, statusOf(global.dataRoot, volume)));
  });
  print(1, formatInspect(text(line, 'format'), found));
  return code;
}

/** The fields of Docker's inspect, in its order. */
const inspected = (volume: Volume, status: Volume['status']): Record<string, unknown> => ({
  CreatedAt: volume.createdAt,
  Driver: volume.driver,
  Labels: volume.labels,
  Mountpoint: volume.mountpoint,
  Name: volume.name,
  Options: volume.options,
  Scope: volume.scope,
  ...(status === undefined ? {} : { Status: status }),
});

/** What the driver says of it, and the imports that were not finished. */
function statusOf(dataRoot: string, volume: Volume): Volume['status'] {
  const interrupted = interruptedImports(dataRoot, volume.name);
  if (interrupted.length === 0) return volume.status;
  const imports = interrupted.map(
    ({ from, startedAt }) => `import of ${from} at ${startedAt} was not finished`,
  );
  return { ...volume.status, Interrupted: imports };
}
