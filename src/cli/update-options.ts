// The command line of `update` -> linux.resources. Every number may be 0, which leaves the limit alone, as in runc.

import { TinyrunError } from '../errors.ts';
import type { Int64, Resources } from '../oci/config.ts';
import { parseSize } from '../volume/size.ts';
import { type CommandLine, text } from './command-line.ts';

interface Row {
  section: 'memory' | 'cpu' | 'pids' | 'blockIO';
  field: string;
  read: (text: string) => Int64 | string | undefined;
}

/** A number in bytes: `52428800`, `50M`, `50MiB`; -1 is no limit. */
const size = (text: string): Int64 | undefined => (text === '-1' ? -1 : parseSize(text));
const unsigned = (text: string): Int64 | undefined => (/^\+?\d+$/.test(text) ? exact(text) : undefined);
const signed = (text: string): Int64 | undefined => (/^[+-]?\d+$/.test(text) ? exact(text) : undefined);
const list = (text: string): string => text;

function exact(text: string): Int64 {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text.replace('+', ''));
}

const ROWS: Readonly<Record<string, Row>> = {
  'blkio-weight': { section: 'blockIO', field: 'weight', read: unsigned },
  'cpu-period': { section: 'cpu', field: 'period', read: unsigned },
  'cpu-quota': { section: 'cpu', field: 'quota', read: signed },
  'cpu-burst': { section: 'cpu', field: 'burst', read: unsigned },
  'cpu-share': { section: 'cpu', field: 'shares', read: unsigned },
  'cpu-rt-period': { section: 'cpu', field: 'realtimePeriod', read: unsigned },
  'cpu-rt-runtime': { section: 'cpu', field: 'realtimeRuntime', read: signed },
  'cpu-idle': { section: 'cpu', field: 'idle', read: signed },
  'cpuset-cpus': { section: 'cpu', field: 'cpus', read: list },
  'cpuset-mems': { section: 'cpu', field: 'mems', read: list },
  'kernel-memory': { section: 'memory', field: 'kernel', read: size },
  'kernel-memory-tcp': { section: 'memory', field: 'kernelTCP', read: size },
  memory: { section: 'memory', field: 'limit', read: size },
  'memory-reservation': { section: 'memory', field: 'reservation', read: size },
  'memory-swap': { section: 'memory', field: 'swap', read: size },
  'pids-limit': { section: 'pids', field: 'limit', read: signed },
};

/**
 * The limits that the command line asks for.
 * @throws TinyrunError USAGE for a value that is none
 */
export function toResources(line: CommandLine): Resources {
  const resources: Partial<Record<Row['section'], Record<string, Int64 | string>>> = {};
  for (const name in ROWS) {
    const value = text(line, name);
    if (value === undefined || value === '') continue;
    const { section, field, read } = ROWS[name]!;
    const limit = read(value);
    if (limit === undefined) throw invalid(name, value, read === size);
    resources[section] = { ...resources[section], [field]: limit };
  }
  return resources as object as Resources; // their ranges are checked with those of a file
}

function invalid(name: string, value: string, isSize: boolean): TinyrunError {
  const why = isSize ? `invalid size: '${value}'` : `${JSON.stringify(value)} is not a number`; // runc's words
  return new TinyrunError('USAGE', `invalid value for ${name}: ${why}`, {
    hint: isSize ? 'a size is 52428800, 50M or 1.5G; -1 is no limit' : 'see tinyrun update --help',
  });
}
