// The files that are a container's own: hosts, hostname and resolv.conf, in its directory. They are written anew at each start,
// as in Docker, since the names of the host may have changed meanwhile; but a resolv.conf that was changed, in the container
// or from outside, is its user's from then on.

import { syscall } from '../../native-bindings/libc.ts';
import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { containerDirectory } from '../oci/state.ts';
import { ownFileTexts } from '../runtime/overlay.ts';
import type { ContainerRecord } from './record.ts';

/** The digest of the resolv.conf that was written, by which a changed one is known. */
const DIGEST = 'resolv.conf.hash';
/** Bytes; of what a container has written, no more is read. */
const LIMIT = 1 << 20;

const digestOf = (text: string): string => new Bun.CryptoHasher('sha256').update(text).digest('hex');

/**
 * Writes them; the caller holds the container's lock.
 * @param network id of the container whose network it joins: its names hold, then; undefined: nobody's
 * @throws TinyrunError USAGE for bad --add-host, --dns and --dns-search
 */
export function writeOwnFiles(dataRoot: string, record: ContainerRecord, network: string | undefined): void {
  const directory = containerDirectory(dataRoot, record.id);
  const texts = network === undefined ? ownTexts(record) : joinedTexts(containerDirectory(dataRoot, network));
  writeFileAtomic(`${directory}/hosts`, texts.hosts, 0o644, false);
  writeFileAtomic(`${directory}/hostname`, texts.hostname, 0o644, false);
  writeResolvConf(directory, texts['resolv.conf'], !record.hostConfig.AutoRemove);
}

/**
 * The one that stays if it was changed. Half a file, or one without its digest, would pass for a changed one for ever: so the
 * old one goes first, and the new one comes last.
 * @param durable the container may be started again
 */
function writeResolvConf(directory: string, text: string, durable: boolean): void {
  const path = `${directory}/resolv.conf`;
  const now = readSmall(AT_FDCWD, path, LIMIT);
  if (now !== undefined) {
    const written = readSmall(AT_FDCWD, `${directory}/${DIGEST}`);
    if (now === text || digestOf(now) !== written) return;
    syscall(`replace ${path}`, 'unlinkat', AT_FDCWD, path, 0);
  }
  writeFileAtomic(`${directory}/${DIGEST}`, digestOf(text), 0o600, durable);
  writeFileAtomic(path, text, 0o644, durable);
}

function ownTexts({ config, hostConfig }: ContainerRecord): ReturnType<typeof ownFileTexts> {
  return ownFileTexts({
    hostname: config.Hostname,
    domainname: config.Domainname || undefined,
    addHosts: hostConfig.ExtraHosts,
    dns: hostConfig.Dns,
    dnsSearch: hostConfig.DnsSearch,
    dnsOptions: hostConfig.DnsOptions,
    ownNetwork: hostConfig.NetworkMode !== 'host',
  });
}

function joinedTexts(directory: string): ReturnType<typeof ownFileTexts> {
  const read = (name: string): string => readSmall(AT_FDCWD, `${directory}/${name}`, LIMIT) ?? '';
  return { hosts: read('hosts'), hostname: read('hostname'), 'resolv.conf': read('resolv.conf') };
}
