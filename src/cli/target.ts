// What the argument of `run`, `create` and `explain` is, where it does not say so itself (run-options.ts, explicitForm): all that
// it may be is looked for. If there is just one such thing, it is that.
//
//   directory ARG with config.json        a bundle
//   image ARG in the store                an image
//   ./config.json, and ARG may be an id   runc's form: the bundle is the working directory

import { AT_FDCWD, exists } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { parseReference, tryReference } from '../image/reference.ts';
import { findImage, isIdPrefix } from '../image/store.ts';
import { isId } from '../runtime/id.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { workingDirectory } from '../runtime/prelude.ts';
import type { CommandLine } from './command-line.ts';
import { toGlobalOptions } from './global.ts';
import { explicitForm } from './run-options.ts';

export type Target = 'bundle' | 'image' | 'runc';

/** How each is written so that it can be nothing else. */
const EXPLICIT: Readonly<Record<Target, (argument: string) => string>> = {
  bundle: (argument) => `the bundle ./${argument}`,
  image: (argument) => `the image ${fullName(argument)}`,
  runc: (argument) => `the id of a container of the bundle here, --bundle . ${argument}`,
};

/** A tag, or the registry's name, in front of which no directory is looked for: it is the same image. */
function fullName(argument: string): string {
  const reference = tryReference(argument);
  if (reference === undefined) return argument;
  return reference.familiar === argument ? `docker.io/library/${argument}` : reference.familiar;
}

/** A bundle alone has no id, which `create` wants: it is `create --bundle BUNDLE ID`. */
const known = (command: string): readonly Target[] =>
  command === 'create' ? ['image', 'runc'] : ['bundle', 'image', 'runc'];

/** All that the argument of a command may be. */
export function targetsOf(command: string, argument: string, dataRoot: string): Target[] {
  const is: Readonly<Record<Target, () => boolean>> = {
    bundle: () => exists(AT_FDCWD, `${argument}/config.json`),
    image: () => findImage(dataRoot, argument) !== undefined,
    runc: () => isId(argument) && exists(AT_FDCWD, 'config.json'),
  };
  return argument === '' ? [] : known(command).filter((target) => is[target]());
}

/**
 * What the argument of a command line is.
 * @throws TinyrunError USAGE if it may be several things; NOT_FOUND, in Docker's words, if it is nothing
 */
export function findTarget(
  { command, args }: CommandLine,
  { dataRoot }: Pick<GlobalOptions, 'dataRoot'>,
): Target {
  const argument = args[0] ?? '';
  const found = targetsOf(command, argument, dataRoot);
  const [target, ...others] = found;
  if (target !== undefined && others.length === 0) return target;
  if (target === undefined) throw noImage(argument);
  const readings = found.map((one) => EXPLICIT[one](argument)).join(', or ');
  throw new TinyrunError('USAGE', `${command} ${argument}: it may be ${readings}`, {
    hint: 'write the one that is meant in this way',
  });
}

function noImage(argument: string): TinyrunError {
  const name = familiarName(argument);
  return new TinyrunError('NOT_FOUND', `Unable to find image '${name}' locally`, {
    hint: `import it (tinyrun image import FILE ${argument}; skopeo copies from a registry), or write ./${argument} for a bundle`,
    data: { image: name },
  });
}

/** @throws TinyrunError USAGE if no image can be called so */
function familiarName(argument: string): string {
  if (isIdPrefix(argument)) return tryReference(argument)?.familiar ?? argument;
  try {
    return parseReference(argument).familiar;
  } catch (error) {
    if (!(error instanceof TinyrunError) || argument === '') throw error;
    throw new TinyrunError(error.code, error.message, {
      hint: `${error.hint}; a bundle is written ./${argument}`,
    });
  }
}

/** What is known of a command line before its words are read: all behind an image is the program's. */
export function kindOfTarget(line: CommandLine): 'image' | 'nothing' | 'other' {
  if (!['run', 'create', 'explain'].includes(line.command) || explicitForm(line) !== undefined)
    return 'other';
  const found = readings(line);
  if (found.length === 0) return 'nothing';
  // With words behind it that would be too many for an id, findTarget asks which it is, as without any.
  const maybe = found.includes('image') && (found.length === 1 || line.rest !== undefined);
  return maybe ? 'image' : 'other';
}

/** Whether a command line has runc's form, as far as can be told: its failures exit as runc's do. */
export function isRuncForm(line: CommandLine): boolean {
  const form = explicitForm(line);
  if (form !== undefined) return form === 'runc';
  const [found, ...others] = readings(line);
  return found === 'runc' && others.length === 0;
}

function readings({ command, options, args }: CommandLine): Target[] {
  const { dataRoot } = toGlobalOptions(options, workingDirectory());
  return targetsOf(command, args[0] ?? '', dataRoot);
}
