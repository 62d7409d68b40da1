// Where the ffi engine starts itself when the sources run as they are; the compiled executable starts in cli/main.ts.

import { runHandedOver } from './ffi.ts';

runHandedOver(Number(process.argv[3]));
