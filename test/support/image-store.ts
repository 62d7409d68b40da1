// An image store of its own for a test, and configs to put there.

import { mkdtempSync, rmSync } from 'node:fs';
import type { ImageConfig } from '../../src/image/config.ts';

/** A DATA_ROOT below /tmp, which is gone afterwards. */
export async function withDataRoot(use: (dataRoot: string) => void | Promise<void>): Promise<void> {
  const dataRoot = mkdtempSync('/tmp/tinyrun-test-');
  try {
    await use(dataRoot);
  } finally {
    rmSync(dataRoot, { recursive: true });
  }
}

/** The smallest config, of an image without layers; `created` makes it one of its own. */
export function configBytes(change: Partial<ImageConfig> = {}): Uint8Array {
  const config: ImageConfig = {
    created: '2026-01-02T03:04:05Z',
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [] },
    ...change,
  };
  return new TextEncoder().encode(JSON.stringify(config));
}
