// The short flags: text -> VolumeMount.
//
//   --volume [SOURCE:]DESTINATION[:OPTION,...]    a bind if the source is a path, else a volume; without one, anonymous
//   --tmpfs  DESTINATION[:OPTION,...]             a tmpfs with these mount options
//
// The grammar, its order of checks and its words are Docker's: first those of its command line (`invalid spec: ...`),
// then those of its engine (`invalid volume specification: ...`). The options that only Podman has are understood too.

import { TinyrunError } from '../errors.ts';
import { parseMountOptions } from '../oci/mount-options.ts';
import { parseIdmap } from './idmap-option.ts';
import {
  destinationProblem,
  type MountRequest,
  PROPAGATIONS,
  type SharedOptions,
  toVolumeMount,
  type VolumeMount,
} from './mount.ts';
import { cleanPath, resolveSource } from './path.ts';

/** The options of --volume; of each group at most one may be given. */
const MODES: Readonly<Record<string, readonly string[]>> = {
  access: ['ro', 'rw'],
  propagation: PROPAGATIONS,
  copy: ['nocopy', 'copy'],
  label: ['z', 'Z'], // SELinux; without it, there is nothing to relabel
  consistency: ['consistent', 'cached', 'delegated'], // of Docker Desktop on macOS; always consistent here
  recursion: ['bind', 'rbind'], // Podman's, as all that follow
  dev: ['dev', 'nodev'],
  exec: ['exec', 'noexec'],
  suid: ['suid', 'nosuid'],
  chown: ['U'],
  overlay: ['O'],
  upper: ['upperdir='], // of O; these three have a value
  work: ['workdir='],
  idmap: ['idmap', 'idmap='],
  create: ['nocreate'],
};

/**
 * Parses the value of --volume.
 *
 * @param cwd absolute; what a source that starts with a dot is relative to
 * @throws TinyrunError USAGE, in Docker's words
 * @example parseVolumeFlag('./src:/app:ro', '/home/me') // a read-only bind of /home/me/src at /app
 */
export function parseVolumeFlag(text: string, cwd: string): VolumeMount {
  const parts = splitVolume(text);
  const source = parts.length === 1 ? '' : resolveSource(parts[0]!, cwd);
  const destination = parts.length === 1 ? text : parts[1]!;
  const spec = parts.length === 1 ? text : [source, ...parts.slice(1)].join(':');
  // `/data:ro` would be a volume's destination and an option, which Docker has no use for.
  if (parts.length === 2 && parseModes(destination) !== undefined) throw invalidVolume(spec);
  const modes = parts.length === 3 ? parseModes(parts[2]!) : new Map<string, string>();
  if (modes === undefined) throw invalidMode(parts[2]!);
  const request = volumeRequest(source, destination, modes);
  request.mode = parts[2] ?? '';
  return toVolumeMount(request, `--volume ${text}`, `invalid volume specification: '${spec}': `);
}

function splitVolume(text: string): string[] {
  if (text === '') throw new TinyrunError('USAGE', 'invalid empty volume spec');
  const parts = text.split(':');
  parts.forEach((part, index) => {
    if (part === '' && text.length < 3) throw invalidVolume(text);
    if (part === '') throw new TinyrunError('USAGE', `invalid spec: ${text}: empty section between colons`);
    if (index === 3) throw new TinyrunError('USAGE', `invalid spec: ${text}: too many colons`);
  });
  return parts;
}

/** Group -> option; undefined if one is unknown or a group has two. */
function parseModes(text: string): Map<string, string> | undefined {
  const modes = new Map<string, string>();
  for (const option of text.split(',')) {
    const equals = option.indexOf('=');
    const name = equals < 0 ? option : option.slice(0, equals + 1);
    const group = Object.keys(MODES).find((group) => MODES[group]!.includes(name));
    if (group === undefined || modes.has(group)) return undefined;
    modes.set(group, option);
  }
  return modes;
}

function volumeRequest(source: string, destination: string, modes: Map<string, string>): MountRequest {
  const request: MountRequest = {
    type: source.startsWith('/') ? 'bind' : 'volume',
    source,
    destination,
    readOnly: modes.get('access') === 'ro',
  };
  if (modes.get('copy') === 'nocopy') request.volume = { nocopy: true };
  const propagation = modes.get('propagation');
  const recursion = modes.get('recursion');
  if (request.type === 'bind' || propagation !== undefined || recursion !== undefined) {
    request.bind = {
      createSource: true,
      ...(propagation !== undefined && { propagation }),
      ...(recursion === 'bind' && { recursive: 'disabled' }),
    };
  }
  return Object.assign(request, sharedOptions(modes));
}

/** What a volume may have as well as a bind. */
function sharedOptions(modes: Map<string, string>): SharedOptions & Pick<MountRequest, 'noCreate'> {
  const attributes = ['dev', 'exec', 'suid'].flatMap((group) => modes.get(group) ?? []);
  const idmap = modes.get('idmap');
  return {
    ...(attributes.length > 0 && { attributes }),
    ...(modes.has('chown') && { chown: true }),
    ...(modes.has('create') && { noCreate: true }),
    ...overlayOption(modes),
    ...(idmap !== undefined && { idmap: parseIdmap(idmap.slice('idmap='.length)) }),
  };
}

function overlayOption(modes: Map<string, string>): Pick<SharedOptions, 'overlay'> {
  const [upper, work] = ['upper', 'work'].map((group) => textOf(modes.get(group)));
  if (upper === undefined && work === undefined) return modes.has('overlay') ? { overlay: {} } : {};
  const problem =
    upper === undefined || work === undefined
      ? 'upperdir and workdir go together: give both'
      : !modes.has('overlay')
        ? 'upperdir and workdir are of an overlay: give O, too'
        : ![upper, work].every((path) => path.startsWith('/'))
          ? 'upperdir and workdir must be absolute paths'
          : undefined;
  if (problem !== undefined || upper === undefined || work === undefined)
    throw new TinyrunError('USAGE', `invalid mode: ${[...modes.values()].join(',')}: ${problem}`);
  return { overlay: { upper: cleanPath(upper), work: cleanPath(work) } };
}

const textOf = (option: string | undefined): string | undefined => option?.slice(option.indexOf('=') + 1);

function invalidVolume(text: string): TinyrunError {
  return new TinyrunError('USAGE', `invalid volume specification: '${text}'`);
}

function invalidMode(mode: string): TinyrunError {
  return new TinyrunError('USAGE', `invalid mode: ${mode}`);
}

const SIZE = { is: /^(0x[\da-f]+|\d+)[kmgtpe]?$/i, like: 'a number, or one with k, m or g' };
const ID = { is: /^(0x[\da-f]+|\d+)$/i, like: 'a number' };

/** What a tmpfs itself understands, tmpfs(5), and what the values look like that the kernel takes. */
const TMPFS_DATA = new Map([
  [
    'size',
    {
      is: /^((0x[\da-f]+|\d+)[kmgtpe]?|\d+%)$/i,
      like: 'bytes, a number with k, m or g, or a part of the memory: 64m, 10%',
    },
  ],
  ['mode', { is: /^[0-7]+$/, like: 'octal digits: 1777' }],
  ['uid', ID],
  ['gid', ID],
  ['nr_inodes', SIZE],
  ['nr_blocks', SIZE],
  ['mpol', { is: /./, like: 'a policy of memory: interleave' }],
]);

/**
 * Parses the value of --tmpfs. Any mount option may be given; what the defaults are is up to toOciMounts.
 *
 * @throws TinyrunError USAGE, in Docker's words
 * @example parseTmpfsFlag('/run:size=64m,exec')
 */
export function parseTmpfsFlag(text: string): VolumeMount {
  const colon = text.indexOf(':');
  const destination = colon < 0 ? text : text.slice(0, colon);
  const list = colon < 0 ? '' : text.slice(colon + 1);
  const problem =
    destination === ''
      ? "invalid mount path: '' mount path must be absolute"
      : destinationProblem(destination);
  if (problem !== undefined) throw new TinyrunError('USAGE', problem);
  const options = list === '' ? [] : list.split(',');
  assertTmpfsOptions(options);
  const access = options.findLast((option) => option === 'ro' || option === 'rw');
  return {
    type: 'tmpfs',
    destination: cleanPath(destination),
    readOnly: access === 'ro',
    createSource: false,
    ...(options.length > 0 && { tmpfs: { options } }),
    mode: '',
    flag: `--tmpfs ${text}`,
  };
}

function assertTmpfsOptions(options: readonly string[]): void {
  for (const option of options) {
    const [, name = '', value] = /^([^=]*)=?(.*)$/s.exec(option) ?? [];
    const parsed = parseMountOptions([option]);
    const data = option.includes('=') ? TMPFS_DATA.get(name) : undefined;
    // These three need a mount that is already there.
    const elsewhere = parsed.bind !== false || parsed.remount || parsed.idmap !== false;
    if ((parsed.data.length > 0 && data === undefined) || elsewhere)
      throw new TinyrunError('USAGE', `invalid tmpfs option ${JSON.stringify(name)}`);
    if (data !== undefined && !data.is.test(value ?? ''))
      throw new TinyrunError('USAGE', `invalid value for tmpfs option ${name}: ${JSON.stringify(value)}`, {
        hint: `write ${data.like}`,
      });
  }
}
