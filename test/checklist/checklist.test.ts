// The rows of the tables of this folder, each a test named after it.

import { test } from 'uvu';
import { testRows } from '../support/checklist.ts';
import { articles } from './articles.ts';
import { backup, binds, joined, layers, shared, tmpfs, volumes } from './rows.ts';

testRows('checklist', [...volumes, ...binds, ...tmpfs, ...joined, ...backup, ...layers, ...shared]);
testRows('articles', articles);

test.run();
