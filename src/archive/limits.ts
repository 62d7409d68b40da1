// How much one archive may be. A few bytes of compressed zeros can be more than any disk holds, and a few megabytes of
// headers more files than any filesystem.

export interface Limits {
  /** Bytes of the archive, uncompressed. */
  bytes: number;
  /** Files, directories and all other entries. */
  entries: number;
}

/** Far beyond images that are in use, and within what a machine survives. */
export const DEFAULT_LIMITS: Limits = { bytes: 64 * 2 ** 30, entries: 2_000_000 };

/** Bytes of all headers of one entry together: names, records, maps of sparse files. */
export const HEADER_LIMIT = 2 ** 20;
