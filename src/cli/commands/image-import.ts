// tinyrun image import, load
import { isTerminal, SystemError } from '../../../native-bindings/libc.ts';
import { TinyrunError } from '../../errors.ts';
import { type Imported, type ImportOptions, importImages } from '../../image/import.ts';
import { parsePlatform } from '../../image/platform.ts';
import { parseReference } from '../../image/reference.ts';
import { collectLayers } from '../../image/remove.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, flag, text, texts } from '../command-line.ts';
import { absolute } from '../global.ts';

export async function run(line: CommandLine, { dataRoot }: GlobalOptions, cwd: string): Promise<number> {
  const { source, reference } = readArguments(line);
  const platform = text(line, 'platform');
  const options: ImportOptions = {
    name: reference === undefined ? undefined : toName(reference),
    changes: texts(line, 'change'),
    message: text(line, 'message'),
    platform: platform === undefined ? undefined : parsePlatform(platform),
    quiet: flag(line, 'quiet'),
  };
  const path = source === '-' ? '-' : absolute(source, cwd);
  let imported: Imported;
  try {
    imported = await importImages(dataRoot, path, source, options);
  } catch (error) {
    throw named(source, dataRoot, error);
  } finally {
    // Layers of an import that failed, now or before, are of no use.
    await collectLayers(dataRoot);
  }
  print(1, report(imported));
  return 0;
}

/** What is wrong with the archive, or with writing what is in it, is told with its name: once, as many messages begin with it. */
function named(source: string, dataRoot: string, error: unknown): unknown {
  const name = source === '-' ? 'standard input' : source;
  const what = source === '-' ? `import from ${name}` : `import ${name}`;
  if (error instanceof SystemError && !error.message.includes(name))
    return new TinyrunError('HOST', `${what} into ${dataRoot}: ${error.message}`, { cause: error });
  const wrong = error instanceof TinyrunError && ['ARCHIVE', 'CONFIG', 'UNSUPPORTED'].includes(error.code);
  if (!wrong) return error;
  const { code, message, hint, data } = error;
  const rest = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
  return new TinyrunError(code, `${what}: ${rest}`, {
    hint,
    data,
    cause: error,
  });
}

/** `load -i FILE`, `load <FILE`, `import FILE NAME`. */
function readArguments(line: CommandLine): { source: string; reference: string | undefined } {
  const input = text(line, 'input');
  const [source, reference] = input === undefined ? line.args : [input, ...line.args];
  if (line.args.length === 2 && input !== undefined)
    throw new TinyrunError('USAGE', '--input and SOURCE are the same thing: give one of them');
  if (source === '') throw new TinyrunError('USAGE', 'image import: the name of the file is empty');
  if (/^https?:\/\//.test(source ?? ''))
    throw new TinyrunError('USAGE', `${source} is not fetched: only files are imported`, {
      hint: `curl -L ${source} | tinyrun image import - NAME`,
    });
  if ((source ?? '-') === '-' && isTerminal(0))
    throw new TinyrunError('USAGE', 'import from standard input: it is a terminal', {
      hint: 'name a file, or send one: tinyrun load <FILE',
    });
  return { source: source ?? '-', reference };
}

function toName(reference: string): ReturnType<typeof parseReference> {
  const name = parseReference(reference);
  if (name.digest !== undefined) throw new TinyrunError('USAGE', 'cannot import digest reference');
  return name;
}

/** Docker's words. */
function report(imported: Imported): string {
  if (imported.kind === 'rootfs') return `${imported.image.id}\n`;
  return imported.images
    .flatMap(({ image, names, taken }) => [
      ...taken.map(
        ({ name, id }) =>
          `The image ${name} already exists, renaming the old one with ID ${id} to empty string\n`,
      ),
      ...names.map(({ familiar }) => `Loaded image: ${familiar}\n`),
      ...(names.length === 0 ? [`Loaded image ID: ${image.id}\n`] : []),
    ])
    .join('');
}
