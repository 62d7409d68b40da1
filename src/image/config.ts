// An image's config: the JSON whose sha256 is the image's id, with the layers' diff ids and what a container of it starts
// with (OCI image-spec config.md; Docker's own fields beside it). An image is a stranger's: its config is checked whole and
// has bounds, and nothing in it tells the host what to do.

import { TinyrunError } from '../errors.ts';
import { Checker } from '../oci/checker.ts';
import { type Json, parseJsonObject } from '../oci/json.ts';
import { isDigest } from './reference.ts';

/** What a container gets from its image: the `config` object. */
export interface ImageDefaults {
  User?: string;
  ExposedPorts?: Record<string, object>;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  /** Seconds. */
  StopTimeout?: number;
  Healthcheck?: Record<string, unknown>;
  OnBuild?: string[];
  Shell?: string[];
  ArgsEscaped?: boolean;
}

/** How a layer came to be; those without `empty_layer` go with the layers, in order. */
export interface HistoryEntry {
  /** RFC 3339. */
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

export interface ImageConfig {
  /** RFC 3339. */
  created?: string;
  author?: string;
  /** Docker's. */
  comment?: string;
  architecture: string;
  variant?: string;
  os: string;
  config?: ImageDefaults;
  rootfs: { type: 'layers'; diff_ids: string[] };
  history?: HistoryEntry[];
}

/** Bytes; the largest that registries take for a manifest. */
export const LARGEST_CONFIG = 4 << 20;
/** As many lowers as an overlay has. */
export const MOST_LAYERS = 500;
/** Of lists and maps: far more than any image has, far less than would hurt. */
const MOST_ENTRIES = 10_000;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads and checks an image's config.
 * @param bytes JSON in UTF-8
 * @param name how messages call it: `image config sha256:...`
 * @throws TinyrunError CONFIG, naming the first field that is wrong
 */
export function parseImageConfig(bytes: Uint8Array, name: string): ImageConfig {
  const json = parseJsonObject(decodeJson(bytes, name), name);
  const checker = new Checker();
  checkImage(checker, json);
  const [problem, ...others] = checker.problems;
  if (problem === undefined) return json as object as ImageConfig;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new TinyrunError('CONFIG', `${name}: ${problem.pointer}: ${problem.message}${more}`, {
    data: { pointer: problem.pointer },
  });
}

/**
 * A JSON document of an image as text.
 * @throws TinyrunError CONFIG where it is too large, or no UTF-8
 */
export function decodeJson(bytes: Uint8Array, name: string): string {
  if (bytes.length > LARGEST_CONFIG)
    throw new TinyrunError('CONFIG', `${name} has ${bytes.length} bytes, more than ${LARGEST_CONFIG}`);
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new TinyrunError('CONFIG', `${name} is not UTF-8`, { cause });
  }
}

function checkImage(checker: Checker, image: Json): void {
  for (const key of ['created', 'author', 'comment', 'variant']) checker.string(image, '', key);
  for (const key of ['architecture', 'os'])
    if (checker.required(image, '', key)) checker.string(image, '', key);
  const defaults = checker.object(image, '', 'config');
  if (defaults !== undefined) checkDefaults(checker, defaults);
  checkHistory(checker, image);
  if (checker.required(image, '', 'rootfs')) checkRootfs(checker, image);
}

function checkRootfs(checker: Checker, image: Json): void {
  const rootfs = checker.object(image, '', 'rootfs');
  if (rootfs === undefined) return;
  if (checker.required(rootfs, '/rootfs', 'type')) checker.oneOf(rootfs, '/rootfs', 'type', ['layers']);
  rootfs['diff_ids'] ??= []; // Go writes an empty list as null
  const ids = checker.strings(rootfs, '/rootfs', 'diff_ids');
  if (ids.length > MOST_LAYERS)
    checker.fail('/rootfs/diff_ids', `has ${ids.length} layers, more than ${MOST_LAYERS}`);
  for (let i = 0; i < ids.length; i++)
    if (!isDigest(ids[i]!))
      checker.fail(`/rootfs/diff_ids/${i}`, `${JSON.stringify(ids[i])} is no sha256 digest`);
}

function checkHistory(checker: Checker, image: Json): void {
  checker.objects(image, '', 'history', (entry, at) => {
    for (const key of ['created', 'created_by', 'author', 'comment']) checker.string(entry, at, key);
    checker.boolean(entry, at, 'empty_layer');
  });
  const count = checker.countOf(image, 'history');
  if (count > MOST_ENTRIES) checker.fail('/history', `has ${count} entries, more than ${MOST_ENTRIES}`);
}

function checkDefaults(checker: Checker, defaults: Json): void {
  const at = '/config';
  for (const key of ['User', 'WorkingDir', 'StopSignal']) checker.string(defaults, at, key);
  for (const key of ['Cmd', 'Entrypoint', 'Env', 'OnBuild', 'Shell']) {
    // Docker's older builders wrote one word as a string.
    if (typeof defaults[key] === 'string') defaults[key] = [defaults[key]];
    checker.strings(defaults, at, key);
    checkCount(checker, `${at}/${key}`, checker.countOf(defaults, key));
  }
  for (const key of ['ExposedPorts', 'Volumes']) checkSet(checker, defaults, key);
  checkCount(checker, `${at}/Labels`, checker.stringMap(defaults, at, 'Labels').length);
  checker.integer(defaults, at, 'StopTimeout', { min: -1, max: 0x7fffffff, what: 'a number of seconds' });
  checker.object(defaults, at, 'Healthcheck');
  checker.boolean(defaults, at, 'ArgsEscaped');
}

/** A map whose keys alone count: `{ "/data": {} }`. */
function checkSet(checker: Checker, defaults: Json, key: string): void {
  const set = checker.object(defaults, '/config', key);
  if (set === undefined) return;
  checkCount(checker, `/config/${key}`, Object.keys(set).length);
  for (const name of Object.keys(set)) {
    if (name === '' || name.includes('\0'))
      checker.fail(`/config/${key}`, `${JSON.stringify(name)} is no name`);
    set[name] ??= {};
    checker.object(set, `/config/${key}`, name);
  }
}

function checkCount(checker: Checker, pointer: string, count: number): void {
  if (count > MOST_ENTRIES) checker.fail(pointer, `has ${count} entries, more than ${MOST_ENTRIES}`);
}
