// The text of config.json -> a Config of which only the syntax is checked; validate.ts checks the rest.
import type { Config } from './config.ts';
import { parseJsonObject } from './json.ts';

/**
 * Parses config.json. The result has a Config's type for the sake of validateConfig's callers, and is one only after
 * that found no problem. Integers above 2^53 are bigints (json.ts).
 *
 * @param file how messages call it
 * @throws TinyrunError CONFIG with line and column of a syntax error
 */
export function parseConfig(text: string, file = 'config.json'): Config {
  return parseJsonObject(text, file) as object as Config;
}
