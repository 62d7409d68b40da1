// A program -> which op can follow which, and from that what can't be right: ops that are never reached, sections that
// run off their end, registers read where no path has set them. A forward data flow over sets, as compilers do it.
//
// The child of clone3 goes on at the next op with a copy of the registers, so that it needs no edge of its own.

import type { Label, Op, Program, Reg, Section } from './op.ts';
import { EXIT_REGISTER, STDERR_REGISTER } from './op.ts';

export type RealOp = Exclude<Op, { op: 'label' }>;

/** An op, its section, and its number: how the interpreter counts, over both sections and without the labels. */
export interface Place {
  op: RealOp;
  section: Section;
  number: number;
}

/** Where control can go after an op. A failed op does not set its register, but the one of the exit code. */
interface Edge {
  to: number;
  failed: boolean;
}

/** These do not come back if they succeed. */
const noReturn = new Set(['execve', 'execveat', 'exit_group', 'exit']);

/** All ops of a program in the order of their numbers. */
export function numberOps(program: Program): Place[] {
  let number = 0;
  return program.sections.flatMap((section) =>
    section.ops.flatMap((op) => (op.op === 'label' ? [] : [{ op, section, number: number++ }])),
  );
}

/** The numbers of the ops that labels stand in front of. */
export function numberLabels(program: Program): Map<Label, number> {
  const labels = new Map<Label, number>();
  let number = 0;
  for (const section of program.sections) {
    for (const op of section.ops) {
      if (op.op === 'label') labels.set(op.name, number);
      else number += 1;
    }
  }
  return labels;
}

/** The labels that an op can go to; `failed` are those behind a failure. */
export function targetsOf({ op, section }: Omit<Place, 'number'>): { label: Label; failed: boolean }[] {
  switch (op.op) {
    case 'jump':
    case 'branch':
      return [{ label: op.to, failed: false }];
    case 'fail':
      return [{ label: op.fail ?? section.onFail, failed: true }];
    case 'call': {
      const { goto = {}, ignore = [], fail = section.onFail } = op.onError ?? {};
      const targets = Object.values(goto).map((label) => ({ label, failed: false }));
      const neverFails = '*' in goto || ignore.includes('*');
      return neverFails ? targets : [...targets, { label: fail, failed: true }];
    }
    default:
      return [];
  }
}

/** The registers that an op reads as operands. */
export function registersRead(op: RealOp): Reg[] {
  if (op.op === 'call')
    return op.args.flatMap((arg) => (typeof arg === 'object' && 'reg' in arg ? [arg.reg] : []));
  return 'reg' in op ? [op.reg] : [];
}

/** The register that an op sets. */
export function registerSet(op: RealOp): Reg | undefined {
  return op.op === 'jump' || op.op === 'branch' || !('to' in op) ? undefined : op.to;
}

function goesOn(op: RealOp): boolean {
  if (op.op === 'jump' || op.op === 'fail') return false;
  return op.op !== 'call' || !noReturn.has(op.call) || (op.onError?.ignore?.length ?? 0) > 0;
}

/** The problems of a program whose labels all exist: `report` gets each with the op that has it. */
export function checkFlow(program: Program, report: (place: Place, problem: string) => void): void {
  const places = numberOps(program);
  const labels = numberLabels(program);
  const edges = places.map((place) => edgesOf(place, labels));
  const mayBeSet = flow(places, edges);
  const anywhere = new Set([EXIT_REGISTER, STDERR_REGISTER, ...places.map(({ op }) => registerSet(op))]);

  for (const place of places) {
    const { op, section, number } = place;
    const set = mayBeSet[number];
    if (set === undefined) {
      const first =
        number === 0 || mayBeSet[number - 1] !== undefined || places[number - 1]?.section !== section;
      if (first) report(place, 'no path leads here');
      continue;
    }
    if (goesOn(op) && places[number + 1]?.section !== section)
      report(place, `section ${section.name} runs off its end`);
    for (const { label } of targetsOf(place))
      if (labels.get(label) === places.length) report(place, `no op stands behind label ${label}`);
    for (const register of registersRead(op)) {
      // A branch may ask whether a register is set at all (-1: it isn't); an operand must have been set by some path.
      if (!anywhere.has(register)) report(place, `no op sets register ${register}`);
      else if (op.op !== 'branch' && !set.has(register))
        report(place, `no path sets register ${register} before this`);
    }
  }
}

function edgesOf(place: Place, labels: ReadonlyMap<Label, number>): Edge[] {
  const edges = targetsOf(place).flatMap(({ label, failed }) => {
    const to = labels.get(label);
    return to === undefined ? [] : [{ to, failed }];
  });
  if (goesOn(place.op)) edges.push({ to: place.number + 1, failed: false });
  return edges;
}

/** For each op the registers that some path to it has set; undefined where no path leads. */
function flow(places: readonly Place[], edges: readonly Edge[][]): (Set<Reg> | undefined)[] {
  const sets: (Set<Reg> | undefined)[] = places.map(() => undefined);
  sets[0] = new Set([EXIT_REGISTER, STDERR_REGISTER]);
  const work = [0];
  for (let number = work.pop(); number !== undefined; number = work.pop()) {
    const place = places[number];
    if (place === undefined) continue; // behind the last op
    const before = sets[number]!;
    const register = registerSet(place.op);
    for (const edge of edges[number]!) {
      if (edge.to >= places.length) continue;
      const known = sets[edge.to];
      const after = known ?? new Set<Reg>();
      const size = after.size;
      for (const name of before) after.add(name);
      if (register !== undefined && !edge.failed) after.add(register);
      if (known !== undefined && after.size === size) continue;
      sets[edge.to] = after;
      work.push(edge.to);
    }
  }
  return sets;
}
