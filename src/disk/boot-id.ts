import { AT_FDCWD, readSmall } from './files.ts';

/**
 * What this boot of the kernel is called: random(4). A file that has it tells what no other boot has seen.
 * @returns `unknown` where there is no /proc
 */
export const bootId = (): string =>
  readSmall(AT_FDCWD, '/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
