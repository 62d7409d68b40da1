import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { baseOf, type Kind, parentOf, placeCopy } from '../../src/container/copy-rules.ts';
import { TinyrunError } from '../../src/errors.ts';

type Row = [source: string, kind: Kind, destination: string, kind: Kind, expected: string];

const rows: Row[] = [
  ['a/f', 'file', '/x/new', 'missing', 'parent new'],
  ['a/f', 'file', '/x/new/', 'missing', 'NOT_FOUND cp to c:/x/new/: no such directory'],
  ['a/f', 'file', '/x/old', 'file', 'parent old'],
  ['a/f', 'file', '/x/old/', 'file', 'USAGE cp to c:/x/old/: it is a file, not a directory'],
  ['a/f', 'file', '/x', 'directory', 'destination f'],
  ['a/f/', 'file', '/x', 'directory', 'USAGE cp a/f/: it is a file, not a directory'],
  ['a/d', 'directory', '/x/new', 'missing', 'parent new'],
  ['a/d', 'directory', '/x/new/', 'missing', 'parent new'],
  ['a/d/.', 'directory', '/x/new', 'missing', 'parent new'],
  ['a/d', 'directory', '/x/old', 'file', 'USAGE cannot copy directory a/d to c:/x/old: it is a file'],
  ['a/d', 'directory', '/x', 'directory', 'destination d'],
  ['a/d/', 'directory', '/x/', 'directory', 'destination d'],
  ['a/d/.', 'directory', '/x', 'directory', 'destination undefined'],
  ['.', 'directory', '/x', 'directory', 'destination undefined'],
  ['/', 'directory', '/x', 'directory', 'destination undefined'],
  [
    'a/f',
    'file',
    '/null',
    'device',
    'USAGE destination "c:/null" must be a directory or a regular file: got a device',
  ],
  [
    'a/d',
    'directory',
    '/pipe',
    'fifo',
    'USAGE destination "c:/pipe" must be a directory or a regular file: got a fifo',
  ],
  ['a/dev', 'device', '/x', 'directory', 'destination dev'],
  ['a/none', 'missing', '/x', 'directory', 'NOT_FOUND Could not find the file a/none in the host'],
];

for (const [source, kind, destination, there, expected] of rows)
  test(`placeCopy: ${kind} ${source} to ${there} ${destination}`, () => {
    let got: string;
    try {
      const { into, name } = placeCopy(
        { path: source, written: source, container: undefined, kind },
        { path: destination, written: `c:${destination}`, container: 'c', kind: there },
      );
      got = `${into} ${name}`;
    } catch (error) {
      if (!(error instanceof TinyrunError)) throw error;
      got = `${error.code} ${error.message}`;
    }
    assert.is(got, expected);
  });

test('baseOf, parentOf: of paths as people write them', () => {
  const paths = ['f', 'a/f', '/f', '/a/f/', '/a/f/.', '.', '/', './f'];
  assert.equal(
    paths.map((path) => `${parentOf(path)} ${baseOf(path)}`),
    ['. f', 'a/ f', '/ f', '/a/ f', '/a/ f', '. .', '/ ', './ f'],
  );
});

test.run();
