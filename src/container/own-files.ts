// The files that are a container's own: hosts, hostname and resolv.conf, in its directory. They are written anew at each start,
// as in Docker, since the names of the host may have changed meanwhile; but a resolv.conf that was changed, in the container
// or from outside, is its user's from then on.

import { AT_FDCWD, readSmall } from '../disk/files.ts';
import { writeFileAtomic } from '../disk/write.ts';
import { ownFileTexts } from '../runtime/overlay.ts';
import { type ContainerRecord, containerDirectory } from './record.ts';

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
  const now = readSmall(AT_FDCWD, `${directory}/resolv.conf`, LIMIT);
  const written = readSmall(AT_FDCWD, `${directory}/${DIGEST}`);
  const wanted = texts['resolv.conf'];
  if (now !== undefined && (now === wanted || digestOf(now) !== written)) return;
  writeFileAtomic(`${directory}/resolv.conf`, wanted, 0o644);
  writeFileAtomic(`${directory}/${DIGEST}`, digestOf(wanted));
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
