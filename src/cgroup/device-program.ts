// Device rules as a BPF program for cgroup v2, which the kernel asks about each open and mknod of a device:
// BPF_PROG_TYPE_CGROUP_DEVICE, <linux/bpf.h>, kernel Documentation/bpf/instruction-set.rst.
//
// The last rule that speaks about a letter of the access decides about it. So the rules are looked at from the last to the
// first; a rule that denies any of the letters that are still open ends it, one that allows closes its letters:
//
//   r2 = type; r3 = open letters; r4 = major; r5 = minor
//   for each rule: is it for this device?   deny: any of its letters open? -> 0     allow: close its letters; none open? -> 1
//   r0 = the default

import { type FullRule, isForAll } from './devices.ts';

/** Codes of instructions: class | operation | source. */
export const OPCODES = {
  load32: 0x61, // dst = *(u32 *)(src + off)
  move: 0xb7, // dst = imm
  moveReg: 0xbf, // dst = src
  and: 0x57, // dst &= imm
  shiftRight: 0x77, // dst >>= imm
  jump: 0x05,
  jumpNotEqual: 0x55, // if dst != imm
  jumpSet: 0x45, // if dst & imm
  exit: 0x95,
} as const;

/** enum bpf_devcg: what struct bpf_cgroup_dev_ctx.access_type holds. */
export const TYPES = { b: 1, c: 2 } as const;
const LETTERS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

interface Instruction {
  code: number;
  dst?: number;
  src?: number;
  off?: number;
  imm?: number;
}

/** The letters of an access as bits. */
export const accessBits = (access: string): number =>
  [...access].reduce((bits, letter) => bits | (LETTERS[letter] ?? 0), 0);

/** Compiles rules as deviceRules gives them: the first one decides about everything. */
export function compileDevices([first, ...rules]: readonly FullRule[]): Uint8Array {
  const { load32, moveReg, and, shiftRight, move, exit } = OPCODES;
  const instructions: Instruction[] = [
    { code: load32, dst: 2, src: 1, off: 0 }, // access_type: letters << 16 | type
    { code: moveReg, dst: 3, src: 2 },
    { code: and, dst: 2, imm: 0xffff },
    { code: shiftRight, dst: 3, imm: 16 },
    { code: load32, dst: 4, src: 1, off: 4 },
    { code: load32, dst: 5, src: 1, off: 8 },
    ...rules.toReversed().flatMap(compileRule),
    { code: move, dst: 0, imm: first !== undefined && isForAll(first) && first.allow ? 1 : 0 },
    { code: exit },
  ];
  return assemble(instructions);
}

function compileRule(rule: FullRule): Instruction[] {
  const { jump, jumpNotEqual, jumpSet, and, move, exit } = OPCODES;
  const bits = accessBits(rule.access);
  const decision: Instruction[] = rule.allow
    ? [
        { code: and, dst: 3, imm: 7 & ~bits },
        { code: jumpNotEqual, dst: 3, imm: 0, off: 2 },
        { code: move, dst: 0, imm: 1 },
        { code: exit },
      ]
    : [
        { code: jumpSet, dst: 3, imm: bits, off: 1 },
        { code: jump, off: 2 },
        { code: move, dst: 0, imm: 0 },
        { code: exit },
      ];
  const conditions: [dst: number, imm: number | undefined][] = [
    [2, rule.type === 'a' ? undefined : TYPES[rule.type]],
    [4, rule.major],
    [5, rule.minor],
  ];
  const asked = conditions.filter((condition): condition is [number, number] => condition[1] !== undefined);
  return [
    ...asked.map(([dst, imm], i) => ({
      code: jumpNotEqual,
      dst,
      imm,
      off: asked.length - i - 1 + decision.length,
    })),
    ...decision,
  ];
}

/** struct bpf_insn: u8 code; u8 dst:4, src:4; s16 off; s32 imm. */
function assemble(instructions: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * instructions.length));
  instructions.forEach(({ code, dst = 0, src = 0, off = 0, imm = 0 }, i) => {
    view.setUint8(8 * i, code);
    view.setUint8(8 * i + 1, dst | (src << 4));
    view.setInt16(8 * i + 2, off, true);
    view.setInt32(8 * i + 4, imm, true);
  });
  return new Uint8Array(view.buffer);
}
