import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ResolvConfOptions, resolvConf } from '../../src/rootfs/resolv-conf.ts';

const NOTE = "# the host's nameservers cannot be reached from this network: public ones are used instead\n";
const PUBLIC = 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n';

const options = (more: Partial<ResolvConfOptions> = {}): ResolvConfOptions => ({
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  ownNetwork: true,
  ...more,
});

const HOST = '# mine\nnameserver 10.0.0.1\n; also mine\nsearch a.lan b.lan\noptions ndots:2 edns0\n';

test("resolvConf: in the host's network it is the host's file, letter by letter", () => {
  for (const text of [HOST, 'nameserver 127.0.0.53\n', '', 'no newline']) {
    assert.is(resolvConf(text, options({ ownNetwork: false })), text);
  }
});

test('resolvConf: in a network of its own, comments go and what is loopback goes', () => {
  const rows: [string, string, Partial<ResolvConfOptions>?][] = [
    [HOST, 'nameserver 10.0.0.1\nsearch a.lan b.lan\noptions ndots:2 edns0\n'],
    ['nameserver 127.0.0.53\nnameserver 10.0.0.1\n', 'nameserver 10.0.0.1\n'],
    ['nameserver 127.0.0.53\n', PUBLIC + NOTE],
    ['nameserver ::1\nnameserver 127.8.9.1\n', PUBLIC + NOTE],
    ['nameserver 10.0.0.1\nnameserver fd00::1\n', 'nameserver 10.0.0.1\n'],
    ['nameserver fd00::1\n', PUBLIC + NOTE],
    ['nameserver ::1\nnameserver fd00::1\n', 'nameserver fd00::1\n', { ipv6: true }],
    ['nameserver ::ffff:127.0.0.1\nnameserver fe80::1%eth0\n', 'nameserver fe80::1%eth0\n', { ipv6: true }],
    [
      '',
      `${PUBLIC}nameserver 2001:4860:4860::8888\nnameserver 2001:4860:4860::8844\n${NOTE}`,
      { ipv6: true },
    ],
    ['', PUBLIC + NOTE],
    ['nameserver bogus\nnameserver\nnameserver 1.2.3.4\n', 'nameserver 1.2.3.4\n'],
    ['nameserver 1.2.3.4\ndomain a\nsearch b c\nsearch\n', 'nameserver 1.2.3.4\nsearch b c\n'],
    ['nameserver 1.2.3.4\noptions a\noptions b\n', 'nameserver 1.2.3.4\noptions a b\n'],
    ['  nameserver\t1.2.3.4 # x\nsortlist 1.2.3.0\n', 'nameserver 1.2.3.4\nsortlist 1.2.3.0\n'],
  ];
  for (const [text, expected, more] of rows) assert.is(resolvConf(text, options(more)), expected, text);
});

test("resolvConf: each flag takes the place of the host's word on its subject, in any network", () => {
  const search = 'search a.lan b.lan\n';
  const rows: [Partial<ResolvConfOptions>, string][] = [
    [
      { dns: ['127.0.0.1', 'fd00::2'] },
      `nameserver 127.0.0.1\nnameserver fd00::2\n${search}options ndots:2 edns0\n`,
    ],
    [{ dnsSearch: ['x.lan'] }, 'nameserver 10.0.0.1\nsearch x.lan\noptions ndots:2 edns0\n'],
    [{ dnsSearch: ['.'] }, 'nameserver 10.0.0.1\noptions ndots:2 edns0\n'],
    [{ dnsOptions: ['rotate'] }, `nameserver 10.0.0.1\n${search}options rotate\n`],
  ];
  for (const [flags, expected] of rows) {
    assert.is(resolvConf(HOST, options(flags)), expected);
    assert.is(resolvConf(HOST, options({ ...flags, ownNetwork: false })), expected);
  }
});

test("resolvConf: a flag in the host's network leaves the host's loopback nameserver in", () => {
  assert.is(
    resolvConf('nameserver 127.0.0.53\n', options({ ownNetwork: false, dnsOptions: ['rotate'] })),
    'nameserver 127.0.0.53\noptions rotate\n',
  );
});

test.run();
