// Archives that end behind their last entry, as umoci and others leave them: taken where a digest is known, else refused.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readEntries } from '../../src/archive/entries.ts';
import { sourceOfBytes } from '../../src/archive/source.ts';
import { makeLayer } from '../support/oci-layout.ts';

const { tar } = makeLayer({ file: 'text\n' });
const END_OF_TEXT = Buffer.from(tar).indexOf('text\n') + 5;
const PADDED = Math.ceil(END_OF_TEXT / 512) * 512;

/** The names in an archive; throws what reading it does. */
async function namesIn(bytes: Uint8Array, unterminated: boolean): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of readEntries(sourceOfBytes(bytes), { unterminated })) names.push(entry.name);
  return names;
}

for (const [what, length] of Object.entries({
  'without the blocks of zeros': PADDED,
  'with one of them': PADDED + 512,
  'without padding': END_OF_TEXT,
}))
  test(`an archive ${what}`, async () => {
    assert.equal(await namesIn(tar.subarray(0, length), true), ['./', './file']);
    const refused = await namesIn(tar.subarray(0, length), false).catch((error: Error) => error.message);
    if (what !== 'with one of them') assert.match(String(refused), /the archive is cut off$/);
  });

test('an archive that is cut off within an entry is one in any case', async () => {
  for (const length of [600, END_OF_TEXT - 1, 513])
    assert.match(
      String(await namesIn(tar.subarray(0, length), true).catch((error: Error) => error.message)),
      /cut off$/,
    );
});

test.run();
