// A container that runs while a test attaches mounts to it and takes them away.

import { chownSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, runTinyrun, startTinyrun, withBundle, writeConfig } from './bundle.ts';
import { output, until } from './container.ts';
import { assertRefusal } from './refusal.ts';

export const tinyrun = (bundle: Bundle, ...words: string[]) => output(runTinyrun(bundle, words));
export const inside = (bundle: Bundle, ...words: string[]) =>
  tinyrun(bundle, 'exec', bundle.id, '/payload', ...words);
export const attach = (bundle: Bundle, spec: string) => tinyrun(bundle, 'volume', 'attach', bundle.id, spec);
export const detach = (bundle: Bundle, ...words: string[]) => tinyrun(bundle, 'volume', 'detach', ...words);
export const refusal = (bundle: Bundle, ...words: string[]): string => {
  const result = runTinyrun(bundle, ['volume', ...words]);
  assertRefusal(result, /./, 1);
  return result.stderr;
};
export const dataOf = (bundle: Bundle, name: string, ...path: string[]) =>
  join(bundle.dataRoot, 'volumes', name, '_data', ...path);
export const usesOf = (bundle: Bundle) => {
  const path = join(bundle.dataRoot, 'containers', bundle.id, 'mounts.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).mounts : [];
};
export const withUser = ({ config, rootfs }: Bundle, hostID: number): void => {
  config.linux?.namespaces?.push({ type: 'user' });
  const mappings = [{ containerID: 0, hostID, size: 65536 }];
  Object.assign(config.linux ?? {}, { uidMappings: mappings, gidMappings: mappings });
  chownSync(rootfs, hostID, hostID);
};

/** A container that runs, with these flags; it ends by itself if all else fails. */
export async function withRunning(
  flags: string[],
  use: (bundle: Bundle) => void | Promise<void>,
  change: (bundle: Bundle) => void = () => {},
): Promise<void> {
  await withBundle(async (bundle) => {
    change(bundle);
    bundle.config.process.args = ['/payload', 'sleep', '100'];
    writeConfig(bundle);
    const container = startTinyrun(bundle, ['run', ...flags, '--bundle', bundle.dir, bundle.id]);
    await until('it runs', () => runTinyrun(bundle, ['exec', bundle.id, '/payload', 'args']).code === 0);
    try {
      await use(bundle);
    } finally {
      runTinyrun(bundle, ['kill', bundle.id, 'KILL']);
      await container.exited;
    }
  });
}
