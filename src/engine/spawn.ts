// Runs a command as a child and collects what it writes: for engines whose parent stays.

import type { Finished, SpawnOptions } from './engine.ts';

/**
 * Runs `command` and waits for its end.
 * @param environment all of the child's environment
 * @param inherited file descriptors that the child finds at 3, 4, ...
 */
export async function finished(
  command: string[],
  options: SpawnOptions,
  environment: Record<string, string> = {},
  inherited: number[] = [],
): Promise<Finished> {
  const child = Bun.spawn(command, {
    argv0: options.name,
    env: environment,
    stdio: [options.stdin ?? 'ignore', options.stdout ?? 'pipe', options.stderr ?? 'pipe', ...inherited],
  });
  const [stdout, stderr] = await Promise.all([collect(child.stdout), collect(child.stderr)]);
  await child.exited;
  // Bun says the exit code of a signalled process as a shell does.
  return { exitCode: await child.exited, stdout, stderr };
}

function collect(stream: unknown): Promise<string> | string {
  return stream instanceof ReadableStream ? new Response(stream).text() : '';
}
