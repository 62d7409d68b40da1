import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { detachFilter, parseDetachKeys } from '../../src/container/detach-keys.ts';

test('parseDetachKeys: characters and control keys', () => {
  const valid: [string, number[]][] = [
    ['', []],
    ['ctrl-p,ctrl-q', [16, 17]],
    ['ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_', [0, 27, 28, 29, 30, 31]],
    ['a', [97]],
    ['ctrl-a,x,~', [1, 120, 126]],
  ];
  for (const [text, keys] of valid) assert.equal(parseDetachKeys(text), keys, text);
  for (const text of ['ctrl-', 'ctrl-1', 'ab', 'a,', 'ctrl-aa', 'é'])
    assert.throws(() => parseDetachKeys(text), /^invalid detach keys/, text);
});

test('detachFilter: what only begins like the keys is handed on, whole', () => {
  const rows: [string[], string[], boolean][] = [
    [['ab'], ['ab'], false],
    [['x\x10\x11'], ['x'], true],
    [['\x10', '\x11'], ['', ''], true],
    [['\x10', 'a'], ['', '\x10a'], false],
    [['\x10\x10\x11'], ['\x10'], true],
    [['\x10', '\x10', 'b'], ['', '\x10', '\x10b'], false],
    [['\x11\x10'], ['\x11'], false],
  ];
  for (const [typed, handed, left] of rows) {
    const filter = detachFilter([0x10, 0x11]);
    const results = typed.map((text) => filter(Buffer.from(text)));
    assert.equal(
      results.map(({ bytes }) => Buffer.from(bytes).toString()),
      handed,
      JSON.stringify(typed),
    );
    assert.is(results.at(-1)?.left, left, JSON.stringify(typed));
  }
  assert.is(Buffer.from(detachFilter([])(Buffer.from('\x10\x11')).bytes).toString(), '\x10\x11');
});

test.run();
