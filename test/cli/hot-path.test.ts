// What engines call must not wait for what only people use: the modules that are loaded with each of runc's verbs, by the
// static imports of the sources.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const top = join(import.meta.dir, '../..');

/** The modules that a file imports when it is loaded: not types, and not what is loaded where it is needed. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(top, path), 'utf8');
  const found = [...text.matchAll(/^(?:import|export)\s+(?!type\b)([^;'"]*?)\s*from\s+'(\.[^']+)'/gm)];
  const isLoaded = (names: string): boolean =>
    !/^\{[^}]*\}$/.test(names) ||
    names
      .slice(1, -1)
      .split(',')
      .some((name) => name.trim() !== '' && !/^\s*type\s/.test(name));
  return found
    .filter(([, names = '']) => isLoaded(names))
    .map(([, , specifier = '']) => new URL(specifier, `file:///${path}`).pathname.slice(1));
}

function loadedWith(path: string): Set<string> {
  const loaded = new Set<string>();
  const todo = [path];
  while (todo.length > 0) {
    const next = todo.pop()!;
    if (loaded.has(next) || !next.startsWith('src/')) continue;
    loaded.add(next);
    todo.push(...importsOf(next));
  }
  return loaded;
}

const COLD =
  /^src\/(container|image|archive|inspect|volume\/(?!path\.ts))|^src\/cli\/(cold|target|tables|format|container-options|yargs)/;

for (const command of ['run', 'create', 'start', 'exec', 'kill', 'delete', 'state']) {
  test(`${command} loads nothing of images, containers with names, and volumes`, () => {
    const loaded = loadedWith(`src/cli/commands/${command}.ts`);
    assert.ok(loaded.size > 5);
    assert.equal(
      [...loaded].filter((path) => COLD.test(path)),
      [],
    );
  });
}

for (const command of ['run-image', 'purge'])
  test(`${command} loads neither tar, nor what copies trees, nor drivers of volumes, until a container needs them`, () => {
    const heavy =
      /^src\/(archive\/(?!names|source)|image\/(frame|layer-archive|settle)|disk\/copy|volume\/(prepare|fill|store|drivers))/;
    assert.equal(
      [...loadedWith(`src/cli/commands/${command}.ts`)].filter((path) => heavy.test(path)),
      [],
    );
  });

test('nor does the entry', () => {
  assert.equal(
    [...loadedWith('src/cli/main.ts')].filter((path) => COLD.test(path)),
    [],
  );
});

test.run();
