// What an overlay rootfs is made of: its layers, and the contents of the container's own /etc files.

import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import type { HostFacts } from '../plan/host.ts';
import type { NewLayer, OverlayInput } from '../plan/input.ts';
import { hasNew } from '../plan/namespaces.ts';
import { parseLayersAnnotation } from '../plan/overlay.ts';
import { hostnameFile, hostsFile } from '../rootfs/hosts.ts';
import { parseAddHost, parseDns, parseDnsSearch } from '../rootfs/network-flags.ts';
import { resolvConf } from '../rootfs/resolv-conf.ts';
import type { RunOptions } from './options.ts';
import { readText } from './probe.ts';
import { statDirectory } from './probe-rootfs.ts';

/** Files of the host that the container's own are made from; beyond this they are not what they should be. */
const HOST_FILE_LIMIT = 1 << 20;

/**
 * Throws TinyrunError CONFIG where a layer is missing, USAGE for bad --add-host and --dns.
 * @param annotation io.tinyrun.layers, where it counts
 */
export function gatherOverlay(
  options: RunOptions,
  config: Config,
  host: HostFacts,
  annotation: string | undefined,
): OverlayInput {
  const layers =
    annotation === undefined
      ? [config.root.path.startsWith('/') ? config.root.path : `${options.bundle}/${config.root.path}`]
      : parseLayersAnnotation(annotation, options.bundle);
  const from = annotation === undefined ? '/root/path' : '/annotations/io.tinyrun.layers';
  const stats = layers.map((layer) => statDirectory(layer, from));
  const top = stats[stats.length - 1];
  if (top === undefined) throw new TinyrunError('CONFIG', `${from}: no layers`);
  return {
    kind: 'overlay',
    layers,
    own: {
      kept: false,
      mode: top.mode,
      uid: top.uid,
      gid: top.gid,
      files: ownFiles(options, config, host),
    },
  };
}

function ownFiles(options: RunOptions, config: Config, host: HostFacts): NewLayer['files'] {
  const hostname = config.hostname ?? (hasNew({ config }, 'uts') ? options.id.slice(0, 12) : host.hostname);
  if (config.hostname === undefined && hasNew({ config }, 'uts')) config.hostname = hostname;
  return ownFileTexts({
    hostname,
    domainname: config.domainname,
    addHosts: options.addHosts,
    dns: options.dns,
    dnsSearch: options.dnsSearch,
    dnsOptions: [],
    ownNetwork: config.linux?.namespaces?.some(({ type }) => type === 'network') ?? false,
  });
}

/** What a container's own files say, as the flags have it. */
export interface NameSettings {
  hostname: string;
  domainname: string | undefined;
  addHosts: readonly string[];
  dns: readonly string[];
  dnsSearch: readonly string[];
  dnsOptions: readonly string[];
  /** It has a network of its own, or another container's. */
  ownNetwork: boolean;
}

/**
 * The contents of a container's hosts, hostname and resolv.conf: in the host's network the host's names hold; in a network of
 * its own the container has only itself.
 * @throws TinyrunError USAGE for bad flags
 */
export function ownFileTexts(settings: NameSettings): NewLayer['files'] {
  const { hostname, domainname, ownNetwork, dnsOptions } = settings;
  const hostText = ownNetwork ? undefined : readHostFile('/etc/hosts');
  return {
    hosts: hostsFile({
      hostname,
      addHosts: settings.addHosts.map(parseAddHost),
      ...(domainname === undefined ? {} : { domainname }),
      ...(hostText === undefined ? {} : { hostText }),
    }),
    hostname: hostnameFile(hostname),
    'resolv.conf': resolvConf(hostResolvConf(), {
      dns: settings.dns.map(parseDns),
      dnsSearch: settings.dnsSearch.map(parseDnsSearch),
      dnsOptions,
      ownNetwork,
    }),
  };
}

function readHostFile(path: string): string {
  const text = readText(path, HOST_FILE_LIMIT);
  return typeof text === 'string' ? text : '';
}

/** systemd-resolved's own address is no use to others: it keeps the real resolvers in another file. */
function hostResolvConf(): string {
  const text = readHostFile('/etc/resolv.conf');
  return text.includes('127.0.0.53') ? readHostFile('/run/systemd/resolve/resolv.conf') || text : text;
}
