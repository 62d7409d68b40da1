// The tests that pages of spec/ name: `FILE`: "TITLE", the file below test/.

export interface NamedTest {
  file: string;
  title: string;
}

/** All that a text names. */
export const namedTests = (text: string): NamedTest[] =>
  [...text.matchAll(/`([^`]+[.]test[.]ts)`: "((?:[^"\\]|\\.)*)"/g)].map(([, file, title]) => ({
    file: file!,
    title: title!.replaceAll('\\"', '"'),
  }));

/** Whether a title is a whole string of a test file, whichever quotes it has there. */
export const isTitle = (title: string, text: string): boolean =>
  ["'", '"', '`'].some((quote) => text.replaceAll(`\\${quote}`, quote).includes(quote + title + quote)) ||
  new RegExp(`^\\s*${RegExp.escape(title)}: \\w`, 'm').test(text); // a key of a table that needs no quotes
