import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LogRecord } from '../../src/container/log-files.ts';
import { countLines, formatTime, type LogView, viewOf } from '../../src/container/log-view.ts';

const SECOND = 1_000_000_000n;
const at = (seconds: number, stream: number, text: string): LogRecord => ({
  time: BigInt(seconds) * SECOND,
  stream,
  bytes: new TextEncoder().encode(text),
});
const ALL: LogView = { since: undefined, until: undefined, skip: 0, timestamps: false };

/** What is shown, as `STREAM:TEXT` each. */
function show(records: readonly LogRecord[], view: Partial<LogView> = {}): string[] {
  const shown = viewOf({ ...ALL, ...view });
  return records.flatMap(shown).map(({ stream, bytes }) => `${stream}:${new TextDecoder().decode(bytes)}`);
}

const RECORDS = [
  at(1, 1, 'one\ntw'),
  at(2, 2, 'err'),
  at(3, 1, 'o\nthree\n'),
  at(4, 2, 'or\n'),
  at(5, 1, 'no end'),
];

test('viewOf: without a condition the bytes are as they were', () => {
  assert.equal(show(RECORDS), ['1:one\ntw', '2:err', '1:o\nthree\n', '2:or\n', '1:no end']);
});

test('viewOf: a line belongs to the time of its first byte, and the streams are told apart', () => {
  assert.equal(show(RECORDS, { since: 3n * SECOND }), ['1:three\n', '1:no end']);
  assert.equal(show(RECORDS, { since: 2n * SECOND, until: 3n * SECOND }), ['2:err', '1:three\n', '2:or\n']);
  assert.equal(show(RECORDS, { until: 1n * SECOND }), ['1:one\n', '1:tw', '1:o\n']);
});

test('viewOf: the time stands before each line, once', () => {
  const stamp = (second: number) => `1970-01-01T00:00:0${second}.000000000Z `;
  assert.is(
    show(RECORDS.slice(0, 4), { timestamps: true })
      .map((text) => text.slice(2))
      .join(''),
    `${stamp(1)}one\n${stamp(1)}tw${stamp(2)}erro\n${stamp(3)}three\nor\n`,
  );
});

test('countLines, and skipping: the last lines', () => {
  assert.is(countLines(RECORDS, ALL), 5);
  assert.is(countLines(RECORDS, { since: 2n * SECOND, until: undefined }), 3);
  assert.is(countLines([at(1, 1, '')], ALL), 0);
  assert.equal(show(RECORDS, { skip: 3 }), ['1:three\n', '1:no end']);
  assert.equal(show(RECORDS, { skip: 5 }), []);
});

test('formatTime: nine digits, UTC', () => {
  assert.is(formatTime(1795664201n * SECOND + 42n), '2026-11-26T03:36:41.000000042Z');
});

test.run();
