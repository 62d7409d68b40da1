// Encoded program + interpreter -> an ELF executable that runs by itself: three loadable segments at the addresses of
// layout.ts (elf(5)). Nothing is relocated, nothing is dynamic, the stack is not executable.

import type { Arch, Encoded } from './encode.ts';
import { ARENA_ADDRESS, CODE_ADDRESS, CODE_OFFSET, PROGRAM_ADDRESS } from './layout.ts';

/** What segments are aligned to in the file: a page, of which aarch64 kernels may have larger ones. */
const pageSize: Record<Arch, number> = { x64: 0x1000, arm64: 0x10000 };
const machine: Record<Arch, number> = { x64: 62, arm64: 183 }; // EM_X86_64, EM_AARCH64
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const [X, W, R] = [1, 2, 4];
const HEADER = 64; // Elf64_Ehdr
const PROGRAM_HEADER = 56; // Elf64_Phdr

/**
 * Returns the bytes of an executable.
 * @param interpreter the flat code of native-bindings/init.c, built for `arch` at CODE_ADDRESS + CODE_OFFSET
 */
export function link(encoded: Encoded, interpreter: Uint8Array, arch: Arch): Uint8Array<ArrayBuffer> {
  const page = pageSize[arch];
  const round = (size: number) => (size + page - 1) & -page;
  const codeSize = CODE_OFFSET + interpreter.length;
  const programAt = round(codeSize);
  const arenaAt = programAt + round(encoded.program.length);
  const bytes = new Uint8Array(arenaAt + encoded.arena.length);
  const view = new DataView(bytes.buffer);

  const segments = [
    { type: PT_LOAD, flags: R | X, at: 0, address: CODE_ADDRESS, fileSize: codeSize, size: codeSize },
    {
      type: PT_LOAD,
      flags: R,
      at: programAt,
      address: PROGRAM_ADDRESS,
      fileSize: encoded.program.length,
      size: encoded.program.length,
    },
    {
      type: PT_LOAD,
      flags: R | W,
      at: arenaAt,
      address: ARENA_ADDRESS,
      fileSize: encoded.arena.length,
      size: encoded.arenaSize,
    },
    { type: PT_GNU_STACK, flags: R | W, at: 0, address: 0, fileSize: 0, size: 0 },
  ];

  // 64 bits, little endian, version 1, System V; type 2: ET_EXEC.
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine[arch], true);
  view.setUint32(20, 1, true);
  view.setUint32(24, CODE_ADDRESS + CODE_OFFSET, true); // e_entry, low half
  view.setUint32(32, HEADER, true); // e_phoff
  view.setUint16(52, HEADER, true);
  view.setUint16(54, PROGRAM_HEADER, true);
  view.setUint16(56, segments.length, true);
  segments.forEach((segment, i) => {
    const at = HEADER + i * PROGRAM_HEADER;
    view.setUint32(at, segment.type, true);
    view.setUint32(at + 4, segment.flags, true);
    view.setUint32(at + 8, segment.at, true);
    view.setUint32(at + 16, segment.address, true);
    view.setUint32(at + 24, segment.address, true);
    view.setUint32(at + 32, segment.fileSize, true);
    view.setUint32(at + 40, segment.size, true);
    view.setUint32(at + 48, page, true);
  });
  bytes.set(interpreter, CODE_OFFSET);
  bytes.set(encoded.program, programAt);
  bytes.set(encoded.arena, arenaAt);
  return bytes;
}
