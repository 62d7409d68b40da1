// A command line, parsed: what fast.ts and yargs.ts both give, and how commands read it.

export type OptionValue = boolean | string | number | string[];

export interface CommandLine {
  /** A name of options.ts' table, or `version`. */
  command: string;
  /** Those that were given, by their long names. */
  options: Readonly<Record<string, OptionValue>>;
  args: readonly string[];
  /** What stands behind `--`; undefined if nothing does. */
  rest: readonly string[] | undefined;
}

type Given = Pick<CommandLine, 'options'>;

/** Whether a flag is given (and not as `--flag=false`). */
export function flag({ options }: Given, name: string): boolean {
  return options[name] === true;
}

/** The value of an option that is given once. */
export function text({ options }: Given, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** The values of an option that may be given several times. */
export function texts({ options }: Given, name: string): string[] {
  const value = options[name];
  return Array.isArray(value) ? value : [];
}

/** The value of an option that is a number. */
export function number({ options }: Given, name: string): number | undefined {
  const value = options[name];
  return typeof value === 'number' ? value : undefined;
}
