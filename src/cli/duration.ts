// Durations as Go's flags read them: `1.5h`, `1m30s`, `100ms`.

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, the micro sign
  μs: 1e-3, // U+03BC, the Greek letter
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** @returns milliseconds; undefined: not a duration */
export function parseDuration(text: string): number | undefined {
  const [, sign, parts] = /^([+-]?)(.+)$/.exec(text) ?? [];
  if (parts === undefined) return undefined;
  if (parts === '0') return 0;
  const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let sum = 0;
  while (part.lastIndex < parts.length) {
    const found = part.exec(parts);
    if (found === null) return undefined;
    sum += Number(found[1]) * MILLISECONDS[found[2]!]!;
  }
  return sign === '-' ? -sum : sum;
}
