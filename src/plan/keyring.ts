// The container's session keyring: a new one, named `_ses.ID`, so that its processes do not possess the keys of who
// called tinyrun. keyrings(7), keyctl(2). As runc: without a field in config.json, unless --no-new-keyring is given.
//
// A keyring is found by its name only inside of one user namespace, and by those whom it lets search it: that is what
// `exec` needs to join the same one.

import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import { runtime } from './words.ts';

/**
 * What the kernel gives the keyring that it makes (possessor all, user view, read and link), and search for its user.
 * Bits of <linux/keyctl.h>, which programs do not include: KEY_POS_ALL, KEY_USR_VIEW, _READ, _SEARCH, _LINK.
 */
const PERMISSIONS = 0x3f000000 | 0x00010000 | 0x00020000 | 0x00080000 | 0x00100000;

/** Init program, as root of its user namespace: joins the session keyring of the container, which is made if missing. */
export function planKeyring({
  id,
  noNewKeyring,
  config,
}: Pick<PlanInput, 'id' | 'noNewKeyring' | 'config'>): Op[] {
  if (noNewKeyring) return [];
  const { selinuxLabel } = config.process;
  return [
    ...(selinuxLabel ? planKeyLabel(selinuxLabel) : []),
    o.call('keyctl', [o.flags('KEYCTL_JOIN_SESSION_KEYRING'), `_ses.${id}`], {
      ...runtime(
        `join session keyring _ses.${id}`,
        "The caller's session keyring holds his keys, and is inherited. A kernel without keys (ENOSYS) has none to hide.",
      ),
      to: 'keyring',
      onError: { goto: { ENOSYS: 'no-keyring' } },
    }),
    o.call('keyctl', [o.flags('KEYCTL_SETPERM'), o.reg('keyring'), PERMISSIONS], {
      ...runtime(
        `let its user search keyring _ses.${id}`,
        'Whoever enters the container later finds it by its name.',
      ),
    }),
    o.label('no-keyring'),
  ];
}

/** The label of keys that this process makes, until its execve. The host's proc is still there. */
function planKeyLabel(label: string): Op[] {
  const words: Words = {
    what: `label new keys ${label}`,
    why: 'A keyring with the label of who called tinyrun would be out of reach for the container.',
    from: '/process/selinuxLabel',
  };
  return [
    o.openat(o.AT_FDCWD, '/proc/self/attr/keycreate', ['O_WRONLY'], { ...words, to: 'file' }),
    o.write(o.reg('file'), label, new TextEncoder().encode(label).length, words),
    o.close(o.reg('file'), words),
  ];
}
