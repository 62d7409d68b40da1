// USER[:GROUP] by the texts of passwd and group: Docker's rules, and the attacks on them.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveUser } from '../../src/container/user.ts';
import { TinyrunError } from '../../src/errors.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
ann:x:1000:1001:Ann:/home/ann:/bin/sh
bob:x:1002:1002::/:
4294967296:x:0:0::/root:
1000000:x:0:0::/root:
none:x:-1:0::/:
big:x:4294967295:0::/:
short:x
`;
const GROUP = `root:x:0:
wheel:x:10:root,bob
ann:x:1001:
staff:x:50:ann,bob
77:x:0:
`;

const resolve = (
  spec: string,
  add: string[] = [],
  passwd: string | undefined = PASSWD,
  group: string | undefined = GROUP,
) => resolveUser(spec, add, passwd, group);

function refusal(spec: string, add: string[] = []): string {
  try {
    resolve(spec, add);
  } catch (error) {
    if (error instanceof TinyrunError) return error.message;
    throw error;
  }
  throw new Error(`${spec} was not refused`);
}

const TABLE: [string, number, number, number[], string][] = [
  ['', 0, 0, [0, 10], '/root'],
  ['root', 0, 0, [0, 10], '/root'],
  ['ann', 1000, 1001, [1001, 50], '/home/ann'],
  ['1000', 1000, 1001, [1001, 50], '/home/ann'],
  ['ann:', 1000, 1001, [1001, 50], '/home/ann'],
  ['bob', 1002, 1002, [1002, 10, 50], '/'],
  ['ann:staff', 1000, 50, [50], '/home/ann'],
  ['ann:99', 1000, 99, [99], '/home/ann'],
  [':staff', 0, 50, [50], '/root'],
  ['5000', 5000, 0, [0], '/'],
  ['5000:5001', 5000, 5001, [5001], '/'],
  ['2147483647', 2147483647, 0, [0], '/'],
];
for (const [spec, uid, gid, additionalGids, home] of TABLE) {
  test(`user ${JSON.stringify(spec)}`, () => {
    assert.equal(resolve(spec), { uid, gid, additionalGids, home });
  });
}

test('without passwd and group files numbers do, and names do not', () => {
  assert.equal(resolveUser('7:8', [], undefined, undefined), {
    uid: 7,
    gid: 8,
    additionalGids: [8],
    home: '/',
  });
  assert.equal(resolveUser('', [], undefined, undefined), { uid: 0, gid: 0, additionalGids: [0], home: '/' });
  assert.throws(
    () => resolveUser('ann', [], undefined, undefined),
    /unable to find user ann: no matching entries/,
  );
});

test('--group-add adds groups by name and number', () => {
  assert.equal(resolve('ann', ['staff', 'wheel', '99']).additionalGids, [1001, 50, 10, 99]);
  assert.is(refusal('ann', ['nogroup']), 'unable to find group nogroup: no matching entries in group file');
});

test("names that are not there, in Docker's words", () => {
  assert.is(refusal('zed'), 'unable to find user zed: no matching entries in passwd file');
  assert.is(refusal('ann:zed'), 'unable to find group zed: no matching entries in group file');
  assert.is(refusal('short'), 'unable to find user short: no matching entries in passwd file');
  assert.is(refusal('constructor'), 'unable to find user constructor: no matching entries in passwd file');
});

test('CVE-2024-40635: a number beyond 31 bits is refused, and wraps around nowhere', () => {
  for (const id of ['2147483648', '4294967295', '18446744073709551616', '-1'])
    assert.is(refusal(id), `user ${id}: uids and gids must be in range 0-2147483647`);
  assert.is(refusal('0:4294967296'), 'group 4294967296: uids and gids must be in range 0-2147483647');
});

test('CVE-2016-3697, CVE-2026-46680: a number is never looked up as a name, however long', () => {
  assert.equal(resolve('1000000'), { uid: 1000000, gid: 0, additionalGids: [0], home: '/' });
  assert.match(refusal('4294967296'), 'must be in range');
  assert.match(refusal('99999999999999999999999999'), 'must be in range');
  assert.equal(resolve('ann:77').gid, 77);
});

test('entries whose numbers are none are no users', () => {
  assert.match(refusal('none'), 'no matching entries');
  assert.match(refusal('big'), 'no matching entries');
});

test('CVE-2022-36109: the first group is among the supplementary ones', () => {
  for (const spec of ['ann', 'ann:staff', '5000:5001', '']) {
    const { gid, additionalGids } = resolve(spec);
    assert.ok(additionalGids.includes(gid));
  }
});

test.run();
