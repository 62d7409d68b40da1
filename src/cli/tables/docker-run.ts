// Docker's options of `run` and `create`, on top of those of options.ts.

import type { OptionTable } from '../options.ts';

export const dockerOptions: OptionTable = {};
