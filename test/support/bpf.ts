// Runs a BPF program of cgroup/device-program.ts on a made-up access to a device, as the kernel's interpreter would, and
// checks what its verifier insists on: jumps forward and inside, no instruction that nothing reaches.

import { accessBits, OPCODES, TYPES } from '../../src/cgroup/device-program.ts';

export interface Access {
  type: 'b' | 'c';
  major: number;
  minor: number;
  access: string;
}

interface Decoded {
  code: number;
  dst: number;
  src: number;
  off: number;
  imm: number;
}

function decode(program: Uint8Array): Decoded[] {
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  return Array.from({ length: program.length / 8 }, (_, i) => ({
    code: view.getUint8(8 * i),
    dst: view.getUint8(8 * i + 1) & 15,
    src: view.getUint8(8 * i + 1) >> 4,
    off: view.getInt16(8 * i + 2, true),
    imm: view.getInt32(8 * i + 4, true),
  }));
}

const isJump = (code: number): boolean =>
  code === OPCODES.jump || code === OPCODES.jumpNotEqual || code === OPCODES.jumpSet;

/** Throws where the verifier would refuse it. */
export function verify(program: Uint8Array): void {
  const instructions = decode(program);
  const reached = new Set<number>();
  const todo = [0];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const instruction = instructions[at];
    if (instruction === undefined) throw new Error(`${at} is outside of the program`);
    if (reached.has(at)) continue;
    reached.add(at);
    if (isJump(instruction.code) && instruction.off < 0) throw new Error(`${at} jumps backwards`);
    if (isJump(instruction.code)) todo.push(at + 1 + instruction.off);
    if (instruction.code !== OPCODES.exit && instruction.code !== OPCODES.jump) todo.push(at + 1);
  }
  if (reached.size !== instructions.length) throw new Error('an instruction that nothing reaches');
}

/** Whether the program allows an access. */
export function isAllowed(program: Uint8Array, { type, major, minor, access }: Access): boolean {
  const instructions = decode(program);
  // struct bpf_cgroup_dev_ctx { u32 access_type, major, minor; }, which r1 points to
  const context = [(accessBits(access) << 16) | TYPES[type], major, minor];
  const registers = new Array<number>(11).fill(0);
  for (let at = 0; ; at++) {
    const instruction = instructions[at];
    if (instruction === undefined) throw new Error('it runs off its end');
    const { code, dst, src, off, imm } = instruction;
    const value = registers[dst]!;
    if (code === OPCODES.exit) return registers[0] === 1;
    else if (code === OPCODES.load32) registers[dst] = context[off / 4]!;
    else if (code === OPCODES.move) registers[dst] = imm;
    else if (code === OPCODES.moveReg) registers[dst] = registers[src]!;
    else if (code === OPCODES.and) registers[dst] = value & imm;
    else if (code === OPCODES.shiftRight) registers[dst] = value >>> imm;
    else if (code === OPCODES.jump) at += off;
    else if (code === OPCODES.jumpNotEqual) at += value === imm ? 0 : off;
    else if (code === OPCODES.jumpSet) at += (value & imm) === 0 ? 0 : off;
    else throw new Error(`no instruction ${code}`);
  }
}
