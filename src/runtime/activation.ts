// What systemd hands to a service, passed on to the container: listening sockets (LISTEN_FDS) and the socket that it tells
// of its state (NOTIFY_SOCKET). sd_listen_fds(3), sd_notify(3); names and places are runc's.

import type { Config } from '../oci/config.ts';
import type { FlagMount } from '../plan/input.ts';
import { hasNew } from '../plan/namespaces.ts';
import type { RunOptions } from './options.ts';

const NOTIFY = '/run/notify/notify.sock';

/** Adds to the config's environment what the container is to know. Returns the mounts that this takes. */
export function applyActivation(
  config: Config,
  { listenFds, notifySocket }: Pick<RunOptions, 'listenFds' | 'notifySocket'>,
): FlagMount[] {
  const set = (name: string, value: string): void => {
    const others = config.process.env?.filter((entry) => !entry.startsWith(`${name}=`)) ?? [];
    config.process.env = [...others, `${name}=${value}`];
  };
  if (listenFds > 0) {
    set('LISTEN_FDS', String(listenFds));
    set('LISTEN_PID', '1');
  }
  if (notifySocket === undefined) return [];
  // An abstract socket belongs to the network namespace, and without a mount namespace the path is the same.
  const mounted = notifySocket.startsWith('/') && hasNew({ config }, 'mount');
  set('NOTIFY_SOCKET', mounted ? NOTIFY : notifySocket);
  if (!mounted) return [];
  const options = ['bind', 'nosuid', 'noexec', 'nodev'];
  return [
    {
      mount: { destination: NOTIFY, source: notifySocket, options },
      createSource: false,
      from: 'NOTIFY_SOCKET',
    },
  ];
}
