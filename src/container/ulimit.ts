// --ulimit NAME=SOFT[:HARD], setrlimit(2), with Docker's grammar and words.

import { TinyrunError } from '../errors.ts';
import { rlimits } from '../sys/rlimits.ts';
import type { Ulimit } from './config.ts';

/**
 * @throws TinyrunError USAGE
 * @example parseUlimit('nofile=1024:2048') // { Name: 'nofile', Soft: 1024, Hard: 2048 }
 */
export function parseUlimit(text: string): Ulimit {
  const invalid = (why: string): TinyrunError =>
    new TinyrunError('USAGE', `invalid argument ${JSON.stringify(text)} for --ulimit: ${why}`);
  const [name = '', value] = text.split(/=(.*)/s);
  if (value === undefined || value === '') throw invalid(`invalid ulimit argument: ${text}`);
  if (!rlimits.includes(`RLIMIT_${name.toUpperCase()}`) || name !== name.toLowerCase())
    throw invalid(`invalid ulimit type: ${name}`);
  const limits = value.split(':');
  if (limits.length > 2)
    throw invalid(`too many limit value arguments - ${value}, can only have up to two, soft[:hard]`);
  const [soft = 0, hard = soft] = limits.map((limit) => {
    if (!/^(-1|\d+)$/.test(limit) || !Number.isSafeInteger(Number(limit)))
      throw invalid(`${limit} is no number`);
    return Number(limit);
  });
  if (hard !== -1 && (soft === -1 || soft > hard))
    throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return { Name: name, Soft: soft, Hard: hard };
}
