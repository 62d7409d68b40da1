// An overlay that is mounted inside of a container: an image's layers, read-only; or a layer for writes over a volume or a
// host directory. The host program makes it, whose rights and paths it takes.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { OverlayMountInput } from './input.ts';

const FS = o.reg('fs');

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
  const whole = subpath === undefined ? 'bind' : `merged-${index}`;
  return [
    o.fsopen('overlay', { ...words(why), to: 'fs' }),
    set('source', 'overlay'),
    ...lowers.map((path) => set('lowerdir+', path)),
    // fsconfig's upperdir and workdir undo backslashes, lowerdir+ does not: overlay.ts.
    ...(upper === undefined || work === undefined
      ? []
      : [
          set('upperdir', upper.replaceAll('\\', '\\\\')),
          set('workdir', work.replaceAll('\\', '\\\\')),
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
