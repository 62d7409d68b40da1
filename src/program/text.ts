// A Program -> its text form (spec/program.md, "Text form"), which parse.ts reads back: the same names, values and
// words, so that a program can be shown, compared with a golden file, edited by hand and run.

import { argumentKind } from '../sys/syscall-arguments.ts';
import type { Arg, Buffer, CallOp, ErrorPolicy, Op, Program, Words } from './op.ts';

export { parseProgram } from './parse.ts';

/** The text form. parseProgram gives the same program back, except that error policies without an entry are gone. */
export function printProgram(program: Program): string {
  const lines: string[] = [];
  for (const buffer of program.buffers) lines.push(printBuffer(buffer));
  for (const { reg, format, prefix, suffix } of program.reports)
    lines.push(`report $${reg} ${format} ${quote(prefix)} ${quote(suffix)}`);
  if (program.trace !== undefined) lines.push(`trace ${program.trace}`);
  if (program.step !== undefined) lines.push(`step ${program.step}`);
  for (const section of program.sections) {
    if (lines.length > 0) lines.push('');
    lines.push(`section ${section.name}  fail -> ${section.onFail}  exit ${section.exit}`);
    for (const op of section.ops) {
      if (op.op === 'label') {
        lines.push(`${op.name}:`);
        continue;
      }
      if (op.what !== '' || op.why !== '' || op.from !== '') lines.push(`  ; ${printWords(op)}`);
      lines.push(`  ${printOp(op)}`);
    }
  }
  return lines.join('\n') + '\n';
}

/**
 * One op without its words, on one line: `$state = openat(AT_FDCWD, "/run", O_PATH)  ignore ENOENT`.
 * @param longest strings with more characters are cut, as in strace: `"abc"...`
 */
export function printOp(op: Op, longest = Number.POSITIVE_INFINITY): string {
  const to =
    'to' in op && op.to !== undefined && op.op !== 'jump' && op.op !== 'branch' ? `$${op.to} = ` : '';
  switch (op.op) {
    case 'label':
      return `${op.name}:`;
    case 'call':
      return `${to}${printCall(op, longest)}${printPolicy(op.onError)}`;
    case 'jump':
      return `jump ${op.to}`;
    case 'branch':
      return `if $${op.reg} ${op.is} ${printConstant(op.value)} -> ${op.to}`;
    case 'set':
      return `${to}${printConstant(op.value)}`;
    case 'format': {
      const width = op.width === undefined ? '' : ` width ${op.width}`;
      const pad = op.pad === undefined ? '' : ` pad ${quote(op.pad)}`;
      return `${to}format $${op.reg} &${op.buf}+${op.at}${width}${pad}`;
    }
    case 'store':
      return `store${op.bytes} $${op.reg} &${op.buf}+${op.at}`;
    case 'load':
      return `${to}load${op.bytes} &${op.buf}+${op.at}`;
    case 'exitcode':
      return `${to}exitcode $${op.reg}`;
    case 'fail':
      return `fail${op.fail === undefined ? '' : ` -> ${op.fail}`}${op.exit === undefined ? '' : `  exit ${op.exit}`}`;
  }
}

/** A system call as a C programmer would write it: `mkdirat(AT_FDCWD, "/run/tinyrun", 0700)`. */
export function printCall(op: CallOp, longest = Number.POSITIVE_INFINITY): string {
  return `${op.call}(${op.args.map((arg, i) => printArg(arg, longest, argumentKind(op.call, i))).join(', ')})`;
}

/** An operand; `kind` is what syscall-arguments.ts says of it, and chooses how a number is shown. */
export function printArg(arg: Arg, longest = Number.POSITIVE_INFINITY, kind?: string): string {
  if (typeof arg === 'string') return cut(arg, longest);
  if (typeof arg !== 'object') return printNumber(arg, kind);
  if ('flags' in arg) return printConstant(arg);
  if ('reg' in arg) return `$${arg.reg}`;
  if ('buf' in arg) return arg.at === undefined ? `&${arg.buf}` : `&${arg.buf}+${arg.at}`;
  if ('bytes' in arg) return `base64${cut(arg.bytes.toBase64(), longest)}`;
  if ('vec' in arg) return `[${arg.vec.map((item) => printArg(item, longest)).join(', ')}]`;
  if ('struct' in arg) return arg.struct + printFields(arg.fields, longest);
  return `${arg.structs}[${arg.items.map((item) => printFields(item, longest)).join(', ')}]`;
}

function printFields(fields: Readonly<Record<string, Arg>>, longest: number): string {
  return `{${Object.entries(fields)
    .map(([name, arg]) => `${name}: ${printArg(arg, longest)}`)
    .join(', ')}}`;
}

function printNumber(value: number | bigint, kind?: string): string {
  // A bigint of more than 53 bits is a mask.
  if (typeof value === 'bigint') return value >= 2n ** 53n ? `0x${value.toString(16)}n` : `${value}n`;
  if (kind === 'mode' && value > 7) return `0${value.toString(8)}`;
  if (kind === 'device' && value > 9) return `0x${value.toString(16)}`;
  return `${value}`;
}

function printConstant(value: number | bigint | { flags: readonly string[] }): string {
  if (typeof value !== 'object') return printNumber(value);
  return value.flags.length === 0 ? 'none' : value.flags.join('|');
}

function printPolicy(policy: ErrorPolicy = {}): string {
  const { ignore = [], goto = {}, fail, exit } = policy;
  const targets = Object.entries(goto).map(([errno, label]) => `${errno} -> ${label}`);
  return (
    (ignore.length > 0 ? `  ignore ${ignore.join(', ')}` : '') +
    (targets.length > 0 ? `  goto ${targets.join(', ')}` : '') +
    (fail === undefined ? '' : `  fail -> ${fail}`) +
    (exit === undefined ? '' : `  exit ${exit}`)
  );
}

function printBuffer({ name, size, init }: Buffer): string {
  if (init === undefined) return `buffer ${name} ${size}`;
  return `buffer ${name} ${size} ${printArg(typeof init === 'string' ? init : { bytes: init })}`;
}

function printWords({ what, why, from }: Words): string {
  return [what, why, from]
    .map((words) => words.replace(/[\\|]/g, '\\$&').replace(/\n/g, '\\n').replace(invisible, codeUnits))
    .join(' | ')
    .trimEnd();
}

/** A string literal of JSON in which nothing is invisible, so that a terminal shows what the kernel will see. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(invisible, codeUnits);
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${quote(text.slice(0, longest))}...` : quote(text);
}

// Controls, formats (they change the direction of a text, or have no width), lone surrogates, separators of lines.
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

function codeUnits(character: string): string {
  return character.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
