// What the argument of `run` and `create` is: a bundle, an id or an image.

import type { CommandLine } from './command-line.ts';

/** Whether it is an image, so that all behind it is the program's. */
export const isImage = (_line: CommandLine): boolean => false;
