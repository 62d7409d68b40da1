// The binary form of a program, for the interpreter (native-bindings/init.c) and for decode.ts. The one place that
// knows it: scripts/build.ts writes native-bindings/program.h from these numbers, so the C side can't drift.
//
// An image is an ELF executable of three segments, at fixed addresses, so that no pointer needs relocation:
//
//   CODE_ADDRESS    R-X  the ELF header and the interpreter
//   PROGRAM_ADDRESS R--  header, ops, errno table, then the data: strings, structs and words (little endian)
//   ARENA_ADDRESS   RW-  the named buffers, which system calls write to: those with contents first, then the zeroed
//
// Offsets count from the start of their segment.
//
// Header: HEADER_SIZE bytes, fields of 4 bytes, in the order of `headerFields`.
// Op: OP_SIZE bytes:
//
//    0  u8  kind       one of `kinds`
//    1  u8  to         register that receives the result, NO_REGISTER: none
//    2  u8  nargs      arguments in use
//    3  u8  nerrors    error rules in use
//    4  u16 number     system call number
//    6  u16 argKinds   2 bits an argument (`argKinds`); bit 12: does not return if it succeeds (shown before it runs)
//    8  u64 args[6]
//   56  {u16 errno, u16 target} errors[4]   first match wins; ANY_ERRNO matches all
//   72  u16 fail       op where a failure goes, NO_TARGET: exit at once
//   74  u16 exit       exit code of a failure
//   76  u32 words[6]   {offset, length} of the message in text and in JSON form, and of the line shown by a trace
//  100  u32 zero
//
// Other kinds than `call` use args as `control` says.

export const MAGIC = 0x4e595254; // "TRYN"
export const VERSION = 1;

export const CODE_ADDRESS = 0x10000000;
export const PROGRAM_ADDRESS = 0x20000000;
export const ARENA_ADDRESS = 0x30000000;
/** Where the interpreter's code starts in its segment, behind the ELF header and four program headers. */
export const CODE_OFFSET = 0x140;

export const OP_SIZE = 104;
export const OP_ARGS = 8;
export const OP_ERRORS = 56;
export const OP_FAIL = 72;
export const OP_WORDS = 76;

export const MAX_ARGS = 6;
export const MAX_ERRORS = 4;
export const MAX_REGISTERS = 255;
export const MAX_OPS = 0xfffe;
export const MAX_REPORTS = 2;
export const NO_REGISTER = 0xff;
export const NO_TARGET = 0xffff;
export const ANY_ERRNO = 0xffff;
/** Bit of `argKinds`: the call does not return when it succeeds (execve, exit_group). */
export const NO_RETURN = 1 << 12;
/** Room that `format` needs in its buffer when it has no width: the longest 64-bit decimal, with its sign. */
export const MAX_DECIMAL = 20;

export const headerFields = [
  'magic',
  'version',
  'opCount',
  'opsAt',
  'arenaSize', // bytes
  'registerCount',
  'errnoCount',
  'errnosAt', // {offset, length} of each errno's words, by number
  'size', // of the whole program segment, bytes
  'traceFd', // -1: no trace
  'stepFd', // -1: do not wait before each op
  'reportCount',
  // each report: register of its fd, whether it wants the JSON form, {offset, length} of prefix and suffix
  'report0Register',
  'report0Json',
  'report0PrefixAt',
  'report0PrefixLength',
  'report0SuffixAt',
  'report0SuffixLength',
  'report1Register',
  'report1Json',
  'report1PrefixAt',
  'report1PrefixLength',
  'report1SuffixAt',
  'report1SuffixLength',
] as const;
export type HeaderField = (typeof headerFields)[number];
export const HEADER_SIZE = 4 * headerFields.length;

/** The two registers with a meaning of their own come first; see op.ts. */
export const EXIT_INDEX = 0;
export const STDERR_INDEX = 1;

export const kinds = {
  call: 0,
  jump: 1, // to op args[0]
  branch: 2, // if register args[0] <comparison args[1]> args[2], to op args[3]
  set: 3, // to = args[0]
  format: 4, // register args[0] as decimal at arena args[1], width args[2] (0: as long as it is), padded with byte args[3]
  store: 5, // register args[0] at arena args[1], args[2] bytes
  load: 6, // to = args[2] bytes at arena args[1]
  exitcode: 7, // to = exit code of wait status in register args[0]
  fail: 8, // words, then `fail`
} as const;

/** What an argument's 64 bits are: the value, a register's index, an offset into the arena or into the program's data. */
export const argKinds = { immediate: 0, register: 1, arena: 2, data: 3 } as const;
export const comparisons = { '==': 0, '!=': 1, '<': 2, '>=': 3, '&': 4 } as const;

/** How the interpreter ends when a program breaks the format: EX_SOFTWARE of <sysexits.h>. It has no words for it. */
export const MALFORMED_EXIT = 70;
