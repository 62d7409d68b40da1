// Executables that are none for this machine: elf(5) headers by hand.

const MACHINES = { x64: 62, arm64: 183, riscv64: 243 } as const; // EM_X86_64, EM_AARCH64, EM_RISCV

export interface ElfOptions {
  machine?: keyof typeof MACHINES;
  /** PT_INTERP: the loader that the kernel starts in its place. */
  interpreter?: string;
}

/** A 64-bit little-endian ELF executable with one segment: the interpreter's name, or all of the file. */
export function elf(options: ElfOptions = {}): Uint8Array {
  const { machine = process.arch === 'arm64' ? 'arm64' : 'x64', interpreter } = options;
  const name = new TextEncoder().encode(interpreter === undefined ? '' : `${interpreter}\0`);
  const bytes = new Uint8Array(64 + 56 + name.length); // Elf64_Ehdr, one Elf64_Phdr
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, MACHINES[machine], true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, 0x400000n, true); // entry
  view.setBigUint64(32, 64n, true); // program headers
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, interpreter === undefined ? 1 : 3, true); // PT_LOAD or PT_INTERP
  view.setUint32(68, 5, true); // PF_R | PF_X
  view.setBigUint64(72, interpreter === undefined ? 0n : 120n, true);
  view.setBigUint64(80, 0x400000n, true);
  view.setBigUint64(96, BigInt(name.length || bytes.length), true);
  view.setBigUint64(104, BigInt(name.length || bytes.length), true);
  view.setBigUint64(112, 0x1000n, true);
  bytes.set(name, 120);
  return bytes;
}
