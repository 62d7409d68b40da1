// The limits of a container as Docker's flags say them, Docker's checks of them, and what --log-driver and --log-opt say.

import type { HostConfig } from '../container/config.ts';
import { toPairs } from '../container/key-value.ts';
import { parseBytes, parseCpus, parseInteger } from '../container/quantity.ts';
import { parseUlimit } from '../container/ulimit.ts';
import { TinyrunError } from '../errors.ts';
import { type CommandLine, text, texts } from './command-line.ts';

const usage = (message: string, hint?: string): TinyrunError => new TinyrunError('USAGE', message, { hint });

/** Bytes: with less, no program starts. */
const LEAST_MEMORY = 6 * 1024 * 1024;

type Limits = Pick<
  HostConfig,
  | 'OomScoreAdj'
  | 'Ulimits'
  | 'Memory'
  | 'MemoryReservation'
  | 'MemorySwap'
  | 'MemorySwappiness'
  | 'NanoCpus'
  | 'CpuShares'
  | 'CpusetCpus'
  | 'CpusetMems'
  | 'PidsLimit'
  | 'BlkioWeight'
>;

/**
 * Reads the limits; what is not given is 0 or empty, which is no limit, but for swap.
 * @param host asked where it matters: whether it can limit swap, and whether all of its cgroups are v2
 * @throws TinyrunError USAGE
 */
export function toLimits(line: CommandLine, host: SwapFacts): Limits {
  const memory = sizeOption(line, 'memory');
  const integer = (name: string): number => {
    const value = text(line, name);
    return value === undefined ? 0 : parseInteger(value, `--${name}`);
  };
  return {
    OomScoreAdj: integer('oom-score-adj'),
    Ulimits: texts(line, 'ulimit').map(parseUlimit),
    Memory: memory,
    MemoryReservation: sizeOption(line, 'memory-reservation'),
    MemorySwap: memorySwap(line, memory, host),
    MemorySwappiness: swappiness(line, host),
    NanoCpus: parseCpus(text(line, 'cpus') ?? '0'),
    CpuShares: integer('cpu-shares'),
    CpusetCpus: text(line, 'cpuset-cpus') ?? '',
    CpusetMems: text(line, 'cpuset-mems') ?? '',
    PidsLimit: integer('pids-limit'),
    BlkioWeight: integer('blkio-weight'),
  };
}

export interface SwapFacts {
  countsSwap(): boolean;
  isUnified(): boolean;
}

/** Memory and swap together: as much swap again as memory, if nothing else is said; Docker's rule. */
function memorySwap(line: CommandLine, memory: number, { countsSwap }: SwapFacts): number {
  const given = text(line, 'memory-swap') === '-1' ? -1 : sizeOption(line, 'memory-swap');
  if (given !== 0 || memory === 0) return given;
  return countsSwap() ? 2 * memory : -1;
}

/** Docker's -1 is as if it were not given. */
function swappiness(line: CommandLine, { isUnified }: SwapFacts): number | null {
  const value = parseInteger(text(line, 'memory-swappiness') ?? '-1', '--memory-swappiness');
  if (value < -1 || value > 100)
    throw usage(`invalid value: ${value}. Valid memory swappiness range is 0-100`);
  if (value === -1) return null;
  if (isUnified()) throw usage('--memory-swappiness: cgroup v2 has no such thing', 'see --memory-swap');
  return value;
}

/**
 * An option that is a number of bytes with an optional unit; 0 where it is not given.
 * @throws TinyrunError USAGE
 */
export function sizeOption(line: CommandLine, name: string): number {
  const value = text(line, name);
  return value === undefined ? 0 : parseBytes(value, `--${name}`);
}

/**
 * Checks the limits.
 * @throws TinyrunError USAGE in Docker's words
 */
export function assertLimits(host: HostConfig): void {
  const { Memory, MemoryReservation, MemorySwap, NanoCpus, CpuShares, BlkioWeight, OomScoreAdj, PidsLimit } =
    host;
  if (Memory > 0 && Memory < LEAST_MEMORY)
    throw usage('Minimum memory limit allowed is 6MB', `--memory is ${Memory} bytes`);
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    throw usage('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (Memory === 0 && MemorySwap > 0)
    throw usage('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemoryReservation > 0 && MemoryReservation < LEAST_MEMORY)
    throw usage(
      'Minimum memory reservation allowed is 6MB',
      `--memory-reservation is ${MemoryReservation} bytes`,
    );
  if (Memory > 0 && MemoryReservation > Memory)
    throw usage('Minimum memory limit can not be less than memory reservation limit, see usage');
  if (NanoCpus !== 0) assertCpus(NanoCpus);
  if (CpuShares !== 0 && (CpuShares < 2 || CpuShares > 262144))
    throw usage(`invalid --cpu-shares ${CpuShares}: it is 2 to 262144`);
  if (BlkioWeight !== 0 && (BlkioWeight < 10 || BlkioWeight > 1000))
    throw usage('Range of blkio weight is from 10 to 1000');
  if (OomScoreAdj < -1000 || OomScoreAdj > 1000)
    throw usage(`Invalid value ${OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  if (PidsLimit < -1)
    throw usage(`invalid --pids-limit ${PidsLimit}: it is a number from 1, or -1 for no limit`);
  for (const list of [host.CpusetCpus, host.CpusetMems])
    if (list !== '' && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list))
      throw usage(`Invalid value ${list} for --cpuset-cpus or --cpuset-mems`, 'write it as 0-3,7');
}

function assertCpus(nanoCpus: number): void {
  const cpus = process.getBuiltinModule('node:os').availableParallelism(); // loaded where it is asked for
  if (nanoCpus < 1e7 || nanoCpus > cpus * 1e9)
    throw usage(
      `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
      `--cpus is ${nanoCpus / 1e9}`,
    );
}

/** What it is to be called in the options of a log, and what its value must be. */
const LOG_OPTIONS = ['max-size', 'max-file'];

/** @throws TinyrunError USAGE, UNSUPPORTED for drivers that send the output elsewhere */
export function parseLogConfig(
  driver: string | undefined,
  options: readonly string[],
): HostConfig['LogConfig'] {
  const type = driver || 'json-file';
  if (type !== 'json-file' && type !== 'local' && type !== 'none')
    throw new TinyrunError('UNSUPPORTED', `--log-driver ${type}: tinyrun keeps output in files only`, {
      hint: 'use json-file or local, which are the same here, or none',
    });
  const given = toPairs(options, '--log-opt');
  for (const name of Object.keys(given))
    if (!LOG_OPTIONS.includes(name) || type === 'none')
      throw usage(`unknown log opt '${name}' for ${type} log driver`);
  const { 'max-size': size, 'max-file': files } = given;
  const bytes = size === undefined || size === '-1' ? undefined : parseBytes(size, '--log-opt max-size');
  const count = files === undefined ? undefined : parseInteger(files, '--log-opt max-file');
  if (bytes === 0) throw usage('max-size must be a positive number');
  if (count !== undefined && count < 1) throw usage('max-file cannot be less than 1');
  if (count !== undefined && count > 1 && bytes === undefined)
    throw usage('max-file is of no use without max-size');
  return {
    Type: type === 'none' ? 'none' : 'json-file',
    Config: {
      ...(bytes === undefined ? {} : { 'max-size': String(bytes) }),
      ...(count === undefined ? {} : { 'max-file': String(count) }),
    },
  };
}
