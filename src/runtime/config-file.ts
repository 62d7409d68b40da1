// The text of a bundle's config.json. OCI bundle.md.

import { TinyrunError } from '../errors.ts';
import { errnos } from '../sys/errno.ts';
import type { RunOptions } from './options.ts';
import { readText, refused } from './probe.ts';

/** A config.json beyond this is no config: megabytes of JSON would only exhaust our memory. */
export const CONFIG_LIMIT = 16 * 1024 * 1024;

/** Where the config of a container is; messages call it so. */
export const configPath = ({ bundle, configFile }: Pick<RunOptions, 'bundle' | 'configFile'>): string =>
  configFile ?? `${bundle}/config.json`;

/**
 * Reads a config.json.
 * @param path absolute
 * @throws TinyrunError CONFIG where it cannot be read
 */
export function readConfig(path: string): string {
  const text = readText(path, CONFIG_LIMIT);
  if (typeof text === 'string') return text;
  if (text === -errnos['EFBIG']!)
    throw new TinyrunError('CONFIG', `read ${path}: it is larger than ${CONFIG_LIMIT / 1024 / 1024} MiB`);
  const error = refused('CONFIG', `read ${path}`, -text);
  if (text !== -errnos['ENOENT']!) throw error;
  throw new TinyrunError('CONFIG', error.message, {
    data: error.data,
    hint: 'a bundle is a directory with a config.json: make one with `tinyrun spec`',
  });
}

/**
 * Planners know a config by its JSON pointers only: the same error, with the file in front, as of what validation finds. The
 * config of a container with a record is nobody's file.
 */
export function inConfig(
  error: unknown,
  options: Pick<RunOptions, 'bundle' | 'configFile' | 'container'>,
): unknown {
  const path = configPath(options);
  if (!(error instanceof TinyrunError) || options.container !== undefined) return error;
  const { code, message, hint, data, exit } = error;
  if (!/^\/(mounts|process|linux|hooks)\//.test(message) || message.startsWith(path)) return error;
  return new TinyrunError(code, `${path}: ${message}`, {
    hint,
    exit,
    data,
    cause: error,
  });
}
