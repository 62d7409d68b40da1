// What the argument of run, create and explain is: the whole rule, as a table of what there is and what follows.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCold } from '../../src/cli/cold.ts';
import { findTarget, kindOfTarget, type Target, targetsOf } from '../../src/cli/target.ts';
import { TinyrunError } from '../../src/errors.ts';
import { keepingLayers } from '../../src/image/folders.ts';
import { parseReference } from '../../src/image/reference.ts';
import { createImage } from '../../src/image/store.ts';

/** Calls `use` in a directory with these bundles, and a store with an image `bb`; comes back when it is done. */
async function within(bundles: readonly string[], use: (dataRoot: string) => void): Promise<void> {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const before = process.cwd();
  const dataRoot = join(top, 'data');
  try {
    for (const name of bundles) {
      mkdirSync(join(top, name), { recursive: true });
      writeFileSync(join(top, name, 'config.json'), '{}');
    }
    const image = {
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [] },
    };
    const bytes = new TextEncoder().encode(JSON.stringify(image));
    await keepingLayers(dataRoot, async () => {
      await createImage(dataRoot, bytes, { names: ['bb', 'a/b'].map(parseReference) });
    });
    process.chdir(top);
    use(dataRoot);
  } finally {
    process.chdir(before);
    rmSync(top, { recursive: true });
  }
}

interface Row {
  bundles: string[];
  command: string;
  argument: string;
  found: Target[];
}
const TABLE: Row[] = [
  { bundles: [], command: 'run', argument: 'bb', found: ['image'] },
  { bundles: [], command: 'run', argument: 'bb:latest', found: ['image'] },
  { bundles: [], command: 'run', argument: 'docker.io/library/bb', found: ['image'] },
  { bundles: [], command: 'run', argument: 'a/b', found: ['image'] },
  { bundles: [], command: 'run', argument: 'c1', found: [] },
  { bundles: [], command: 'run', argument: '', found: [] },
  { bundles: ['.'], command: 'run', argument: 'c1', found: ['runc'] },
  { bundles: ['.'], command: 'run', argument: 'bb', found: ['image', 'runc'] },
  { bundles: ['.'], command: 'run', argument: 'bb:latest', found: ['image'] },
  { bundles: ['.', 'b'], command: 'run', argument: 'b', found: ['bundle', 'runc'] },
  { bundles: ['b'], command: 'run', argument: 'b', found: ['bundle'] },
  { bundles: ['bb'], command: 'run', argument: 'bb', found: ['bundle', 'image'] },
  { bundles: ['bb', '.'], command: 'run', argument: 'bb', found: ['bundle', 'image', 'runc'] },
  { bundles: ['a/b'], command: 'run', argument: 'a/b', found: ['bundle', 'image'] },
  { bundles: ['a/c'], command: 'run', argument: 'a/c', found: ['bundle'] },
  { bundles: ['b'], command: 'create', argument: 'b', found: [] },
  { bundles: ['bb', '.'], command: 'create', argument: 'bb', found: ['image', 'runc'] },
  { bundles: ['b'], command: 'explain', argument: 'b', found: ['bundle'] },
];
for (const { bundles, command, argument, found } of TABLE) {
  const there = bundles.length === 0 ? 'no bundle' : bundles.join(', ');
  test(`with ${there}: ${command} ${argument} may be ${found.join(', ') || 'nothing'}`, async () => {
    await within(bundles, (dataRoot) => {
      assert.equal(targetsOf(command, argument, dataRoot), found);
    });
  });
}

function refusal(argument: string, dataRoot: string): string {
  try {
    findTarget({ command: 'run', args: [argument], options: {}, rest: undefined }, { dataRoot });
  } catch (error) {
    if (error instanceof TinyrunError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'none';
}

test('what may be several things is an error that says how to write each', async () => {
  await within(['bb', '.'], (dataRoot) => {
    assert.is(
      refusal('bb', dataRoot),
      'USAGE run bb: it may be the bundle ./bb, or the image bb:latest, or the id of a container of the bundle here, --bundle . bb',
    );
  });
});

test('K10: what is nothing is an image that is not here', async () => {
  await within([], (dataRoot) => {
    assert.is(refusal('x', dataRoot), "NOT_FOUND Unable to find image 'x:latest' locally");
    assert.is(refusal('x:1', dataRoot), "NOT_FOUND Unable to find image 'x:1' locally");
    assert.is(refusal('0af1', dataRoot), "NOT_FOUND Unable to find image '0af1:latest' locally");
    assert.is(
      refusal('BB', dataRoot),
      'USAGE invalid reference format: repository name (library/BB) must be lowercase',
    );
    assert.is(refusal('', dataRoot), 'USAGE invalid reference format: ""');
  });
});

test('words behind what may be an image or an id: it is asked which, not counted', async () => {
  await within(['.'], (dataRoot) => {
    const parse = (text: string) => parseCold(`--data-root ${dataRoot} ${text}`.split(' '));
    const line = parse('run bb ls -l');
    assert.equal(line?.rest, ['ls', '-l']);
    assert.throws(
      () => findTarget(line!, { dataRoot }),
      /^run bb: it may be the image bb:latest, or the id of/,
    );
    assert.equal(parse('run --rm -- bb ls -l')?.rest, ['ls', '-l']);
    assert.equal(parse('create -- bb ls -l')?.rest, ['ls', '-l']);
  });
});

test('all behind an image is its command; behind a bundle or an id, options may follow', async () => {
  await within(['b'], (dataRoot) => {
    const parse = (text: string) => parseCold(`--data-root ${dataRoot} ${text}`.split(' '));
    assert.equal(parse('run --rm bb ls -l --rm')?.rest, ['ls', '-l', '--rm']);
    assert.equal(parse('run nosuch ls -l')?.rest, ['ls', '-l']);
    assert.equal(parse('run bb --bundle x')?.rest, ['--bundle', 'x']);
    assert.equal(parse('run c1 --bundle x')?.options['bundle'], 'x');
    assert.equal(parse('run b --rm')?.options['rm'], true);
    assert.is(parse('run b ls'), undefined);
    assert.throws(() => parse('run --memory 1g b'), '--memory: it is for containers of an image');
    assert.is(kindOfTarget(parse('run bb')!), 'image');
  });
});

test.run();
