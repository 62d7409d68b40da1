import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCold } from '../../src/cli/cold.ts';
import type { CommandLine } from '../../src/cli/command-line.ts';
import { parseFast } from '../../src/cli/fast.ts';
import { absolute, toGlobalOptions } from '../../src/cli/global.ts';
import { explicitForm, toCreateOptions, toRunOptions } from '../../src/cli/run-options.ts';
import { TinyrunError } from '../../src/errors.ts';
import type { RunOptions } from '../../src/runtime/options.ts';

function parse(text: string): CommandLine {
  const line = parseFast(text.split(' ')) ?? parseCold(text.split(' '));
  if (line === undefined) throw new Error(`the fast path does not understand: ${text}`);
  return line;
}

const options = (text: string): RunOptions => {
  const line = parse(text);
  return toRunOptions(line, '/home/me', explicitForm(line) ?? 'runc');
};

function problem(text: string): string {
  try {
    options(text);
  } catch (error) {
    if (error instanceof TinyrunError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'none';
}

test('toRunOptions: a bundle alone has an id made for it, and all defaults', () => {
  const { id, ...rest } = options('run ./b/');
  assert.match(id, /^[0-9a-f]{12}$/);
  assert.equal(rest, {
    ...{ lifecycle: 'foreground', configFile: undefined, consoleSocket: undefined, pidfdSocket: undefined },
    ...{ listenFds: 0, notifySocket: undefined },
    ...{
      form: 'bundle',
      bundle: '/home/me/b',
      named: false,
      container: undefined,
      found: false,
      keep: false,
      remove: false,
      args: undefined,
    },
    ...{ volumesFrom: [], volumeDriver: undefined },
    ...{ overlay: false, volumes: [], mounts: [], tmpfs: [], hostname: undefined, addHosts: [], dns: [] },
    ...{
      dnsSearch: [],
      init: false,
      noPivot: false,
      noNewKeyring: false,
      preserveFds: 0,
      pidFile: undefined,
      engine: 'native',
    },
    ...{ trace: undefined, stepFd: undefined },
  });
});

test('toRunOptions: two bundles get two ids', () => {
  assert.is.not(options('run ./b').id, options('run ./b').id);
});

test('toRunOptions: with --bundle the argument is the id', () => {
  const { form, bundle, id, named } = options('run --bundle /b c1');
  assert.equal({ form, bundle, id, named }, { form: 'runc', bundle: '/b', id: 'c1', named: false });
  assert.is(options('run c1 -b .').bundle, '/home/me');
});

test('toRunOptions: --name is the id of a bundle', () => {
  const { form, id, named } = options('run --name web /b');
  assert.equal({ form, id, named }, { form: 'bundle', id: 'web', named: true });
});

test('toRunOptions: dots and slashes make a bundle', () => {
  const bundles = {
    '.': '/home/me',
    '..': '/home',
    './b': '/home/me/b',
    './a/b': '/home/me/a/b',
    '/b': '/b',
  };
  for (const [argument, bundle] of Object.entries(bundles)) {
    assert.is(options(`run ${argument}`).form, 'bundle');
    assert.is(options(`run ${argument}`).bundle, bundle);
  }
});

test('toRunOptions: every option arrives', () => {
  const given = options(
    'run --rm --overlay -v a:/a --mount type=tmpfs,dst=/m --tmpfs /t --hostname h --add-host x:1.2.3.4 ' +
      '--dns 1.1.1.1 --dns-search d --no-pivot --no-new-keyring --preserve-fds 2 --pid-file p --engine ffi --trace t --step-fd 7 ' +
      '-d=false --config c --pidfd-socket ps --console-socket cs /b -- ls -l',
  );
  assert.equal(given, {
    ...{
      form: 'bundle',
      bundle: '/b',
      id: given.id,
      named: false,
      container: undefined,
      found: false,
      keep: false,
      remove: true,
      args: ['ls', '-l'],
    },
    ...{ volumesFrom: [], volumeDriver: undefined },
    ...{ overlay: true, volumes: ['a:/a'], mounts: ['type=tmpfs,dst=/m'], tmpfs: ['/t'], hostname: 'h' },
    ...{
      addHosts: ['x:1.2.3.4'],
      dns: ['1.1.1.1'],
      dnsSearch: ['d'],
      init: false,
      noPivot: true,
      noNewKeyring: true,
      preserveFds: 2,
    },
    ...{ pidFile: '/home/me/p', engine: 'ffi', trace: '/home/me/t', stepFd: 7, lifecycle: 'foreground' },
    ...{
      listenFds: 0,
      notifySocket: undefined,
      configFile: '/home/me/c',
      pidfdSocket: '/home/me/ps',
      consoleSocket: '/home/me/cs',
    },
  });
  assert.is(options('run --trace 2 /b').trace, '2');
  assert.is(options('run --keep -b /b c1').keep, true);
});

const refused: Record<string, string> = {
  'run -d --rm /b': 'USAGE --detach and --rm contradict each other: give one of them',
  [`run --console-socket /${'x'.repeat(107)} /b`]: `USAGE --console-socket /${'x'.repeat(107)}: a socket's path has at most 107 bytes`,
  'run --keep --rm /b': 'USAGE --keep and --rm contradict each other: give one of them',
  'run --name n -b /b c1': 'USAGE run c1: --name n is a second id',
  'run -b /b a/b': 'USAGE invalid container ID format: "a/b"',
  'run -b /b .': 'USAGE invalid container ID format: "."',
  'run --name= /b': 'USAGE container id cannot be empty',
};
for (const [text, message] of Object.entries(refused)) {
  test(`toRunOptions refuses: ${text}`, () => {
    assert.is(problem(text), message);
  });
}

test('toRunOptions: an empty path is none', () => {
  const { pidFile, consoleSocket, trace } = options('run --pid-file= --console-socket= --trace= /b');
  assert.equal([pidFile, consoleSocket, trace], [undefined, undefined, undefined]);
});

test('toRunOptions: --detach', () => {
  assert.is(options('run -d /b').lifecycle, 'detached');
});

test('toCreateOptions: a container of the bundle here, or of another one', () => {
  const create = (text: string) => toCreateOptions(parse(text), '/home/me');
  assert.is(create('create c1').bundle, '/home/me');
  const { lifecycle, form, bundle, id } = create('create -b b c1');
  assert.equal(
    { lifecycle, form, bundle, id },
    { lifecycle: 'created', form: 'runc', bundle: '/home/me/b', id: 'c1' },
  );
});

test('toRunOptions: flags that are switched off are not given', () => {
  assert.is(problem('run --detach=false --keep=false --rm /b'), 'none');
});

test('toGlobalOptions: defaults, and paths from the working directory', () => {
  assert.equal(toGlobalOptions({}, '/home/me'), {
    root: '/run/tinyrun',
    dataRoot: '/var/lib/tinyrun',
    log: undefined,
    logFormat: 'text',
    debug: false,
    rootless: 'auto',
    cgroupManager: 'cgroupfs',
  });
  const { options } = parse(
    '--root r --data-root ../d --log ./l --log-format json --debug --rootless false list',
  );
  assert.equal(toGlobalOptions(options, '/home/me'), {
    root: '/home/me/r',
    dataRoot: '/home/d',
    log: '/home/me/l',
    logFormat: 'json',
    debug: true,
    rootless: 'false',
    cgroupManager: 'cgroupfs',
  });
});

test('toGlobalOptions: who makes cgroups', () => {
  const of = (words: string) => toGlobalOptions(parse(`${words} list`).options, '/').cgroupManager;
  assert.is(of('--systemd-cgroup'), 'systemd');
  assert.is(of('--systemd-cgroup=false'), 'cgroupfs');
  for (const manager of ['cgroupfs', 'systemd', 'disabled'])
    assert.is(of(`--cgroup-manager ${manager}`), manager);
  assert.is(of('--systemd-cgroup --cgroup-manager disabled'), 'disabled');
});

test('absolute: cleans what it makes absolute', () => {
  const paths = { a: '/w/a', '/': '/', '//a//b/': '/a/b', '../../..': '/', './a/../b': '/w/b' };
  for (const [path, clean] of Object.entries(paths)) assert.is(absolute(path, '/w'), clean);
});

test.run();
