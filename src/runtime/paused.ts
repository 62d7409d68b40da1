// Something that is done while a container stands still.

import { close, flag, open as openFile, rawSyscall } from '../../native-bindings/libc.ts';
import { spawnProgram } from '../engine/native.ts';
import { planResumer } from '../plan/resumer.ts';
import { createLog } from './log.ts';
import type { GlobalOptions } from './options.ts';
import { openPipe } from './outputs.ts';
import { pauseContainer, resumeContainer } from './pause.ts';
import { probeHost } from './probe.ts';

/**
 * Pauses a container that runs, and lets it go on afterwards, also if this process is killed meanwhile.
 * @throws TinyrunError NOT_FOUND, STATE; what `work` throws
 */
export async function whilePaused<T>(global: GlobalOptions, id: string, work: () => Promise<T>): Promise<T> {
  const resumer = await startResumer(global, id);
  try {
    pauseContainer(global.root, id);
    try {
      return await work();
    } finally {
      resumeContainer(global.root, id);
    }
  } finally {
    await resumer.dismiss();
  }
}

/**
 * Starts the process that lets the container go on if we cannot (plan/resumer.ts).
 * @throws TinyrunError HOST where it cannot be started: then nothing is paused yet
 */
async function startResumer(global: GlobalOptions, id: string): Promise<{ dismiss(): Promise<void> }> {
  const { root } = global;
  const [broken, whole] = openPipe();
  const nowhere = openFile('/dev/null', flag('O_WRONLY', 'O_CLOEXEC'));
  const program = planResumer([process.execPath, '--root', root, 'resume', id]);
  const ended = spawnProgram(program, probeHost().arch, {
    ...{ name: 'tinyrun', fallbackDirectory: root, debug: createLog(global).debug },
    ...{ stdout: nowhere, stderr: nowhere, inherit: [broken] },
  });
  close(broken);
  close(nowhere);
  await Promise.race([ended, Bun.sleep(0)]);
  return {
    async dismiss() {
      rawSyscall('write', whole, new Uint8Array(1), 1); // where it was killed, nobody needs it any more
      close(whole);
      await ended;
    },
  };
}
