// The host's /etc/resolv.conf and the flags --dns, --dns-search, --dns-option -> the container's, by Docker's rules for
// a network without a resolver of its own: each flag replaces all that the host's file says of its subject; in a
// network namespace of its own, loopback nameservers are left out, since they would be the container's own loopback.
//
// With systemd-resolved the host's file names only 127.0.0.53: the caller then reads /run/systemd/resolve/resolv.conf.

import { isIp, isIpv4, isLoopback } from './ip.ts';

export interface ResolvConfOptions {
  /** Of --dns, --dns-search and --dns-option; empty: as the host. A search of `.` alone is no search list. */
  dns: readonly string[];
  dnsSearch: readonly string[];
  dnsOptions: readonly string[];
  /** The container has a network namespace of its own. */
  ownNetwork: boolean;
  /** That network has IPv6; without it, IPv6 nameservers of the host are left out. Default: false. */
  ipv6?: boolean;
}

interface ResolvConf {
  nameservers: string[];
  search: readonly string[];
  options: readonly string[];
  /** Lines that are not ours to understand: sortlist. */
  other: string[];
}

/** Google's, as Docker: for when none of the host's can be reached from the container's network. */
const DEFAULT_NAMESERVERS = {
  ipv4: ['8.8.8.8', '8.8.4.4'],
  ipv6: ['2001:4860:4860::8888', '2001:4860:4860::8844'],
};

/**
 * The text of the container's /etc/resolv.conf, resolv.conf(5). In the host's network without a flag that says
 * otherwise it is the host's, comments and all; else it is written anew.
 *
 * @param hostText the host's file; empty if there is none
 */
export function resolvConf(hostText: string, options: ResolvConfOptions): string {
  const { dns, dnsSearch, dnsOptions, ownNetwork, ipv6 = false } = options;
  const overridden = dns.length + dnsSearch.length + dnsOptions.length > 0;
  if (!ownNetwork && !overridden) return hostText;

  const conf = parseResolvConf(hostText);
  if (dnsSearch.length > 0) conf.search = dnsSearch.filter((domain) => domain !== '.');
  if (dnsOptions.length > 0) conf.options = dnsOptions;
  if (dns.length > 0) return formatResolvConf({ ...conf, nameservers: [...dns] });
  if (!ownNetwork) return formatResolvConf(conf);

  const nameservers = conf.nameservers.filter((ip) => !isLoopback(ip) && (ipv6 || isIpv4(ip)));
  if (nameservers.length > 0) return formatResolvConf({ ...conf, nameservers });
  const defaults = [...DEFAULT_NAMESERVERS.ipv4, ...(ipv6 ? DEFAULT_NAMESERVERS.ipv6 : [])];
  const note = "# the host's nameservers cannot be reached from this network: public ones are used instead";
  return formatResolvConf({ ...conf, nameservers: defaults, other: [...conf.other, note] });
}

function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { nameservers: [], search: [], options: [], other: [] };
  for (const line of text.split('\n')) {
    const [directive, ...values] = line.trim().split(/\s+/);
    if (directive === undefined || directive === '' || /^[#;]/.test(directive)) continue;
    if (directive === 'nameserver') {
      // A link-local address may name its interface: fe80::1%eth0.
      if (isIp(values[0]?.split('%', 1)[0] ?? '')) conf.nameservers.push(values[0]!);
    } else if (directive === 'search' || directive === 'domain') {
      if (values.length > 0) conf.search = values; // the last one counts
    } else if (directive === 'options') conf.options = [...conf.options, ...values];
    else conf.other.push(line);
  }
  return conf;
}

function formatResolvConf({ nameservers, search, options, other }: ResolvConf): string {
  const lines = nameservers.map((ip) => `nameserver ${ip}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return [...lines, ...other, ''].join('\n');
}
