import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCold, withoutAlias } from '../../src/cli/cold.ts';
import type { CommandLine, OptionValue } from '../../src/cli/command-line.ts';
import { parseFast } from '../../src/cli/fast.ts';
import { parseWithYargs } from '../../src/cli/yargs.ts';
import { TinyrunError } from '../../src/errors.ts';

type Expected = [
  command: string,
  options: Record<string, OptionValue>,
  args: string[],
  rest?: string[] | undefined,
];

/** Command lines that both parsers understand; words are split at spaces, `''` is an empty word. */
const valid: Record<string, Expected> = {
  '--version': ['version', {}, []],
  '-v': ['version', {}, []],
  '--debug --version list': ['version', { debug: true }, []],
  list: ['list', {}, []],
  'list -q': ['list', { quiet: true }, []],
  'list --quiet=false': ['list', { quiet: false }, []],
  'list -qf json': ['list', { quiet: true, format: 'json' }, []],
  'list -f json': ['list', { format: 'json' }, []],
  'list --format=json -f table': ['list', { format: 'table' }, []],
  '--root /r list': ['list', { root: '/r' }, []],
  '--root=/r --debug list': ['list', { root: '/r', debug: true }, []],
  'list --root /r': ['list', { root: '/r' }, []],
  '--root /a list --root /b': ['list', { root: '/b' }, []],
  '--log= list': ['list', { log: '' }, []],
  "--log '' list": ['list', { log: '' }, []],
  '--log-format json --log l state c1': ['state', { 'log-format': 'json', log: 'l' }, ['c1']],
  '--systemd-cgroup --cgroup-manager disabled --rootless auto state c1': [
    'state',
    { 'systemd-cgroup': true, 'cgroup-manager': 'disabled', rootless: 'auto' },
    ['c1'],
  ],
  'exec -td c sh -x': ['exec', { tty: true, detach: true }, ['c'], ['sh', '-x']],
  'exec -tu 1 c sh': ['exec', { tty: true, user: '1' }, ['c'], ['sh']],
  'state -': ['state', {}, ['-']],
  'delete c1': ['delete', {}, ['c1']],
  'delete --force c1': ['delete', { force: true }, ['c1']],
  'delete c1 -f': ['delete', { force: true }, ['c1']],
  'delete -force c1': ['delete', { force: true }, ['c1']],
  'delete -f true': ['delete', { force: true }, ['true']],
  'delete --force=true c1': ['delete', { force: true }, ['c1']],
  'delete -f=false c1': ['delete', { force: false }, ['c1']],
  spec: ['spec', {}, []],
  'spec -b d': ['spec', { bundle: 'd' }, []],
  'run ./b': ['run', {}, ['./b']],
  "run ''": ['run', {}, ['']],
  'run 007': ['run', {}, ['007']],
  'run --bundle b c1': ['run', { bundle: 'b' }, ['c1']],
  'run -bundle b c1': ['run', { bundle: 'b' }, ['c1']],
  'run -b=b c1': ['run', { bundle: 'b' }, ['c1']],
  'run --b b c1': ['run', { bundle: 'b' }, ['c1']],
  'run c1 --bundle=b=c': ['run', { bundle: 'b=c' }, ['c1']],
  'run --rm --name n ./b': ['run', { rm: true, name: 'n' }, ['./b']],
  'run --rm true': ['run', { rm: true }, ['true']],
  'run --rm --overlay false': ['run', { rm: true, overlay: true }, ['false']],
  'run --name 007 ./b': ['run', { name: '007' }, ['./b']],
  'run --name=a.b --hostname h.x ./b': ['run', { name: 'a.b', hostname: 'h.x' }, ['./b']],
  'run --name a --name b ./b': ['run', { name: 'b' }, ['./b']],
  'run -v a:/b ./b -v c:/d --volume=e:/f': ['run', { volume: ['a:/b', 'c:/d', 'e:/f'] }, ['./b']],
  'run --mount type=tmpfs,destination=/x ./b': ['run', { mount: ['type=tmpfs,destination=/x'] }, ['./b']],
  'run --mount=type=tmpfs,destination=/x ./b': ['run', { mount: ['type=tmpfs,destination=/x'] }, ['./b']],
  'run --tmpfs /a --tmpfs /b:size=1m ./b': ['run', { tmpfs: ['/a', '/b:size=1m'] }, ['./b']],
  "run --tmpfs '' ./b": ['run', { tmpfs: [''] }, ['./b']],
  'run --add-host a:1.2.3.4 --dns 1.1.1.1 --dns-search x.y ./b': [
    'run',
    { 'add-host': ['a:1.2.3.4'], dns: ['1.1.1.1'], 'dns-search': ['x.y'] },
    ['./b'],
  ],
  'run --dns 1 --dns 2 ./b': ['run', { dns: ['1', '2'] }, ['./b']],
  'run --no-pivot --no-new-keyring --no-subreaper --keep --overlay ./b': [
    'run',
    { 'no-pivot': true, 'no-new-keyring': true, 'no-subreaper': true, keep: true, overlay: true },
    ['./b'],
  ],
  'run --preserve-fds 2 --step-fd=9 ./b': ['run', { 'preserve-fds': 2, 'step-fd': 9 }, ['./b']],
  'run --preserve-fds 007 ./b': ['run', { 'preserve-fds': 7 }, ['./b']],
  'run --pid-file p --engine ffi --trace 3 ./b': [
    'run',
    { 'pid-file': 'p', engine: 'ffi', trace: '3' },
    ['./b'],
  ],
  'run -d --console-socket s c1': ['run', { detach: true, 'console-socket': 's' }, ['c1']],
  'run --name -1 ./b': ['run', { name: '-1' }, ['./b']],
  'run --name - ./b': ['run', { name: '-' }, ['./b']],
  'run --name=--rm ./b': ['run', { name: '--rm' }, ['./b']],
  'run ./b --': ['run', {}, ['./b']],
  'run ./b -- ls -l --rm -- x 1': ['run', {}, ['./b'], ['ls', '-l', '--rm', '--', 'x', '1']],
  'run -- ./b': ['run', {}, ['./b']],
  'run --rm -- ./b ls -l': ['run', { rm: true }, ['./b'], ['ls', '-l']],
  'create -- c1': ['create', {}, ['c1']],
  'run --rm ./b -- -h --help': ['run', { rm: true }, ['./b'], ['-h', '--help']],
  'run ./b --debug -- --debug': ['run', { debug: true }, ['./b'], ['--debug']],
  'explain --json -v a:/b ./b -- true': ['explain', { json: true, volume: ['a:/b'] }, ['./b'], ['true']],
  'explain --program --compact ./b': ['explain', { program: true, compact: true }, ['./b']],
  'exec c1 ls -l': ['exec', {}, ['c1'], ['ls', '-l']],
  'exec c1 --tty': ['exec', {}, ['c1'], ['--tty']],
  'exec c1 -- ls -- x': ['exec', {}, ['c1'], ['ls', '--', 'x']],
  'exec c1 --': ['exec', {}, ['c1']],
  'exec -t c1 sh -c --help': ['exec', { tty: true }, ['c1'], ['sh', '-c', '--help']],
  'exec -t -d -p f c1': ['exec', { tty: true, detach: true, process: 'f' }, ['c1']],
  '--debug exec --tty=false --root /r c1 --root': [
    'exec',
    { debug: true, tty: false, root: '/r' },
    ['c1'],
    ['--root'],
  ],
  'exec -e A=1 --env=B=2 -u 1:2 -g 3 -g 4 --cwd / -c CAP_KILL --no-new-privs c1 -1': [
    'exec',
    {
      env: ['A=1', 'B=2'],
      user: '1:2',
      'additional-gids': ['3', '4'],
      cwd: '/',
      cap: ['CAP_KILL'],
      'no-new-privs': true,
    },
    ['c1'],
    ['-1'],
  ],
  'exec --cgroup a --cgroup cpu:b --ignore-paused --preserve-fds 1 c1 exec c2': [
    'exec',
    { cgroup: ['a', 'cpu:b'], 'ignore-paused': true, 'preserve-fds': 1 },
    ['c1'],
    ['exec', 'c2'],
  ],
  'checkpoint --image-path i --leave-running --tcp-established --status-fd 3 c1': [
    'checkpoint',
    { 'image-path': 'i', 'leave-running': true, 'tcp-established': true, 'status-fd': 3 },
    ['c1'],
  ],
  'restore -d -b /b --image-path i --manage-cgroups-mode ignore --pid-file p --no-subreaper c1': [
    'restore',
    {
      ...{ detach: true, bundle: '/b', 'image-path': 'i', 'manage-cgroups-mode': 'ignore' },
      ...{ 'pid-file': 'p', 'no-subreaper': true },
    },
    ['c1'],
  ],
  '--root /r --data-root /d purge c1 7': ['purge', { root: '/r', 'data-root': '/d' }, ['c1', '7']],
};

const words = (text: string): string[] =>
  text === '' ? [] : text.split(' ').map((word) => (word === "''" ? '' : word));

for (const [text, [command, options, args, rest]] of Object.entries(valid)) {
  test(`both parsers understand: ${text}`, async () => {
    const expected: CommandLine = { command, options, args, rest };
    assert.equal(parseFast(words(text)) ?? parseCold(words(text)), expected);
    assert.equal(await parseWithYargs(words(text)), expected);
  });
}

/** Command lines that are wrong, and why. */
const invalid: Record<string, string> = {
  nope: 'unknown command nope',
  constructor: 'unknown command constructor',
  '--nope list': 'unknown option --nope',
  '--rm run ./b': 'unknown option --rm',
  '-- list': 'unknown option --',
  '--root': 'option --root needs a value',
  '--log-format xml list': '--log-format is text or json, not "xml"',
  '--log-format=JSON list': '--log-format is text or json, not "JSON"',
  '--debug=yes list': '--debug is true or false, not "yes"',
  'list x': 'list takes no arguments; 1 argument was given',
  'list -f xml': '--format is table or json, not "xml"',
  'list -x': 'unknown option -x',
  'list -fq json': 'unknown option --fq',
  'list --version': 'unknown option --version',
  'list -v': 'unknown option -v',
  'list -- x': 'list takes no arguments; 1 argument was given',
  'state -- a b': 'state takes ID; 2 arguments were given',
  'help nope': 'unknown command nope',
  'list --constructor x': 'unknown option --constructor',
  state: 'state takes ID; 0 arguments were given',
  'state a b': 'state takes ID; 2 arguments were given',
  'state --force a': 'unknown option --force',
  'delete --force=maybe a': '--force is true or false, not "maybe"',
  run: 'run takes IMAGE [COMMAND] [ARGS...] | BUNDLE [-- ARGS...] | [--bundle BUNDLE] ID; 0 arguments were given',
  'run ./b ls':
    "run takes IMAGE [COMMAND] [ARGS...] | BUNDLE [-- ARGS...] | [--bundle BUNDLE] ID; 2 arguments were given; the program's own arguments stand behind --",
  'run --name': 'option --name needs a value',
  'run --name --rm ./b': 'option --name needs a value',
  'run -v -- ./b': 'option -v needs a value',
  'run --preserve-fds -1 ./b': '--preserve-fds is a number from 0 to 999999999, not "-1"',
  'run --preserve-fds 1e3 ./b': '--preserve-fds is a number from 0 to 999999999, not "1e3"',
  "run --preserve-fds '' ./b": '--preserve-fds is a number from 0 to 999999999, not ""',
  'run --engine runc ./b': '--engine is native or ffi, not "runc"',
  'run --pivot ./b': 'unknown option --pivot',
  'run --root.x y ./b': 'unknown option --root.x',
  'run ---rm ./b': 'unknown option ---rm',
  'state -1x': 'unknown option --1x',
  'exec -t': 'exec takes CONTAINER COMMAND [ARGS...] | --process FILE ID; 0 arguments were given',
  'exec --nope c1 ls': 'unknown option --nope',
  'exec --env': 'option --env needs a value',
  'explain --quiet ./b': 'unknown option --quiet',
};

for (const [text, message] of Object.entries(invalid)) {
  test(`refused: ${text}`, async () => {
    assert.is(parseFast(words(text)) ?? parseCold(words(text)), undefined);
    let error: unknown;
    try {
      await parseWithYargs(words(text));
    } catch (thrown) {
      error = thrown;
    }
    assert.instance(error, TinyrunError);
    assert.is(error instanceof TinyrunError ? `${error.code} ${error.message}` : '', `USAGE ${message}`);
  });
}

async function outputOf(text: string): Promise<string> {
  assert.is(parseFast(words(text)), undefined);
  const parsed = await parseWithYargs(words(text));
  return 'output' in parsed ? parsed.output : '';
}

test('help lists the commands, but no hidden ones', async () => {
  for (const text of ['', '--help', '-h', '--debug', '--debug --help', '--help list']) {
    const help = await outputOf(text);
    assert.match(help, /tinyrun run +create a container of an image or a bundle/);
    assert.match(help, /--root +state root/);
    assert.match(help, /-v, --version/);
    assert.not.match(help, 'purge');
  }
});

test('help of a command lists its options and the global ones', async () => {
  for (const text of ['run --help', 'run ./b -h', '--debug run --name --help', 'run --nope --help']) {
    const help = await outputOf(text);
    assert.match(help, /^tinyrun run \[OPTIONS\] IMAGE/);
    assert.match(help, /-v, --volume +\[SOURCE:\]DESTINATION/);
    assert.match(help, /--log-format/);
    assert.not.match(help, 'step-fd');
  }
});

test('help COMMAND is COMMAND --help', async () => {
  assert.is(await outputOf('help'), await outputOf('--help'));
  assert.is(await outputOf('--debug h'), await outputOf('--help'));
  assert.is(await outputOf('help kill'), await outputOf('kill --help'));
});

test('behind -- there are no options, but arguments, as in runc', async () => {
  const expected: Record<string, Expected> = {
    'delete -f -- c1': ['delete', { force: true }, ['c1']],
    'kill -- -c1 9': ['kill', {}, ['-c1', '9']],
    'create -b b -- c1': ['create', { bundle: 'b' }, ['c1']],
    'exec -t -- c1 ls -l': ['exec', { tty: true }, ['c1'], ['ls', '-l']],
  };
  for (const [text, [command, options, args, rest]] of Object.entries(expected))
    assert.equal(await parseWithYargs(words(text)), { command, options, args, rest });
});

test('a command of two words is found before the one that its first word is', async () => {
  for (const parse of [parseCold, parseWithYargs]) {
    const line = await parse(words('explain mounts c1'));
    assert.ok(line !== undefined && 'command' in line);
    assert.equal([line.command, line.args], ['explain mounts', ['c1']]);
  }
  assert.equal(parseFast(words('explain mounts'))?.args, ['mounts'], 'a bundle of that name');
});

test("ps without a container is Docker's list, with one it is runc's", () => {
  assert.equal(withoutAlias(words('ps -a -f status=exited')), words('container ls -a -f status=exited'));
  assert.equal(withoutAlias(words('--debug ps')), words('--debug container ls'));
  assert.equal(withoutAlias(words('ps -f json c1')), words('ps -f json c1'));
  assert.is(parseFast(words('ps c1 aux'))?.command, 'ps');
});

test('flags that runc and crun have, and that change nothing here, are taken', () => {
  assert.equal(parseFast(words('--criu /criu --log-level debug create --no-subreaper -f c c1')), {
    command: 'create',
    options: { criu: '/criu', 'log-level': 'debug', 'no-subreaper': true, config: 'c' },
    args: ['c1'],
    rest: undefined,
  });
});

test('the completion script asks for words, which yargs answers from the table', async () => {
  assert.match(await outputOf('completion'), 'tinyrun --get-yargs-completions');
  const first = (await outputOf('--get-yargs-completions tinyrun l')).split('\n');
  assert.is(new Set(first).size, first.length);
  assert.ok(
    ['run', 'explain', 'volume', 'completion'].every((word) => first.includes(word)),
    first.join(' '),
  );
  const second = (await outputOf('--get-yargs-completions tinyrun volume c')).split('\n');
  assert.ok(second.includes('create') && !second.includes('run'), second.join(' '));
  const options = (await outputOf('--get-yargs-completions tinyrun delete --f')).split('\n');
  assert.ok(options.includes('--force') && options.includes('--root'), options.join(' '));
  assert.is(await outputOf('--get-yargs-completions tinyrun run --engine n'), 'native\n');
});

test.run();
