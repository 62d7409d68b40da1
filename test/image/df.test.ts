// `df` and `info`: what is on the disk, and where. Needs root.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Store, withStore } from '../support/image-store.ts';
import { makeLayer, makeLayout, named } from '../support/oci-layout.ts';

const base = makeLayer({ 'bin/tool': 1_000_000 });
const app = makeLayer({ 'app/data': 500_000 });
const command = { config: { config: { Cmd: ['/none'] } } };

async function withThings(use: (store: Store) => void): Promise<void> {
  await withStore((store) => {
    makeLayout(
      join(store.folder, 'layout'),
      { layers: [base], ...command, annotations: named('docker.io/library/bb:1') },
      { layers: [base, app], annotations: named('docker.io/library/web:1') },
    );
    store.out('import', 'layout');
    store.out('create', '--name', 'c', '-v', 'v:/v', 'bb:1');
    store.out('volume', 'create', 'unused');
    writeFileSync(join(store.dataRoot, 'volumes/unused/_data/file'), new Uint8Array(200_000).fill(1));
    const upper = store.out('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', 'c').trim();
    writeFileSync(join(upper, 'written'), new Uint8Array(30_000).fill(1));
    try {
      use(store);
    } finally {
      store.run(['rm', '-f', 'c']);
    }
  });
}

const columns = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd().split(/ {2,}/));

test('df: images, containers, volumes', () =>
  withThings((store) => {
    assert.equal(columns(store.out('df')), [
      ['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE'],
      ['Images', '2', '1', '1.5MB', '500kB (33%)'],
      ['Containers', '1', '0', '30kB', '30kB (100%)'],
      ['Local Volumes', '2', '1', '200kB', '200kB (100%)'],
    ]);
    assert.is(
      store.out('system', 'df', '--format', '{{.Type}} {{.TotalCount}}'),
      'Images 2\nContainers 1\nLocal Volumes 2\n',
    );
  }));

test('df -v: each of them', () =>
  withThings((store) => {
    const output = store.out('df', '-v');
    assert.match(
      output,
      /^Images space usage:\n\nREPOSITORY +TAG +IMAGE ID +CREATED +SIZE +SHARED SIZE +UNIQUE SIZE +CONTAINERS\n/,
    );
    assert.match(output, /\nweb +1 +[0-9a-f]{12} .* 1\.5MB +1MB +500kB +0\n/);
    assert.match(output, /\nbb +1 +[0-9a-f]{12} .* 1MB +1MB +0B +1\n/);
    assert.match(
      output,
      /\nContainers space usage:\n\nCONTAINER ID +IMAGE +COMMAND +LOCAL VOLUMES +SIZE +CREATED +STATUS +NAMES\n/,
    );
    assert.match(output, /\n[0-9a-f]{12} +bb:1 +"\/none" +1 +30kB .* Created +c\n/);
    assert.match(output, /\nLocal Volumes space usage:\n\nVOLUME NAME +LINKS +SIZE\n/);
    assert.match(output, /\nunused +0 +200kB\n/);
    assert.match(output, /\nv +1 +0B\n/);
  }));

test('df of an empty store is all zeros', () =>
  withStore((store) => {
    assert.equal(columns(store.out('df')).slice(1), [
      ['Images', '0', '0', '0B', '0B'],
      ['Containers', '0', '0', '0B', '0B'],
      ['Local Volumes', '0', '0', '0B', '0B'],
    ]);
  }));

test('row L17: info -f {{.Driver}} is overlay2; row S1: volumes have drivers of their own', () =>
  withThings((store) => {
    assert.is(store.out('info', '-f', '{{.Driver}}'), 'overlay2\n');
    assert.is(store.out('info', '-f', '{{.Root}}'), `${store.dataRoot}\n`);
    assert.match(store.out('info', '-f', '{{.Plugins.Volume}}'), /^\[local/);
    const listing = store.out('info');
    for (const line of [
      'Containers: 1',
      ' Stopped: 1',
      'Images: 2',
      'Storage Driver: overlay2',
      `Root Dir: ${store.dataRoot}`,
    ])
      assert.ok(listing.includes(`${line}\n`), line);
    assert.match(listing, /\n Volume: local/);
    assert.is(JSON.parse(store.out('system', 'info', '-f', 'json')).OSType, 'linux');
  }));

test.run();
