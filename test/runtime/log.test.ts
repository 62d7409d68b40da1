import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { logEnds } from '../../src/runtime/log.ts';

const module = JSON.stringify(join(import.meta.dir, '../../src/runtime/log.ts'));

/** Runs code with a `log` for these options in a child process, since it writes to stderr; `FILE` is its log file. */
function runLog(options: string, code: string): { stderr: string; file: string | undefined } {
  const dir = mkdtempSync('/tmp/tinyrun-test-');
  const FILE = join(dir, 'log');
  const source = `const { createLog } = await import(${module}); const FILE = ${JSON.stringify(FILE)};
    const log = createLog({ log: undefined, logFormat: 'text', debug: false, ...${options} });\n${code}`;
  try {
    const { stderr } = Bun.spawnSync([process.execPath, '-e', source], { stdin: 'ignore', stdout: 'ignore' });
    return {
      stderr: stderr.toString().replaceAll(FILE, 'FILE'),
      file: existsSync(FILE) ? readFileSync(FILE, 'utf8') : undefined,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const ALL = `log.error('an error'); log.warn('a warning'); log.debug('a detail');`;

test('log: errors and warnings go to stderr', () => {
  const { stderr, file } = runLog('{}', ALL);
  assert.is(stderr, 'tinyrun: an error\ntinyrun: warning: a warning\n');
  assert.is(file, undefined);
});

test('log: details only with --debug', () => {
  const { stderr } = runLog('{ debug: true }', ALL);
  assert.is(stderr, 'tinyrun: an error\ntinyrun: warning: a warning\ntinyrun: debug: a detail\n');
});

test("log: with a file, in logrus' text form; only errors on stderr, too", () => {
  const { stderr, file } = runLog('{ log: FILE, debug: true }', `${ALL} log.error('a "b"\\n\\\\');`);
  assert.is(stderr, 'tinyrun: an error\ntinyrun: a "b"\\n\\\n');
  const lines = (file ?? '').split('\n');
  const time = /^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" /;
  for (const line of lines.slice(0, 4)) assert.match(line, time);
  assert.equal(
    lines.map((line) => line.replace(time, '')),
    [
      'level=error msg="an error"',
      'level=warning msg="a warning"',
      'level=debug msg="a detail"',
      'level=error msg="a \\"b\\"\\n\\\\"',
      '',
    ],
  );
});

test('log: with a file, as JSON', () => {
  const { file } = runLog(`{ log: FILE, logFormat: 'json' }`, `${ALL} log.error('a "b"\\n\\u0001');`);
  const entries = (file ?? '')
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  const shown = entries.map((entry) => JSON.stringify(entry).replace(/"time":"[^"]*Z"/, '"time":0'));
  assert.equal(shown, [
    '{"level":"error","msg":"an error","time":0}',
    '{"level":"warning","msg":"a warning","time":0}',
    '{"level":"error","msg":"a \\"b\\"\\n\\u0001","time":0}',
  ]);
});

test('log: a log file that cannot be opened does not hide the message', () => {
  const { stderr } = runLog(`{ log: FILE + '/x/y' }`, `log.error('an error');`);
  assert.is(
    stderr,
    'tinyrun: an error\ntinyrun: warning: open log file FILE/x/y: ENOENT no such file or directory\n',
  );
});

test('log: errors and warnings are a line each, whatever is named in them; a stack trace has many', () => {
  const { stderr } = runLog(
    '{ debug: true }',
    `for (const say of [log.error, log.warn, log.debug]) say('a\\nb');`,
  );
  assert.is(stderr, 'tinyrun: a\\nb\ntinyrun: warning: a\\nb\ntinyrun: debug: a\nb\n');
});

test('logEnds: the forms that engines read', () => {
  const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  assert.equal(logEnds('text', 'error', now), ['time="2026-01-02T03:04:05Z" level=error msg="', '"\n']);
  assert.equal(logEnds('json', 'warning', now), [
    '{"level":"warning","msg":"',
    '","time":"2026-01-02T03:04:05Z"}\n',
  ]);
});

test.run();
