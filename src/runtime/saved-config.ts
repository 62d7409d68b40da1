// The config that a container was made of, which its host program copied into the state directory.

import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { parseConfig } from '../oci/parse.ts';
import { formatProblems, validateConfig } from '../oci/validate.ts';
import { readConfig } from './config-file.ts';

/** Where it is; `update` writes it anew. */
export const savedConfigPath = (root: string, id: string): string => `${root}/${id}/config.json`;

/**
 * Reads the config of a container.
 * @throws TinyrunError CONFIG if it cannot be read
 */
export function readSavedConfig(root: string, id: string): Config {
  const path = savedConfigPath(root, id);
  return parseSavedConfig(readConfig(path), path);
}

/**
 * Parses it, and checks it again: who can write to the state root is root, but a disk may be full or damaged.
 * @param path for messages
 * @throws TinyrunError CONFIG
 */
export function parseSavedConfig(text: string, path: string): Config {
  const { config, problems } = validateConfig(parseConfig(text, path));
  if (problems.length > 0) throw new TinyrunError('CONFIG', formatProblems(problems, path));
  return config;
}
