// native-bindings/options.h: which options of src/cli/options.ts take a value, for the launcher, which has to know what
// is one and what is the id.

import { commands, globalOptions, type OptionSpec } from '../src/cli/options.ts';

/** The text of options.h. */
export function optionsHeader(): string {
  const list = (name: string, command: string, isWanted: (spec: OptionSpec) => boolean): string => {
    const options = Object.entries({ ...globalOptions, ...commands[command]!.options });
    const names = options
      .filter(([, spec]) => isWanted(spec))
      .flatMap(([option, { alias }]) => (alias === undefined ? [option] : [option, alias]));
    return `static const char ${name}[] = "${names.map((option) => `${option}\\0`).join('" "')}";`;
  };
  const lines = ['run', 'exec'].flatMap((command) => [
    list(`${command}_values`, command, ({ type }) => type !== 'flag'),
    list(`${command}_flags`, command, ({ type }) => type === 'flag'),
  ]);
  return `// Generated from src/cli/options.ts by scripts/build.ts: do not edit. Each name ends with a NUL; those of \`create\` are
// a part of those of \`run\`.
${lines.join('\n')}
`;
}
