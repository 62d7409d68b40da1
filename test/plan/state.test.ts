import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeDirectories } from '../../src/plan/state.ts';
import {
  bufferOf,
  type Change,
  errno,
  minimalConfig,
  OVERLAY,
  run,
  stepsOf,
  textsOf,
} from '../support/plan-input.ts';

/** The files that the host program writes, by the name or path that it opens them with. */
function filesOf(change: Change): { files: Record<string, string>; pid: number } {
  const files: Record<string, string> = {};
  let name = '';
  const { calls } = run(change, (call) => {
    if (call.process !== 0) return undefined;
    if (call.call === 'openat') name = call.string(1);
    if (call.call === 'write' && bufferOf(call, 1) !== undefined)
      files[name] = new TextDecoder().decode(call.memory(1).subarray(0, Number(call.args[2])));
    if (call.call === 'pwrite64') {
      const bytes = new TextEncoder().encode(files['state.json.tmp']!);
      bytes.set(call.memory(1).subarray(0, Number(call.args[2])), Number(call.args[3]));
      files['state.json.tmp'] = new TextDecoder().decode(bytes);
    }
    return undefined;
  });
  return { files, pid: calls.find(({ call }) => call === 'clone3')!.value };
}

const annotations = {
  'quote"s': 'a "b" \\ \'c\'',
  ünï: 'ж 漢 🙂',
  'line\nbreak': '\t\u0000\u2028',
  spaces: ' '.repeat(20),
};
const withAnnotations = (): Change => ({
  config: minimalConfig((config) => {
    config.annotations = annotations;
  }),
});

test('state.json is JSON, before there is a pid and once it is in it', () => {
  const { files, pid } = filesOf(withAnnotations());
  const text = files['state.json.tmp']!;
  assert.ok(text.endsWith('}\n'));
  assert.equal(JSON.parse(text), {
    ociVersion: '1.3.0',
    id: 'c1',
    pid,
    bundle: '/bundle',
    rootfs: '/bundle/rootfs',
    created: '2030-01-02T03:04:05.000Z',
    owner: '',
    annotations,
    tinyrun: { transient: true },
  });
});

test('state.json can be of strange paths and ids', () => {
  for (const [id, bundle] of [
    ['a.b+c-d_1', '/bün"dle'],
    ['x'.repeat(200), '/with          ten spaces'],
  ]) {
    const { files, pid } = filesOf({ config: minimalConfig(), id: id!, bundle: bundle! });
    const state = JSON.parse(files['state.json.tmp']!);
    assert.equal([state.id, state.bundle, state.pid], [id, bundle, pid]);
  }
});

test('state.json tells of the data of an overlay, and of the topmost layer', () => {
  const { files } = filesOf({ config: minimalConfig(), rootfs: OVERLAY, transient: false });
  const state = JSON.parse(files['state.json.tmp']!);
  assert.is(state.rootfs, '/layers/app');
  assert.equal(state.tinyrun, { transient: false, dataDirectory: '/var/lib/tinyrun/containers/c1' });
});

test('state.json of more than a page is written as a whole, or it is a failure', () => {
  const change = {
    config: minimalConfig((config) => {
      config.annotations = { long: 'x'.repeat(5000) };
    }),
  };
  const half = run(change, (call) =>
    call.call === 'write' && bufferOf(call, 1) === 'state' ? 4096 : undefined,
  );
  assert.is(half.exit, 125);
  assert.match(half.printed[0]!.line, /^tinyrun: write state.json: no space left on device/);
  assert.is(run(change).exit, 0);
});

test('the start time of init is kept beside its pid', () => {
  let opened = '';
  const stat = '1001 (init) S 1';
  let written = '';
  const { calls } = run({ config: minimalConfig() }, (call) => {
    if (call.process !== 0) return undefined;
    if (call.call === 'openat' && bufferOf(call, 1) === 'procstat') opened = call.string(1);
    if (call.call === 'read' && bufferOf(call, 1) === 'stat') {
      call.memory(1).set(new TextEncoder().encode(stat));
      return stat.length;
    }
    if (call.call === 'write' && bufferOf(call, 1) === 'stat')
      written = new TextDecoder().decode(call.memory(1).subarray(0, Number(call.args[2])));
    return undefined;
  });
  const pid = calls.find(({ call }) => call === 'clone3')!.value;
  assert.is(opened.replace(/\/+/g, '/'), `/proc/${pid}/stat`);
  assert.is(written, stat);
});

test('--pid-file: digits only, beside it first, then in its place', () => {
  const { files, pid } = filesOf({ config: minimalConfig(), pidFile: '/run/x/c1.pid' });
  assert.is(files['/run/x/c1.pid~'], String(pid));
  const texts = stepsOf({ config: minimalConfig(), pidFile: '/c1.pid' })
    .filter(({ op }) => op.from === '--pid-file')
    .map(({ text }) => text);
  assert.equal(texts, [
    'unlinkat(AT_FDCWD, "/c1.pid~", none)  ignore ENOENT',
    '$file = openat(AT_FDCWD, "/c1.pid~", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0644)',
    'write($file, &pidtext+0, $size)  fail -> drop-pid-file',
    'close($file)',
    'renameat2(AT_FDCWD, "/c1.pid~", AT_FDCWD, "/c1.pid", 0)  fail -> drop-pid-file',
  ]);
  assert.not.ok(stepsOf().some(({ op }) => op.from === '--pid-file'));
});

test('a taken id is told with the words that engines look for, and nothing is removed', () => {
  for (const exits of [
    { failure: 125, notExecutable: 126, notFound: 127 },
    { failure: 1, notExecutable: 1, notFound: 1 },
  ]) {
    const { exit, printed, calls } = run({ exits }, (call) =>
      call.call === 'mkdirat' && call.string(1) === 'c1' ? errno('EEXIST') : undefined,
    );
    assert.is(exit, exits.failure);
    assert.equal(printed, [{ fd: 2, line: 'tinyrun: container with given ID already exists: c1\n' }]);
    assert.equal(calls.map(({ call }) => call).slice(-2), ['mkdirat', 'exit_group']);
  }
});

test('a state root that cannot be used is a failure that removes nothing', () => {
  const rows: [string, string, string][] = [
    ['mkdirat', 'EROFS', 'make directory /run: EROFS read-only file system'],
    ['openat', 'ENOTDIR', 'open the state root /run/tinyrun: ENOTDIR not a directory'],
    ['flock', 'ENOLCK', 'lock the state root: ENOLCK no locks available'],
  ];
  for (const [failing, name, words] of rows) {
    const { exit, printed, calls } = run({}, ({ call }) => (call === failing ? errno(name) : undefined));
    assert.is(exit, 125);
    assert.equal(
      printed.map(({ line }) => line),
      [`tinyrun: ${words}\n`],
    );
    assert.not.ok(calls.some(({ call }) => call === 'unlinkat'));
  }
});

test('makeDirectories: each directory on the way, the last one with the mode', () => {
  assert.equal(textsOf(makeDirectories('/a/b/c', 0o711, 'why')), [
    'mkdirat(AT_FDCWD, "/a", 0755)  ignore EEXIST',
    'mkdirat(AT_FDCWD, "/a/b", 0755)  ignore EEXIST',
    'mkdirat(AT_FDCWD, "/a/b/c", 0711)  ignore EEXIST',
  ]);
  assert.equal(textsOf(makeDirectories('/a', 0o700, 'why', 'leave')), [
    'mkdirat(AT_FDCWD, "/a", 0700)  ignore EEXIST  fail -> leave',
  ]);
});

test.run();
