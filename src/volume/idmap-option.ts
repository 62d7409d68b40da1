// The option idmap of -v and --mount: Podman's and crun's grammar.
//
//   idmap                                     the ids of the container's user namespace
//   idmap=uids=0-1000-1#1-2000-9;gids=0-1000-1   ID ON DISK - ID ON THE HOST - COUNT, ranges separated by #

import { TinyrunError } from '../errors.ts';
import type { IdMapping } from '../oci/config.ts';
import type { IdMap } from './mount.ts';

/** Ids have 32 bits, and the last one means none. */
const MOST = 0xffffffff;

/**
 * Parses the value of idmap.
 * @param text behind the `=`; empty: there is none
 * @throws TinyrunError USAGE
 */
export function parseIdmap(text: string): IdMap {
  if (text === '') return 'container';
  const lists = new Map<string, IdMapping[]>();
  for (const part of text.split(';')) {
    const [name = '', ranges = ''] = part.split('=');
    if ((name !== 'uids' && name !== 'gids') || lists.has(name)) throw invalid(text);
    lists.set(
      name,
      ranges.split('#').map((range) => parseRange(range, text)),
    );
  }
  const [uids, gids] = [lists.get('uids'), lists.get('gids')];
  if (uids === undefined || gids === undefined) throw invalid(text);
  return { uids, gids };
}

function parseRange(range: string, text: string): IdMapping {
  const match = /^(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range);
  if (match === null) throw invalid(text);
  const [containerID = 0, hostID = 0, size = 0] = match.slice(1).map(Number);
  if (size < 1 || containerID + size > MOST || hostID + size > MOST) throw invalid(text);
  return { containerID, hostID, size };
}

const invalid = (text: string): TinyrunError =>
  new TinyrunError('USAGE', `invalid idmap: ${JSON.stringify(text)}`, {
    hint: 'write idmap=uids=ID_ON_DISK-ID_ON_THE_HOST-COUNT;gids=ID_ON_DISK-ID_ON_THE_HOST-COUNT',
  });
