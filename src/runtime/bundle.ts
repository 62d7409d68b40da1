// A bundle on disk -> a checked config. OCI bundle.md.

import { TinyrunError } from '../errors.ts';
import type { Config } from '../oci/config.ts';
import { parseConfig } from '../oci/parse.ts';
import { unappliedFields } from '../oci/unapplied.ts';
import { formatProblems, validateConfig } from '../oci/validate.ts';
import type { Log } from './log.ts';
import { readText, refused } from './probe.ts';

/** A config.json beyond this is no config: megabytes of JSON would only exhaust our memory. */
const CONFIG_LIMIT = 16 * 1024 * 1024;

/**
 * Reads and checks BUNDLE/config.json, before anything is made.
 * @param bundle absolute
 * @throws TinyrunError CONFIG with every problem of the config at once
 */
export function readBundle(bundle: string, log: Log): Config {
  const path = `${bundle}/config.json`;
  const text = readText(path, CONFIG_LIMIT);
  if (text === -27)
    throw new TinyrunError('CONFIG', `read ${path}: it is larger than ${CONFIG_LIMIT / 1024 / 1024} MiB`);
  if (typeof text === 'number') {
    const error = refused('CONFIG', `read ${path}`, -text);
    throw new TinyrunError('CONFIG', error.message, {
      data: error.data,
      hint:
        text === -2 ? 'a bundle is a directory with a config.json: make one with `tinyrun spec`' : undefined!,
    });
  }
  const { config, problems, warnings } = validateConfig(parseConfig(text, path));
  if (problems.length > 0)
    throw new TinyrunError('CONFIG', formatProblems(problems, path), { data: { problems } });
  if (warnings.length > 0) log.warn(formatProblems(warnings, path));
  const unapplied = unappliedFields(config);
  if (unapplied.length > 0) log.warn(`${path}: not applied by this version: ${unapplied.join(', ')}`);
  return config;
}
