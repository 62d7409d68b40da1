// The text of config.json: syntax errors by place, exact integers.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TinyrunError } from '../../src/errors.ts';
import { parseJsonObject } from '../../src/oci/json.ts';
import { parseConfig } from '../../src/oci/parse.ts';

function messageOf(text: string): string {
  try {
    parseConfig(text);
  } catch (error) {
    assert.instance(error, TinyrunError);
    assert.is((error as TinyrunError).code, 'CONFIG');
    return (error as TinyrunError).message;
  }
  return 'no error';
}

const INVALID: Record<string, string> = {
  '': 'config.json is empty',
  ' \n\t': 'config.json is empty',
  '[]': 'config.json must hold a JSON object, it holds a list',
  null: 'config.json must hold a JSON object, it holds null',
  '"x"': 'config.json must hold a JSON object, it holds a string',
  '12': 'config.json must hold a JSON object, it holds a number',
  '{': 'config.json: line 1, column 2: the text ends too early, one { or [ is still open: is the file truncated?',
  '{"a": [1,\n {"b"':
    'config.json: line 2, column 6: the text ends too early, 3 { or [ are still open: is the file truncated?',
  '{"a": "b':
    'config.json: line 1, column 7: expected a value, found "\\"b": a string that is not closed, or with a wrong escape in it',
  '{"a": 1,}': 'config.json: line 1, column 9: expected a name in double quotes, found "}"',
  '{\n  "a": tru\n}': 'config.json: line 2, column 8: expected a value, found "tru"',
  '{"a": True}': 'config.json: line 1, column 7: expected a value, found "True"',
  '{"a": 010}': 'config.json: line 1, column 7: expected a value, found "010"',
  '{"a": 1 "b": 2}': 'config.json: line 1, column 9: expected a comma or }, found "\\"b\\""',
  '{"a": [1 2]}': 'config.json: line 1, column 10: expected a comma or ], found "2"',
  '{"a": [1,]}': 'config.json: line 1, column 10: expected a value, found "]"',
  '{"a": [,]}': 'config.json: line 1, column 8: expected a value or ], found ","',
  '{"a" 1}': 'config.json: line 1, column 6: expected a colon, found "1"',
  '{a: 1}': 'config.json: line 1, column 2: expected a name in double quotes or }, found "a"',
  "{'a': 1}": 'config.json: line 1, column 2: expected a name in double quotes or }, found "\'"',
  '{"a": "\\x"}':
    'config.json: line 1, column 7: expected a value, found "\\"\\\\x\\"": a string that is not closed, or with a wrong escape in it',
  '{"a": "\n"}':
    'config.json: line 1, column 7: expected a value, found "\\"": a string that is not closed, or with a wrong escape in it',
  '{} {}': 'config.json: line 1, column 4: expected the end, found "{"',
  '// a comment\n{}': 'config.json: line 1, column 1: expected a value, found "/"',
  '\ufeff{}': 'config.json: line 1, column 1: expected a value, found "\ufeff"',
};

for (const [text, message] of Object.entries(INVALID)) {
  test(`parseConfig refuses ${JSON.stringify(text)}`, () => {
    assert.is(messageOf(text), message);
  });
}

test('parseConfig names another file when it is told to', () => {
  assert.throws(() => parseConfig('', 'process.json'), /^process\.json is empty$/);
});

test('a syntax error carries file, line and column for machines', () => {
  try {
    parseConfig('{\n"a" 1}');
    assert.unreachable();
  } catch (error) {
    assert.equal((error as TinyrunError).data, { file: 'config.json', line: 2, column: 5 });
  }
});

test('a syntax error is found at every cut of a real config', () => {
  const text = JSON.stringify({ a: [1, 'x', { b: null, c: true }], d: { e: -1.5e3, f: [], g: {} } });
  for (let end = 1; end < text.length; end++)
    assert.match(messageOf(text.slice(0, end)), /line 1, column \d+: /);
  assert.is(messageOf(text), 'no error');
});

test('integers that a double cannot hold are bigints, all others numbers', () => {
  const text =
    '{"max": 18446744073709551615, "min": -9223372036854775808, "list": [9007199254740993, 7], "x": 1e20}';
  assert.equal(parseJsonObject(text, 'f'), {
    max: 18446744073709551615n,
    min: -9223372036854775808n,
    list: [9007199254740993n, 7],
    x: 1e20,
  });
  assert.equal(parseJsonObject('{"a": 9007199254740991}', 'f'), { a: 9007199254740991 });
});

test.run();
