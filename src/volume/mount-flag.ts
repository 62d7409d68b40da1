// The long flag: --mount type=bind,source=/srv/data,target=/data,readonly -> VolumeMount.
//
// A line of comma-separated fields (csv.ts), each KEY=VALUE or, for what is true or false, KEY alone. Keys are not
// case-sensitive; blanks around a key or a value are refused, and so are empty values. The grammar, the order of the
// checks and their words are those of Docker's command line (29.x), then mount.ts's.

import { TinyrunError } from '../errors.ts';
import { parseCsv } from './csv.ts';
import { parseIdmap } from './idmap-option.ts';
import { type BindRecursive, type MountRequest, toVolumeMount, type VolumeMount } from './mount.ts';
import { resolveSource } from './path.ts';
import { parseSize } from './size.ts';

interface Field {
  key: string;
  /** undefined: the key stood alone. */
  value: string | undefined;
}

/** What a key does to the request; `cwd` is what sources are relative to. */
type Setter = (request: MountRequest, value: string, field: Field, cwd: string) => void;

const BOOLEAN_KEYS = [
  'readonly',
  'ro',
  'volume-nocopy',
  'bind-nonrecursive',
  'bind-create-src',
  'bind-idmap',
  'idmap',
  'chown',
  'u',
];

const RECURSIVE: readonly string[] = ['enabled', 'disabled', 'writable', 'readonly'];

const setSource: Setter = (request, value, _field, cwd) => {
  request.source = resolveSource(value, cwd);
};
const setDestination: Setter = (request, value) => {
  request.destination = value;
};
const setReadOnly: Setter = (request, _value, field) => {
  request.readOnly = parseBool(field);
};

const setIdmap: Setter = (request, value) => {
  if (value !== 'false') request.idmap = parseIdmap(value === 'true' ? '' : value);
};
const setChown: Setter = (request, _value, field) => {
  if (parseBool(field)) request.chown = true;
};

const KEYS: Readonly<Record<string, Setter>> = {
  type: (request, value) => {
    request.type = value.toLowerCase();
  },
  source: setSource,
  src: setSource,
  target: setDestination,
  dst: setDestination,
  destination: setDestination,
  readonly: setReadOnly,
  ro: setReadOnly,
  consistency: () => {}, // of Docker Desktop on macOS; a mount is always consistent here
  'bind-propagation': (request, value) => {
    request.bind = { ...request.bind, propagation: value.toLowerCase() };
  },
  'bind-nonrecursive': () => {
    throw usage('bind-nonrecursive is deprecated, use bind-recursive=disabled instead');
  },
  'bind-recursive': (request, value, { key }) => {
    if (!RECURSIVE.includes(value)) {
      throw usage(
        `invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
    }
    if (value !== 'enabled') request.bind = { ...request.bind, recursive: value as BindRecursive };
  },
  'bind-create-src': (request, _value, field) => {
    request.bind = { ...request.bind, createSource: parseBool(field) };
  },
  'bind-idmap': setIdmap, // as it is being discussed for Docker
  idmap: setIdmap, // Podman's, as the next two
  chown: setChown,
  u: setChown,
  'volume-subpath': (request, value) => {
    request.volume = { ...request.volume, subpath: value };
  },
  'volume-nocopy': (request, _value, field) => {
    request.volume = { ...request.volume, nocopy: parseBool(field) };
  },
  'volume-label': (request, value, { key }) => {
    request.volume = { ...request.volume, labels: { ...request.volume?.labels, ...parsePair(key, value) } };
  },
  'volume-driver': (request, value) => {
    request.volume = { ...request.volume, driver: value };
  },
  'volume-opt': (request, value, { key }) => {
    const driverOptions = { ...request.volume?.driverOptions, ...parsePair(key, value) };
    request.volume = { ...request.volume, driverOptions };
  },
  'image-subpath': (request, value) => {
    request.image = { subpath: value };
  },
  'tmpfs-size': (request, value, { key }) => {
    const size = parseSize(value);
    if (size === undefined)
      throw usage(`invalid value for ${key}: ${value}`, 'write bytes, or a number with b, k, m or g: 64m');
    setTmpfs(request, 'size', size > 0 ? String(size) : undefined);
  },
  'tmpfs-mode': (request, value, { key }) => {
    const mode = Number.parseInt(value, 8);
    if (!/^[0-7]+$/.test(value) || mode > 0xffffffff) throw usage(`invalid value for ${key}: ${value}`);
    setTmpfs(request, 'mode', mode > 0 ? mode.toString(8) : undefined);
  },
};

/**
 * Parses the value of --mount.
 *
 * @param cwd absolute; what a source that starts with a dot is relative to
 * @throws TinyrunError USAGE, in Docker's words
 * @example parseMountFlag('type=bind,src=./data,dst=/data,ro', '/home/me')
 */
export function parseMountFlag(text: string, cwd: string): VolumeMount {
  const line = text.trim();
  if (line === '') throw usage('value is empty');
  const request: MountRequest = { type: 'volume', source: '', destination: '', readOnly: false };
  for (const text of parseCsv(line)) {
    const field = parseField(text);
    if (!Object.hasOwn(KEYS, field.key)) throw usage(`unknown option '${field.key}' in '${text}'`);
    KEYS[field.key]!(request, field.value ?? '', field, cwd);
  }
  assertOptionsFit(request);
  return toVolumeMount(request, `--mount ${text}`);
}

function parseField(text: string): Field {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name.trim() !== name) {
    throw usage(`invalid option '${name.trim()}' in '${text}': option should not have whitespace`);
  }
  const key = name.toLowerCase();
  if (equals < 0) {
    if (!BOOLEAN_KEYS.includes(key)) throw usage(`invalid field '${text}' must be a key=value pair`);
    return { key, value: undefined };
  }
  const value = text.slice(equals + 1);
  if (value.trim() === '') throw usage(`invalid value for '${name}': value is empty`);
  if (value.trim() !== value) {
    throw usage(`invalid value for '${name}' in '${text}': value should not have whitespace`);
  }
  return { key, value };
}

function assertOptionsFit(request: MountRequest): void {
  for (const group of ['bind', 'volume', 'image', 'tmpfs'] as const) {
    if (request.type !== group && request[group] !== undefined) {
      throw usage(`cannot mix '${group}-*' options with mount type '${request.type}'`);
    }
  }
  const recursive = request.bind?.recursive;
  if (recursive !== 'writable' && recursive !== 'readonly') return;
  const needs = (what: string) =>
    usage(`option 'bind-recursive=${recursive}' requires '${what}' to be specified in conjunction`);
  if (!request.readOnly) throw needs('readonly');
  // A mount that arrives later by propagation would be writable again.
  if (recursive === 'readonly' && request.bind?.propagation !== 'rprivate') {
    throw needs('bind-propagation=rprivate');
  }
}

function parseBool({ key, value }: Field): boolean {
  if (value === undefined || value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw usage(
    `invalid value for '${key}': invalid boolean value (${JSON.stringify(value)}): ` +
      'must be one of "true", "1", "false", or "0" (default "true")',
  );
}

/** `name=value`, or `name` for an empty value. */
function parsePair(key: string, text: string): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals === 0) throw usage(`invalid value for '${key}': no name before '=' in '${text}'`);
  return equals < 0 ? { [text]: '' } : { [text.slice(0, equals)]: text.slice(equals + 1) };
}

function setTmpfs(request: MountRequest, name: string, value: string | undefined): void {
  const others = (request.tmpfs?.options ?? []).filter((option) => !option.startsWith(`${name}=`));
  request.tmpfs = { options: value === undefined ? others : [...others, `${name}=${value}`] };
}

function usage(message: string, hint?: string): TinyrunError {
  return new TinyrunError('USAGE', message, { hint });
}
