import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { alignColumns, alignPairs } from '../../../src/cli/format/columns.ts';
import { formatInspect } from '../../../src/cli/format/inspect.ts';
import { formatList } from '../../../src/cli/format/list.ts';

const TABLE = [
  ['VOLUME ID', 'ID'],
  ['DRIVER', 'Driver'],
  ['CREATED', 'RunningFor'],
] as const;
const ROWS = [
  { ID: 'a', Driver: 'local', RunningFor: '2 hours ago', CreatedAt: 'then', Label: () => 'one' },
  { ID: 'somewhat-longer', Driver: 'nfs', RunningFor: 'now', CreatedAt: 'now', Label: () => '' },
];
const list = (format?: string, rows: typeof ROWS = ROWS, quiet = false): string =>
  formatList({ format, quiet, table: TABLE, id: 'ID', rows });

test('list: the default is the table, whose columns are at least ten wide', () => {
  const table = [
    'VOLUME ID         DRIVER    CREATED',
    'a                 local     2 hours ago',
    'somewhat-longer   nfs       now',
    '',
  ].join('\n');
  assert.is(list(), table);
  assert.is(list(''), table);
  assert.is(list('table'), table);
});

test('two columns of which the first says the same in most lines are the same table', () => {
  for (const pairs of [
    [],
    [['DRIVER', 'VOLUME NAME']],
    [['DRIVER', 'VOLUME NAME'], ...Array.from({ length: 5 }, (_, i) => ['local', `v${i}`])],
    [
      ['a', 'b'],
      ['local', 'v'],
      ['a-driver-of-a-long-name', 'w'],
      ['l\u00e4nger', 'x'],
      ['\x1b[1m', 'y'],
    ],
  ] as [string, string][][])
    assert.is(alignPairs(pairs), alignColumns(pairs.map((pair) => pair.join('\t'))));
});

test('list: without rows the table has its head', () => {
  assert.is(list(undefined, []), 'VOLUME ID   DRIVER    CREATED\n');
  assert.is(list('json', []), '');
  assert.is(list('{{.ID}}', []), '');
});

test('list: a table of a template has the heads of its fields, known or not', () => {
  assert.is(
    list('table {{.CreatedAt}}\\t{{upper .ID}}\\t{{.Label "com.x.my-label"}}'),
    'CREATED AT   VOLUME ID         my label\nthen         A                 one\nnow          SOMEWHAT-LONGER   \n',
  );
});

test('list: quiet prints ids, but not where a format says otherwise', () => {
  assert.is(list(undefined, ROWS, true), 'a\nsomewhat-longer\n');
  assert.is(list('table {{.Driver}}', ROWS, true), 'a\nsomewhat-longer\n');
  assert.is(list('{{.Driver}}', ROWS, true), 'local\nnfs\n');
});

test('list: json is a line each, by name', () => {
  assert.is(
    list('json').split('\n')[0],
    '{"CreatedAt":"then","Driver":"local","ID":"a","RunningFor":"2 hours ago"}',
  );
});

test('list: a template is a line each, with \\t and \\n as written in a shell', () => {
  assert.is(list('{{.ID}}\\t{{.Driver}}'), 'a\tlocal\nsomewhat-longer\tnfs\n');
  assert.is(list('{{json .}}').split('\n').length, 3);
});

test('list: a name cannot steer the terminal of who lists it', () => {
  const rows = [{ ID: 'a\x1b[2J', Driver: '', RunningFor: '' }];
  assert.match(formatList({ format: undefined, quiet: false, table: TABLE, id: 'ID', rows }), 'a\\x1b[2J');
});

test('inspect: JSON of all, indented or in one line, a template each', () => {
  const values = [{ Id: 'a', Labels: new Map([['x', '1']]) }, { Id: 'b' }];
  assert.is(
    formatInspect(undefined, values),
    `[
    {
        "Id": "a",
        "Labels": {
            "x": "1"
        }
    },
    {
        "Id": "b"
    }
]
`,
  );
  assert.is(formatInspect('json', values), '[{"Id":"a","Labels":{"x":"1"}},{"Id":"b"}]\n');
  assert.is(formatInspect('{{.Id}}!', values), 'a!\nb!\n');
  assert.is(formatInspect(undefined, []), '[]\n');
  assert.is(formatInspect('json', []), '[]\n');
  assert.is(formatInspect('{{.Id}}', []), '\n');
});

test.run();
