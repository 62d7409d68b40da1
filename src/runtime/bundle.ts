// The text of config.json -> a checked config, with its warnings said. OCI config.md.

import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { parseConfig } from '../oci/parse.ts';
import { unappliedFields } from '../oci/unapplied.ts';
import { formatProblems, validateConfig } from '../oci/validate.ts';
import { configPath } from './config-file.ts';
import type { Log } from './log.ts';

/**
 * Checks the text of BUNDLE/config.json, before anything is made.
 * @throws TinyrunError CONFIG with every problem of the config at once
 */
export function parseBundle(bundle: string, text: string, log: Log): Config {
  const path = configPath(bundle);
  const { config, problems, warnings } = validateConfig(parseConfig(text, path));
  if (problems.length > 0)
    throw new TinyrunError('CONFIG', formatProblems(problems, path), { data: { problems } });
  if (warnings.length > 0) log.warn(formatProblems(warnings, path));
  const unapplied = unappliedFields(config);
  if (unapplied.length > 0) log.warn(`${path}: not applied by this version: ${unapplied.join(', ')}`);
  return config;
}
