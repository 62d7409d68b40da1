// A program -> what is wrong with it, all problems at once: labels, words, limits of layout.ts; check-operands.ts adds
// what is wrong with an op by itself, flow.ts what only the paths through the program show. Planners' tests and
// hand-written programs go through here; the encoder trusts no one either, but stops at the first problem.

import {
  checkArg,
  checkCall,
  checkExit,
  checkPlace,
  isCount,
  type Surroundings,
  unless,
} from './check-operands.ts';
import type { Arch } from './encode.ts';
import {
  checkFlow,
  numberOps,
  type Place,
  type RealOp,
  registerSet,
  registersRead,
  targetsOf,
} from './flow.ts';
import * as layout from './layout.ts';
import type { Buffer, Program } from './op.ts';
import { EXIT_REGISTER, STDERR_REGISTER } from './op.ts';

/** Returns the problems of a program for an architecture, as `host 3 flock: unknown constant LOCK_FOO`; none: it is fine. */
export function checkProgram(program: Program, arch: Arch = 'x64'): string[] {
  const places = numberOps(program);
  const around = { arch, buffers: new Map(program.buffers.map(({ name, size }) => [name, size])) };
  const problems = [
    ...program.buffers.flatMap((buffer, i) => checkBuffer(buffer, program.buffers.slice(0, i))),
    ...checkLabelNames(program),
    ...checkSections(program),
    ...checkRegisters(program, places),
    ...unless(places.length > 0, 'there are no ops'),
    ...unless(places.length <= layout.MAX_OPS, `${places.length} ops are more than ${layout.MAX_OPS}`),
    ...[program.trace ?? 0, program.step ?? 0].flatMap((fd) =>
      unless(isCount(fd), `${fd} is no file descriptor`),
    ),
  ].map((problem) => `program: ${problem}`);

  for (const place of places)
    for (const problem of [...checkWords(place.op), ...checkOp(place.op, around)])
      problems.push(`${where(place)}: ${problem}`);

  const missing = checkTargets(program, places);
  if (missing.length > 0) return [...problems, ...missing];
  checkFlow(program, (place, problem) => problems.push(`${where(place)}: ${problem}`));
  return problems;
}

function where({ op, section, number }: Place): string {
  return `${section.name} ${number} ${op.op === 'call' ? op.call : op.op}`;
}

/** Whether the text form can write a name (cursor.ts). */
function checkName(kind: 'buffer' | 'label' | 'register', name: string): string[] {
  const valid = /^[A-Za-z_](?:[\w./-]*[\w./])?$/.test(name);
  return unless(valid, `${kind} ${JSON.stringify(name)} is not made of letters, digits and _./-`);
}

function checkBuffer({ name, size, init }: Buffer, before: readonly Buffer[]): string[] {
  const length = typeof init === 'string' ? new TextEncoder().encode(init).length : (init?.length ?? 0);
  return [
    ...checkName('buffer', name),
    ...unless(!before.some((buffer) => buffer.name === name), `buffer ${name} is defined twice`),
    ...unless(isCount(size) && size > 0, `buffer ${name} has ${size} bytes`),
    ...unless(length <= size || size <= 0, `buffer ${name} has ${size} bytes and contents of ${length}`),
  ];
}

function labelsOf(program: Program): string[] {
  return program.sections.flatMap(({ ops }) => ops.flatMap((op) => (op.op === 'label' ? [op.name] : [])));
}

function checkLabelNames(program: Program): string[] {
  const known = new Set<string>();
  return labelsOf(program).flatMap((name) => {
    const twice = known.has(name);
    known.add(name);
    return [...checkName('label', name), ...unless(!twice, `label ${name} is defined twice`)];
  });
}

/** Labels that something goes to and that are not there. */
function checkTargets(program: Program, places: readonly Place[]): string[] {
  const labels = new Set(labelsOf(program));
  const missing = (label: string, at: string) =>
    unless(labels.has(label), `${at}: there is no label ${label}`);
  return [
    ...program.sections.flatMap(({ name, onFail }) => missing(onFail, `section ${name}`)),
    ...places.flatMap((place) =>
      targetsOf(place)
        .filter(({ label }) => label !== place.section.onFail) // said once, of the section
        .flatMap(({ label }) => missing(label, where(place))),
    ),
  ];
}

function checkSections({ sections }: Program): string[] {
  const names = sections.map((section) => section.name).join(' ');
  return [
    ...unless(
      ['host', 'init', 'host init'].includes(names),
      `the sections are ${names || 'none'}, not host and init`,
    ),
    ...sections.flatMap(({ name, exit }) => checkExit(exit).map((problem) => `section ${name}: ${problem}`)),
  ];
}

function checkRegisters({ reports }: Program, places: readonly Place[]): string[] {
  const set = new Set([EXIT_REGISTER, STDERR_REGISTER]);
  const names = new Set(set);
  for (const { op } of places) {
    for (const register of registersRead(op)) names.add(register);
    const to = registerSet(op);
    if (to === undefined) continue;
    names.add(to);
    set.add(to);
  }
  return [
    ...unless(
      reports.length <= layout.MAX_REPORTS,
      `${reports.length} reports are more than ${layout.MAX_REPORTS}`,
    ),
    ...reports.flatMap(({ reg }) => unless(set.has(reg), `no op sets register ${reg} of a report`)),
    ...[...names].flatMap((name) => checkName('register', name)),
    ...unless(
      names.size <= layout.MAX_REGISTERS,
      `${names.size} registers are more than ${layout.MAX_REGISTERS}`,
    ),
  ];
}

function checkWords({ what, why, from }: RealOp): string[] {
  if (what === '' && why === '' && from === '') return ['it has no words'];
  const known = from === '' || from === 'runtime' || from.startsWith('/') || /^--[a-z]/.test(from);
  return [
    ...Object.entries({ what, why, from }).flatMap(([name, words]) => [
      ...unless(words !== '', `its \`${name}\` is empty`),
      ...unless(words.trim() === words, `its \`${name}\` has space around it`),
    ]),
    ...unless(known, `its \`from\` is ${from}, not runtime, a /pointer or a --flag`),
  ];
}

function checkOp(op: RealOp, around: Surroundings): string[] {
  switch (op.op) {
    case 'call':
      return checkCall(op, around);
    case 'branch':
    case 'set':
      return checkArg(op.value, around);
    case 'format': {
      const { width, pad = ' ' } = op;
      return [
        ...unless(width === undefined || (isCount(width) && width > 0), `its width is ${width}`),
        ...unless(/^[ -~]$/.test(pad), `its pad ${JSON.stringify(pad)} is not one ASCII character`),
        ...checkPlace(op.buf, op.at, width ?? layout.MAX_DECIMAL, around),
      ];
    }
    case 'store':
    case 'load':
      return [
        ...unless([1, 2, 4, 8].includes(op.bytes), `${op.bytes} bytes are not 1, 2, 4 or 8`),
        ...checkPlace(op.buf, op.at, op.bytes, around),
      ];
    case 'fail':
      return checkExit(op.exit);
    default:
      return [];
  }
}
