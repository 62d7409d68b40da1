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

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, hostArch, replace, run, top } from './native.ts';
import { injectPrelude } from './prelude.ts';

const flags = [
  ...['--compile', '--bytecode', '--minify', '--format=esm', '--sourcemap=none'],
  ...['--splitting', '--compile-jit-policy=1000'],
  ...['--no-compile-autoload-bunfig', '--no-compile-autoload-dotenv'],
  ...['--no-compile-autoload-tsconfig', '--no-compile-autoload-package-json'],
  '--define=TINYRUN_PRELUDE=true',
];

/**
 * Compiles a TypeScript program for this machine's architecture.
 * @param entry the module that runs first
 * @param threads modules that run in threads of their own: nothing imports them
 */
export function buildExecutable(entry: string, outfile: string, threads: readonly string[] = []): void {
  const digest = sourceDigest();
  const defines = [`--define=TINYRUN_BUILD="${digest}"`, `--define=TINYRUN_COMMIT="${commit()}"`];
  replace(outfile, (file) => {
    run([process.execPath, 'build', ...flags, ...defines, entry, ...threads, '--outfile', file]);
    injectPrelude(file, hostArch, digest);
  });
}

/** A digest of all that the executable is made of: programs that another build has planned are not used again. */
function sourceDigest(): string {
  const hasher = new Bun.CryptoHasher('sha256').update(Bun.version);
  for (const file of [...new Bun.Glob('{src,native-bindings}/**/*.{ts,c,h,ld}').scanSync(top)].sort())
    hasher.update(file).update(readFileSync(join(top, file)));
  return hasher.digest('hex');
}

/** What `--version` shows; a copy without its history has none. */
function commit(): string {
  const { exitCode, stdout } = Bun.spawnSync(['git', 'rev-parse', '--short=12', 'HEAD'], {
    cwd: top,
    stderr: 'ignore',
  });
  return exitCode === 0 ? stdout.toString().trim() : 'unknown';
}

if (import.meta.main) {
  buildNative();
  buildExecutable(join(top, 'src/cli/main.ts'), join(top, 'dist/tinyrun'), [
    join(top, 'src/archive/read-thread.ts'),
  ]);
}
