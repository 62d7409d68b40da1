// `--init` of a bundle's container: process 1 is ours, the program its child. More of it: monitor.test.ts.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { outputOf, runOnce } from '../support/container.ts';

const flags = ['--init'];

test("run --init BUNDLE: process 1 is an init of ours, and the exit code is the program's", async () => {
  assert.is(await outputOf(['cat', '/proc/1/comm'], { flags }), 'tinyrun:init\n');
  assert.is((await runOnce(['exit', '7'], { flags })).code, 7);
  assert.is((await runOnce(['true'], { flags, program: '/nosuch' })).code, 127);
});

test('process 1 has no rights that the program has not, and no descriptor but stdio', async () => {
  const status = async (pid: string) =>
    (await outputOf(['cat', `/proc/${pid}/status`], { flags })).split('\n');
  const confining = /^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)/;
  const [first, own] = [await status('1'), await status('self')];
  assert.equal(
    first.filter((line) => confining.test(line)),
    own.filter((line) => confining.test(line)),
  );
  assert.is(
    first.find((line) => line.startsWith('FDSize')),
    'FDSize:\t64',
  );
});

test.run();
