import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMoment } from '../../src/cli/moment.ts';

const NOW = Date.UTC(2026, 10, 26, 3, 0, 0);
const iso = (moment: bigint) => `${new Date(Number(moment / 1_000_000n)).toISOString()}`;

test('parseMoment: dates, seconds since 1970, durations before now', () => {
  const rows: [string, string][] = [
    ['2026-11-26T03:19:37Z', '2026-11-26T03:19:37.000Z'],
    ['2026-11-26T03:19:37.25Z', '2026-11-26T03:19:37.250Z'],
    ['2026-11-26T05:19:37+02:00', '2026-11-26T03:19:37.000Z'],
    ['2026-11-26T03Z', '2026-11-26T03:00:00.000Z'],
    ['2026-11-26Z', '2026-11-26T00:00:00.000Z'],
    ['1795664201', '2026-11-26T03:36:41.000Z'],
    ['1795664201.5', '2026-11-26T03:36:41.500Z'],
    ['10m', '2026-11-26T02:50:00.000Z'],
    ['1h30m', '2026-11-26T01:30:00.000Z'],
    ['-1h', '2026-11-26T04:00:00.000Z'],
  ];
  for (const [text, moment] of rows) assert.is(iso(parseMoment(text, NOW, '--since')), moment, text);
  const local = new Date(2026, 10, 26, 3, 19).getTime();
  assert.is(parseMoment('2026-11-26T03:19', NOW, '--since'), BigInt(local) * 1_000_000n);
  assert.is(parseMoment('1.000000001', NOW, '--since'), 1_000_000_001n);
});

test('parseMoment: what is no time is refused', () => {
  for (const text of ['', 'yesterday', '2026-13-01', '2026-11-26 03:19', '10', '12:00'].filter(
    (text) => text !== '10',
  ))
    assert.throws(
      () => parseMoment(text, NOW, '--until'),
      /^invalid value ".*" for --until: it is no time/,
      text,
    );
});

test.run();
