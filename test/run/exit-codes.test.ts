// What tinyrun exits with: the container's own exit code; for its own failures 125, 126 and 127 in the bundle form, as
// Docker, and 1 in runc's form. src/cli/main.ts has the table.

import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { runCommand } from '../support/container.ts';

/** Exit codes of `tinyrun run` in the bundle form and in runc's. */
const codesOf = (bundle: Bundle, program: readonly string[], flags: readonly string[] = []): number[] => [
  runTinyrun(bundle, ['run', ...flags, bundle.dir, '--', ...program]).code,
  runTinyrun(bundle, ['run', ...flags, '--rm', '--bundle', bundle.dir, bundle.id, '--', ...program]).code,
];

test("the exit code is the program's, from 0 to 255, in both forms", () =>
  withBundle((bundle) => {
    for (const code of [0, 1, 2, 7, 63, 64, 100, 124, 125, 126, 127, 128, 129, 137, 143, 200, 254, 255])
      assert.equal(codesOf(bundle, ['/payload', 'exit', `${code}`]), [code, code]);
    assert.is(codesOf(bundle, ['/payload', 'exit', '256'])[0], 0, 'the kernel keeps eight bits');
  }));

test('a container whose own layer was written to ends with its exit code as well', () =>
  withBundle((bundle) => {
    const program = ['/payload', 'write', '/file', 'x', '--', 'exit', '9'];
    assert.equal(codesOf(bundle, program, ['--overlay']), [9, 9]);
  }));

const failures: { what: string; exit: number; program: string[]; config?: (config: Config) => void }[] = [
  { what: 'a program that is not there', exit: 127, program: ['/missing'] },
  { what: 'a program that no PATH leads to', exit: 127, program: ['missing'] },
  { what: 'a program that is a directory', exit: 126, program: ['/tmp'] },
  { what: 'a program without the right to execute it', exit: 126, program: ['/etc/text'] },
  { what: 'a program of no known format', exit: 126, program: ['/etc/executable-text'] },
  {
    what: 'a working directory that is not there',
    exit: 125,
    program: ['/payload', 'true'],
    config: ({ process, root }) => {
      process.cwd = '/missing';
      root.readonly = true;
    },
  },
  {
    what: 'a config.json that is not valid',
    exit: 125,
    program: ['/payload', 'true'],
    config: ({ process }) => void Object.assign(process, { cwd: 'relative' }),
  },
];

for (const { what, exit, program, config } of failures)
  test(`${what} gives ${exit}, and 1 in runc's form`, () =>
    withBundle((bundle) => {
      writeFileSync(join(bundle.rootfs, 'etc/text'), 'words', { mode: 0o644 });
      writeFileSync(join(bundle.rootfs, 'etc/executable-text'), 'words', { mode: 0o755 });
      config?.(bundle.config);
      writeConfig(bundle);
      assert.equal(codesOf(bundle, program), [exit, 1]);
    }));

test('an unknown option, a missing bundle and a bad id give 125, and 1 in other commands', () =>
  withBundle((bundle) => {
    assert.is(runTinyrun(bundle, ['run', '--nope', bundle.dir]).code, 125);
    assert.is(runTinyrun(bundle, ['run', '/nowhere']).code, 125);
    assert.is(runTinyrun(bundle, ['run', '--name', 'a/b', bundle.dir]).code, 125);
    assert.is(runTinyrun(bundle, ['run', '--bundle', '/nowhere', bundle.id]).code, 1);
    for (const args of [['state', bundle.id], ['delete', bundle.id], ['nonsense'], ['list', '--nope']])
      assert.is(runTinyrun(bundle, args).code, 1, args.join(' '));
  }));

test('without root, run says what to do and gives 125', () =>
  withBundle((bundle) => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    chmodSync(dirname(bundle.dir), 0o755); // mkdtemp(3) makes it for its owner only
    const { stdout, stderr, code } = runCommand([...nobody, tinyrun, 'run', bundle.dir], { cwd: '/' });
    assert.equal([stdout, code], ['', 125]);
    assert.match(stderr, /^tinyrun: run a container: you are not root; use sudo; [^\n]+\n$/);
  }));

test.run();
