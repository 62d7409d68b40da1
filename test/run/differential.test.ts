// The same bundles under tinyrun's engines, runc and crun: what a program can see must be the same, but for the table of
// differences (spec/differences.md, which UPDATE_GOLDEN=1 rewrites).

import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, withBundle, writeConfig } from '../support/bundle.ts';
import { bundles } from '../support/bundles.ts';
import { type Difference, differences, differencesPage, explain } from '../support/differences.ts';
import { type Facts, factCommands } from '../support/facts.ts';
import { factsUnder, isInstalled, PEERS, type Peer } from '../support/peers.ts';
import { skip } from '../support/skip.ts';

const PAGE = join(import.meta.dir, '../../spec/differences.md');
/** `WHAT under PEER` of rows that explained something: those that never do are out of date. */
const used = new Set<string>();
const nameOf = ({ what }: Difference, peer: Peer) => `${what} under ${peer}`;

async function withChanged(name: string, use: (bundle: Bundle) => void): Promise<void> {
  await withBundle((bundle) => {
    const { config, dir } = bundle;
    config.ociVersion = '1.0.2'; // crun 1.8 refuses later ones
    config.process.args = ['/payload', ...factCommands];
    chmodSync(join(dir, '..'), 0o711); // runc reaches the rootfs as the mapped root
    bundles[name]!(config, bundle);
    writeConfig(bundle);
    use(bundle);
  });
}

/** `FACT: OURS, not THEIRS` for each fact that differs. */
function compare(ours: Facts, theirs: Facts, expected: (fact: string) => boolean): string[] {
  const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])];
  return names
    .filter((name) => ours[name] !== theirs[name] && !expected(name))
    .map((name) => `${name}: ${ours[name]}, not ${theirs[name]}`);
}

for (const name of Object.keys(bundles)) {
  test(`${name}: the same under both engines, and but for known differences under runc and crun`, () =>
    withChanged(name, (bundle) => {
      const native = factsUnder('native', bundle);
      assert.ok(Object.keys(native).length > 70, 'the facts are told');
      assert.equal(
        compare(native, factsUnder('native', bundle), () => false),
        [],
        'once more',
      );
      assert.equal(
        compare(native, factsUnder('ffi', bundle), () => false),
        [],
        'ffi',
      );
      for (const peer of PEERS.filter(isInstalled)) {
        const isKnown = (fact: string): boolean => {
          const row = explain(fact, name, peer);
          if (row !== undefined) used.add(nameOf(row, peer));
          return row !== undefined;
        };
        assert.equal(compare(native, factsUnder(peer, bundle), isKnown), [], peer);
      }
    }));
}

test('each row of the table is a difference that there is', () => {
  if (!PEERS.every(isInstalled)) return skip('rows of the table of differences', 'needs runc and crun');
  if (existsSync('/sys/fs/cgroup/cgroup.controllers'))
    return skip('rows of the table of differences', 'some are about cgroup v1, which is not mounted');
  const here = differences.filter(({ needs }) => needs === undefined || existsSync(needs));
  const rows = here.flatMap((row) =>
    PEERS.filter((peer) => row[peer] !== undefined).map((peer) => nameOf(row, peer)),
  );
  assert.equal(
    rows.filter((row) => !used.has(row)),
    [],
  );
});

test('spec/differences.md is the table', () => {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(PAGE, differencesPage());
  assert.is(readFileSync(PAGE, 'utf8'), differencesPage());
});

test('comparing: a fact that differs, is missing or is new is found', () => {
  const found = compare({ a: '1', b: '2', c: '3' }, { a: '1', b: '0', d: '4' }, (fact) => fact === 'd');
  assert.equal(found, ['b: 2, not 0', 'c: 3, not undefined']);
});

test.run();
