import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ellipsis,
  humanDuration,
  humanSize,
  humanTime,
  shortId,
  shortPath,
} from '../../../src/cli/format/human.ts';

test('human: sizes in three digits and decimal units', () => {
  const shown: [number, string][] = [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [1234, '1.23kB'],
    [12345, '12.3kB'],
    [123456, '123kB'],
    [999499, '999kB'],
    [999500, '1MB'],
    [1100000, '1.1MB'],
    [4400000000, '4.4GB'],
    [2 ** 60, '1.15EB'],
  ];
  for (const [bytes, text] of shown) assert.is(humanSize(bytes), text);
});

test("durations are told in Docker's words", () => {
  const [minute, hour, day] = [60, 3600, 86400];
  const shown: [number, string][] = [
    [-5, 'Less than a second'],
    [0.9, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [minute, 'About a minute'],
    [2 * minute, '2 minutes'],
    [59 * minute, '59 minutes'],
    [hour, 'About an hour'],
    [1.6 * hour, '2 hours'],
    [47 * hour, '47 hours'],
    [2 * day, '2 days'],
    [13 * day, '13 days'],
    [14 * day, '2 weeks'],
    [59 * day, '8 weeks'],
    [60 * day, '2 months'],
    [729 * day, '24 months'],
    [730 * day, '2 years'],
  ];
  for (const [seconds, text] of shown) assert.is(humanDuration(seconds * 1000), text);
});

test('human: a time as Go prints it', () => {
  assert.match(humanTime(new Date(1764127177000)), /^2025-11-2\d \d\d:\d\d:37 [+-]\d{4} \S+$/);
});

test('human: ids and long texts are cut', () => {
  assert.is(shortId(`sha256:${'ab'.repeat(32)}`), 'abababababab');
  assert.is(shortId('web'), 'web');
  assert.is(shortPath(`/d/${'ab'.repeat(32)}-init/diff`), '/d/abababababab…-init/diff');
  assert.is(ellipsis('sleep 60', 20), 'sleep 60');
  assert.is(ellipsis('sh -c "sleep 1000; true"', 20), 'sh -c "sleep 1000; …');
});

test.run();
