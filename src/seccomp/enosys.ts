// Calls newer than a profile. A profile that allows a list of calls knows nothing of those that Linux got later, and would
// answer EPERM; programs take that for a refusal, but know how to do without a call when they are told ENOSYS. So a few
// instructions in front of the filter answer ENOSYS to numbers above the largest one that the profile names, for each
// architecture. runc does the same, and engines rely on it.
//
//         ld  arch
//         jeq ARCH, 0, next section       one section for each architecture
//         ld  nr
//         jset X32_BIT, ...               x86_64 only: x32 has a limit of its own
//         jgt LARGEST, ENOSYS
//         ja  filter
//         ...
//         ja  filter                      what no section is for
// ENOSYS: ret ERRNO(ENOSYS)
// filter: ...

import { actions, auditArchitecture, INSTRUCTION, X32_BIT } from './tables.ts';

const ENOSYS = 38;
const [LD, JA, JEQ, JGT, JSET, RET] = [0x20, 0x05, 0x15, 0x25, 0x45, 0x06]; // codes of <linux/bpf_common.h>
const [NR, ARCH] = [0, 4]; // offsets in struct seccomp_data

type Instruction = [code: number, jt: number | Target, jf: number, k: number | Target];
/** A place behind all sections. */
type Target = 'enosys' | 'filter';

/** Whether such a stub makes a difference: not where the default lets calls through, or says ENOSYS itself. */
export function wantsEnosys(defaultAction: number): boolean {
  const lenient = [actions['SCMP_ACT_ALLOW'], actions['SCMP_ACT_LOG']].some(
    (action) => action!.value === defaultAction,
  );
  // A tracer decides on new calls itself.
  const traced = (defaultAction & 0xffff0000) >>> 0 === actions['SCMP_ACT_TRACE']!.value;
  return !lenient && !traced && defaultAction !== actions['SCMP_ACT_ERRNO']!.value + ENOSYS;
}

/** The instructions of one architecture of the kernel's. */
function section(audit: number, largest: number | undefined, x32: number | undefined): Instruction[] {
  const limit = (value: number | undefined): Instruction[] => [
    ...(value === undefined ? [] : [[JGT, 'enosys', 0, value] satisfies Instruction]),
    [JA, 0, 0, 'filter'],
  ];
  const ordinary = limit(largest);
  const body: Instruction[] =
    audit === auditArchitecture('SCMP_ARCH_X86_64')
      ? [[JSET, ordinary.length, 0, X32_BIT], ...ordinary, ...limit(x32)]
      : ordinary;
  return [[JEQ, 0, body.length + 1, audit], [LD, 0, 0, NR], ...body];
}

/**
 * The stub for a filter.
 * @param largest architecture's name -> the largest number that the profile names
 */
export function enosysStub(largest: ReadonlyMap<string, number>): Uint8Array {
  const done = new Set<number>();
  const instructions: Instruction[] = [[LD, 0, 0, ARCH]];
  for (const name of largest.keys()) {
    const audit = auditArchitecture(name);
    if (done.has(audit)) continue;
    done.add(audit);
    const x86 = audit === auditArchitecture('SCMP_ARCH_X86_64');
    const [own, x32] = x86 ? ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'] : [name, ''];
    instructions.push(...section(audit, largest.get(own!), largest.get(x32!)));
  }
  instructions.push([JA, 0, 0, 'filter'], [RET, 0, 0, actions['SCMP_ACT_ERRNO']!.value + ENOSYS]);
  const places = { enosys: instructions.length - 1, filter: instructions.length };
  const view = new DataView(new ArrayBuffer(INSTRUCTION * instructions.length));
  instructions.forEach(([code, jt, jf, k], i) => {
    const jump = (to: number | Target): number => (typeof to === 'number' ? to : places[to] - i - 1);
    view.setUint16(INSTRUCTION * i, code, true);
    view.setUint8(INSTRUCTION * i + 2, jump(jt));
    view.setUint8(INSTRUCTION * i + 3, jf);
    view.setUint32(INSTRUCTION * i + 4, jump(k), true);
  });
  return new Uint8Array(view.buffer);
}
