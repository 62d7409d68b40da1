import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isWithin, joined, parseMountinfo, relativeTo } from '../../src/inspect/mountinfo.ts';

test('mountinfo: fields, peer groups and escaped paths', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue',
    '37 36 0:5 / /a\\040b\\134c ro,relatime shared:7 master:1 - tmpfs none rw,size=4k',
    '38 36 0:6 / /u rw unbindable - tmpfs t rw',
    'no line of it',
    '',
  ].join('\n');
  const [first, second, third, ...rest] = parseMountinfo(text);
  assert.equal(first, {
    ...{ id: 36, parent: 35, root: '/mnt1', target: '/mnt2', options: ['rw', 'noatime'] },
    ...{ propagation: { master: 1, from: 2 }, type: 'ext3', source: '/dev/root' },
    superOptions: ['rw', 'errors=continue'],
  });
  assert.is(second?.target, '/a b\\c');
  assert.equal(second?.propagation, { shared: 7, master: 1 });
  assert.equal(third?.propagation, { unbindable: true });
  assert.equal(rest, []);
});

test('mountinfo: paths within others', () => {
  assert.ok(isWithin('/a/b', '/a') && isWithin('/a', '/a') && isWithin('/a', '/'));
  assert.not(isWithin('/ab', '/a') || isWithin('/', '/a'));
  assert.is(relativeTo('/a/b/c', '/a'), 'b/c');
  assert.is(relativeTo('/a', '/'), 'a');
  assert.is(relativeTo('/a', '/a'), '');
  assert.is(joined('/', 'a'), '/a');
  assert.is(joined('/x', ''), '/x');
});

test.run();
