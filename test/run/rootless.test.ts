// Containers of a user who is not root: of the system's user `daemon`, who has no ranges of ids but those that a test
// gives him, in a mount namespace of its own.

import { chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { rootlessConfig } from '../../src/oci/defaults.ts';
import { type Bundle, type Result, tinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { output, runCommand, until } from '../support/container.ts';
import { skip } from '../support/skip.ts';

const DAEMON = 1; // uid and gid, in every Linux
const asDaemon = ['setpriv', `--reuid=${DAEMON}`, `--regid=${DAEMON}`, '--clear-groups'];
const canUnshare = runCommand([...asDaemon, 'unshare', '--user', '--mount', 'true']).code === 0;

interface Rootless {
  bundle: Bundle;
  /** Runs tinyrun as the user. */
  call: (args: readonly string[], via?: readonly string[]) => Result;
}

/** A bundle that the user owns, with the config of `tinyrun spec --rootless` and a copy of tinyrun that he can reach. */
function rootlessTest(
  name: string,
  use: (rootless: Rootless) => void | Promise<void>,
  change: (config: Config) => void = () => {},
): void {
  test(name, async () => {
    if (!canUnshare) return skip(name, 'users may not make user namespaces here');
    await withBundle(async (bundle) => {
      const config = rootlessConfig(DAEMON, DAEMON);
      config.process.terminal = false;
      config.process.args = ['/payload', 'sleep', '30'];
      config.root.readonly = false;
      change(config);
      Object.assign(bundle.config, config);
      writeConfig(bundle);
      const top = dirname(bundle.dir);
      const copy = join(top, 'tinyrun');
      copyFileSync(tinyrun, copy);
      for (const path of ['.', ...readdirSync(top, { recursive: true, encoding: 'utf8' })])
        chownSync(join(top, path), DAEMON, DAEMON);
      const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
      const call: Rootless['call'] = (args, via = []) =>
        runCommand([...via, ...asDaemon, copy, ...roots, ...args], {
          env: { HOME: top, PATH: process.env['PATH']! },
        });
      await use({ bundle, call });
    });
  });
}

/** In a mount namespace in which the user has ranges of ids. */
function withRanges({ bundle }: Rootless): string[] {
  const file = join(dirname(bundle.dir), 'subids');
  writeFileSync(file, 'daemon:200000:65536\n');
  const bind = (path: string): string => `mount --bind ${file} ${path}`;
  return [
    'unshare',
    '--mount',
    'sh',
    '-ec',
    `${bind('/etc/subuid')}\n${bind('/etc/subgid')}\nexec "$@"`,
    'sh',
  ];
}

const mapRanges = ({ linux }: Config): void => {
  for (const mappings of [linux!.uidMappings!, linux!.gidMappings!])
    mappings.push({ containerID: 1, hostID: 200000, size: 65536 });
};
const squeeze = (text: string): string => text.replace(/ +/g, ' ');

rootlessTest(
  'a user who maps only himself is root of his container, and cannot change groups',
  ({ bundle, call }) => {
    const files = ['/proc/self/uid_map', '/proc/self/gid_map', '/proc/self/setgroups'];
    const printed = output(call(['run', bundle.dir, '--', '/payload', 'ids', '--', 'cat', ...files]));
    assert.is(squeeze(printed), 'uid 0 0\ngid 0 0\ngroups\n 0 1 1\n 0 1 1\ndeny\n');
  },
);

rootlessTest(
  'with ranges of ids, newuidmap and newgidmap map them',
  (rootless) => {
    const { bundle, call } = rootless;
    if (!existsSync('/usr/bin/newuidmap')) return skip('newuidmap', 'it is not installed');
    const args = ['run', bundle.dir, '--', '/payload', 'ids', '--', 'cat', '/proc/self/uid_map'];
    const printed = output(call(args, withRanges(rootless)));
    assert.is(squeeze(printed), 'uid 5 5\ngid 6 6\ngroups 7\n 0 1 1\n 1 200000 65536\n');
  },
  (config) => {
    mapRanges(config);
    config.process.user = { uid: 5, gid: 6, additionalGids: [7] };
  },
);

rootlessTest(
  'without a cgroup namespace the cgroups of the host are read-only, all of them (CVE-2023-25809)',
  ({ bundle, call }) => {
    const mounts = output(call(['run', bundle.dir, '--', '/payload', 'mountinfo']))
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const [top] = mounts.findLast((fields) => fields[4] === '/sys/fs/cgroup')!;
    const seen = mounts.filter((fields) => fields.slice(0, 2).includes(top!));
    for (const fields of seen) assert.match(fields[5]!, /^ro,/, fields.join(' '));
  },
);

rootlessTest(
  'ranges that the user does not have are refused, and nothing stays',
  ({ bundle, call }) => {
    if (!existsSync('/usr/bin/newuidmap')) return skip('newuidmap', 'it is not installed');
    const { stderr, code } = call(['run', bundle.dir]);
    assert.is(code, 125);
    assert.match(stderr, /tinyrun: map [ug]ids: \/usr\/bin\/new[ug]idmap refuses the mappings of the config/);
    assert.not.ok(existsSync(bundle.root) && readdirSync(bundle.root).length > 0);
  },
  mapRanges,
);

rootlessTest(
  'additional groups are refused where groups cannot be changed',
  ({ bundle, call }) => {
    const { stderr, code } = call(['run', bundle.dir]);
    assert.is(code, 125);
    assert.match(
      stderr,
      'config.json: /process/user/additionalGids: cannot set any additional groups in a rootless container',
    );
  },
  ({ process }) => void Object.assign(process, { user: { uid: 0, gid: 0, additionalGids: [7] } }),
);

rootlessTest(
  'root of a user namespace that an engine has made: a state root of his own, devices that are bound, no cgroup',
  (rootless) => {
    if (!existsSync('/usr/bin/newuidmap')) return skip('newuidmap', 'it is not installed');
    const { bundle } = rootless;
    const top = dirname(bundle.dir);
    const inside = ['unshare', '--user', '--mount', '--map-root-user', '--map-auto'];
    const script = `mkdir $XDG_RUNTIME_DIR; t="$0 --data-root ${bundle.dataRoot}"
      $t run --bundle ${bundle.dir} c1
      $t create --bundle ${bundle.dir} c2 >/dev/null
      $t list -q; ls $XDG_RUNTIME_DIR/tinyrun; $t exec c2 /payload args in; $t start c2; $t delete --force c2; $t list -q`;
    const result = runCommand(
      [...withRanges(rootless), ...asDaemon, ...inside, 'sh', '-ec', script, join(top, 'tinyrun')],
      { env: { HOME: top, PATH: process.env['PATH']!, XDG_RUNTIME_DIR: join(top, 'xdg') } },
    );
    assert.is(result.code, 0, result.stderr);
    assert.is(result.stdout, 'uid 5 5\ngid 6 6\ngroups 7\nc2\nc2\nin\n');
    assert.match(result.stderr, '/linux/resources: no cgroup is delegated to this user');
  },
  (config) => {
    config.linux!.namespaces = config.linux!.namespaces!.filter(({ type }) => type !== 'user');
    delete config.linux!.uidMappings;
    delete config.linux!.gidMappings;
    config.linux!.resources = { memory: { limit: 1 << 26 } };
    config.process.user = { uid: 5, gid: 6, additionalGids: [7] };
    config.process.args = ['/payload', 'ids', '--', 'write', '/dev/null', 'x'];
  },
);

rootlessTest(
  'without a user namespace one must be root',
  ({ bundle, call }) => {
    const { stderr, code } = call(['run', bundle.dir]);
    assert.is(code, 125);
    assert.match(stderr, 'tinyrun: run a container: you are not root');
    assert.match(stderr, 'tinyrun spec --rootless');
  },
  ({ linux }) => {
    linux!.namespaces = linux!.namespaces!.filter(({ type }) => type !== 'user');
    delete linux!.uidMappings;
    delete linux!.gidMappings;
  },
);

rootlessTest('--rootless false forbids it', ({ bundle, call }) => {
  const { stderr, code } = call(['--rootless', 'false', 'run', bundle.dir]);
  assert.is(code, 125);
  assert.match(stderr, 'tinyrun: run a container: you are not root');
});

rootlessTest('a container is created, started, killed and deleted by the user', async ({ bundle, call }) => {
  const status = (): string => String(JSON.parse(output(call(['state', bundle.id]))).status);
  const quiet = ['sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh']; // or the container would hold our pipes open
  output(call(['create', '--bundle', bundle.dir, bundle.id], quiet));
  assert.is(status(), 'created');
  output(call(['start', bundle.id]));
  assert.is(status(), 'running');
  output(call(['kill', bundle.id, 'KILL']));
  await until('it has ended', () => status() === 'stopped');
  output(call(['delete', bundle.id]));
  assert.is(call(['state', bundle.id]).code, 1);
});

rootlessTest('an overlay is the user’s, and goes when the container ends', ({ bundle, call }) => {
  const printed = output(
    call(['run', '--overlay', bundle.dir, '--', '/payload', 'write', '/new', 'x', '--', 'cat', '/new']),
  );
  assert.is(printed, 'x');
  assert.not.ok(existsSync(join(bundle.rootfs, 'new')));
  assert.equal(readdirSync(join(bundle.dataRoot, 'containers')), []);
});

rootlessTest(
  'a bind shows the host’s files, and devices are the host’s nodes',
  ({ bundle, call }) => {
    mkdirSync(join(bundle.dir, 'shared'));
    writeFileSync(join(bundle.dir, 'shared/file'), 'x\n');
    chownSync(join(bundle.dir, 'shared/file'), DAEMON, DAEMON);
    const commands = ['cat', '/shared/file', '--', 'stat', '/shared/file', '/dev/null'];
    const printed = output(call(['run', bundle.dir, '--', '/payload', ...commands]));
    assert.match(printed, /^x\nfile \d+ 0 0 .*\nchar 0666 65534 65534 1:3 /);
  },
  ({ mounts }) => void mounts!.push({ destination: '/shared', source: 'shared', options: ['rbind'] }),
);

rootlessTest('volumes without root: made, filled, shared, in use, and removed', ({ bundle, call }) => {
  const asPayload = (flags: string[], ...words: string[]) =>
    output(call(['run', ...flags, bundle.dir, '--', '/payload', ...words]));
  asPayload(['-v', 'data:/d', '-v', 'etc:/etc', '-v', '/anonymous'], 'write', '/d/x', 'kept');
  asPayload(['--name', bundle.id, '-v', 'data:/d:ro'], 'true');
  const printed = asPayload(['--volumes-from', bundle.id], 'cat', '/d/x', '--', 'try', 'write', '/d/y', '');
  assert.is(printed, 'keptwrite: 30 Read-only file system\n');
  assert.match(call(['volume', 'rm', 'data']).stderr, 'volume is in use');
  output(call(['delete', bundle.id]));
  assert.is(output(call(['volume', 'rm', 'data', 'etc'])), 'data\netc\n');
  assert.is(output(call(['volume', 'ls', '-q'])), '');
  assert.equal(readdirSync(join(bundle.dataRoot, 'containers')), []);
});

rootlessTest('a tmpfs is attached and detached without root, a volume takes root', ({ bundle, call }) => {
  const run = ['run', '-d', '--name', bundle.id, bundle.dir];
  output(call(run, ['sh', '-c', `exec >${bundle.dir}/output 2>&1; exec "$@"`, 'sh']));
  output(call(['volume', 'attach', bundle.id, 'type=tmpfs,target=/t']));
  assert.match(call(['mounts', bundle.id]).stdout, '/t');
  output(call(['volume', 'detach', bundle.id, '/t']));
  const { code, stderr } = call(['volume', 'attach', bundle.id, 'data:/data']);
  assert.is(code, 1);
  assert.match(stderr, 'attach data:/data: you are not root; use sudo');
  output(call(['delete', '--force', bundle.id]));
  assert.is(output(call(['volume', 'ls', '-q'])), '');
});

test.run();
