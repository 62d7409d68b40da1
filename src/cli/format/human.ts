// Sizes, times and durations as Docker shows them to people.

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];

/**
 * A size in three digits and decimal units: `0B`, `1.23MB`.
 * @param bytes from 0
 */
export function humanSize(bytes: number): string {
  let unit = 0;
  let size = bytes;
  // Rounded first: 999,950 bytes are 1MB.
  while (unit < UNITS.length - 1 && Number(size.toPrecision(3)) >= 1000) {
    size /= 1000;
    unit += 1;
  }
  return `${Number(size.toPrecision(3))}${UNITS[unit]}`;
}

const [MINUTE, HOUR, DAY] = [60, 3600, 86400];

/**
 * How long something lasts, in words: `5 minutes`, `About an hour`. For `5 minutes ago` put ` ago` behind it.
 * @param milliseconds a clock that was set back gives less than none, which is shown as none
 */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const hours = Math.floor(seconds / HOUR + 0.5);
  const days = Math.floor(hours / 24);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < MINUTE) return `${seconds} seconds`;
  if (seconds < 2 * MINUTE) return 'About a minute';
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (days < 14) return `${days} days`;
  if (days < 60) return `${Math.floor(days / 7)} weeks`;
  if (days < 2 * 365) return `${Math.floor(days / 30)} months`;
  return `${Math.floor(seconds / DAY / 365)} years`;
}

/** Go's `Time.String()` in the local time zone, as lists show a time: `2026-11-26 03:19:37 +0000 UTC`. */
export function humanTime(time: Date): string {
  const ahead = -time.getTimezoneOffset();
  const local = new Date(time.getTime() + ahead * 60_000).toISOString();
  const two = (value: number): string => `${Math.floor(value)}`.padStart(2, '0');
  const offset = `${ahead < 0 ? '-' : '+'}${two(Math.abs(ahead) / 60)}${two(Math.abs(ahead) % 60)}`;
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${offset} ${ahead === 0 ? 'UTC' : zoneName(time)}`;
}

const zoneName = (time: Date): string =>
  new Intl.DateTimeFormat('en', { timeZoneName: 'short' })
    .formatToParts(time)
    .find(({ type }) => type === 'timeZoneName')?.value ?? '';

/** The 12 digits of an id that lists show; of `sha256:...` those behind it. */
export const shortId = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);

/** A path with the first 12 digits of the ids in it. */
export const shortPath = (path: string): string => path.replace(/[0-9a-f]{64}/g, (id) => `${shortId(id)}…`);

/** A text cut to a length, with `…` as its last character where something is missing. */
export function ellipsis(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
