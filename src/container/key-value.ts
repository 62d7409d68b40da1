// Lists of `NAME=value`: flags, and the files of --env-file and --label-file, whose lines are the same. Docker's grammar.

import { TinyrunError } from '../errors.ts';

/**
 * Variables of --env: `NAME` alone is the caller's own one, if he has it; else it stays as it is, which takes an image's away.
 * @throws TinyrunError USAGE in Docker's words
 */
export function parseEnvironment(
  values: readonly string[],
  caller: Readonly<Record<string, string | undefined>>,
): string[] {
  return values.map((value) => {
    if (value === '' || value.startsWith('='))
      throw new TinyrunError('USAGE', `invalid environment variable: ${value}`);
    if (value.includes('\0')) throw new TinyrunError('USAGE', 'invalid environment variable: it has a NUL');
    const own = value.includes('=') ? undefined : caller[value];
    return own === undefined ? value : `${value}=${own}`;
  });
}

/**
 * The lines of --env-file and --label-file: empty ones and those that start with `#` are none.
 * @param path for the message
 * @throws TinyrunError USAGE in Docker's words
 */
export function parseLines(text: string, path: string): string[] {
  if (text.includes('\0') || text.includes('\ufffd'))
    throw new TinyrunError('USAGE', `${path}: it is no text: it has bytes that are not UTF-8, or NULs`);
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .flatMap((raw, index) => {
      const line = raw.replace(/\r$/, '').trimStart();
      if (line === '' || line.startsWith('#')) return [];
      const name = line.split('=', 1)[0]!;
      if (name === '') throw new TinyrunError('USAGE', `no variable name on line '${line}' of ${path}`);
      if (/\s/.test(name))
        throw new TinyrunError(
          'USAGE',
          `variable '${name}' contains whitespaces: line ${index + 1} of ${path}`,
        );
      return [line];
    });
}

/** `NAME=value` entries as an object; `NAME` alone has the empty value. */
export function toRecord(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const [name = '', value = ''] = entry.split(/=(.*)/s);
      return [name, value];
    }),
  );
}

/**
 * The same for --label, whose names are not empty and have no blanks.
 * @throws TinyrunError USAGE in Docker's words
 */
export function toLabels(entries: readonly string[]): Record<string, string> {
  for (const entry of entries) {
    const name = entry.split('=', 1)[0]!.trimStart();
    if (name === '') throw new TinyrunError('USAGE', `invalid label '${entry}': empty name`);
    if (/\s/.test(name)) throw new TinyrunError('USAGE', `label '${name}' contains whitespaces`);
  }
  return toRecord(entries);
}

/**
 * The same for options whose value must not miss: --sysctl, --log-opt.
 * @throws TinyrunError USAGE
 */
export function toPairs(entries: readonly string[], flag: string): Record<string, string> {
  const alone = entries.find((entry) => !/^[^=]+=/.test(entry));
  if (alone !== undefined)
    throw new TinyrunError(
      'USAGE',
      `invalid argument ${JSON.stringify(alone)} for ${flag}: expected NAME=VALUE`,
    );
  return toRecord(entries);
}
