// An image's config and the command line: Docker's rules of what replaces what.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConfigFlags, mergeConfig, mergeEnvironment } from '../../src/container/merge-config.ts';

const FLAGS: ConfigFlags = {
  ...{
    image: 'bb',
    command: [],
    entrypoint: undefined,
    hostname: undefined,
    domainname: '',
    user: undefined,
  },
  ...{ workingDir: undefined, env: [], labels: {}, stopSignal: undefined, stopTimeout: undefined },
  ...{ tty: false, interactive: false, detach: false, starts: true },
};
const IMAGE = {
  ...{
    User: 'ann',
    Env: ['A=1', 'B=2'],
    Entrypoint: ['/e'],
    Cmd: ['c'],
    WorkingDir: '/w',
    Labels: { l: '1' },
  },
  ...{ Volumes: { '/v': {} }, ExposedPorts: { '80/tcp': {} }, StopSignal: 'SIGINT' },
};
const merge = (flags: Partial<ConfigFlags>, image = IMAGE) =>
  mergeConfig(image, { ...FLAGS, ...flags }, 'host');

test('without flags all is the image’s', () => {
  const config = merge({});
  assert.equal([config.Entrypoint, config.Cmd], [['/e'], ['c']]);
  assert.equal(
    [config.User, config.WorkingDir, config.StopSignal, config.Hostname],
    ['ann', '/w', 'SIGINT', 'host'],
  );
  assert.equal(
    [config.Env, config.Labels, config.Volumes, config.ExposedPorts],
    [['A=1', 'B=2'], { l: '1' }, { '/v': {} }, { '80/tcp': {} }],
  );
});

const COMMANDS: [Partial<ConfigFlags>, string[] | null, string[] | null][] = [
  [{ command: ['x', 'y'] }, ['/e'], ['x', 'y']],
  [{ entrypoint: '/f' }, ['/f'], null],
  [{ entrypoint: '/f', command: ['x'] }, ['/f'], ['x']],
  [{ entrypoint: '', command: ['x'] }, null, ['x']],
];
for (const [flags, entrypoint, cmd] of COMMANDS) {
  test(`entrypoint and command: ${JSON.stringify(flags)}`, () => {
    const config = merge(flags);
    assert.equal([config.Entrypoint, config.Cmd], [entrypoint, cmd]);
  });
}

test('what has no command is refused when it is started, not when it is made', () => {
  assert.is(merge({ entrypoint: '', starts: false }).Cmd, null);
  assert.throws(() => merge({ entrypoint: '' }), 'no command specified');
  assert.throws(() => mergeConfig({}, FLAGS, 'h'), 'no command specified');
});

test('environment and labels are added to, the rest is replaced', () => {
  const config = merge({
    env: ['B=3', 'C=4', 'A'],
    labels: { l: '2', m: '' },
    user: '7',
    workingDir: '/x',
    stopSignal: 'TERM',
    stopTimeout: 3,
  });
  assert.equal([config.Env, config.Labels], [['B=3', 'C=4'], { l: '2', m: '' }]);
  assert.equal(
    [config.User, config.WorkingDir, config.StopSignal, config.StopTimeout],
    ['7', '/x', 'TERM', 3],
  );
});

test('the last of several values of a variable counts', () => {
  assert.equal(mergeEnvironment(['A=1', 'A=2'], ['B=1', 'B=2=3']), ['A=2', 'B=2=3']);
});

test('who stays with it: stdin only with --interactive, nothing with --detach', () => {
  const { AttachStdin, AttachStdout, OpenStdin, StdinOnce } = merge({ interactive: true });
  assert.equal([AttachStdin, AttachStdout, OpenStdin, StdinOnce], [true, true, true, true]);
  const detached = merge({ interactive: true, detach: true });
  assert.equal(
    [detached.AttachStdin, detached.AttachStdout, detached.OpenStdin, detached.StdinOnce],
    [false, false, true, false],
  );
});

test.run();
