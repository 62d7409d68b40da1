// What the tests of `cp` share.

import * as assert from 'uvu/assert';
import { type Store, withStore } from './store.ts';

/** The same for a container that runs, one that has ended, and one that never ran. */
export async function inEachState(use: (store: Store) => void | Promise<void>): Promise<void> {
  for (const make of [
    ['run', '-d', '--name', 'box', '-v', 'vol:/v', 'bb', 'sleep', '600'],
    ['run', '--name', 'box', '-v', 'vol:/v', 'bb', 'true'],
    ['create', '--name', 'box', '-v', 'vol:/v', 'bb'],
  ])
    await withStore(async (store) => {
      store.out(...make);
      await use(store);
    });
}

/** The first words of a copy that must fail, without what to do about it. */
export const refusal = ({ t }: Store, ...words: string[]): string => {
  const { stderr, code } = t('cp', ...words);
  assert.is(code, 1);
  return stderr.trimEnd().replace(/; .*/, '');
};
