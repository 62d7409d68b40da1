// maskedPaths and readonlyPaths. OCI config-linux.md, "Masked Paths", "Readonly Paths".
//
// Done before pivot_root, while the host's own /dev/null can be opened and checked: a null that the image or another
// container could swap would bind something else over the mask (CVE-2025-31133).

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import { cleanInside } from './mount-point.ts';

/** Init program: hides files behind /dev/null, directories behind one empty read-only tmpfs. */
export function planMaskedPaths({ config }: PlanInput): Op[] {
  const paths = config.linux?.maskedPaths ?? [];
  if (paths.length === 0) return [];
  return [...planNull(), ...planEmpty(), ...paths.flatMap((path, i) => planMask(cleanInside(path), i))];
}

const MASK = 'What the config hides: host knowledge that proc and sys would tell.';

/** Register `null`: the host's /dev/null, checked to be it. */
function planNull(): Op[] {
  const words = (what: string): Words => ({
    what,
    why: 'Files are masked with this very device, opened by us and checked: character device 1:3.',
    from: '/linux/maskedPaths',
  });
  return [
    o.openat(o.AT_FDCWD, '/dev/null', ['O_PATH', 'O_NOFOLLOW'], { ...words('open /dev/null'), to: 'null' }),
    o.fstatx(o.reg('null'), o.buf('statx'), words('look at /dev/null')),
    o.load(o.buf('statx', 128), 4, 'major', words('take its major number')),
    o.branch('major', '!=', 1, 'not-null', words('is it device 1:3?')),
    o.load(o.buf('statx', 132), 4, 'minor', words('take its minor number')),
    o.branch('minor', '==', 3, 'null-checked', words('is it device 1:3?')),
    o.label('not-null'),
    o.fail(words('mask paths: /dev/null of the host is not the null device')),
    o.label('null-checked'),
  ];
}

/** Register `empty`: a mount of an empty read-only tmpfs, attached nowhere yet. */
function planEmpty(): Op[] {
  const words = (what: string): Words => ({
    what,
    why: 'A directory is masked by an empty one; one small filesystem serves them all.',
    from: '/linux/maskedPaths',
  });
  return [
    o.fsopen('tmpfs', { ...words('open a tmpfs for masked directories'), to: 'fs' }),
    o.fsconfigFlag(o.reg('fs'), 'ro', words('make it read-only')),
    o.fsconfigCreate(o.reg('fs'), words('create it')),
    o.fsmount(o.reg('fs'), ['MOUNT_ATTR_RDONLY', 'MOUNT_ATTR_NOSUID', 'MOUNT_ATTR_NODEV', 'MOUNT_ATTR_NOEXEC'], {
      ...words('make a mount of it'),
      to: 'empty',
    }),
    o.close(o.reg('fs'), words('close the configuration')),
  ];
}

function planMask(path: string, index: number): Op[] {
  const from = `/linux/maskedPaths/${index}`;
  const words = (what: string, why = MASK): Words => ({ what, why, from });
  const [file, copy, attach, next] = [`mask-file-${index}`, `mask-copy-${index}`, `mask-attach-${index}`, `masked-${index}`];
  const first = 'The first masked directory gets the mount itself; only then can copies be made of it (Linux before 6.15).';
  return [
    o.openInRoot(o.reg('root'), path, ['O_PATH', 'O_DIRECTORY'], {
      ...words(`open /${path}`, 'What is not there needs no mask; that it is a directory is asked by opening it as one.'),
      to: 'target',
      onError: { goto: { ENOENT: next, ENOTDIR: file } },
    }),
    o.branch('emptied', '==', 1, copy, words('is the empty directory in use?', first)),
    o.moveMount(o.reg('empty'), o.reg('target'), words(`mask directory /${path}`)),
    o.set('emptied', 1, words('later masks are copies', first)),
    o.close(o.reg('target'), words(`close /${path}`)),
    o.jump(next, words(`/${path} is masked`)),
    o.label(copy),
    o.openTree(o.reg('empty'), '', false, { ...words('copy the mount of the empty directory'), to: 'mount' }),
    o.jump(attach, words('cover the directory with it')),
    o.label(file),
    o.openInRoot(o.reg('root'), path, ['O_PATH'], {
      ...words(`open /${path}`),
      to: 'target',
      onError: { goto: { ENOENT: next, ENOTDIR: next } },
    }),
    o.openTree(o.reg('null'), '', false, { ...words('copy the mount of /dev/null'), to: 'mount' }),
    o.label(attach),
    o.moveMount(o.reg('mount'), o.reg('target'), words(`mask /${path}`)),
    o.close(o.reg('mount'), words('close the mask')),
    o.close(o.reg('target'), words(`close /${path}`)),
    o.label(next),
  ];
}

/** Init program: binds each path on itself, read-only. */
export function planReadonlyPaths({ config }: PlanInput): Op[] {
  return (config.linux?.readonlyPaths ?? []).flatMap((given, i) => {
    const path = cleanInside(given);
    const words = (what: string, why: string): Words => ({ what, why, from: `/linux/readonlyPaths/${i}` });
    const next = `readonly-${i}`;
    const why = 'A path can be read-only where its filesystem is not: it is bound on itself, and the bind is read-only.';
    return [
      o.openInRoot(o.reg('root'), path, ['O_PATH'], {
        ...words(`open /${path}`, 'What is not there cannot be written to.'),
        to: 'target',
        onError: { goto: { ENOENT: next, ENOTDIR: next } },
      }),
      o.openTree(o.reg('target'), '', true, { ...words(`copy the mount at /${path}`, why), to: 'mount' }),
      o.mountSetattr(o.reg('mount'), { set: ['MOUNT_ATTR_RDONLY'] }, true, words(`make /${path} read-only`, why)),
      o.moveMount(o.reg('mount'), o.reg('target'), words(`attach the read-only /${path}`, why)),
      o.close(o.reg('mount'), words('close the mount', why)),
      o.close(o.reg('target'), words(`close /${path}`, why)),
      o.label(next),
    ];
  });
}
