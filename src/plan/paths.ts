// maskedPaths and readonlyPaths. OCI config-linux.md, "Masked Paths", "Readonly Paths".
//
// Done before pivot_root, while the host's own /dev/null can be opened and checked: a null that the image or another
// container could swap would bind something else over the mask (CVE-2025-31133).

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { cleanInside } from './clean-inside.ts';
import type { PlanInput } from './input.ts';
import { mountContext } from './labels.ts';
import { CLOSE } from './mount-point.ts';
import type { Places } from './place.ts';

type Explain = (what: string, why?: string) => Words;

const MASK = 'What the config hides: knowledge of the host that proc and sys would tell.';
const MISSING = 'What is not there needs no mask.';

/** Init program: hides files behind /dev/null, directories behind an empty read-only tmpfs. */
export function planMaskedPaths(input: PlanInput, places: Places): Op[] {
  const paths = input.config.linux?.maskedPaths ?? [];
  if (paths.length === 0) return [];
  return [
    ...planNull(),
    ...paths.flatMap((path, index) => planMask(cleanInside(path), index, input, places)),
  ];
}

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

function planMask(path: string, index: number, input: PlanInput, places: Places): Op[] {
  const place = places.find(path);
  const words: Explain = (what, why = MASK) => ({ what, why, from: `/linux/maskedPaths/${index}` });
  if (place.known !== 'trusted' || place.type !== 'kernel') return planMaskUnknown(path, index, input, words);
  // Which kind it is the host has told, whose kernel made this path as well. Should that be wrong, the mount fails and
  // with it the container: nothing stays unmasked.
  const next = `masked-${index}`;
  return [
    ...(input.sources.get(`/${path}`) === 'directory'
      ? planEmpty(words, mountContext(input, 'tmpfs'))
      : planCopyNull(words)),
    o.moveMount(
      o.reg('mount'),
      o.reg(place.reg),
      { ...words(`mask /${path}`, MISSING), onError: { goto: { ENOENT: next } } },
      place.path,
    ),
    o.label(next),
    o.close(o.reg('mount'), words('close the mask', CLOSE)),
  ];
}

/** A path of the rootfs or of a volume: of which kind it is shows when it is opened. */
function planMaskUnknown(path: string, index: number, input: PlanInput, words: Explain): Op[] {
  const [file, attach, next] = [`mask-file-${index}`, `mask-${index}`, `masked-${index}`];
  return [
    o.openInRoot(o.reg('root'), path, ['O_PATH', 'O_DIRECTORY'], {
      ...words(`open /${path}`, 'That it is a directory is asked by opening it as one.'),
      to: 'target',
      onError: { goto: { ENOENT: next, ENOTDIR: file } },
    }),
    ...planEmpty(words, mountContext(input, 'tmpfs')),
    o.jump(attach, words(`cover directory /${path}`)),
    o.label(file),
    o.openInRoot(o.reg('root'), path, ['O_PATH'], {
      ...words(`open /${path}`, MISSING),
      to: 'target',
      onError: { goto: { ENOENT: next, ENOTDIR: next } },
    }),
    ...planCopyNull(words),
    o.label(attach),
    o.moveMount(o.reg('mount'), o.reg('target'), words(`mask /${path}`)),
    o.close(o.reg('mount'), words('close the mask', CLOSE)),
    o.close(o.reg('target'), words(`close /${path}`, CLOSE)),
    o.label(next),
  ];
}

const planCopyNull = (words: Explain): Op[] => [
  o.openTree(o.reg('null'), '', false, { ...words('copy the mount of /dev/null'), to: 'mount' }),
];

/** Register `mount`: an empty read-only directory. */
function planEmpty(words: Explain, context: string | undefined): Op[] {
  return [
    o.fsopen('tmpfs', { ...words('open an empty tmpfs'), to: 'fs' }),
    o.fsconfigString(o.reg('fs'), 'source', 'tmpfs', words('call it tmpfs')),
    o.fsconfigFlag(o.reg('fs'), 'ro', words('make it read-only')),
    ...(context === undefined
      ? []
      : [o.fsconfigString(o.reg('fs'), 'context', context, words(`label it ${context}`))]),
    o.fsconfigCreate(o.reg('fs'), words('create it')),
    o.fsmount(o.reg('fs'), ['MOUNT_ATTR_RDONLY'], { ...words('make a mount of it'), to: 'mount' }),
    o.close(o.reg('fs'), words('close the configuration', CLOSE)),
  ];
}

/** Init program: binds each path on itself, read-only. */
export function planReadonlyPaths({ config }: PlanInput, places: Places): Op[] {
  return (config.linux?.readonlyPaths ?? []).flatMap((given, index) => {
    const path = cleanInside(given);
    const words: Explain = (what, why = READONLY) => ({ what, why, from: `/linux/readonlyPaths/${index}` });
    const next = `readonly-${index}`;
    const missing = { onError: { goto: { ENOENT: next, ENOTDIR: next } } };
    const place = places.find(path);
    if (place.known === 'trusted' && place.type === 'kernel') {
      const dir = o.reg(place.reg);
      return [
        o.openTree(dir, place.path, true, {
          ...words(`copy the mount at /${path}`),
          to: 'mount',
          ...missing,
        }),
        ...planAttachReadonly(path, dir, place.path, words),
        o.label(next),
      ];
    }
    return [
      o.openInRoot(o.reg('root'), path, ['O_PATH'], { ...words(`open /${path}`), to: 'target', ...missing }),
      o.openTree(o.reg('target'), '', true, { ...words(`copy the mount at /${path}`), to: 'mount' }),
      ...planAttachReadonly(path, o.reg('target'), '', words),
      o.close(o.reg('target'), words(`close /${path}`, CLOSE)),
      o.label(next),
    ];
  });
}

const READONLY =
  'A path can be read-only where its filesystem is not: it is bound on itself, and the bind is read-only.';

const planAttachReadonly = (path: string, dir: o.Fd, at: string, words: Explain): Op[] => [
  o.mountSetattr(o.reg('mount'), { set: ['MOUNT_ATTR_RDONLY'] }, true, words(`make /${path} read-only`)),
  o.moveMount(o.reg('mount'), dir, words(`attach the read-only /${path}`), at),
  o.close(o.reg('mount'), words('close the mount', CLOSE)),
];
