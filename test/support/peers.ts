// The same bundle under tinyrun, its ffi engine, runc and crun, on a host whose mounts are shared and whose caller has
// habits that must not leak into a container.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, tinyrun } from './bundle.ts';
import { inMountNamespace, runCommand } from './container.ts';
import { type Facts, parseFacts } from './facts.ts';

export const PEERS = ['runc', 'crun'] as const;
export type Peer = (typeof PEERS)[number];
export type Runtime = 'native' | 'ffi' | Peer;

export const isInstalled = (peer: Peer): boolean => Bun.which(peer) !== null;

/** Ignores signals, has a umask, few files, and files open. */
const HABITS = "trap '' HUP INT PIPE USR1; umask 077; ulimit -Sn 777; exec 7</etc/passwd";
/** crun 1.8 wants either v1 or v2 to have all controllers: on a host with both the unified hierarchy is hidden from it. */
const NO_HYBRID = '[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified';

/** Never /dev/null as stdin: crun 1.8 makes the container's user the owner of the host's own node then. */
const PIPED = ': | "$@"; exit';

/** What the bundle's container tells of itself under a runtime; one fact, `exit code`, where it could not be run. */
export function factsUnder(runtime: Runtime, bundle: Bundle): Facts {
  const isPeer = runtime === 'runc' || runtime === 'crun';
  const root = join(bundle.root, '..', runtime);
  mkdirSync(root, { recursive: true });
  const command = isPeer
    ? [runtime, '--root', root, 'run', '--bundle', bundle.dir, bundle.id]
    : [
        tinyrun,
        '--root',
        root,
        '--data-root',
        bundle.dataRoot,
        'run',
        '--engine',
        runtime,
        '--bundle',
        bundle.dir,
        bundle.id,
      ];
  const setUp = runtime === 'crun' ? `${NO_HYBRID}\n${HABITS}` : HABITS;
  const { stdout, stderr, code } = runCommand([...inMountNamespace(`${setUp}\n${PIPED}`), ...command]);
  if (code !== 0 && !isPeer) throw new Error(`${runtime}: exit code ${code}: ${stderr}`);
  return code === 0 ? parseFacts(stdout) : { 'exit code': `${code}: ${stderr.trim()}` };
}
