// Puts native-bindings/prelude.c into an executable as the code that runs first: appended to the file, mapped by a
// segment of its own, and named as the entry point (elf(5)). The header of that segment is the one of PT_NOTE, which
// only tells tools the build id. Bun's executables are not position-independent; one that is gets refused.

import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { PRELUDE_ADDRESS, PRELUDE_DATA_ADDRESS } from '../src/runtime/prelude.ts';
import { type Arch, compileFlat } from './native.ts';

const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_NOTE = 4;
const [X, R] = [1, 4];
const PAGE = 0x10000; // the largest that kernels use
const DATA_SIZE = 0x1000;

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

/**
 * Changes the executable in place.
 * @throws Error where the file isn't laid out as expected
 */
export function injectPrelude(file: string, arch: Arch): void {
  const fd = openSync(file, 'r+');
  try {
    const head = new DataView(new ArrayBuffer(4096));
    readSync(fd, head, 0, head.byteLength, 0);
    const number = (at: number) => Number(head.getBigUint64(at, true));
    const put = (at: number, value: number) => head.setBigUint64(at, BigInt(value), true);
    if (head.getUint32(0) !== 0x7f454c46) throw refusal(file, 'not an ELF file');
    if (head.getUint16(header.type, true) !== ET_EXEC)
      throw refusal(file, 'a position-independent executable, which has no fixed addresses');

    const note = findNote(head, file);
    const code = compileFlat(arch, 'native-bindings/prelude.c', `dist/prelude.${arch}.bin`, PRELUDE_ADDRESS, [
      `-Wl,--defsym=ENGINE_ENTRY=${number(header.entry)}`,
      `-DDATA_ADDRESS=${PRELUDE_DATA_ADDRESS}UL`,
    ]);
    if (code.length > PAGE) throw refusal(file, `its code is ${code.length} bytes`);
    const offset = roundUp(fstatSync(fd).size);
    const size = PRELUDE_DATA_ADDRESS - PRELUDE_ADDRESS + DATA_SIZE;
    writeSync(fd, code, 0, code.length, offset);
    ftruncateSync(fd, offset + size);

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

/** Returns where the header of PT_NOTE is: the last one, since loadable segments go by ascending address. */
function findNote(head: DataView, file: string): number {
  const at = Number(head.getBigUint64(header.programHeaders, true));
  const size = head.getUint16(header.programHeaderSize, true);
  const count = head.getUint16(header.programHeaderCount, true);
  let note = -1;
  for (let i = 0; i < count; i++) {
    const here = at + i * size;
    const type = head.getUint32(here + segment.type, true);
    if (type === PT_NOTE) note = here;
    if (type !== PT_LOAD) continue;
    const end =
      head.getBigUint64(here + segment.address, true) + head.getBigUint64(here + segment.size, true);
    if (end > BigInt(PRELUDE_ADDRESS)) throw refusal(file, "it occupies the prelude's address");
    if (note !== -1) throw refusal(file, 'a segment is loaded behind PT_NOTE');
  }
  if (note === -1) throw refusal(file, 'no PT_NOTE to replace');
  return note;
}
