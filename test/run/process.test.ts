// config.json's process, as the process in the container finds it. OCI config.md, "Process".

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, withBundle } from '../support/bundle.ts';
import { output, outputOf, refusalOf, runCommand, runOnce, runPayload } from '../support/container.ts';

// Programs

/** Runs `args` as they are, not as arguments of the payload. */
const runArgs = (args: string[], env: string[]) =>
  runOnce([], {
    config: (config, { rootfs }) => {
      mkdirSync(join(rootfs, 'tools'));
      runCommand(['cp', join(rootfs, 'payload'), join(rootfs, 'tools/tool')]);
      config.process.env = env;
    },
    flags: ['--keep'],
    ...{ args },
  });

const echo = (program: string, env: string[]) =>
  withProgram([program, 'args', 'found'], env, (bundle) => runPlain(bundle));

/** A bundle whose config names the program; `/tools/tool` is the payload once more. */
async function withProgram<T>(args: string[], env: string[], use: (bundle: Bundle) => T): Promise<T> {
  let result: T | undefined;
  await withBundle(
    (bundle) => {
      mkdirSync(join(bundle.rootfs, 'tools'));
      runCommand(['cp', join(bundle.rootfs, 'payload'), join(bundle.rootfs, 'tools/tool')]);
      result = use(bundle);
    },
    {
      config: ({ process }) => {
        process.args = args;
        process.env = env;
      },
    },
  );
  return result!;
}
