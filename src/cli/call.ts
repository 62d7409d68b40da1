// tinyrun called by itself, once for each name: for commands whose process becomes a container's host program.

import type { GlobalOptions } from '../runtime/options.ts';

/**
 * Calls a command for each name in turn, with our own stdio; one that fails does not keep the others from being done.
 * @param options words between the command and the name
 * @returns 0, or 1 if any has failed: each has said why
 */
export function callForEach(
  command: string,
  options: readonly string[],
  names: readonly string[],
  global: GlobalOptions,
): number {
  const codes = names.map((name) => {
    const words = [process.execPath, ...globalWords(global), command, ...options, '--', name];
    return Bun.spawnSync(words, { stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' }).exitCode;
  });
  return codes.every((code) => code === 0) ? 0 : 1;
}

/** The global options, as they would be typed. */
export function globalWords({
  root,
  dataRoot,
  log,
  logFormat,
  debug,
  cgroupManager,
}: GlobalOptions): string[] {
  return [
    ...['--root', root, '--data-root', dataRoot, '--cgroup-manager', cgroupManager],
    ...(log === undefined ? [] : ['--log', log, '--log-format', logFormat]),
    ...(debug ? ['--debug'] : []),
  ];
}
