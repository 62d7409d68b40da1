// tinyrun inspect, tinyrun container inspect

import { TinyrunError } from '../../errors.ts';
import { inspectImage } from '../../image/inspect.ts';
import { findImage } from '../../image/store.ts';
import { inspectBundle, inspectRecord } from '../../inspect/container-json.ts';
import { findAny } from '../../inspect/find.ts';
import { sizesOf } from '../../inspect/sizes.ts';
import { print } from '../../runtime/log.ts';
import type { GlobalOptions } from '../../runtime/options.ts';
import { inspectVolume } from '../../volume/inspect.ts';
import { findVolume } from '../../volume/store.ts';
import { type CommandLine, flag, text } from '../command-line.ts';
import { forEach } from '../each.ts';
import { formatInspect } from '../format/inspect.ts';

type Type = 'container' | 'image' | 'volume';

/** How each kind of thing is looked up; undefined where there is none. */
const finders: Readonly<
  Record<
    Type,
    (global: GlobalOptions, called: string, size: boolean) => object | undefined | Promise<object | undefined>
  >
> = {
  container: inspectContainer,
  image: ({ dataRoot }, called) => {
    const image = findImage(dataRoot, called);
    return image && inspectImage(dataRoot, image);
  },
  volume: async ({ dataRoot }, called) => {
    const volume = await findVolume(dataRoot, called);
    return volume && inspectVolume(dataRoot, volume);
  },
};

export async function run(line: CommandLine, global: GlobalOptions): Promise<number> {
  const type = line.command === 'inspect' ? text(line, 'type') : 'container';
  const types = Object.keys(finders).filter((one): one is Type => !type || one === type);
  const found: unknown[] = [];
  const code = await forEach(line.args, global, async (called) => {
    found.push(await findOne(global, called, types, flag(line, 'size')));
  });
  print(1, formatInspect(text(line, 'format'), found));
  return code;
}

/**
 * What has this name, or this whole id; else the first that has an id which begins so: a name may look like one.
 * @throws TinyrunError NOT_FOUND; USAGE if there are only several of one kind whose ids begin so
 */
async function findOne(
  global: GlobalOptions,
  called: string,
  types: readonly Type[],
  size: boolean,
): Promise<object> {
  let byPrefix: object | undefined;
  let ambiguous: TinyrunError | undefined;
  for (const type of types) {
    try {
      const one = await finders[type](global, called, size);
      if (one !== undefined && !isByPrefix(one, called)) return one;
      byPrefix ??= one;
    } catch (error) {
      if (!(error instanceof TinyrunError) || error.code !== 'USAGE') throw error;
      ambiguous ??= error;
    }
  }
  if (byPrefix !== undefined) return byPrefix;
  if (ambiguous !== undefined) throw ambiguous;
  const [only] = types.length === 1 ? types : [];
  throw new TinyrunError('NOT_FOUND', `No such ${only ?? 'object'}: ${called}`, { data: { object: called } });
}

/** Whether the beginning of its id alone says that this is meant. */
function isByPrefix(value: object, called: string): boolean {
  if (!('Id' in value) || typeof value.Id !== 'string') return false;
  const id = value.Id.replace('sha256:', '');
  const names = 'RepoTags' in value ? value.RepoTags : 'Name' in value ? [value.Name] : [];
  const isNamed = Array.isArray(names) && names.some((name) => isName(String(name), called));
  return id !== called.replace('sha256:', '') && id.startsWith(called) && !isNamed;
}

const isName = (name: string, called: string): boolean =>
  [name, name.replace(/^\//, ''), name.replace(/:latest$/, '')].includes(called);

function inspectContainer(global: GlobalOptions, called: string, size: boolean): object | undefined {
  const found = findAny(global, called);
  if (found === undefined) return undefined;
  const { id, imageId } =
    'record' in found ? found.record : { id: found.container.state.id, imageId: undefined };
  const inspected =
    'record' in found ? inspectRecord(global, found.record) : inspectBundle(global, found.container);
  if (!size) return inspected;
  const { own, whole } = sizesOf(global.dataRoot, id, imageId);
  return { ...inspected, SizeRw: own, SizeRootFs: whole };
}
