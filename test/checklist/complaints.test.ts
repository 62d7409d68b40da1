// The rows of complaints.ts, each a test named after it.

import { test } from 'uvu';
import { testRows } from '../support/checklist.ts';
import { mistakes, mounts, running, volumes } from './complaints.ts';

testRows('complaints', [...mistakes, ...volumes, ...mounts, ...running]);

test.run();
