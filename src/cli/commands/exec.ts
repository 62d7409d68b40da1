// tinyrun exec
import { AT_FDCWD, exists } from '../../disk/files.ts';
import { TinyrunError } from '../../errors.ts';
import { CONTAINER_RECORD, containerDirectory } from '../../oci/state.ts';
import { DOCKER_EXITS, EXEC_FAILED, EXIT, execInContainer } from '../../runtime/exec.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { findRecord, isMissing } from '../by-name.ts';
import type { CommandLine } from '../command-line.ts';
import { toExecOptions } from '../exec-options.ts';
import { traceLines } from '../trace.ts';

export async function run(line: CommandLine, global: GlobalOptions, cwd: string): Promise<number> {
  let exit = EXIT;
  const asDocker = (): void => {
    exit = DOCKER_EXITS.failure;
  };
  try {
    return await execByName(line, global, cwd, asDocker);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const known = error instanceof TinyrunError ? error : undefined;
    throw new TinyrunError(known?.code ?? 'HOST', EXEC_FAILED + error.message, {
      cause: error,
      exit: known?.exit ?? exit,
      hint: known?.hint,
      data: known?.data ?? {},
    });
  }
}

/** Docker's options, for containers with a record. */
const NAMED_OPTIONS = ['interactive', 'workdir', 'privileged', 'env-file'];

async function execByName(
  line: CommandLine,
  global: GlobalOptions,
  cwd: string,
  asDocker: () => void,
): Promise<number> {
  const called = line.args[0]!;
  const option = NAMED_OPTIONS.find((name) => name in line.options);
  const whole =
    called.length === 64 &&
    exists(AT_FDCWD, `${containerDirectory(global.dataRoot, called)}/${CONTAINER_RECORD}`);
  const named = async (): Promise<number | undefined> => {
    const record = 'process' in line.options ? undefined : await findRecord(global, called);
    if (record === undefined) return undefined;
    asDocker();
    return await (await import('./exec-named.ts')).run(line, global, cwd, record);
  };
  if (option !== undefined || whole) {
    const code = await named();
    if (code !== undefined) return code;
    if (option !== undefined)
      throw new TinyrunError('USAGE', `--${option}: it is for containers of an image, and ${called} is none`);
  }
  try {
    return await execInContainer(global, toExecOptions(line, cwd), traceLines);
  } catch (error) {
    const code = isMissing(error) ? await named() : undefined;
    if (code === undefined) throw error;
    return code;
  }
}
