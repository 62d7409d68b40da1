// The line of a long copy.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatProgress, startProgress } from '../../src/archive/progress.ts';

test('formatProgress: bytes, rate, and the time that is left', () => {
  assert.is(
    formatProgress('import bb', 12_345_678, 500_000_000, 0.5),
    'import bb: 12.3 MB of 500 MB, 24.7 MB/s, 20 s left',
  );
  assert.is(
    formatProgress('import bb', 5e9, 50e9, 50),
    'import bb: 5.0 GB of 50.0 GB, 100 MB/s, 7 min 30 s left',
  );
  assert.is(formatProgress('export', 999, undefined, 1), 'export: 999 B, 999 B/s');
  assert.is(formatProgress('export', 0, 100, 0), 'export: 0 B of 100 B, 0 B/s');
});

test('startProgress: nothing is written where standard error is no terminal', () => {
  const script = `
    const { startProgress } = await import(${JSON.stringify(new URL('../../src/archive/progress.ts', import.meta.url).pathname)});
    const progress = startProgress('x', 10);
    progress.advance(5);
    progress.end();`;
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, '-e', script]);
  assert.equal([exitCode, String(stdout), String(stderr)], [0, '', '']);
  startProgress('x').end();
});

test.run();
