// The text of config.json -> a checked config, with its warnings said. OCI config.md.

import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { parseConfig } from '../oci/parse.ts';
import { formatProblems, validateConfig } from '../oci/validate.ts';
import type { Log } from './log.ts';

/**
 * Checks the text of a config.json, before anything is made.
 * @param path where it was read, for messages
 * @throws TinyrunError CONFIG with every problem of the config at once
 */
export function parseBundle(path: string, text: string, log: Log): Config {
  const { config, problems, warnings } = validateConfig(parseConfig(text, path));
  if (problems.length > 0)
    throw new TinyrunError('CONFIG', formatProblems(problems, path), { data: { problems } });
  if (warnings.length > 0) log.warn(formatProblems(warnings, path));
  return config;
}
