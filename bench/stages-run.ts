// The second half of bench/stages.ts, loaded when it is called, as src/cli/commands/run.ts is. What it prints,
// bench/budget.ts reads: a line of JSON with the moments until the program is executed, then one record from each
// op that reads the clock: its name, padded to 8 bytes, and a struct timespec.

import { execFd, memfdCreate, writeAll } from '../native-bindings/libc.ts';
import type { CommandLine } from '../src/cli/command-line.ts';
import { explicitForm, toRunOptions } from '../src/cli/run-options.ts';
import { linkProgram } from '../src/engine/native.ts';
import { ungrantableCapabilities } from '../src/plan/credentials.ts';
import { planContainer } from '../src/plan/plan.ts';
import type { Op, Program, Section } from '../src/program/op.ts';
import * as o from '../src/program/ops.ts';
import { gatherInput } from '../src/runtime/gather.ts';
import type { Log } from '../src/runtime/log.ts';
import type { GlobalOptions } from '../src/runtime/options.ts';
import { readPrelude } from '../src/runtime/prelude.ts';
import { probeHost, statPath } from '../src/runtime/probe.ts';
import { constants } from '../src/sys/constants.ts';
import { monotonicOffset } from './clock.ts';

/** Becomes the container's program; `main` is when the first line of the main module ran, by Bun's clock. */
export async function run(
  line: CommandLine,
  global: GlobalOptions,
  cwd: string,
  log: Log,
  main: number,
): Promise<never> {
  const loaded = Bun.nanoseconds();
  const options = toRunOptions(line, cwd, explicitForm(line) ?? 'runc');
  const host = probeHost();
  const input = await gatherInput(global, options, host, log);
  ungrantableCapabilities(input);
  statPath(`${global.root}/${options.id}`);
  const gathered = Bun.nanoseconds();
  const program = planContainer(input);
  const planned = Bun.nanoseconds();
  const clocked = withClock(program);
  const encoding = Bun.nanoseconds();
  const image = linkProgram(clocked, host.arch);
  const linked = Bun.nanoseconds();
  const fd = memfdCreate('tinyrun', constants['MFD_CLOEXEC']! | constants['MFD_EXEC']!);
  writeAll(fd, image);
  const offset = monotonicOffset();
  const moments = Object.entries({ main, loaded, gathered, planned, encoding, linked });
  const absolute = moments.map(([name, time]) => [name, time + offset]);
  absolute.push(['started', readPrelude()!.startedAt]);
  writeAll(1, new TextEncoder().encode(`${JSON.stringify(Object.fromEntries(absolute))}\n`));
  throw new Error(`stages: execute the program: errno ${-execFd(fd, ['tinyrun'], [])}`);
}

/** The program with more ops, which read the clock and print it. */
function withClock(program: Program): Program {
  const names: string[] = [];
  const clock = (name: string): Op[] => {
    names.push(name);
    const words = { what: `read the clock: ${name}`, why: '', from: 'runtime' };
    return [
      o.call('clock_gettime', [o.flags('CLOCK_MONOTONIC'), o.buf(`clock-${name}`, 8)], words),
      o.write(1, o.buf(`clock-${name}`), 24, words),
    ];
  };
  const before = (ops: readonly Op[], is: (op: Op) => boolean, name: string): Op[] => {
    const at = ops.findIndex(is);
    if (at < 0) throw new Error(`stages: the program has no place for ${name}`);
    return ops.toSpliced(at, 0, ...clock(name));
  };
  const calls = (name: string) => (op: Op) => op.op === 'call' && op.call === name;
  const sections = program.sections.map((section): Section => {
    if (section.name === 'init') {
      const ops = before(section.ops, (op) => op.op === 'call', 'child');
      return { ...section, ops: before(ops, calls('execve'), 'execve') };
    }
    const ops = before(section.ops, calls('clone3'), 'clone');
    return { ...section, ops: [...clock('program'), ...before(ops, (op) => op.op === 'exitcode', 'ended')] };
  });
  const buffers = names.map((name) => ({ name: `clock-${name}`, size: 24, init: name }));
  return { ...program, sections, buffers: [...program.buffers, ...buffers] };
}
