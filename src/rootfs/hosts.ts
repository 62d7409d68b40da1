// The container's own /etc/hosts and /etc/hostname, which are mounted over the init layer's empty files; resolv.conf is
// in resolv-conf.ts. Their form is Docker's.

/** A line of hosts(5). */
export interface HostEntry {
  name: string;
  ip: string;
}

export interface HostsOptions {
  hostname: string;
  domainname?: string;
  /** Of --add-host. */
  addHosts: readonly HostEntry[];
  /** The host's own file: for a container in the host's network namespace. */
  hostText?: string;
  /** The container's address; absent: it has none yet. */
  ip?: string;
}

const DEFAULT_HOSTS: readonly HostEntry[] = [
  { ip: '127.0.0.1', name: 'localhost' },
  { ip: '::1', name: 'localhost ip6-localhost ip6-loopback' },
  { ip: 'fe00::', name: 'ip6-localnet' },
  { ip: 'ff00::', name: 'ip6-mcastprefix' },
  { ip: 'ff02::1', name: 'ip6-allnodes' },
  { ip: 'ff02::2', name: 'ip6-allrouters' },
];

/**
 * The text of the container's /etc/hosts, hosts(5): the host's own file if there is one and --add-host was not given
 * (so that --add-host can override what the host's file says), else the usual names of localhost and --add-host's.
 *
 * The container's hostname is added if the text lacks it, so that programs that look themselves up find themselves.
 */
export function hostsFile(options: HostsOptions): string {
  const { hostname, domainname, addHosts, hostText, ip } = options;
  const text =
    hostText !== undefined && addHosts.length === 0 ? hostText : hostLines([...DEFAULT_HOSTS, ...addHosts]);
  if (hostname === '' || namesHost(text, hostname)) return text;
  const name = domainname ? `${hostname}.${domainname} ${hostname}` : hostname;
  const newline = text === '' || text.endsWith('\n') ? '' : '\n';
  // Debian's convention for a name without an address of its own: 127.0.0.1 stays localhost when looked up backwards.
  return text + newline + hostLines([{ ip: ip ?? '127.0.1.1', name }]);
}

function hostLines(entries: readonly HostEntry[]): string {
  return entries.map(({ ip, name }) => `${ip}\t${name}\n`).join('');
}

function namesHost(text: string, hostname: string): boolean {
  return text.split('\n').some((line) => {
    const [, ...names] = line.split('#', 1)[0]!.trim().split(/\s+/);
    return names.includes(hostname);
  });
}

/** The text of the container's /etc/hostname, hostname(5). */
export function hostnameFile(hostname: string): string {
  return hostname + '\n';
}
