// A file as a block device: loop(4). The device goes with its last use (LO_FLAGS_AUTOCLEAR): none is left behind, not
// even by who is killed between two of these calls.

import { close, flag, rawSyscall, SystemError, syscall } from '../../../native-bindings/libc.ts';
import { AT_FDCWD } from '../../disk/files.ts';
import { TinyrunError } from '../../errors.ts';
import { errnos } from '../../sys/errno.ts';

// struct loop_config of <linux/loop.h>: fd 0, then struct loop_info64 at 8, with lo_flags at 52 and lo_file_name at 56.
const CONFIG_SIZE = 304;
const [FLAGS_AT, NAME_AT, NAME_SIZE] = [8 + 52, 8 + 56, 64];
/** Others look for a free device at the same time. */
const TRIES = 100;

/** A loop device; it is there until `fd` is closed and nothing is mounted of it any more. */
export interface LoopDevice {
  fd: number;
  path: string;
}

/**
 * Attaches a file to a free loop device.
 * @param file absolute
 * @throws TinyrunError HOST where the kernel has none; SystemError
 */
export function attachLoop(file: string, readOnly: boolean): LoopDevice {
  const mode = flag(readOnly ? 'O_RDONLY' : 'O_RDWR', 'O_CLOEXEC');
  const backing = syscall(`open ${file}`, 'openat', AT_FDCWD, file, mode, 0);
  try {
    const config = loopConfig(backing, file, readOnly);
    for (let tries = 0; tries < TRIES; tries++) {
      const path = `/dev/loop${freeDevice(file)}`;
      const fd = syscall(`open ${path}`, 'openat', AT_FDCWD, path, mode, 0);
      const result = rawSyscall('ioctl', fd, flag('LOOP_CONFIGURE'), config);
      if (result === 0) return { fd, path };
      close(fd);
      if (result !== -errnos['EBUSY']!) throw new SystemError(`attach ${file} to ${path}`, -result);
    }
  } finally {
    close(backing);
  }
  throw new SystemError(`attach ${file} to a loop device`, errnos['EBUSY']!);
}

function loopConfig(backing: number, file: string, readOnly: boolean): Uint8Array {
  const config = new Uint8Array(CONFIG_SIZE);
  const view = new DataView(config.buffer);
  view.setUint32(0, backing, true);
  const flags = flag('LO_FLAGS_AUTOCLEAR') | (readOnly ? flag('LO_FLAGS_READ_ONLY') : 0);
  view.setUint32(FLAGS_AT, flags, true);
  config.set(new TextEncoder().encode(file).subarray(0, NAME_SIZE - 1), NAME_AT);
  return config;
}

/** The number of a device that nobody uses. */
function freeDevice(file: string): number {
  const control = rawSyscall('openat', AT_FDCWD, '/dev/loop-control', flag('O_RDWR', 'O_CLOEXEC'), 0);
  if (control < 0)
    throw new TinyrunError('HOST', `mount ${file}: the kernel has no loop devices (/dev/loop-control)`, {
      hint: 'load the module: modprobe loop',
      cause: new SystemError('open /dev/loop-control', -control),
    });
  try {
    return syscall('find a free loop device', 'ioctl', control, flag('LOOP_CTL_GET_FREE'));
  } finally {
    close(control);
  }
}
