// Programs for verbs, STATE_ROOT/.programs/VERB.BUILD: `tinyrun VERB ID` runs them without any JavaScript. The first ones
// here are made up: no container is needed to find them.

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hostArch } from '../../scripts/native.ts';
import { linkProgram } from '../../src/engine/native.ts';
import { ID_PLACE } from '../../src/plan/verbs.ts';
import { parseProgram } from '../../src/program/parse.ts';
import { encodeLaunchFile, type LaunchFile } from '../../src/runtime/launch-file.ts';
import { tinyrun } from '../support/bundle.ts';
import { launchedWords } from '../support/launched.ts';

const ID = '000000000000';
const MILLISECONDS = '2000-01-01T00:00:00.000Z';

/** Says a word on stdout, and ends with a code. */
const image = (word: string, code = 9): Uint8Array =>
  linkProgram(
    parseProgram(`
      buffer line 400 ${JSON.stringify(word)}
      section host fail -> end exit 5
        ; say a word | For the test. | runtime
        write(1, &line, ${word.length})
        ; succeed | For the test. | runtime
        $exit = ${code}
      end:
        ; leave | For the test. | runtime
        exit_group($exit)
    `),
    hostArch,
  );

interface Place {
  root: string;
  /** Writes the file of a verb. */
  put(name: string, word: string, change?: Partial<LaunchFile>): string;
  launch(...args: string[]): { code: number; stdout: string; stderr: string } | undefined;
}

/** The name that the build gives its files: as JavaScript makes one. */
let build = '';
function buildOf(): string {
  if (build !== '') return build;
  const top = mkdtempSync('/tmp/tinyrun-test-');
  mkdirSync(join(top, 'none'), 0o711);
  Bun.spawnSync([tinyrun, '--root', top, 'delete', '--force', 'none']);
  const name = readdirSync(join(top, '.programs')).find((file) => file.startsWith('delete+--force.'));
  rmSync(top, { recursive: true });
  build = name?.slice('delete+--force.'.length) ?? '';
  assert.match(build, /^[0-9a-f]+$/);
  return build;
}

/** A state root where programs can be put. */
function withPlace(use: (place: Place) => void): void {
  const top = mkdtempSync('/tmp/tinyrun-test-');
  const root = join(top, 'root');
  try {
    mkdirSync(join(root, '.programs'), { recursive: true, mode: 0o700 });
    use({
      root,
      put(name, word, change = {}) {
        const file = join(root, '.programs', `${name}.${buildOf()}`);
        const launchFile = {
          invocation: new Uint8Array(),
          checks: [],
          placeholders: [],
          inChild: true,
          image: image(word),
          ...change,
        };
        writeFileSync(file, encodeLaunchFile(launchFile), { mode: 0o600 });
        return file;
      },
      launch: (...args) => launchedWords(['--root', root, ...args], { cwd: top }),
    });
  } finally {
    rmSync(top, { recursive: true });
  }
}

test('a verb and an id run the program that the state root has for them', () => {
  withPlace(({ put, launch, root }) => {
    put('start', 'started\n');
    put('kill+9', 'killed\n');
    put('delete+--force', 'deleted\n');
    assert.equal(launch('start', 'c1'), { code: 9, stdout: 'started\n', stderr: '' });
    assert.is(launch('kill', 'c1', '9')?.stdout, 'killed\n');
    for (const args of [
      ['--force', 'c1'],
      ['c1', '--force'],
    ])
      assert.is(launch('delete', ...args)?.stdout, 'deleted\n');
    assert.is(launch('--systemd-cgroup', '--rootless=false', 'start', 'c1')?.code, 9);
    assert.is(launchedWords([`--root=${root}`, 'start', 'c1'])?.code, 9);
    assert.is(launchedWords(['start', '-root', root, 'c1'])?.code, 9);
  });
});

test('what the launcher does not fully understand is left to JavaScript', () => {
  withPlace(({ put, launch, root }) => {
    put('start', 'started\n');
    for (const args of [
      ['start'],
      ['start', '--help', 'c1'],
      ['start', 'c1', 'c1'],
      ['start', '../root/c1'],
      ['start', './c1'],
      ['start', ''],
      ['--debug', 'start', 'c1'],
      ['--no-such-option', 'start', 'c1'],
      ['stop', 'c1'],
      ['start', 'c1', 'x'.repeat(300)],
      ['x'.repeat(300), 'c1'],
      ['--', 'start', 'c1'],
      [],
    ])
      assert.is(launch(...args), undefined, args.join(' '));
    for (const other of [`${root}/../root`, 'root', `${root}-none`])
      assert.is(launchedWords(['--root', other, 'start', 'c1'], { cwd: join(root, '..') }), undefined, other);
    assert.is(
      launchedWords(['--root', root, 'start', 'c1'], { wrap: ['setpriv', '--reuid', '65534'] }),
      undefined,
    );
  });
});

test('programs of others, or behind links, are left alone', () => {
  withPlace(({ put, launch, root }) => {
    const file = put('start', 'started\n');
    const refused = (change: () => void, back: () => void): void => {
      change();
      assert.is(launch('start', 'c1'), undefined);
      back();
      assert.is(launch('start', 'c1')?.code, 9);
    };
    refused(
      () => chmodSync(file, 0o640),
      () => chmodSync(file, 0o600),
    );
    for (const path of [file, join(root, '.programs')])
      refused(
        () => {
          renameSync(path, `${root}/away`);
          symlinkSync(`${root}/away`, path);
        },
        () => {
          rmSync(path);
          renameSync(`${root}/away`, path);
        },
      );
    refused(
      () => put('start', 'started\n', { invocation: new Uint8Array([1]) }),
      () => put('start', 'started\n'),
    );
  });
});

test('a program is used while its checks hold', () => {
  withPlace(({ put, launch, root }) => {
    const file = join(root, 'file');
    const put2 = (checks: LaunchFile['checks']) => put('start', 'started\n', { checks });
    const contents = new TextEncoder().encode('x'.repeat(10_000));
    writeFileSync(file, contents);
    symlinkSync('/file', join(root, 'link'));
    const lines = join(root, 'lines');
    const text = (value: string) => new TextEncoder().encode(value);
    writeFileSync(lines, `a\nb\n${'x'.repeat(5000)}\n${'y'.repeat(5000)}\nabc\n`);
    writeFileSync(`${lines}-cut`, 'a\nc');
    writeFileSync(`${lines}-long`, `${'x'.repeat(9000)}\n`);
    const good: LaunchFile['checks'] = [
      { want: 'contents', path: file, contents },
      { want: 'contents', root, path: 'link', contents },
      { want: 'ending', path: file, contents: contents.subarray(9_000) },
      { want: 'ending', path: file, contents: new Uint8Array() },
      { want: 'lines', path: lines, contents: text('b\0b\nabc\n') },
      { want: 'lines', path: lines, contents: text('long\0') },
      { want: 'file', path: file },
      { want: 'file', path: '/dev/null' },
      { want: 'directory', path: root },
      { want: 'plain', root, path: '/../file' },
      { want: 'missing', path: `${root}/none` },
      { want: 'missing', root, path: 'c1/none' },
    ];
    put2(good);
    assert.is(launch('start', 'c1')?.code, 9);
    for (const bad of [
      { want: 'contents', path: file, contents: contents.subarray(1) },
      { want: 'contents', path: file, contents: new Uint8Array([...contents, 1]) },
      { want: 'contents', path: file, contents: contents.with(9_999, 1) },
      { want: 'contents', path: root, contents: new Uint8Array() },
      { want: 'contents', path: `${file}2`, contents: new Uint8Array() },
      { want: 'ending', path: file, contents: text('y') },
      { want: 'ending', path: file, contents: new Uint8Array([...contents, 120]) },
      { want: 'lines', path: lines, contents: text('b\0b\n') },
      { want: 'lines', path: lines, contents: text('b\0b\nabc\nb\n') },
      { want: 'lines', path: lines, contents: text('b\0b\nabd\n') },
      { want: 'lines', path: lines, contents: text('b') },
      { want: 'lines', path: `${lines}-cut`, contents: text('b\0') },
      { want: 'lines', path: `${lines}-long`, contents: text('b\0') },
      { want: 'file', path: root },
      { want: 'directory', path: file },
      { want: 'plain', path: `${root}/none` },
      { want: 'missing', path: file },
      { want: 'missing', path: `${file}/below` },
      { want: 'missing', root, path: 'link/none' },
      { want: 'plain', root: file, path: 'x' },
      { want: 'missing', root: `${root}/none`, path: 'x' },
    ] as const) {
      put2([...good, bad]);
      assert.is(launch('start', 'c1'), undefined, JSON.stringify({ ...bad, contents: 0 }));
    }
  });
});

test('the id of the command line is put in', () => {
  withPlace(({ put, launch }) => {
    put('start', ID_PLACE, { placeholders: [{ kind: 'given id', text: ID_PLACE }] });
    for (const id of ['c1', 'x'.repeat(255)]) assert.is(launch('start', id)?.stdout.replaceAll('\0', ''), id);
  });
});

test('a new id and the time are put in', () => {
  withPlace(({ put, launch }) => {
    const text = `${ID} ${MILLISECONDS}\n`;
    put('start', text, {
      placeholders: [
        { kind: 'new id', text: ID },
        { kind: 'milliseconds', text: MILLISECONDS },
      ],
    });
    const ids = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const before = Date.now();
      const [id = '', milliseconds = ''] = launch('start', 'c1')!.stdout.trim().split(' ');
      assert.match(id, /^[0-9a-f]{12}$/);
      ids.add(id);
      assert.is(new Date(milliseconds).toISOString(), milliseconds);
      assert.ok(Date.parse(milliseconds) >= before && Date.parse(milliseconds) <= Date.now());
    }
    assert.is(ids.size, 3);
  });
});

test('a program that ends with 75 leaves the command to JavaScript, also where SIGCHLD is ignored', () => {
  withPlace(({ put, root }) => {
    put('start', 'not me\n', { image: image('not me\n', 75) });
    put('state', 'me\n');
    for (const before of ['true', "trap '' CHLD"]) {
      const say = (...words: string[]) =>
        Bun.spawnSync(['bash', '-c', `${before}; exec "$@"`, 'bash', tinyrun, '--root', root, ...words]);
      const start = say('start', 'c1');
      assert.is(start.stdout.toString(), 'not me\n');
      assert.is(start.stderr.toString(), 'tinyrun: container does not exist: c1\n');
      assert.is(start.exitCode, 1);
      const state = say('state', 'c1');
      assert.is(`${state.exitCode} ${state.stdout}${state.stderr}`, '9 me\n');
    }
  });
});

test('a closed stdin, stdout or stderr is /dev/null', () => {
  withPlace(({ put, root }) => {
    put('start', 'started\n');
    assert.is(launchedWords(['--root', root, 'start', 'c1'], { before: 'exec 0<&- 1>&-' })?.code, 9);
    assert.is(Bun.spawnSync(['sh', '-c', 'exec "$@" >&-', 'sh', tinyrun, '--version']).exitCode, 0);
  });
});

test.run();
