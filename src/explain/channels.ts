// A program -> where its two sections meet: the clone3 that starts the init program, and the pipes and sockets over
// which one waits for the other. Found by following the file descriptors from the call that makes them.

import { numberLabels, numberOps, type Place, registerSet } from '../program/flow.ts';
import type { CallOp, Program, Reg } from '../program/op.ts';

/** Numbers of ops of the other section, by the number of the op that meets them. */
export interface Meetings {
  /** A read waits for these writes; a write releases these reads. */
  waitsFor: Map<number, number[]>;
  releases: Map<number, number[]>;
  /** The clone3 whose child runs the init section, and where that begins. */
  starts: Map<number, number>;
}

/** Which argument is the pointer that receives two descriptors. */
const makers: Readonly<Record<string, number>> = { pipe2: 0, socketpair: 3 };
const readers = new Set(['read', 'recvmsg', 'recvfrom', 'readv']);
const writers = new Set(['write', 'sendmsg', 'sendto', 'writev']);

export function findMeetings(program: Program): Meetings {
  const places = numberOps(program);
  const meetings: Meetings = {
    waitsFor: new Map(),
    releases: new Map(),
    starts: findStarts(program, places),
  };
  const channels = findChannels(places);
  const ends = places.flatMap((place) => {
    const { op } = place;
    if (op.op !== 'call') return [];
    const fd = op.args[0];
    const end = typeof fd === 'object' && 'reg' in fd ? channels.get(fd.reg) : undefined;
    return end === undefined ? [] : [{ ...place, op, end }];
  });
  for (const reader of ends) {
    if (!readers.has(reader.op.call)) continue;
    for (const writer of ends) {
      const sameChannel = writer.end.maker === reader.end.maker && writer.end.side !== reader.end.side;
      if (!writers.has(writer.op.call) || !sameChannel || writer.section === reader.section) continue;
      add(meetings.waitsFor, reader.number, writer.number);
      add(meetings.releases, writer.number, reader.number);
    }
  }
  return meetings;
}

function add(map: Map<number, number[]>, key: number, value: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** The registers that hold an end of a pipe or of a pair of sockets: loaded from where the call put it. */
function findChannels(places: readonly Place[]): Map<Reg, { maker: number; side: number }> {
  const channels = new Map<Reg, { maker: number; side: number }>();
  let made: { maker: number; buf: string; at: number } | undefined;
  for (const { op, number } of places) {
    if (op.op === 'call' && op.call in makers) {
      const into = op.args[makers[op.call]!];
      made =
        typeof into === 'object' && 'buf' in into
          ? { maker: number, buf: into.buf, at: into.at ?? 0 }
          : undefined;
    } else if (op.op === 'load' && made !== undefined && op.buf === made.buf) {
      channels.set(op.to, { maker: made.maker, side: op.at === made.at ? 0 : 1 });
    }
  }
  return channels;
}

/** clone3 calls of the host section whose result 0 is branched on to a label of the init section. */
function findStarts(program: Program, places: readonly Place[]): Map<number, number> {
  const labels = numberLabels(program);
  const starts = new Map<number, number>();
  for (const { op, section, number } of places) {
    if (section.name !== 'host' || op.op !== 'call' || op.call !== 'clone3') continue;
    const child = childLabel(op, places.slice(number + 1));
    const begins = child === undefined ? undefined : labels.get(child);
    if (begins !== undefined && places[begins]?.section.name === 'init') starts.set(number, begins);
  }
  return starts;
}

function childLabel(clone: CallOp, after: readonly Place[]): string | undefined {
  for (const { op } of after) {
    if (op.op === 'branch' && op.reg === clone.to && op.is === '==' && op.value === 0) return op.to;
    if (registerSet(op) === clone.to) return undefined;
  }
  return undefined;
}
