// npm run build: native code, then dist/tinyrun: the JavaScript engine and the bundled sources in one executable, which
// starts with the prelude.
//
// Two flags make half of the start-up time. `--splitting` leaves what is imported later (yargs, most commands) out of the
// bytecode that is loaded at once: 10.3 to 6.3 ms for a program that imports the planner. A `--compile-jit-policy` above
// 1 keeps the compiler threads asleep in a process of a few milliseconds: 8.0 to 7.0 ms.
//
// The other flags are about trust. By default a compiled executable runs the `preload` of a bunfig.toml and
// loads an .env of the working directory: a bundle's own folder, as root. The engine's options in the environment are
// the prelude's matter.

import { join } from 'node:path';
import { buildNative, hostArch, replace, run, top } from './native.ts';
import { injectPrelude } from './prelude.ts';

const flags = [
  ...['--compile', '--bytecode', '--minify', '--format=esm', '--sourcemap=none'],
  ...['--splitting', '--compile-jit-policy=20'],
  ...['--no-compile-autoload-bunfig', '--no-compile-autoload-dotenv'],
  ...['--no-compile-autoload-tsconfig', '--no-compile-autoload-package-json'],
  '--define=TINYRUN_PRELUDE=true',
  // Our code runs once, for milliseconds: compiling it on other threads only takes processors from it (half the time
  // of planning, measured on two cores).
  '--compile-jit-policy=1000',
];

/**
 * Compiles a TypeScript program for this machine's architecture.
 * @param entry the module that runs first
 */
export function buildExecutable(entry: string, outfile: string): void {
  replace(outfile, (file) => {
    run([process.execPath, 'build', ...flags, entry, '--outfile', file]);
    injectPrelude(file, hostArch);
  });
}

if (import.meta.main) {
  buildNative();
  buildExecutable(join(top, 'src/cli/main.ts'), join(top, 'dist/tinyrun'));
}
