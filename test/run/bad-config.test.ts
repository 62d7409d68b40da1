// Mounts, namespaces and names that a config.json asks for and that cannot be. What the config alone shows is refused
// before anything is made; what only the kernel knows fails on the way, and then everything is undone.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config, Linux, Mount } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { assertRefused, assertSucceeds, listTree } from '../support/refusal.ts';

/** A change of config.json, however wrong; says what tinyrun says of it. */
type Case = [change: (config: Config, bundle: Bundle) => void, says: RegExp];

const changes = (name: string, [change, says]: Case) =>
  test(`run refuses ${name}`, () =>
    withBundle((bundle) => {
      change(bundle.config, bundle);
      writeConfig(bundle);
      assertRefused(bundle, says);
      assertRefused(bundle, says, { flags: ['--overlay'] });
    }));

/** One more mount. */
const mounts: Record<string, [mount: object, says: RegExp]> = {
  'with an option that its filesystem lacks': [
    { destination: '/mnt', type: 'tmpfs', source: 'tmpfs', options: ['size=1m', 'colour=blue'] },
    /tinyrun: set tmpfs option colour=blue: EINVAL/,
  ],
  'with a value that its filesystem refuses': [
    { destination: '/mnt', type: 'tmpfs', source: 'tmpfs', options: ['size=much'] },
    /tinyrun: set tmpfs option size=much: EINVAL/,
  ],
  'of a filesystem that the kernel lacks': [
    { destination: '/mnt', type: 'nonesuchfs', source: 'none' },
    /tinyrun: mount nonesuchfs on \/mnt: ENODEV/,
  ],
  'of two propagations': [
    { destination: '/mnt', source: '/tmp', options: ['bind', 'private', 'shared'] },
    /\/mounts\/\d+\/options: private and shared contradict each other/,
  ],
  'whose source is missing': [
    { destination: '/mnt', source: '/nowhere/at/all', options: ['bind'] },
    /\/mounts\/\d+: bind source \/nowhere\/at\/all: ENOENT/,
  ],
  'whose source is below a file': [
    { destination: '/mnt', source: 'config.json/x', options: ['bind'] },
    /\/mounts\/\d+: bind source .+\/bundle\/config\.json\/x: ENOTDIR/,
  ],
  'without a source to bind': [
    { destination: '/mnt', options: ['bind'] },
    /\/mounts\/\d+\/source: is missing: a bind needs one/,
  ],
  'of type bind that is none': [
    { destination: '/mnt', type: 'bind', source: '/tmp' },
    /\/mounts\/\d+\/type: "bind" is not a filesystem: a bind has the option/,
  ],
  'without a type': [{ destination: '/mnt', source: '/tmp' }, /\/mounts\/\d+\/type: is missing/],
  'without a destination': [{ type: 'tmpfs' }, /\/mounts\/\d+\/destination: is missing/],
  'on an empty path': [{ destination: '', type: 'tmpfs' }, /\/mounts\/\d+\/destination: is empty/],
  'below a file': [
    { destination: '/payload/mnt', type: 'tmpfs', source: 'tmpfs' },
    /tinyrun: [a-z ]+ \/payload.*: (ENOTDIR|EEXIST)/,
  ],
  'of a directory on a file': [
    { destination: '/payload', source: '/tmp', options: ['bind'] },
    /tinyrun: open \/payload in the rootfs: ENOTDIR/,
  ],
  'of a file on a directory': [
    { destination: '/tmp', source: 'config.json', options: ['bind'] },
    /tinyrun: mount .+\/config\.json on \/tmp \(bind\): the source is a file, but \/tmp in the rootfs is a directory/,
  ],
  'on /': [
    { destination: '/', type: 'tmpfs', source: 'tmpfs' },
    /\/config\.json: \/mounts\/\d+: cannot mount on \/: it is/,
  ],
  'on ..': [{ destination: '/tmp/../..', type: 'tmpfs', source: 'tmpfs' }, /cannot mount on \/: it is/],
  'inside of proc': [
    { destination: '/proc/self', type: 'tmpfs', source: 'tmpfs' },
    /\/mounts\/\d+: mount on \/proc\/self: it is inside of proc/,
  ],
  'whose options are a text': [
    { destination: '/mnt', type: 'tmpfs', options: 'ro' },
    /\/mounts\/\d+\/options: "?ro"? is not a list/,
  ],
};

for (const [name, [mount, says]] of Object.entries(mounts))
  changes(`a mount ${name}`, [(config) => config.mounts?.push(mount as Mount), says]);

const without = (linux: Linux | undefined, type: string) =>
  linux?.namespaces?.filter((namespace) => namespace.type !== type) ?? [];

const replaced = (config: Config, type: string, path: string): void => {
  Object.assign(config.linux!, { namespaces: [...without(config.linux, type), { type, path }] });
};

const others: Record<string, Case> = {
  'a namespace given twice': [
    (config) => config.linux?.namespaces?.push({ type: 'pid' }),
    /\/linux\/namespaces\/\d+\/type: "pid" is given twice/,
  ],
  'a namespace of an unknown type': [
    (config) => config.linux?.namespaces?.push({ type: 'user2' as 'user' }),
    /\/linux\/namespaces\/\d+\/type: "?user2"? is not one of pid/,
  ],
  'a namespace path that is missing': [
    (config) => replaced(config, 'ipc', '/nowhere/ipc'),
    /tinyrun: open ipc namespace \/nowhere\/ipc: ENOENT/,
  ],
  'a namespace path that is a plain file': [
    (config, { dir }) => replaced(config, 'ipc', join(dir, 'config.json')),
    /tinyrun: join ipc namespace .+\/config\.json: it is no namespace: ENOTTY/,
  ],
  'a namespace path that is a directory': [
    (config) => replaced(config, 'ipc', '/tmp'),
    /tinyrun: join ipc namespace \/tmp: it is no namespace: ENOTTY/,
  ],
  'a namespace of another type': [
    (config) => replaced(config, 'ipc', '/proc/self/ns/uts'),
    /tinyrun: join ipc namespace \/proc\/self\/ns\/uts: it is a namespace of another type/,
  ],
  'a relative namespace path': [
    (config) => replaced(config, 'ipc', 'ns/ipc'),
    /\/linux\/namespaces\/\d+\/path: "?ns\/ipc"? is not an absolute path/,
  ],
  'a hostname without a uts namespace': [
    (config) => {
      config.hostname = 'box';
      config.linux!.namespaces = without(config.linux, 'uts');
    },
    /\/hostname: "box" cannot be set without a uts namespace/,
  ],
  'a hostname of 65 bytes': [
    (config) => {
      config.hostname = 'x'.repeat(65);
    },
    /\/hostname: "x+" is longer than 64 bytes/,
  ],
  'a user namespace without mappings': [
    (config) => config.linux?.namespaces?.push({ type: 'user' }),
    /\/linux\/uidMappings: is missing: .+\/linux\/gidMappings: is missing/,
  ],
  'mappings without a user namespace': [
    (config) => {
      config.linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    },
    /\/linux\/uidMappings: needs a user namespace/,
  ],
  'mappings that overlap': [
    (config) => {
      const one = { containerID: 0, hostID: 100_000, size: 10 };
      config.linux?.namespaces?.push({ type: 'user' });
      config.linux!.uidMappings = [one, one];
      config.linux!.gidMappings = [one];
    },
    /tinyrun: write uid_map: .+: EINVAL/,
  ],
  'a sysctl of the whole host': [
    (config) => {
      config.linux!.sysctl = { 'vm.swappiness': '1' };
    },
    /\/linux\/sysctl\/vm\.swappiness: vm\.swappiness is in no namespace/,
  ],
  'a sysctl that climbs out of /proc/sys': [
    (config) => {
      config.linux!.sysctl = { 'net/../../1/oom_score_adj': '1' };
    },
    /\/linux\/sysctl\/net~1\.\.~1/,
  ],
  'an unknown sysctl': [
    (config) => {
      config.linux!.sysctl = { 'net.ipv4.luck': '1' };
    },
    /tinyrun: set sysctl net\.ipv4\.luck to 1: ENOENT/,
  ],
  'an unknown rootfs propagation': [
    (config) => {
      config.linux!.rootfsPropagation = 'sometimes';
    },
    /\/linux\/rootfsPropagation: "?sometimes"? is not one of private/,
  ],
  'another version of the spec': [
    (config) => {
      config.ociVersion = '2.0.0';
    },
    /\/ociVersion: "2\.0\.0" is not a version 1\.x\.y/,
  ],
  'a Windows section': [
    (config) => Object.assign(config, { windows: {} }),
    /\/windows: is a section for Windows, tinyrun runs Linux containers/,
  ],
  'a root that is a text': [
    (config) => Object.assign(config, { root: 'rootfs' }),
    /\/root: "rootfs" is not an object/,
  ],
  'a device of an unknown type': [
    (config) => {
      config.linux!.devices = [{ type: 'x' as 'c', path: '/dev/x', major: 1, minor: 3 }];
    },
    /\/linux\/devices\/0\/type: "?x"? is not one of c, b, u, p/,
  ],
};

for (const [name, spec] of Object.entries(others)) changes(name, spec);

test('every problem of a config.json is told at once, in one line', () =>
  withBundle((bundle) => {
    bundle.config.hostname = 'x'.repeat(65);
    bundle.config.process.args = [];
    bundle.config.mounts?.push({ destination: '/a', type: 'bind', source: '/tmp' });
    writeConfig(bundle);
    assertRefused(bundle, /\/process\/args: .+; .+\/hostname: .+; .+\/mounts\/\d+\/type: /);
  }));

test('a destination that climbs with .. stays inside the rootfs', () =>
  withBundle((bundle) => {
    bundle.config.mounts?.push({ destination: '../../etc', type: 'tmpfs', source: 'tmpfs' });
    bundle.config.process.args = ['/payload', 'mountinfo'];
    writeConfig(bundle);
    const { stdout, stderr, code } = runTinyrun(bundle, ['run', bundle.dir]);
    assert.match(
      stderr,
      /^tinyrun: warning: .+\/destination: "..\/..\/etc" is relative, which is deprecated.+\n$/,
    );
    assert.is(code, 0);
    assert.match(stdout, / \/etc .+ - tmpfs tmpfs /);
  }));

test('a failure behind the mount points leaves nothing of the own files of an overlay', () =>
  withBundle((bundle) => {
    mkdirSync(`${bundle.rootfs}/mnt`);
    writeFileSync(`${bundle.rootfs}/mnt/file`, '');
    symlinkSync('mnt', `${bundle.rootfs}/link`);
    const before = listTree(bundle.rootfs);
    bundle.config.mounts?.push(
      { destination: '/made/for/it', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/link/file/x', type: 'tmpfs', source: 'tmpfs' },
    );
    writeConfig(bundle);
    assertRefused(bundle, / \/mnt\/file\/x.*: ENOTDIR/, { flags: ['--overlay'] });
    assert.equal(listTree(bundle.rootfs), before, 'what was made in the upper layer is gone with it');
    bundle.config.mounts?.pop();
    writeConfig(bundle);
    assertSucceeds(runTinyrun(bundle, ['run', '--overlay', bundle.dir]));
  }));

test('control characters of a config are shown, and steer no terminal: in a program, in a hook, while planning', () =>
  withBundle((bundle) => {
    const evil = '\x1b[2J\x9b\ntinyrun: forged';
    const said = (change: () => void): string => {
      change();
      writeConfig(bundle);
      const { stderr, code } = runTinyrun(bundle, ['run', bundle.dir]);
      assert.is.not(code, 0);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
      assert.not.match(stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
      return stderr;
    };
    const { process, mounts = [] } = bundle.config;
    const program = said(() => mounts.push({ destination: '/x', type: `none${evil}`, source: 'x' }));
    assert.match(program, /^tinyrun: mount none\\x1b\[2J\\x9b\\ntinyrun: forged on \/x.*: ENODEV[^\n]*\n$/);
    mounts.pop();
    const hook = said(
      () => (bundle.config.hooks = { createRuntime: [{ path: '/bin/false', args: [evil] }] }),
    );
    assert.match(hook, /exit code 1/);
    bundle.config.hooks = {};
    said(() => mounts.push({ destination: '/x', type: 'bind', source: `/none${evil}`, options: ['bind'] }));
    mounts.pop();
    assert.is(said(() => (process.args = [`/none${evil}`])).split('\n').length, 2);
  }));

test.run();
