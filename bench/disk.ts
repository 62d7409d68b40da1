// A filesystem for what is measured alone: for minutes, ext4 makes files slowly where others were removed, by whomever, and what
// is slow then is the one that is measured beside us, too.

import { runScript } from './long.ts';

/**
 * Makes it in a file, calls `use` with the directory that it is mounted on, and removes it with all that is in it.
 * @param dir takes the file, which grows with what is written
 * @throws where there is no mkfs for it
 */
export async function withNewDisk<T>(
  dir: string,
  type: 'ext4' | 'btrfs',
  use: (disk: string) => Promise<T>,
): Promise<T> {
  const disk = `${dir}/d`; // podman takes no path of more than 50 characters
  const image = `${disk}.img`;
  runScript(
    `truncate -s 16G ${image} && mkfs.${type} -q ${image} && mkdir ${disk} && mount -o loop ${image} ${disk}`,
  );
  try {
    return await use(disk);
  } finally {
    runScript(`umount ${disk} || umount -l ${disk}; rmdir ${disk} && rm ${image}`);
  }
}
