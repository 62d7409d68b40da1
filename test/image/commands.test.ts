// What the commands of images print, and the words of their mistakes. Needs root.

import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { namesIn, type Store, withStore } from '../support/image-store.ts';
import { type MadeImage, makeLayer, makeLayout, named } from '../support/oci-layout.ts';

const base = makeLayer({ 'bin/tool': 1_000_000, 'etc/name': 'base\n' });
const app = makeLayer({ 'app/data': 234_000 });
const other = makeLayer({ 'other/data': 5000 });
const DAY = 86_400_000;
const ago = (days: number): string => new Date(Date.now() - days * DAY).toISOString();

const images: MadeImage[] = [
  {
    layers: [base],
    config: {
      created: ago(3),
      config: { Labels: { tier: 'base' }, Cmd: ['sh'] },
      history: [
        {
          created: ago(4),
          created_by: '/bin/sh -c #(nop) ADD file:0123456789abcdef0123456789abcdef0123456789 in /',
        },
        { created: ago(3), created_by: 'CMD ["sh"]', empty_layer: true, comment: 'buildkit' },
      ],
    },
    annotations: named('docker.io/library/bb:latest'),
  },
  {
    layers: [base, app],
    config: {
      created: ago(2),
      config: { Volumes: { '/usr/share/nginx/html': {} }, Labels: { tier: 'app', x: 'y' } },
    },
    annotations: named('docker.io/team/web:1'),
  },
  { layers: [other], config: { created: ago(1) }, annotations: named('localhost:5000/other:2') },
];

async function withImages(use: (store: Store) => void | Promise<void>): Promise<void> {
  await withStore(async (store) => {
    makeLayout(join(store.folder, 'layout'), ...images);
    store.out('image', 'import', 'layout');
    await use(store);
  });
}

const idOf = (store: Store, called: string): string =>
  store.out('image', 'inspect', '-f', '{{.Id}}', called).trim();

/** Words that must be refused: the message on stderr. */
function mistake(store: Store, ...args: string[]): string {
  const { code, stdout, stderr } = store.run(args);
  assert.is(code, 1, `${args.join(' ')}: ${stdout}${stderr}`);
  return stderr.replace(/^tinyrun: /, '').trim();
}

test('image ls: the table, the newest first', () =>
  withImages((store) => {
    const lines = store
      .out('images')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    assert.equal(lines, [
      ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'],
      [
        'localhost:5000/other',
        '2',
        idOf(store, 'localhost:5000/other:2').slice(7, 19),
        '24 hours ago',
        '5kB',
      ],
      ['team/web', '1', idOf(store, 'team/web:1').slice(7, 19), '2 days ago', '1.23MB'],
      ['bb', 'latest', idOf(store, 'bb').slice(7, 19), '3 days ago', '1MB'],
    ]);
  }));

test('image ls: -q, --no-trunc, --digests, --format', () =>
  withImages((store) => {
    store.out('tag', 'bb', 'bb:two');
    const id = idOf(store, 'bb');
    assert.is(store.out('images', '-q', 'bb'), `${id.slice(7, 19)}\n`, 'an image is there once');
    assert.is(store.out('images', '-q', '--no-trunc', 'bb'), `${id}\n`);
    assert.is(
      store.out('image', 'ls', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}', 'bb'),
      `bb:latest ${id.slice(7, 19)}\nbb:two ${id.slice(7, 19)}\n`,
    );
    assert.match(store.out('images', '--digests'), /DIGEST/);
    assert.match(store.out('images', '--digests', 'bb:latest'), /bb +latest +sha256:[0-9a-f]{64} +/);
    const json = JSON.parse(store.out('images', '--format', 'json', 'team/web'));
    assert.is(json.Repository, 'team/web');
    assert.is(json.Size, '1.23MB');
    assert.is(json.Containers, '0');
  }));

const FILTERS: Record<string, string[]> = {
  'dangling=true': ['<none>'],
  'dangling=false': ['other', 'web', 'bb'],
  'label=tier': ['<none>', 'web', 'bb'],
  'label=tier=app': ['web'],
  'label!=tier': ['other'],
  'before=team/web:1': ['<none>', 'bb'],
  'since=bb': ['other', 'web', '<none>'],
  'until=36h': ['<none>', 'web', 'bb'],
  'reference=bb': ['bb'],
  'reference=*/web': ['web'],
  'reference=team/*:1': ['web'],
  'reference=*:latest': ['bb'],
};

test('image ls -f leaves what its filters name', () =>
  withImages((store) => {
    makeLayout(join(store.folder, 'unnamed'), {
      layers: [base],
      config: { created: ago(2.5), config: { Labels: { tier: 'none' } } },
    });
    store.out('import', 'unnamed');
    for (const [filter, names] of Object.entries(FILTERS)) {
      const found = store.out('images', '-f', filter, '--format', '{{.Repository}}').trim().split('\n');
      const short = found.map((name) => name.replace(/^.*\//, ''));
      assert.equal(short.sort(), [...names].sort(), filter);
    }
    assert.is(
      mistake(store, 'images', '-f', 'nosuch=1'),
      "invalid filter 'nosuch'; there are dangling, label, label!, before, since, until, reference",
    );
    assert.match(mistake(store, 'images', '-f', 'dangling'), /bad format of filter \(expected name=value\)/);
    assert.match(mistake(store, 'images', '-f', 'dangling=maybe'), /^invalid filter 'dangling=maybe'/);
    assert.is(mistake(store, 'images', '-f', 'before=nosuch'), 'No such image: nosuch');
  }));

test('image inspect: the fields of Docker', () =>
  withImages((store) => {
    const [web] = JSON.parse(store.out('image', 'inspect', 'team/web:1'));
    const keys =
      'Id RepoTags RepoDigests Parent Comment Created Author Config Architecture Os Size GraphDriver RootFS Metadata';
    assert.equal(Object.keys(web), keys.split(' '));
    assert.is(web.Size, 1_234_005);
    assert.equal(web.RootFS, { Type: 'layers', Layers: [base.diffId, app.diffId] });
    assert.is(web.GraphDriver.Name, 'overlay2');
    const { LowerDir, UpperDir, WorkDir, MergedDir } = web.GraphDriver.Data;
    for (const folder of [LowerDir, UpperDir, WorkDir, MergedDir])
      assert.ok(statSync(folder).isDirectory(), folder);
    assert.equal(readdirSync(LowerDir).sort(), ['bin', 'etc']);
    assert.equal(readdirSync(UpperDir), ['app']);
    assert.is(store.out('image', 'inspect', '-f', '{{len .RootFS.Layers}}', 'team/web:1'), '2\n');
    // Row B8: an image names no directory of the host.
    assert.is(
      store.out('image', 'inspect', '-f', '{{json .Config.Volumes}}', 'team/web:1'),
      '{"/usr/share/nginx/html":{}}\n',
    );
    assert.is(
      mistake(store, 'image', 'inspect', 'nosuch'),
      'No such image: nosuch:latest; `tinyrun image ls` lists those that are here',
    );
    const { code, stdout } = store.run(['image', 'inspect', '-f', '{{.Os}}', 'nosuch', 'bb']);
    assert.equal([code, stdout], [1, 'linux\n'], 'the others are shown');
  }));

test('row L7: overlay2/ID has diff, link, lower, work, merged; of the base diff and link alone', () =>
  withImages((store) => {
    const folderOf = (called: string): string =>
      store
        .out('image', 'inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', called)
        .trim()
        .replace(/\/diff$/, '');
    assert.equal(readdirSync(folderOf('team/web:1')).sort(), ['diff', 'link', 'lower', 'merged', 'work']);
    assert.equal(readdirSync(folderOf('bb')).sort(), ['diff', 'link']);
  }));

test('row L12: debug chainid', () =>
  withStore((store) => {
    const ids = [
      'sha256:6cebf3abed5fac58d2e792ce8461454e92c245d5312c42118f02e231a73b317f',
      'sha256:f7eae43028b334123c3a1d778f7bdf9783bbe651c8b15371df0120fd13ec35c5',
    ];
    assert.is(
      store.out('debug', 'chainid', ...ids),
      'sha256:8f06e3a624319de717230f0d766dd8922d048441adb9e0387860a8047d000409\n',
    );
    assert.match(mistake(store, 'debug', 'chainid', 'x'), /"x" is no diff id/);
  }));

test('image history: steps, layers, sizes', () =>
  withImages((store) => {
    const lines = store
      .out('history', 'bb')
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd().split(/ {2,}/));
    const id = idOf(store, 'bb');
    assert.equal(lines, [
      ['IMAGE', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'],
      [id.slice(7, 19), '3 days ago', 'CMD ["sh"]', '0B', 'buildkit'],
      ['<missing>', '4 days ago', '/bin/sh -c #(nop) ADD file:0123456789abcdef0…', '1MB'],
    ]);
    assert.is(store.out('history', '-q', '--no-trunc', 'bb'), `${id}\n<missing>\n`);
    assert.is(store.out('history', '--human=false', '--format', '{{.Size}}', 'bb'), '0\n1000005\n');
    // A layer without a history is shown all the same.
    assert.is(store.out('history', '--format', '{{.ID}} {{.Size}}', 'team/web:1').split('\n').length, 3);
  }));

test('image history --sizes: which images share each layer, and what only this one has', () =>
  withImages((store) => {
    const output = store.out('history', '--sizes', 'team/web:1');
    assert.match(output, /SHARED WITH/);
    assert.match(output, /<missing> .* 1MB +bb:latest/);
    assert.match(output, / 234kB +-/);
    assert.match(output, /\nsize 1\.23MB, shared with other images 1MB, unique 234kB\n$/);
  }));

test("image tag: mistakes in Docker's words", () =>
  withImages((store) => {
    store.out('tag', 'bb', 'quay.io/me/copy:3');
    assert.is(idOf(store, 'quay.io/me/copy:3'), idOf(store, 'bb'));
    assert.match(
      mistake(store, 'tag', 'bb', 'Bb'),
      /^invalid reference format: repository name \(library\/Bb\) must be lowercase/,
    );
    assert.match(mistake(store, 'tag', 'bb', 'a b'), /^invalid reference format/);
    assert.match(mistake(store, 'tag', 'nosuch', 'x'), /^No such image: nosuch:latest/);
    assert.match(
      mistake(store, 'tag', 'bb', `x@${idOf(store, 'bb')}`),
      /^refusing to create a tag with a digest reference/,
    );
    assert.match(
      mistake(store, 'tag', 'bb', `sha256:${'0'.repeat(64)}`),
      /^refusing to create an ambiguous tag/,
    );
  }));

test('image rm: a name, then the image with the layers that nobody else has', () =>
  withImages((store) => {
    store.out('tag', 'team/web:1', 'team/web:2');
    assert.is(store.out('rmi', 'team/web:2'), 'Untagged: team/web:2\n');
    const [id, chains] = [idOf(store, 'team/web:1'), namesIn(store, 'image/overlay2/layerdb/sha256')];
    const removed = store.out('rmi', 'team/web:1').trimEnd().split('\n');
    const left = namesIn(store, 'image/overlay2/layerdb/sha256');
    const [gone, ...more] = chains.filter((name) => !left.includes(name));
    assert.equal(more, [], 'bb keeps the base');
    assert.match(removed[1]!, /^Untagged: team\/web@sha256:[0-9a-f]{64}$/);
    assert.equal(
      [removed[0], ...removed.slice(2)],
      ['Untagged: team/web:1', `Deleted: ${id}`, `Deleted: sha256:${gone}`],
    );
    assert.match(mistake(store, 'rmi', 'team/web:1'), /^No such image: team\/web:1/);
    assert.is(store.out('image', 'inspect', '-f', '{{.Os}}', 'bb'), 'linux\n');
  }));

test('image rm: by id, with several names only by force; several at once', () =>
  withImages((store) => {
    const id = idOf(store, 'bb');
    store.out('tag', 'bb', 'elsewhere/bb');
    assert.is(
      mistake(store, 'rmi', id.slice(7, 19)),
      `conflict: unable to delete ${id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
    );
    const output = store.out('rmi', '-f', id.slice(7, 19));
    assert.match(
      output,
      /^Untagged: bb:latest\nUntagged: elsewhere\/bb:latest\nUntagged: bb@sha256:.*\nDeleted: sha256:/,
    );
    const { code, stdout, stderr } = store.run(['rmi', 'nosuch', 'team/web:1', 'localhost:5000/other:2']);
    assert.is(code, 1);
    assert.match(stderr, /No such image: nosuch:latest/);
    assert.match(stdout, /Untagged: localhost:5000\/other:2/);
    assert.equal(namesIn(store, 'image/overlay2/layerdb/sha256'), []);
    assert.equal(namesIn(store, 'overlay2'), ['l']);
  }));

test('image prune: without a name; with -a all that nobody uses', () =>
  withImages((store) => {
    makeLayout(join(store.folder, 'again'), { ...images[2]!, config: { created: ago(0) } });
    const id = idOf(store, 'localhost:5000/other:2');
    store.out('import', 'again');
    const asked = store.run(['image', 'prune'], { input: 'n\n' });
    assert.match(
      asked.stdout,
      /^WARNING! This will remove all dangling images\.\nAre you sure you want to continue\? \[y\/N\] /,
    );
    assert.equal(
      [asked.code, asked.stderr],
      [0, ''],
      'as with the others, nothing was done, which is no failure',
    );
    assert.is(store.out('image', 'prune', '-f', '--filter', 'until=240h'), 'Total reclaimed space: 0B\n');
    // Its layer is that of the new one.
    assert.match(
      store.out('image', 'prune', '-f'),
      new RegExp(`^Deleted Images:\\n(untagged: .*\\n)?deleted: ${id}\\n\\nTotal reclaimed space: 0B\\n$`),
    );
    const { code, stdout } = store.run(['image', 'prune', '-a'], { input: 'y\n' });
    assert.is(code, 0);
    assert.match(
      stdout,
      /WARNING! This will remove all images without at least one container associated to them\./,
    );
    assert.match(stdout, /untagged: bb:latest\n/);
    assert.match(stdout, /Total reclaimed space: 1\.24MB\n$/);
    assert.is(store.out('images', '-aq'), '');
  }));

test('a store that is not there yet is empty', () =>
  withStore((store) => {
    assert.is(store.out('images'), 'REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n');
    assert.is(store.out('image', 'prune', '-f'), 'Total reclaimed space: 0B\n');
    assert.match(mistake(store, 'history', 'x'), /^No such image: x:latest/);
  }));

test('mistakes of other words are told', () =>
  withStore((store) => {
    mkdirSync(join(store.folder, 'x'));
    writeFileSync(join(store.folder, 'y'), '');
    assert.match(mistake(store, 'image', 'nosuch'), /unknown command image nosuch/);
    assert.match(mistake(store, 'rmi'), /image rm takes IMAGE \[IMAGE\.\.\.\]; 0 arguments were given/);
    assert.match(mistake(store, 'images', '--nosuch'), /unknown option --nosuch/);
    assert.match(mistake(store, 'save', '--format', 'zip', 'x'), /--format is docker or oci/);
  }));

test.run();
