// linux.sysctl: which kernel parameters belong to which namespace, and where they are below /proc/sys. Most of
// /proc/sys is the whole host's, so only what a namespace of the container owns may be set. sysctl(8), runc's rules.
import type { NamespaceType } from './config.ts';

/** The parameters of an ipc namespace: ipc/ipc_sysctl.c of the kernel. */
const IPC = [
  'kernel/msgmax',
  'kernel/msgmnb',
  'kernel/msgmni',
  'kernel/msg_next_id',
  'kernel/sem',
  'kernel/sem_next_id',
  'kernel/shmall',
  'kernel/shmmax',
  'kernel/shmmni',
  'kernel/shm_next_id',
  'kernel/shm_rmid_forced',
];

/**
 * The path of a sysctl below /proc/sys: `net.ipv4.ip_forward` -> `net/ipv4/ip_forward`. As sysctl(8) has it, the
 * first separator decides: after a dot, `/` stands for a dot in a name (`net.ipv4.conf.eth0/1.forwarding`); a key
 * that starts with `net/` is a path already. undefined: the key has an empty part, `.` or `..`, and may lead elsewhere.
 */
export function sysctlPath(key: string): string | undefined {
  const dot = key.indexOf('.');
  const slash = key.indexOf('/');
  const dotted = dot !== -1 && (slash === -1 || dot < slash);
  let path = key;
  if (dotted) {
    path = '';
    for (let i = 0; i < key.length; i++) path += key[i] === '.' ? '/' : key[i] === '/' ? '.' : key[i];
  }
  const closed = `/${path}/`;
  return closed.includes('//') || closed.includes('/./') || closed.includes('/../') ? undefined : path;
}

/** The namespace that owns a sysctl, given its path below /proc/sys; undefined: none, it is the whole host's. */
export function sysctlNamespace(path: string): NamespaceType | undefined {
  if (path.startsWith('net/')) return 'network';
  if (path.startsWith('fs/mqueue/')) return 'ipc';
  // runc and crun know nothing of user.*, which belongs to the user namespace since Linux 4.9 (namespaces(7)).
  if (path.startsWith('user/')) return 'user';
  if (IPC.includes(path)) return 'ipc';
  return path === 'kernel/domainname' || path === 'kernel/hostname' ? 'uts' : undefined;
}
