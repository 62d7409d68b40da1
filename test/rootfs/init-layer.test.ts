import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { INIT_LAYER } from '../../src/plan/init-layer.ts';
import { hostnameFile, hostsFile } from '../../src/rootfs/hosts.ts';

const DEFAULT_HOSTS =
  '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n' +
  'ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n';

test('INIT_LAYER: every path comes after its parent, once', () => {
  const seen = new Set(['']);
  for (const { path } of INIT_LAYER) {
    assert.ok(seen.has(path.slice(0, path.lastIndexOf('/'))), path);
    assert.not.ok(seen.has(path), path);
    seen.add(path);
  }
});

test('INIT_LAYER: it has the mount points of the files that a container gets', () => {
  const files = INIT_LAYER.filter(({ type }) => type === 'file').map(({ path }) => path);
  assert.equal(files, ['/.dockerenv', '/dev/console', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf']);
  assert.equal(
    INIT_LAYER.find(({ type }) => type === 'link'),
    { path: '/etc/mtab', type: 'link', target: '/proc/mounts' },
  );
});

test('hostsFile: localhost, then --add-host, then the container itself', () => {
  const rows: [Parameters<typeof hostsFile>[0], string][] = [
    [{ hostname: 'zz', addHosts: [] }, `${DEFAULT_HOSTS}127.0.1.1\tzz\n`],
    [{ hostname: 'zz', addHosts: [], ip: '10.0.0.2' }, `${DEFAULT_HOSTS}10.0.0.2\tzz\n`],
    [{ hostname: 'zz', domainname: 'lan', addHosts: [] }, `${DEFAULT_HOSTS}127.0.1.1\tzz.lan zz\n`],
    [
      {
        hostname: 'zz',
        addHosts: [
          { name: 'db', ip: '10.0.0.9' },
          { name: 'db', ip: 'fd00::9' },
        ],
      },
      `${DEFAULT_HOSTS}10.0.0.9\tdb\nfd00::9\tdb\n127.0.1.1\tzz\n`,
    ],
    [{ hostname: 'zz', addHosts: [{ name: 'zz', ip: '1.2.3.4' }] }, `${DEFAULT_HOSTS}1.2.3.4\tzz\n`],
    [{ hostname: 'localhost', addHosts: [] }, DEFAULT_HOSTS],
    [{ hostname: '', addHosts: [] }, DEFAULT_HOSTS],
  ];
  for (const [options, expected] of rows) assert.is(hostsFile(options), expected);
});

test("hostsFile: in the host's network it is the host's file, unless --add-host is given", () => {
  const host = '# mine\n127.0.0.1 localhost\n127.0.1.1 box.lan  box # zz\n';
  const rows: [Parameters<typeof hostsFile>[0], string][] = [
    [{ hostname: 'box', addHosts: [], hostText: host }, host],
    [{ hostname: 'zz', addHosts: [], hostText: host }, `${host}127.0.1.1\tzz\n`],
    [{ hostname: 'zz', addHosts: [], hostText: '1.1.1.1 a' }, '1.1.1.1 a\n127.0.1.1\tzz\n'],
    [{ hostname: 'zz', addHosts: [], hostText: '' }, '127.0.1.1\tzz\n'],
    [
      { hostname: 'zz', addHosts: [{ name: 'box', ip: '1.2.3.4' }], hostText: host },
      `${DEFAULT_HOSTS}1.2.3.4\tbox\n127.0.1.1\tzz\n`,
    ],
  ];
  for (const [options, expected] of rows) assert.is(hostsFile(options), expected);
});

test('hostnameFile: the name and a newline', () => {
  assert.is(hostnameFile('zz'), 'zz\n');
});

test.run();
