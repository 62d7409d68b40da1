// tinyrun image save
import { parseReference } from '../../image/reference.ts';
import { type Saved, saveImages } from '../../image/save.ts';
import { meansId, resolveImage } from '../../image/store.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { type CommandLine, text } from '../command-line.ts';
import { writeOutput } from '../output.ts';

export async function run(line: CommandLine, { dataRoot }: GlobalOptions, cwd: string): Promise<number> {
  const images = chooseImages(dataRoot, line.args);
  const format = text(line, 'format') === 'oci' ? 'oci' : 'docker';
  await writeOutput(line, cwd, (sink) => saveImages(dataRoot, images, format, sink));
  return 0;
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
