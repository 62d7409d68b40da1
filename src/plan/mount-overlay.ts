// An overlay that is mounted inside of a container: an image's layers, read-only; or a layer for writes over a volume or a
// host directory. The host program makes it, whose rights and paths it takes.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { OverlayMountInput } from './input.ts';

const FS = o.reg('fs');
/** Bytes of a string of fsconfig(2), with its NUL. */
const LONGEST = 256;

/**
 * Host program: the merged mount, attached nowhere, into register `bind`.
 * @param index makes registers and words of this mount unlike those of others
 */
export function planOverlayMount(
  { lowers, upper, work, subpath }: OverlayMountInput,
  index: number,
  words: (why: string) => Words,
): Op[] {
  const why =
    'Layers, merged: reads come from the topmost one that has the file; the source itself is never written to.';
  const set = (key: string, value: string): Op =>
    o.fsconfigString(FS, key, value, { ...words(why), what: `set overlay option ${key}=${value}` });
  const add = (key: string, path: string, value = path): Op[] =>
    new TextEncoder().encode(value).length < LONGEST ? [set(key, value)] : planLongPath(key, path, words);
  const whole = subpath === undefined ? 'bind' : `merged-${index}`;
  return [
    o.fsopen('overlay', { ...words(why), to: 'fs' }),
    set('source', 'overlay'),
    ...lowers.flatMap((path) => add('lowerdir+', path)),
    // fsconfig's upperdir and workdir undo backslashes, lowerdir+ does not: overlay.ts.
    ...(upper === undefined || work === undefined
      ? []
      : [
          ...add('upperdir', upper, upper.replaceAll('\\', '\\\\')),
          ...add('workdir', work, work.replaceAll('\\', '\\\\')),
          set('index', 'off'),
        ]),
    set('redirect_dir', 'nofollow'),
    set('metacopy', 'off'),
    o.fsconfigCreate(FS, words(why)),
    o.fsmount(FS, [], { ...words(why), to: whole }),
    o.close(FS, { ...words('It has served.'), what: 'close the configuration' }),
    ...(subpath === undefined ? [] : planPart(whole, subpath, words)),
  ];
}

/** Linux 6.13: by descriptor. */
function planLongPath(key: string, path: string, words: (why: string) => Words): Op[] {
  const explain = (what: string): Words => ({
    ...words('A path this long is handed over as a descriptor.'),
    what,
  });
  return [
    o.openat(o.AT_FDCWD, path, ['O_PATH', 'O_DIRECTORY'], { ...explain(`open ${path}`), to: 'long' }),
    o.call(
      'fsconfig',
      [FS, o.flags('FSCONFIG_SET_FD'), key, 0, o.reg('long')],
      explain(`set overlay option ${key}`),
    ),
    o.close(o.reg('long'), explain(`close ${path}`)),
  ];
}

/** Only a part of what is merged. */
function planPart(whole: string, subpath: string, words: (why: string) => Words): Op[] {
  const why = 'Looked for below what is merged: no symlink of an image leads out of it.';
  const how = {
    struct: 'open_how',
    fields: {
      flags: { flags: ['O_PATH', 'O_CLOEXEC'] },
      resolve: { flags: ['RESOLVE_BENEATH', 'RESOLVE_NO_MAGICLINKS'] },
    },
  };
  return [
    o.call('openat2', [o.reg(whole), subpath, how, 24], {
      ...words(why),
      what: `open ${subpath} in it`,
      to: 'part',
    }),
    o.openTree(o.reg('part'), '', false, { ...words(why), to: 'bind' }),
    o.close(o.reg('part'), { ...words(why), what: `close ${subpath}` }),
    o.close(o.reg(whole), { ...words(why), what: 'close the whole' }),
  ];
}
