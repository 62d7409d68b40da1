// Sizes as people write them.

const UNITS = ['b', 'k', 'm', 'g', 't', 'p'];

/**
 * Bytes, as Docker reads them: `64m`, `64MB` and `64 MiB` are all 2^26.
 * @returns undefined: not a size, or too large for an exact number
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(?:b|([kmgtp])(?:i?b)?)?$/i.exec(text);
  if (match === null) return undefined;
  const bytes = Math.floor(Number(match[1]) * 1024 ** UNITS.indexOf((match[2] ?? 'b').toLowerCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
