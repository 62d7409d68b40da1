// Go's fmt.Sprintf, as far as templates use it: %v %s %q %d %x %X %o %b %c %t %f %e %g %T %%, with flags, width and
// precision.

import { printGo, quote, typeName } from './go-value.ts';

const VERB = /%([-+# 0]*)(\d+|\*)?(?:\.(\d*))?(.)/gsu;

/**
 * Formats values.
 * @returns what does not fit a verb shows as in Go: `%!d(string=x)`, `%!s(MISSING)`, `%!(EXTRA int=1)`
 */
export function formatVerbs(format: string, values: readonly unknown[]): string {
  let next = 0;
  const text = format.replace(
    VERB,
    (_, flags: string, width = '', precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      const length = width === '*' ? Number(values[next++]) : Number(width);
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const value = values[next++];
      const shown = formatOne(verb, value, flags, precision === undefined ? undefined : Number(precision));
      return padded(shown, length, flags, typeof value === 'number');
    },
  );
  const extra = values.slice(next).map((value) => `${typeName(value)}=${printGo(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`;
}

function formatOne(verb: string, value: unknown, flags: string, precision: number | undefined): string {
  const wrong = `%!${verb}(${typeName(value)}=${printGo(value)})`;
  if (verb === 'v') return printGo(value);
  if (verb === 'T') return typeName(value);
  if (verb === 't') return typeof value === 'boolean' ? `${value}` : wrong;
  if (verb === 's' || verb === 'q') {
    if (Array.isArray(value) && verb === 'q') return `[${value.map((one) => quote(printGo(one))).join(' ')}]`;
    if (typeof value === 'number' || typeof value === 'boolean') return wrong;
    const shown = [...printGo(value)].slice(0, precision).join('');
    return verb === 'q' ? quote(shown) : shown;
  }
  if (typeof value === 'string' && (verb === 'x' || verb === 'X')) {
    const hex = Buffer.from(value).toString('hex');
    return verb === 'X' ? hex.toUpperCase() : hex;
  }
  return typeof value === 'number' ? (formatNumber(verb, value, flags, precision) ?? wrong) : wrong;
}

const BASES: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 };

/** @returns undefined where the verb is for numbers of the other kind */
function formatNumber(
  verb: string,
  value: number,
  flags: string,
  precision: number | undefined,
): string | undefined {
  const sign = value >= 0 && flags.includes('+') ? '+' : '';
  if (verb in BASES && Number.isInteger(value)) {
    const digits = value.toString(BASES[verb]);
    const prefix = flags.includes('#') && 'xX'.includes(verb) ? `0${verb}` : '';
    return sign + prefix + (verb === 'X' ? digits.toUpperCase() : digits);
  }
  if (verb === 'c' && Number.isInteger(value)) return String.fromCodePoint(value);
  if (verb === 'f' || verb === 'F') return sign + value.toFixed(precision ?? 6);
  if (verb === 'e') return sign + value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
  if (verb === 'g')
    return sign + printGo(precision === undefined ? value : Number(value.toPrecision(precision || 1)));
  return undefined;
}

function padded(text: string, width: number, flags: string, isNumber: boolean): string {
  const missing = Math.max(0, width - [...text].length);
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!isNumber || !flags.includes('0')) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}
