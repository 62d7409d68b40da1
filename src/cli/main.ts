// The entry: words -> a command -> an exit code. The only place that prints errors and decides what they exit with.
//
//   run, bundle form   125 where tinyrun itself fails; 126, 127 and all others come from the container (Docker)
//   anything else      1 (runc)
//
// A command's module is loaded when it is called, and yargs only where the fast path gives up: on the way to a
// container, each module costs time, and even the C library is not needed by all.

import { TinyrunError } from '../errors.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { workingDirectory } from '../runtime/prelude.ts';
import type { CommandLine } from './command-line.ts';
import type { Command } from './commands/command.ts';
import { printVersion } from './commands/version.ts';
import { parseFast, scanGlobals } from './fast.ts';

const load: Readonly<Record<string, () => Promise<Command>>> = {
  run: () => import('./commands/run.ts'),
  create: () => import('./commands/create.ts'),
  start: () => import('./commands/start.ts'),
  kill: () => import('./commands/kill.ts'),
  exec: () => import('./commands/exec.ts'),
  spec: () => import('./commands/spec.ts'),
  list: () => import('./commands/list.ts'),
  state: () => import('./commands/state.ts'),
  delete: () => import('./commands/delete.ts'),
  pause: () => import('./commands/pause.ts'),
  resume: () => import('./commands/resume.ts'),
  ps: () => import('./commands/ps.ts'),
  events: () => import('./commands/events.ts'),
  update: () => import('./commands/update.ts'),
  checkpoint: () => import('./commands/checkpoint.ts'),
  restore: () => import('./commands/restore.ts'),
  features: () => import('./commands/features.ts'),
  explain: () => import('./commands/explain.ts'),
  purge: () => import('./commands/purge.ts'),
  'criu-failed': () => import('./commands/criu-failed.ts'),
  'copy-up': () => import('./commands/copy-up.ts'),
};

const SIGPIPE = 13;

async function main(argv: readonly string[]): Promise<number> {
  let line: CommandLine | undefined;
  let cwd = '/';
  try {
    cwd = workingDirectory();
    const parsed = parseFast(argv) ?? (await parseSlowly(argv));
    if ('output' in parsed) {
      (await import('../runtime/log.ts')).print(1, parsed.output);
      return 0;
    }
    line = parsed;
    if (line.command === 'version') return printVersion();
    const command = await (load[line.command] ?? (await import('./cold.ts')).load[line.command]!)();
    return await command.run(line, await globalOptions(line.options, cwd), cwd);
  } catch (error) {
    // `tinyrun list | head`: as a program that SIGPIPE ends, which the JavaScript engine ignores.
    if (error instanceof Error && 'errno' in error && error.errno === 'EPIPE') return 128 + SIGPIPE;
    await tell(error, await globalOptions(line?.options ?? scanGlobals(argv).options, cwd));
    return (error instanceof TinyrunError ? error.exit : undefined) ?? (await failureExit(argv, line));
  }
}

/** What the table of options.ts alone does not tell. */
async function parseSlowly(argv: readonly string[]): Promise<CommandLine | { output: string }> {
  const { parseCold, withoutAlias } = await import('./cold.ts');
  const words = withoutAlias(argv);
  return parseCold(words) ?? (await (await import('./yargs.ts')).parseWithYargs(words));
}

/** Loaded when it is asked for: their defaults take the C library. */
async function globalOptions(options: CommandLine['options'], cwd: string): Promise<GlobalOptions> {
  return (await import('./global.ts')).toGlobalOptions(options, cwd);
}

/** Prints an error. Those that are not ours are failed system calls, whose message says all, and our own mistakes. */
async function tell(error: unknown, global: GlobalOptions): Promise<void> {
  const { createLog } = await import('../runtime/log.ts');
  // That the log cannot be opened need not be tried to be logged.
  const unlogged = error instanceof TinyrunError && error.data['option'] === '--log';
  const log = createLog(unlogged ? { ...global, log: undefined } : global);
  const { hintOf } = await import('./hint.ts');
  log.error((error instanceof Error ? error.message : String(error)) + hintOf(error, global));
  for (let cause = error; global.debug && cause instanceof Error; cause = cause.cause)
    log.debug(cause.stack ?? cause.message);
}

async function failureExit(argv: readonly string[], line: CommandLine | undefined): Promise<number> {
  const name = argv[scanGlobals(argv).next];
  if (name !== 'run') return 1;
  // Engines that use runc's form name the bundle; a mistaken command line without one is taken for a person's.
  if (line === undefined) return argv.some((word) => /^--?b(undle)?(=|$)/.test(word)) ? 1 : 125;
  return (await import('./target.ts')).isRuncForm(line) ? 1 : 125;
}

// Whoever may run containers as root is root: with the setuid bit that would be everybody.
if (process.getuid?.() !== process.geteuid?.()) {
  (await import('../runtime/log.ts')).print(
    2,
    'tinyrun: this executable must not be setuid: remove the bit\n',
  );
  process.exit(1);
}
const [first, ...rest] = process.argv.slice(2);
// The ffi engine starts this executable once more, as the process that runs a program.
if (first === '--ffi-program') (await import('../engine/ffi.ts')).runHandedOver(Number(rest[0]));
process.exit(await main(process.argv.slice(2)));
