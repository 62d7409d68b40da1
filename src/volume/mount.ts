// What the flags --volume, --mount and --tmpfs ask for, as data: first a MountRequest, which says what was written and
// may be nonsense, then a VolumeMount, which has been checked. The rules and their words are those of Docker's engine,
// so that a known message can be looked up. Whether a bind's source exists is asked when the container is created.

import { TinyrunError } from '../errors.ts';
import type { IdMapping } from '../oci/config.ts';
import { assertVolumeName } from './names.ts';
import { cleanPath, isLocalPath } from './path.ts';

export const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
export type PropagationMode = (typeof PROPAGATIONS)[number];

/**
 * What a bind does with the mounts below its source: `enabled` takes them along, read-only if the bind is; `writable`
 * and `readonly` take them along and say what a read-only bind makes of them; `disabled` leaves them behind.
 */
export type BindRecursive = 'enabled' | 'disabled' | 'writable' | 'readonly';

export interface VolumeOptions {
  /** Do not fill a new volume with what the image has at the destination. */
  nocopy?: boolean;
  /** The part of the volume to mount; relative. */
  subpath?: string;
  driver?: string;
  driverOptions?: Record<string, string>;
  labels?: Record<string, string>;
}

/** The ids that a mount shows in place of those on disk: two lists, or those of the container's user namespace. */
export type IdMap = 'container' | { uids: IdMapping[]; gids: IdMapping[] };

/** What is Podman's, and means the same for binds and volumes. */
export interface SharedOptions {
  /** More mount options: nodev, noexec, nosuid and their opposites. */
  attributes?: string[];
  /** Give all that is in the source to the container's user, before it starts (`U`). */
  chown?: true;
  /** Writes go to a layer over the source (`O`): one that is thrown away, or that of these two host directories. */
  overlay?: { upper?: string; work?: string };
  idmap?: IdMap;
}

export interface VolumeMount extends SharedOptions {
  type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** A bind's absolute host path, a volume's name, an image's reference; absent: an anonymous volume, a tmpfs. */
  source?: string;
  /** Absolute and clean, never `/`. */
  destination: string;
  readOnly: boolean;
  /** Binds only; absent: rprivate. */
  propagation?: PropagationMode;
  /** Binds only; absent: enabled. */
  recursive?: BindRecursive;
  /** What is missing is made: a bind's source, a directory; a volume. */
  createSource: boolean;
  /** Mount options on top of the defaults: `size=64m`, `mode=700`, `exec`. */
  tmpfs?: { options: string[] };
  volume?: VolumeOptions;
  image?: { subpath: string };
  /** The options of -v as they were written, which `inspect` shows. */
  mode: string;
  /** The flag with its text, for error words and for an op's `from`: `--volume /srv:/data:ro`. */
  flag: string;
}

/** A mount as it was written. The option groups are present if one of their options was. */
export interface MountRequest extends SharedOptions {
  type: string;
  source: string;
  destination: string;
  readOnly: boolean;
  bind?: { propagation?: string; recursive?: BindRecursive; createSource?: boolean };
  volume?: VolumeOptions;
  tmpfs?: { options: string[] };
  image?: { subpath: string };
  mode?: string;
  /** A volume must be there already. */
  noCreate?: true;
}

/**
 * Checks a request and makes it a mount.
 *
 * @param flag see VolumeMount
 * @param context what comes before the words of an error
 * @throws TinyrunError USAGE, `invalid mount config for type "bind": ...`
 */
export function toVolumeMount(request: MountRequest, flag: string, context = ''): VolumeMount {
  const problem = destinationProblem(request.destination) ?? typeProblem(request);
  if (problem !== undefined) {
    throw new TinyrunError(
      'USAGE',
      `${context}invalid mount config for type ${JSON.stringify(request.type)}: ${problem}`,
      problem === UNKNOWN_TYPE ? { hint: 'there are bind, image, tmpfs and volume' } : {},
    );
  }
  const { type, source, destination, readOnly, bind, volume, tmpfs, image, mode, noCreate, ...rest } =
    request;
  const { attributes, chown, overlay, idmap } = rest;
  const driver = volume?.driver ?? 'local';
  if (type === 'volume' && source !== '' && driver === 'local') assertVolumeName(source);
  return {
    type: type as VolumeMount['type'], // typeProblem knows no other
    ...(source !== '' && { source: type === 'bind' ? cleanPath(source) : source }),
    destination: cleanPath(destination),
    readOnly,
    ...(bind?.propagation !== undefined && { propagation: bind.propagation as PropagationMode }),
    ...(bind?.recursive !== undefined && { recursive: bind.recursive }),
    createSource: (type === 'volume' || (bind?.createSource ?? false)) && noCreate !== true,
    ...(attributes !== undefined && { attributes }),
    ...(chown !== undefined && { chown }),
    ...(overlay !== undefined && { overlay }),
    ...(idmap !== undefined && { idmap }),
    ...(tmpfs !== undefined && { tmpfs }),
    ...(volume !== undefined && { volume }),
    ...(image !== undefined && { image }),
    mode: mode ?? '',
    flag,
  };
}

/** What is wrong with a path in the container that is to be mounted on, in Docker's words; undefined: nothing. */
export function destinationProblem(destination: string): string | undefined {
  if (destination === '') return 'field Target must not be empty';
  if (!destination.startsWith('/')) return `invalid mount path: '${destination}' mount path must be absolute`;
  if (cleanPath(destination) === '/') return "invalid specification: destination can't be '/'";
  return undefined;
}

const UNKNOWN_TYPE = 'mount type unknown';

function typeProblem({ type, source, bind, volume, image }: MountRequest): string | undefined {
  switch (type) {
    case 'bind':
      if (source === '') return 'field Source must not be empty';
      if (bind?.propagation !== undefined && !isPropagation(bind.propagation))
        return `invalid propagation mode: ${bind.propagation}`;
      if (volume !== undefined) return 'field VolumeOptions must not be specified';
      if (!source.startsWith('/')) return `invalid mount path: '${source}' mount path must be absolute`;
      return undefined;
    case 'volume':
      if (bind !== undefined) return 'field BindOptions must not be specified';
      if (volume?.subpath === undefined) return undefined;
      if (source === '') return 'must not set Subpath when using anonymous volumes';
      return subpathProblem(volume.subpath);
    case 'tmpfs':
      return source === '' ? undefined : 'field Source must not be specified';
    case 'image':
      if (source === '') return 'field Source must not be empty';
      return image && subpathProblem(image.subpath);
    default:
      return UNKNOWN_TYPE;
  }
}

/** Whether a word is a propagation, as flags say it. */
export function isPropagation(text: string): text is PropagationMode {
  return (PROPAGATIONS as readonly string[]).includes(text);
}

function subpathProblem(subpath: string): string | undefined {
  return isLocalPath(subpath) ? undefined : 'subpath must be a relative path within the volume';
}

/**
 * Docker's words seldom say which of the flags they are about: the same error, with the flag behind its hint.
 * @param flag with its value
 */
export function nameFlag(error: unknown, flag: string): unknown {
  if (!(error instanceof TinyrunError)) return error;
  const { code, message, hint, data } = error;
  const place = `it is in ${flag}`;
  return new TinyrunError(code, message, {
    hint: hint === undefined ? place : `${hint}; ${place}`,
    data,
    cause: error,
  });
}
