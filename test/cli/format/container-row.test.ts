import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { containerRow, type RowFacts, statusWords } from '../../../src/cli/format/container-row.ts';
import type { ListedContainer } from '../../../src/inspect/containers.ts';

const NOW = Date.UTC(2026, 0, 2);
const ago = (seconds: number): number => NOW - seconds * 1000;
const ID = 'ab'.repeat(32);
const IMAGE = `sha256:${'cd'.repeat(32)}`;

const container = (more: Partial<ListedContainer> = {}): ListedContainer => ({
  ...{ id: ID, name: 'web', image: 'bb', imageId: IMAGE, state: 'running', exitCode: null },
  ...{ created: ago(400), startedAt: ago(300), finishedAt: undefined, labels: { a: '1', b: '' } },
  ...{ network: 'none', command: () => ['sh', '-c', 'echo \x1b[2J and more of it'], record: undefined },
  ...more,
});

const facts = (more: Partial<RowFacts> = {}): RowFacts => ({
  ...{ truncated: true, now: NOW, imageOf: () => IMAGE, mounts: () => [], sizes: () => undefined },
  ...more,
});

test('a row tells the status as Docker does', () => {
  const shown: [Partial<ListedContainer>, string][] = [
    [{}, 'Up 5 minutes'],
    [{ state: 'paused' }, 'Up 5 minutes (Paused)'],
    [{ state: 'created' }, 'Created'],
    [{ state: 'exited', exitCode: 0, finishedAt: ago(7200) }, 'Exited (0) 2 hours ago'],
    [{ state: 'exited', exitCode: 137, finishedAt: ago(1) }, 'Exited (137) 1 second ago'],
    [{ state: 'exited', finishedAt: undefined }, 'Exited (unknown)'],
    [{ startedAt: ago(-10) }, 'Up Less than a second'],
  ];
  for (const [more, words] of shown) assert.is(statusWords(container(more), NOW), words);
});

test('container row: cut, and in full', () => {
  const short = containerRow(container(), facts());
  assert.equal([short['ID'], short['Command']], ['abababababab', '"sh -c echo \\u001b[2J and…"']);
  const long = containerRow(container(), facts({ truncated: false }));
  assert.equal([long['ID'], long['Command']], [ID, '"sh -c echo \\u001b[2J and more of it"']);
});

test('container row: the image by name, but by id once the name means another', () => {
  const image = (more: Partial<ListedContainer>, now: string | undefined): unknown =>
    containerRow(container(more), facts({ imageOf: () => now }))['Image'];
  assert.is(image({}, IMAGE), 'bb');
  assert.is(image({}, `sha256:${'ef'.repeat(32)}`), 'cdcdcdcdcdcd');
  assert.is(image({}, undefined), 'cdcdcdcdcdcd');
  assert.is(image({ image: '/srv/bundle', imageId: '' }, undefined), '/srv/bundle');
});

test('container row: mounts, labels, sizes', () => {
  const mounts = [
    { Type: 'volume', Name: 'data', Source: '/v/data/_data' },
    { Type: 'volume', Name: ID, Source: '/v/x/_data' },
    { Type: 'bind', Source: '/srv' },
    { Type: 'tmpfs', Source: '' },
  ];
  const row = containerRow(
    container(),
    facts({ mounts: () => mounts, sizes: () => ({ own: 5, whole: 1234 }) }),
  );
  assert.is(row['Mounts'], `data,${'ab'.repeat(7)}…,/srv,tmpfs`);
  assert.is(row['LocalVolumes'], '2');
  assert.is(row['Labels'], 'a=1,b=');
  assert.is(row['Size'], '5B (virtual 1.23kB)');
});

test.run();
