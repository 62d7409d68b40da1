// Image layers for a bundle: folders of its own, named by the annotation io.tinyrun.layers.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from './bundle.ts';

/** Layers of the bundle, lowest first: name -> path -> text. The payload is in the first one. */
export function makeLayers(
  { dir, rootfs, config }: Bundle,
  layers: Record<string, Record<string, string>>,
): void {
  for (const [name, files] of Object.entries(layers))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(dir, name, path, '..'), { recursive: true });
      writeFileSync(join(dir, name, path), text);
    }
  const names = Object.keys(layers);
  copyFileSync(join(rootfs, 'payload'), join(dir, names[0]!, 'payload'));
  config.annotations = { 'io.tinyrun.layers': names.join(':') };
}
