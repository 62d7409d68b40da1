// tinyrun image save
import { TinyrunError } from '../../errors.ts';
import { parseReference } from '../../image/reference.ts';
import { type Saved, type SaveFormat, saveImages } from '../../image/save.ts';
import { meansId, resolveImage } from '../../image/store.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, text } from '../command-line.ts';
import { compressionOf, writeOutput } from '../output.ts';

export async function run(line: CommandLine, { dataRoot }: GlobalOptions, cwd: string): Promise<number> {
  const images = chooseImages(dataRoot, line.args);
  const format = formatOf(line);
  await writeOutput(line, cwd, (sink) => saveImages(dataRoot, images, format, sink));
  return 0;
}

function formatOf(line: CommandLine): SaveFormat {
  const compression = compressionOf(line);
  if (text(line, 'format') === 'oci') return { kind: 'oci', compression };
  if (compression === 'none') return { kind: 'docker' };
  throw new TinyrunError('USAGE', `--compress ${compression}: layers are compressed in an OCI layout only`, {
    hint: `say --format oci, or compress the whole archive: tinyrun image save IMAGE | ${compression}`,
  });
}

/** An image gets the names that it is called by here; by an id it gets none. */
function chooseImages(dataRoot: string, called: readonly string[]): Saved[] {
  const chosen = new Map<string, Saved>();
  for (const text of called) {
    const image = resolveImage(dataRoot, text);
    const saved = chosen.get(image.id) ?? { image, tags: [] };
    const reference = meansId(image, text) ? undefined : parseReference(text);
    const tags = reference?.digest === undefined && reference !== undefined ? [reference.familiar] : [];
    chosen.set(image.id, { image, tags: [...new Set([...saved.tags, ...tags])] });
  }
  return [...chosen.values()];
}
