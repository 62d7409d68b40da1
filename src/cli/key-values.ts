// `KEY=VALUE` of options that may be repeated: --label, --opt.

/** The map of such words; a key alone has the empty value, and of the same key the last one counts. */
export const keyValues = (words: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
