// Where a volume plugin listens: Docker's plugin discovery. A socket NAME.sock (or NAME/NAME.sock) in the first directory;
// else a file NAME.spec, a line with an address, or NAME.json, in the others.

import { close, SystemError } from '../../../native-bindings/libc.ts';
import { AT_FDCWD, exists, openDirectory, readDirectory, readSmall } from '../../disk/files.ts';
import { TinyrunError } from '../../errors.ts';

/** How to reach a plugin. */
export interface PluginAddress {
  /** Of a unix socket; undefined: by TCP. */
  socket: string | undefined;
  /** What the paths of calls are put behind. */
  url: string;
}

const SOCKETS = '/run/docker/plugins';
const SPECS = ['/etc/docker/plugins', '/usr/lib/docker/plugins'];
/** Other directories in place of these, the one of sockets first, separated by colons. */
const VARIABLE = 'TINYRUN_PLUGIN_DIRS';

/** A name is a part of a path. */
const isPluginName = (name: string): boolean => /^[a-zA-Z0-9][\w.-]*$/.test(name);

function directories(): [sockets: string, ...specs: string[]] {
  const [sockets = SOCKETS, ...specs] = process.env[VARIABLE]?.split(':') ?? [SOCKETS, ...SPECS];
  return [sockets, ...specs];
}

/** The names of all plugins that can be found, sorted. Whether they are volume plugins, only they know. */
export function listPlugins(): string[] {
  const [sockets, ...specs] = directories();
  const names = [
    ...namesIn(sockets).flatMap((file) => (file.endsWith('.sock') ? [file.slice(0, -5)] : [])),
    ...namesIn(sockets).filter((name) => exists(AT_FDCWD, `${sockets}/${name}/${name}.sock`)),
    ...specs.flatMap(namesIn).flatMap((file) => /^(.+)\.(?:spec|json)$/.exec(file)?.[1] ?? []),
  ];
  return [...new Set(names)].filter(isPluginName).sort();
}

function namesIn(path: string): string[] {
  const fd = openIfAllowed(path);
  if (fd === undefined) return [];
  try {
    return readDirectory(fd);
  } finally {
    close(fd);
  }
}

/** Who may not look into the directory may not talk to the plugins either: for him there are none. */
function openIfAllowed(path: string): number | undefined {
  try {
    return openDirectory(AT_FDCWD, path);
  } catch (error) {
    if (error instanceof SystemError && error.errno === 'EACCES') return undefined;
    throw error;
  }
}

/**
 * Where a plugin listens.
 * @param what is being done, the beginning of messages: `create data`
 * @throws TinyrunError NOT_FOUND in Docker's words; UNSUPPORTED for TLS
 */
export function findPlugin(name: string, what: string): PluginAddress {
  const [sockets, ...specs] = directories();
  if (isPluginName(name)) {
    for (const socket of [`${sockets}/${name}.sock`, `${sockets}/${name}/${name}.sock`])
      if (exists(AT_FDCWD, socket)) return { socket, url: 'http://plugin' };
    for (const directory of specs) {
      const path = `${directory}/${name}`;
      const spec = readSmall(AT_FDCWD, `${path}.spec`);
      if (spec !== undefined) return parseAddress({ name, what }, `${path}.spec`, spec.trim());
      const json = readSmall(AT_FDCWD, `${path}.json`);
      if (json !== undefined) return parseJson({ name, what }, `${path}.json`, json);
    }
  }
  throw new TinyrunError(
    'NOT_FOUND',
    `${what}: error looking up volume plugin ${name}: plugin "${name}" not found`,
    {
      hint: `a plugin is ${sockets}/${name}.sock, or NAME.spec or NAME.json in ${specs.join(', ')}`,
      data: { plugin: name },
    },
  );
}

/** A plugin, and what for. */
interface Sought {
  name: string;
  what: string;
}

const damaged = ({ name, what }: Sought, path: string, why: string): TinyrunError =>
  new TinyrunError('HOST', `${what}: error looking up volume plugin ${name}: ${path}: ${why}`, {
    hint: 'an address is unix:///PATH or tcp://HOST:PORT',
    data: { plugin: name },
  });

function parseJson(sought: Sought, path: string, text: string): PluginAddress {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(sought, path, 'is no JSON');
  }
  if (typeof value !== 'object' || value === null || !('Addr' in value) || typeof value.Addr !== 'string')
    throw damaged(sought, path, 'has no Addr');
  if ('TLSConfig' in value && value.TLSConfig !== null)
    throw new TinyrunError(
      'UNSUPPORTED',
      `${sought.what}: error looking up volume plugin ${sought.name}: ${path}: TLS is not supported`,
      {
        hint: 'let it listen on a unix socket',
      },
    );
  return parseAddress(sought, path, value.Addr);
}

function parseAddress(sought: Sought, path: string, address: string): PluginAddress {
  if (address.startsWith('unix:///'))
    return { socket: address.slice('unix://'.length), url: 'http://plugin' };
  const [, host] = /^(?:tcp|http):\/\/([^/\s]+)\/?$/.exec(address) ?? [];
  if (host === undefined) throw damaged(sought, path, `${JSON.stringify(address)} is no address`);
  return { socket: undefined, url: `http://${host}` };
}
