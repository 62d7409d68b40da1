// Whether a volume may go, or change its name: who uses it, in Docker's words and then in words that help.

import { lockOpen } from '../disk/lock.ts';
import { TinyrunError } from '../errors.ts';
import { DATA, volumesOf } from './directory.ts';
import { KEPT, liveHolders } from './mounted.ts';
import { mountsBelow } from './mountinfo.ts';
import { type User, usersOf } from './uses.ts';

/**
 * Makes sure that nobody uses a volume, and locks it.
 * @param fd of its directory; DATA_ROOT/volumes is locked
 * @param what an infinitive
 * @throws TinyrunError STATE
 */
export function assertUnused(dataRoot: string, name: string, fd: number, what: string): void {
  const users = usersOf(dataRoot, name);
  if (users.length > 0) throw inUse(what, name, users);
  const holders = liveHolders(dataRoot, name);
  if (holders.length > 0) throw inUse(what, name, holders.map(toUser));
  if (!lockOpen(fd, { wait: false }))
    throw new TinyrunError('STATE', `${what} ${name}: volume is in use - another tinyrun works with it`, {
      hint: 'wait for it, or see who it is: fuser -v on its directory',
      data: { volume: name },
    });
  const mount = mountsBelow(`${volumesOf(dataRoot)}/${name}`).find(
    (path) => !path.endsWith(`/${name}/${DATA}`),
  );
  if (mount !== undefined)
    throw new TinyrunError('STATE', `${what} ${name}: volume is in use - something is mounted on ${mount}`, {
      hint: `umount ${mount}`,
    });
}

const toUser = (id: string): User => ({ id, name: undefined, destinations: [] });

/** Who it is, in words. */
function describe(volume: string, { id, name, destinations }: User): string {
  if (id === KEPT) return `\`volume mount\`, until \`tinyrun volume unmount ${volume}\``;
  const [process] = /^process-\d+/.exec(id) ?? [];
  const who = process?.replace('-', ' ') ?? id.slice(0, 12);
  const called = name === undefined ? who : `${name} (${who})`;
  return destinations.length === 0 ? called : `${called} at ${destinations.join(', ')}`;
}

/** Docker's words, and behind them what people ask next: who these are, and where they see it. */
function inUse(what: string, name: string, users: readonly User[]): TinyrunError {
  const ids = users.map(({ id }) => id).join(', ');
  const told = users.map((user) => describe(name, user));
  return new TinyrunError('STATE', `${what} ${name}: volume is in use - [${ids}]`, {
    hint: `used by ${told.join('; ')}: remove what uses it first`,
    data: { volume: name, users: users.map(({ id }) => id) },
  });
}
