// --network, --pid, --ipc, --uts, --userns, --cgroupns: which of the host's or another container's namespaces are shared.

import { TinyrunError } from '../errors.ts';

/** What the value of each of them may be, besides `container:NAME`; the first is the default. */
const MODES = {
  network: ['none', 'host'],
  pid: ['', 'host'],
  ipc: ['private', 'shareable', 'host', 'none'],
  uts: ['', 'host'],
  userns: ['', 'host'],
  cgroupns: ['', 'private', 'host'],
} as const;

export type ModeFlag = keyof typeof MODES;

/**
 * Checks a mode.
 * @param text undefined: not given
 * @param find the id of a container by its name; throws where there is none
 * @throws TinyrunError USAGE, UNSUPPORTED for networks by name
 */
export function parseMode(flag: ModeFlag, text: string | undefined, find: (name: string) => string): string {
  const known: readonly string[] = MODES[flag];
  const value = text ?? known[0]!;
  if (known.includes(value)) return value;
  const name = /^container:(.*)$/s.exec(value)?.[1];
  if (name === '')
    throw new TinyrunError('USAGE', `--${flag} ${value}: invalid container format container:<name|id>`);
  if (name !== undefined && flag !== 'userns' && flag !== 'cgroupns') return `container:${find(name)}`;
  if (flag === 'network')
    throw new TinyrunError('UNSUPPORTED', `--network ${value}: tinyrun has no networks to join yet`, {
      hint: 'a container has its own loopback (none), or shares one: host, container:NAME',
    });
  throw new TinyrunError(
    'USAGE',
    `--${flag}: invalid ${flag === 'userns' ? 'USER' : flag.toUpperCase()} mode: ${value}`,
    {
      hint: `known are ${known.filter(Boolean).join(', ')}${flag === 'userns' || flag === 'cgroupns' ? '' : ', container:NAME'}`,
    },
  );
}
