import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { isIp, isLoopback } from '../../src/rootfs/ip.ts';
import { parseAddHost, parseDns, parseDnsSearch } from '../../src/rootfs/network-flags.ts';

function errorOf(run: () => unknown): TinyrunError {
  try {
    run();
  } catch (error) {
    if (error instanceof TinyrunError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('isIp: dotted decimals and what IPv6 allows', () => {
  const yes = ['0.0.0.0', '255.255.255.255', '::', '::1', 'fe80::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'];
  const no = ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '0x1.2.3.4', '1.2.3.', 'x', ' 1.2.3.4'];
  const no6 = [':', ':::', '1::2::3', '1:2:3:4:5:6:7:8:9', '12345::', 'g::', '[::1]', '::1%lo', '::1]/[::1'];
  for (const text of yes) assert.is(isIp(text), true, text);
  for (const text of [...no, ...no6]) assert.is(isIp(text), false, text);
});

test('isLoopback: 127.0.0.0/8 and ::1, however written', () => {
  for (const ip of ['127.0.0.1', '127.255.0.1', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1']) {
    assert.is(isLoopback(ip), true, ip);
  }
  for (const ip of ['12.7.0.1', '128.0.0.1', '::', '::2', '1::1', '::ffff:126.0.0.1', 'fe80::7f00:1']) {
    assert.is(isLoopback(ip), false, ip);
  }
});

test('parseAddHost: name and address, with a colon or an equals sign between', () => {
  const valid: Record<string, { name: string; ip: string }> = {
    'db:10.0.0.1': { name: 'db', ip: '10.0.0.1' },
    'db=10.0.0.1': { name: 'db', ip: '10.0.0.1' },
    'db:[10.0.0.1]': { name: 'db', ip: '10.0.0.1' },
    'db:::1': { name: 'db', ip: '::1' },
    'db=::1': { name: 'db', ip: '::1' },
    'db:[::1]': { name: 'db', ip: '::1' },
    'a.b-c:0:0:0:0:0:0:0:1': { name: 'a.b-c', ip: '0:0:0:0:0:0:0:1' },
  };
  for (const [text, expected] of Object.entries(valid)) assert.equal(parseAddHost(text), expected, text);
});

test("parseAddHost: what is wrong is said in Docker's words", () => {
  const invalid: Record<string, string> = {
    '': 'bad format for add-host: ""',
    db: 'bad format for add-host: "db"',
    ':10.0.0.1': 'bad format for add-host: ":10.0.0.1"',
    '=10.0.0.1': 'bad format for add-host: "=10.0.0.1"',
    'a:b=10.0.0.1': 'bad format for add-host: "a:b=10.0.0.1"',
    'a\nb:10.0.0.1': 'bad format for add-host: "a\\nb:10.0.0.1"',
    'db:': 'invalid IP address in add-host: ""',
    'db:[]': 'invalid IP address in add-host: "[]"',
    'db:1.2': 'invalid IP address in add-host: "1.2"',
    'db:[::1': 'invalid IP address in add-host: "[::1"',
    'db:[[::1]]': 'invalid IP address in add-host: "[::1]"',
  };
  for (const [text, message] of Object.entries(invalid)) {
    assert.is(errorOf(() => parseAddHost(text)).message, message, text);
  }
});

test('parseAddHost: host-gateway is refused for what it is', () => {
  const error = errorOf(() => parseAddHost('host.docker.internal:host-gateway'));
  assert.is(error.code, 'UNSUPPORTED');
  assert.match(error.message, 'host-gateway needs a bridge network');
});

test('parseDns: an address, blanks around it allowed', () => {
  assert.is(parseDns(' 1.1.1.1 '), '1.1.1.1');
  assert.is(parseDns('fd00::1'), 'fd00::1');
  for (const text of ['', 'one', '1.1.1', '[::1]']) {
    assert.is(errorOf(() => parseDns(text)).message, `IP address is not correctly formatted: ${text}`);
  }
});

test('parseDnsSearch: a domain, or a dot for none', () => {
  const valid = {
    '.': '.',
    'a.lan': 'a.lan',
    'a.lan.': 'a.lan',
    ' x-1.y ': 'x-1.y',
    localdomain: 'localdomain',
  };
  for (const [text, expected] of Object.entries(valid)) assert.is(parseDnsSearch(text), expected, text);
  for (const text of ['', '..', '1.2.3.4', '-a.lan', 'a-.lan', 'a..b', 'a b', 'a_b.lan', 'a'.repeat(255)]) {
    assert.is(errorOf(() => parseDnsSearch(text)).message, `${text} is not a valid domain`);
  }
});

test.run();
