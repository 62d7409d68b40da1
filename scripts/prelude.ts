// Puts native-bindings/prelude.c into an executable as the code that runs first: appended to the file, mapped by a
// segment of its own, and named as the entry point (elf(5)). The header of that segment is the one of PT_NOTE, which
// only tells tools the build id. PT_INTERP is blanked, so that the kernel starts the prelude and not the dynamic loader:
// the prelude loads that itself, when it is needed. Bun's executables are not position-independent; one that is gets
// refused.

import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { PRELUDE_ADDRESS, PRELUDE_DATA_ADDRESS } from '../src/runtime/prelude.ts';
import { type Arch, compileFlat } from './native.ts';

const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const PT_NULL = 0;
const [X, R] = [1, 4];
const PAGE = 0x10000; // the largest that kernels use
const DATA_SIZE = PAGE; // FACTS of prelude.h

/** Offsets in Elf64_Ehdr and Elf64_Phdr. */
const header = { type: 16, entry: 24, programHeaders: 32, programHeaderSize: 54, programHeaderCount: 56 };
const segment = {
  type: 0,
  flags: 4,
  offset: 8,
  address: 16,
  physical: 24,
  fileSize: 32,
  size: 40,
  align: 48,
};

const refusal = (file: string, why: string) => new Error(`add the prelude to ${file}: ${why}`);
const roundUp = (value: number) => Math.ceil(value / PAGE) * PAGE;

const sources = ['prelude', 'invocation', 'launch', 'loader'].map((name) => `native-bindings/${name}.c`);

/** What the prelude must know of the engine's executable. */
interface Engine {
  entry: number;
  /** Where the header of PT_INTERP is in memory, and what it names. */
  interpreterHeader: number;
  interpreterPath: string;
}

/**
 * Returns the prelude's code.
 * @param build what tells this build from others: programs kept by another one are not used
 */
export function compilePrelude(arch: Arch, engine: Engine, build: string): Uint8Array {
  return compileFlat(arch, sources, `dist/prelude.${arch}.bin`, PRELUDE_ADDRESS, [
    `-DDATA_ADDRESS=${PRELUDE_DATA_ADDRESS}UL`,
    `-DENGINE_ENTRY=${engine.entry}UL`,
    `-DINTERP_HEADER=${engine.interpreterHeader}UL`,
    `-DINTERP_PATH="${engine.interpreterPath}"`,
    `-DBUILD="${build}"`,
  ]);
}

/**
 * Changes the executable in place.
 * @param build as for compilePrelude
 * @throws Error where the file isn't laid out as expected
 */
export function injectPrelude(file: string, arch: Arch, build: string): void {
  const fd = openSync(file, 'r+');
  try {
    const head = new DataView(new ArrayBuffer(4096));
    readSync(fd, head, 0, head.byteLength, 0);
    const number = (at: number) => Number(head.getBigUint64(at, true));
    const put = (at: number, value: number) => head.setBigUint64(at, BigInt(value), true);
    if (head.getUint32(0) !== 0x7f454c46) throw refusal(file, 'not an ELF file');
    if (head.getUint16(header.type, true) !== ET_EXEC)
      throw refusal(file, 'a position-independent executable, which has no fixed addresses');

    const { note, interpreter, first } = findHeaders(head, file);
    const loader = new Uint8Array(number(interpreter + segment.fileSize) - 1); // without its NUL
    readSync(fd, loader, 0, loader.length, number(interpreter + segment.offset));
    const engine: Engine = {
      entry: number(header.entry),
      interpreterHeader: number(first + segment.address) - number(first + segment.offset) + interpreter,
      interpreterPath: new TextDecoder().decode(loader),
    };
    const code = compilePrelude(arch, engine, build);
    if (code.length > PAGE) throw refusal(file, `its code is ${code.length} bytes`);
    const offset = roundUp(fstatSync(fd).size);
    const size = PRELUDE_DATA_ADDRESS - PRELUDE_ADDRESS + DATA_SIZE;
    writeSync(fd, code, 0, code.length, offset);
    ftruncateSync(fd, offset + size);

    head.setUint32(interpreter + segment.type, PT_NULL, true);
    head.setUint32(note + segment.type, PT_LOAD, true);
    head.setUint32(note + segment.flags, R | X, true);
    put(note + segment.offset, offset);
    put(note + segment.address, PRELUDE_ADDRESS);
    put(note + segment.physical, PRELUDE_ADDRESS);
    put(note + segment.fileSize, size);
    put(note + segment.size, size);
    put(note + segment.align, PAGE);
    put(header.entry, PRELUDE_ADDRESS);
    writeSync(fd, head, 0, head.byteLength, 0);
  } finally {
    closeSync(fd);
  }
}

/**
 * Returns where three headers are: of PT_NOTE (the last such one, since loadable segments go by ascending address), of
 * PT_INTERP, and of the first loadable segment, which holds the headers themselves.
 */
function findHeaders(head: DataView, file: string): { note: number; interpreter: number; first: number } {
  const at = Number(head.getBigUint64(header.programHeaders, true));
  const size = head.getUint16(header.programHeaderSize, true);
  const count = head.getUint16(header.programHeaderCount, true);
  let [note, interpreter, first] = [-1, -1, -1];
  for (let i = 0; i < count; i++) {
    const here = at + i * size;
    const type = head.getUint32(here + segment.type, true);
    if (type === PT_NOTE) note = here;
    if (type === PT_INTERP) interpreter = here;
    if (type !== PT_LOAD) continue;
    if (first === -1) first = here;
    const end =
      head.getBigUint64(here + segment.address, true) + head.getBigUint64(here + segment.size, true);
    if (end > BigInt(PRELUDE_ADDRESS)) throw refusal(file, "it occupies the prelude's address");
    if (note !== -1) throw refusal(file, 'a segment is loaded behind PT_NOTE');
  }
  if (note === -1) throw refusal(file, 'no PT_NOTE to replace');
  if (interpreter === -1) throw refusal(file, 'no PT_INTERP: it is not a dynamic executable');
  if (first === -1 || head.getBigUint64(first + segment.offset, true) !== 0n)
    throw refusal(file, 'its headers are not loaded');
  return { note, interpreter, first };
}
