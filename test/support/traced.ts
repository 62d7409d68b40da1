// The lines of `--trace`, read back, and held against what `explain --json` says of the same program.

import * as assert from 'uvu/assert';
import type { ListedOp } from '../../src/explain/listing.ts';

/** A line of a trace. */
export interface TracedOp {
  section: string;
  number: number;
  /** As explain shows it; long strings and lines are cut, which three dots show. */
  text: string;
  result: number;
  /** The errno's name, where it failed. */
  errno: string | undefined;
  nanoseconds: number;
}

/** Reads a trace; throws where a line is none. */
export function parseTrace(trace: string): TracedOp[] {
  assert.ok(trace.endsWith('\n'), 'the last line is whole');
  return trace
    .trimEnd()
    .split('\n')
    .map((line) => {
      const form = /^(host|init) +(\d+) (.+) = (-?\d+) (?:(E[A-Z0-9]+) [^=]*? )?(\d+) ns$/.exec(line);
      if (form === null) throw new Error(`no line of a trace: ${line}`);
      const [, section = '', number, text = '', result, errno, nanoseconds] = form;
      return {
        section,
        text,
        errno,
        number: Number(number),
        result: Number(result),
        nanoseconds: Number(nanoseconds),
      };
    });
}

/** Every op of the trace must be the one that was explained under its number. */
export function assertTraced(traced: readonly TracedOp[], explained: readonly ListedOp[]): void {
  for (const section of ['host', 'init']) assert.ok(traced.some((op) => op.section === section));
  for (const op of traced) {
    const listed = explained[op.number];
    if (listed === undefined) throw new Error(`op ${op.number} is not explained: ${op.text}`);
    assert.is(op.section, listed.section);
    const whole = listed.call === undefined ? listed.text : `${listed.call}(${listed.args?.join(', ')})`;
    assert.ok(isCut(op.text, whole), `op ${op.number}\n  traced    ${op.text}\n  explained ${whole}`);
  }
}

/** Whether `text` is `whole`, but for what was left out at three dots; the time of day is any. */
function isCut(text: string, whole: string): boolean {
  const [head = '', ...rest] = text.replaceAll(TIME, 'NOW').split(/"?\.\.\./);
  let left = whole.replaceAll(TIME, 'NOW');
  if (!left.startsWith(head)) return false;
  left = left.slice(head.length);
  for (const part of rest) {
    const at = left.indexOf(part);
    if (at < 0) return false;
    left = left.slice(at + part.length);
  }
  return rest.length > 0 || left === '';
}
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;
