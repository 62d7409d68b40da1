// The whole command line, run from its sources: what is printed where, and exit codes. Containers are not made here.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultConfig } from '../../src/oci/defaults.ts';
import { ENDED, withStateRoot } from '../runtime/state-root.ts';

const main = join(import.meta.dir, '../../src/cli/main.ts');

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs tinyrun with these words in a directory. */
function tinyrun(cwd: string, ...words: string[]): Result {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, main, ...words], {
    cwd,
    stdin: 'ignore',
  });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Calls `use` with a directory that has no config.json, and holds the bundle directories `names`. */
function withBundles(names: string[], use: (dir: string) => void): void {
  const dir = mkdtempSync('/tmp/tinyrun-test-');
  try {
    for (const name of names) {
      mkdirSync(join(dir, name, 'rootfs'), { recursive: true });
      writeFileSync(join(dir, name, 'config.json'), JSON.stringify(defaultConfig()));
    }
    use(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test("--version has runc's three lines", () => {
  const { code, stdout, stderr } = tinyrun('/', '--version');
  assert.match(stdout, /^tinyrun version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.3\.0\n$/);
  assert.equal([code, stderr], [0, '']);
});

test('help goes to stdout', () => {
  const { code, stdout, stderr } = tinyrun('/', '--help');
  assert.match(stdout, /^tinyrun \[GLOBAL OPTIONS\] COMMAND\n/);
  assert.equal([code, stderr], [0, '']);
});

test('a mistake in the command line is one line with what to do', () => {
  assert.equal(tinyrun('/', 'list', '--nope'), {
    code: 1,
    stdout: '',
    stderr: 'tinyrun: unknown option --nope; see tinyrun list --help\n',
  });
});

test("a command of Docker's that tinyrun has not says what does it instead", () => {
  const { code, stderr } = tinyrun('/', 'pull', 'nginx');
  assert.is(code, 1);
  assert.match(
    stderr,
    /^tinyrun: unknown command pull; images come from files: skopeo copy docker:[^\n]+\n$/,
  );
  assert.is(tinyrun('/', 'version').stderr, 'tinyrun: unknown command version; tinyrun --version\n');
});

test("run's mistakes exit as Docker's, in runc's form as runc's", () => {
  assert.is(tinyrun('/', 'run').code, 125);
  assert.is(tinyrun('/', 'run', '--nope', './b').code, 125);
  assert.is(tinyrun('/', 'run', '--nope', '--bundle', 'b', 'c1').code, 1);
  assert.is(tinyrun('/', 'run', '-b=b', 'c1', 'c2').code, 1);
  assert.is(tinyrun('/', 'run', '-d', './b').code, 125);
  assert.is(tinyrun('/', 'run', '-d', '-b', 'b', 'c1').code, 1);
});

test('an error goes to the log file as well, even one of the command line', async () => {
  await withStateRoot(({ root }) => {
    const { stderr } = tinyrun(root, '--log', 'log', '--log-format', 'json', '--root', '.', 'state', 'none');
    assert.is(stderr, 'tinyrun: container does not exist: none\n');
    tinyrun(root, '--log', 'log', 'list', 'x');
    const [first = '', second = ''] = readFileSync(join(root, 'log'), 'utf8').split('\n');
    assert.match(first, /^\{"level":"error","msg":"container does not exist: none","time":"[^"]+Z"\}$/);
    assert.match(
      second,
      /^time="[^"]+Z" level=error msg="list takes no arguments; 1 argument was given; see /,
    );
  });
});

test('a stack trace is printed with --debug only', () => {
  assert.not.match(tinyrun('/', '--root', '/nowhere', 'state', 'c1').stderr, ' at ');
  assert.match(tinyrun('/', '--debug', '--root', '/nowhere', 'state', 'c1').stderr, /\n +at /);
});

test('state, list and delete of one state root', async () => {
  await withStateRoot(({ root, dataRoot, add }) => {
    const run = (...words: string[]) => tinyrun('/', '--root', root, '--data-root', dataRoot, ...words);
    add('c1', ENDED);
    assert.match(run('state', 'c1').stdout, /^\{\n {2}"ociVersion": "1\.3\.0",\n {2}"id": "c1",/);
    assert.match(run('list').stdout, /^ID .*OWNER\nc1 +0 +stopped +\/bundle /);
    assert.match(run('list', '-f', 'json').stdout, /^\[\{.*\}\]\n$/);
    assert.is(run('list', '-q').stdout, 'c1\n');
    assert.equal(run('delete', 'c1'), { code: 0, stdout: '', stderr: '' });
    assert.equal(run('delete', 'c1'), {
      code: 1,
      stdout: '',
      stderr: 'tinyrun: container does not exist: c1\n',
    });
    assert.equal(run('delete', '--force', 'c1'), { code: 0, stdout: '', stderr: '' });
    assert.is(run('delete', '--force', '../data').code, 1);
    assert.is(existsSync(dataRoot), true);
    assert.is(run('list', '-f', 'json').stdout, 'null\n');
  });
});

test("purge ends with the container's exit code", async () => {
  await withStateRoot(({ root, dataRoot, add, addData }) => {
    const data = addData('c1');
    add('c1', { ...ENDED, transient: true, dataDirectory: data });
    const words = ['--root', root, '--data-root', dataRoot, 'purge', 'c1', '137'];
    for (let i = 0; i < 2; i++) assert.equal(tinyrun('/', ...words), { code: 137, stdout: '', stderr: '' });
    assert.is(existsSync(data), false);
  });
});

test('spec writes a config.json, but not over another', () => {
  withBundles([], (dir) => {
    assert.equal(tinyrun(dir, 'spec'), { code: 0, stdout: '', stderr: '' });
    const text = readFileSync(join(dir, 'config.json'), 'utf8');
    assert.is(text, `${JSON.stringify(defaultConfig(), undefined, '\t')}\n`);
    assert.equal(tinyrun('/', 'spec', '--bundle', dir), {
      code: 1,
      stdout: '',
      stderr: 'tinyrun: File config.json exists. Remove it first\n',
    });
  });
});

test('explain shows the same program as a listing, as JSON and as text', () => {
  withBundles(['b'], (dir) => {
    assert.match(tinyrun(dir, 'explain', 'b').stdout, /^host program: \d+ ops/);
    assert.match(tinyrun(dir, 'explain', '--compact', './b').stdout, /^host program: \d+ ops/);
    const ops: unknown = JSON.parse(tinyrun(dir, 'explain', '--json', 'b').stdout);
    assert.ok(Array.isArray(ops) && ops.length > 100);
    const text = () =>
      tinyrun(dir, 'explain', '--program', 'b').stdout.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'NOW');
    assert.match(text(), /\nsection init /);
    assert.is(text(), text(), 'twice the same');
  });
});

test('one argument is a bundle if it holds a config.json, else an id; if it may be both, an error', () => {
  withBundles(['b', '.', 'other'], (dir) => {
    const ambiguous = tinyrun(dir, 'run', 'b');
    assert.is(ambiguous.code, 125);
    assert.match(
      ambiguous.stderr,
      'run b: it may be the bundle ./b, or the id of a container of the bundle here, --bundle . b;',
    );
    const program = (...words: string[]) => tinyrun(dir, 'explain', '--program', ...words).stdout;
    assert.match(program('./b'), `"bundle\\":\\"${dir}/b\\"`);
    assert.match(program('--bundle', '.', 'b'), `"bundle\\":\\"${dir}\\"`);
    assert.match(program('c1'), `"bundle\\":\\"${dir}\\"`);
    assert.match(
      tinyrun(join(dir, 'other/rootfs'), 'explain', '--program', '..').stdout,
      `"bundle\\":\\"${dir}/other\\"`,
    );
  });
  withBundles(['b'], (dir) => {
    assert.match(tinyrun(dir, 'explain', '--program', 'b').stdout, `"bundle\\":\\"${dir}/b\\"`);
    assert.is(tinyrun(dir, 'run', 'c1').code, 125);
    assert.match(tinyrun(dir, 'run', 'c1').stderr, "Unable to find image 'c1:latest' locally");
    assert.is(tinyrun(dir, 'run', './c1').code, 125);
  });
});

test.run();
