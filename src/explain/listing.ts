// A program -> what a person reads before it runs (`tinyrun explain`), the same for machines (`--json`), and the lines
// that a trace shows while it runs. Ops have the interpreter's numbers: labels are not counted.

import { numberOps, type Place } from '../program/flow.ts';
import type { ErrorPolicy, Op, Program, Section } from '../program/op.ts';
import { printArg, printCall, printOp } from '../program/text.ts';
import { argumentKind } from '../sys/syscall-arguments.ts';
import { findMeetings, type Meetings } from './channels.ts';

export interface ListingOptions {
  /** Width to wrap at; default 100. */
  columns?: number;
  /** Which sections are shown; default all. */
  sections?: readonly Section['name'][];
  /** One line an op: its number, what it does, where that comes from. */
  compact?: boolean;
}

/** An op as listingJson gives it. */
export interface ListedOp {
  number: number;
  section: Section['name'];
  labels?: string[]; // those that stand in front of it
  op: Exclude<Op['op'], 'label'>;
  call?: string; // the system call
  args?: string[]; // its operands, as in `text`
  text: string; // the op as the text form of programs has it
  what: string;
  why: string;
  from: string;
  onError?: ErrorPolicy;
}

/** An op with the labels in front of it. */
interface Entry extends Place {
  labels: string[];
}

/** Strings in a listing and in a trace are cut there: an environment or a file's contents are no pleasure to read. */
const LONGEST_STRING = 80;
const LONGEST_LINE = 200;

/** The program as text, a paragraph for ops of the same reason, or with `compact` a line for each op. */
export function formatListing(program: Program, options: ListingOptions = {}): string {
  const { columns = 100, sections, compact = false } = options;
  const meetings = findMeetings(program);
  const all = entriesOf(program);
  const parts: string[] = [];
  for (const section of program.sections) {
    if (sections !== undefined && !sections.includes(section.name)) continue;
    const entries = all.filter((entry) => entry.section === section);
    const title = `${section.name} program: ${entries.length} ops; a failure goes to \`${section.onFail}\` and exits ${section.exit}`;
    const ops = compact
      ? ['', ...entries.map((entry) => formatShort(entry, columns))]
      : entries.flatMap((entry, i) =>
          formatLong(entry, beginsParagraph(entries, i), saysWhy(entries, i), columns, meetings),
        );
    parts.push([...wrap(title, columns, '', '  '), ...ops].join('\n'));
  }
  return parts.join('\n\n\n') + '\n';
}

/** The same for machines. */
export function listingJson(program: Program): ListedOp[] {
  return entriesOf(program).map(({ op, section, number, labels }) => ({
    number,
    section: section.name,
    ...(labels.length > 0 ? { labels } : {}),
    op: op.op,
    ...(op.op === 'call'
      ? { call: op.call, args: op.args.map((arg, i) => printArg(arg, undefined, argumentKind(op.call, i))) }
      : {}),
    text: printOp(op),
    what: op.what,
    why: op.why,
    from: op.from,
    ...(op.op === 'call' && op.onError !== undefined ? { onError: op.onError } : {}),
  }));
}

/** What a trace shows of each op, for encode: `host   3 mkdirat(AT_FDCWD, "/run/tinyrun/x", 0700)`. */
export function traceLines(program: Program): string[] {
  return numberOps(program).map(({ op, section, number }) => {
    const text = op.op === 'call' ? printCall(op, LONGEST_STRING) : printOp(op, LONGEST_STRING);
    const shown = text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}...` : text;
    return `${section.name} ${String(number).padStart(3)} ${shown}`;
  });
}

function entriesOf(program: Program): Entry[] {
  const entries: Entry[] = [];
  let number = 0;
  for (const section of program.sections) {
    let labels: string[] = [];
    for (const op of section.ops) {
      if (op.op === 'label') labels.push(op.name);
      else {
        entries.push({ op, section, number: number++, labels });
        labels = [];
      }
    }
  }
  return entries;
}

/** `  12  make the state directory                    runtime`; control ops stand a step to the right. */
function formatShort({ op, number }: Entry, columns: number): string {
  return flushRight(
    `${String(number).padStart(4)}  ${isControl(op) ? '  ' : ''}${op.what}`,
    op.from,
    columns,
    '  ',
  );
}

/** A paragraph begins at a label, and where the reason changes. */
function beginsParagraph(entries: readonly Entry[], i: number): boolean {
  return entries[i]!.labels.length > 0 || entries[i - 1]?.op.why !== entries[i]!.op.why;
}

/** Ops of one paragraph have the same reason: the first that is no control op says it. */
function saysWhy(entries: readonly Entry[], i: number): boolean {
  for (let k = i; !beginsParagraph(entries, k); k--) if (!isControl(entries[k - 1]!.op)) return false;
  return true;
}

/** What an op does, the call, and why; of a control op what it is and why it is there, on one line. */
function formatLong(
  entry: Entry,
  begins: boolean,
  says: boolean,
  columns: number,
  meetings: Meetings,
): string[] {
  const { op, section, number, labels } = entry;
  const gutter = String(number).padStart(4);
  const apart = `\n${' '.repeat(8)}`;
  const lines = [...(begins ? [''] : []), ...labels.map((label) => `${label}:`)];
  if (isControl(op)) lines.push(flushRight(`${gutter}    ${printOp(op)}`, op.what, columns, apart));
  else {
    lines.push(flushRight(`${gutter}  ${op.what}`, op.from, columns, apart));
    lines.push(...wrap(printOp(op, LONGEST_STRING), columns, '        ', '          '));
    if (says) lines.push(...wrap(op.why, columns, '        ', '        '));
  }
  lines.push(...formatMeetings(meetings, number, section.name).map((line) => `        ${line}`));
  return lines;
}

function isControl(op: Op): boolean {
  return op.op !== 'call' && op.op !== 'fail';
}

function formatMeetings(meetings: Meetings, number: number, section: Section['name']): string[] {
  const other = section === 'host' ? 'init' : 'host';
  const lines: string[] = [];
  const begins = meetings.starts.get(number);
  const ops = (numbers: number[]) => `${numbers.length > 1 ? 'ops' : 'op'} ${numbers.join(', ')}`;
  const waitsFor = meetings.waitsFor.get(number);
  const releases = meetings.releases.get(number);
  if (begins !== undefined) lines.push(`==> the init program begins at op ${begins}`);
  if (waitsFor !== undefined) lines.push(`<== waits for the ${other} program: ${ops(waitsFor)}`);
  if (releases !== undefined) lines.push(`==> lets the ${other} program go on: ${ops(releases)}`);
  for (const [clone, first] of meetings.starts)
    if (first === number) lines.push(`<== started by op ${clone} of the host program`);
  return lines;
}

/** Two texts of a line, the second at the right margin; where they do not fit, `apart` stands between them. */
function flushRight(left: string, right: string, columns: number, apart: string): string {
  if (right === '') return left;
  const room = columns - left.length - right.length;
  return left + (room >= 2 ? ' '.repeat(room) : apart) + right;
}

/** Breaks a text at spaces and behind the `|` of flags, but not at an arrow. */
function wrap(text: string, columns: number, first: string, rest: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const piece of text.split(/(?<=\|)|(?<=(?<!->) )(?!->| )/)) {
    if (!empty && line.length + piece.trimEnd().length > columns) {
      lines.push(line.trimEnd());
      line = rest;
    }
    line += piece;
    empty = false;
  }
  lines.push(line.trimEnd());
  return lines;
}
