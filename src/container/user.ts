// `USER[:GROUP]` and the texts of a root's /etc/passwd and /etc/group -> ids. The rules are those of Docker's engine. Both
// files are an image's: read strictly, and a number is never a name (CVE-2016-3697), nor wraps around (CVE-2024-40635).

import { TinyrunError } from '../errors.ts';

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** All groups of the process, its first one among them (CVE-2022-36109). */
  additionalGids: number[];
  home: string;
}

/** As in Docker: the upper half of 32 bits is not for people. */
const HIGHEST_ID = 0x7fffffff;

interface Entry {
  name: string;
  id: number;
  rest: string[];
}

/**
 * Looks a user up.
 * @param spec of --user or the image; empty: root
 * @param groupAdd names or numbers of more groups
 * @param passwd text of passwd(5), undefined where there is none; `group`: of group(5)
 * @throws TinyrunError USAGE in Docker's words, for a name that is not there and a number out of range
 */
export function resolveUser(
  spec: string,
  groupAdd: readonly string[],
  passwd: string | undefined,
  group: string | undefined,
): ResolvedUser {
  const [userWord = '', groupWord = ''] = spec.split(/:(.*)/s);
  const number = userWord === '' ? 0 : idOf(userWord, 'user');
  const found = find(entries(passwd), userWord, number);
  if (found === undefined && number === undefined) throw notFound('user', userWord, 'passwd');
  const uid = found?.id ?? number!;
  const groups = entries(group);
  const findGroup = (word: string): number => {
    const gid = idOf(word, 'group');
    const entry = find(groups, word, gid);
    if (entry === undefined && gid === undefined) throw notFound('group', word, 'group');
    return entry?.id ?? gid!;
  };
  const primary = Number(found?.rest[0] ?? 0);
  const gid = groupWord === '' ? (isInRange(primary) ? primary : 0) : findGroup(groupWord);
  const member =
    groupWord === '' && found !== undefined ? groups.filter(({ rest }) => isMember(rest[0], found.name)) : [];
  const additionalGids = [...new Set([gid, ...member.map(({ id }) => id), ...groupAdd.map(findGroup)])];
  return { uid, gid, additionalGids, home: found?.rest[2] || '/' };
}

/** A word of digits alone is a number, whoever may be called so. */
function idOf(word: string, what: string): number | undefined {
  if (!/^[+-]?\d+$/.test(word)) return undefined;
  const id = Number(word);
  if (isInRange(id)) return id;
  throw new TinyrunError('USAGE', `${what} ${word}: uids and gids must be in range 0-${HIGHEST_ID}`);
}

const isInRange = (id: number): boolean => Number.isInteger(id) && id >= 0 && id <= HIGHEST_ID;

const find = (list: readonly Entry[], name: string, id: number | undefined): Entry | undefined =>
  list.find((entry) => (id === undefined ? entry.name === name : entry.id === id));

const notFound = (what: string, word: string, file: string): TinyrunError =>
  new TinyrunError('USAGE', `unable to find ${what} ${word}: no matching entries in ${file} file`, {
    data: { [what]: word },
  });

const isMember = (list = '', name: string): boolean => list.split(',').includes(name);

/** The lines of passwd(5) or group(5) whose id is one: `NAME:PASSWORD:ID:...`; others are none of ours. */
function entries(text = ''): Entry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , id = '', ...rest] = line.trim().split(':');
    return name !== '' && /^\d{1,10}$/.test(id) && isInRange(Number(id))
      ? [{ name, id: Number(id), rest }]
      : [];
  });
}
