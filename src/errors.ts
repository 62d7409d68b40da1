// The one error that tinyrun throws on purpose, and how its words are printed. Anything else that reaches cli/main.ts is a bug
// of ours.
// May be imported from every folder.

/** What kind of failure it is: callers match on this, people read the message. */
export type ErrorCode =
  | 'CONFIG' // config.json is missing, unreadable or says something invalid
  | 'USAGE' // the command line is wrong
  | 'EXISTS' // the id (or volume name) is taken
  | 'NOT_FOUND' // no such container, bundle, ...
  | 'STATE' // the container is in the wrong state for this
  | 'HOST' // the host lacks something: kernel too old, not root
  | 'ARCHIVE' // an archive or image is damaged, hostile or beyond its limits
  | 'PROGRAM' // a program of ops is malformed: a bug, or a hand-written text form
  | 'UNSUPPORTED'; // tinyrun does not do this (yet), and says so

export interface TinyrunErrorOptions {
  /** What to do about it, one sentence, printed after the message. */
  hint?: string | undefined;
  /** Facts for machines: the JSON pointer, the path, the errno name, ... */
  data?: Record<string, unknown>;
  cause?: unknown;
  /** Overrides the exit code that `code` would give. */
  exit?: number | undefined;
}

/**
 * A failure with a message for people: one line, lower case, no final period, saying what was being done, on
 * what, and why it failed.
 */
export class TinyrunError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly data: Record<string, unknown>;
  readonly exit: number | undefined;

  constructor(code: ErrorCode, message: string, options: TinyrunErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TinyrunError';
    this.code = code;
    this.hint = options.hint;
    this.data = options.data ?? {};
    this.exit = options.exit;
  }

  toJSON(): Record<string, unknown> {
    return { code: this.code, message: this.message, hint: this.hint, ...this.data };
  }
}

/** C0 but for tab and newline, DEL, C1: what terminals act on. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

/**
 * A message as it is printed: a config may come from a stranger, and what a terminal would act on is shown as `\x1b`.
 * @param lines it may have more than one
 */
export function printable(text: string, lines = true): string {
  const shown = CONTROL.test(text)
    ? text.replaceAll(new RegExp(CONTROL, 'g'), (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
    : text;
  return lines || !shown.includes('\n') ? shown : shown.replaceAll('\n', '\\n');
}
