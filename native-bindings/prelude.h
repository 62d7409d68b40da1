// What the parts of the prelude share: the page that src/runtime/prelude.ts reads, and who does what.
#ifndef PRELUDE_H
#define PRELUDE_H

#include "kernel.h"

// Keep in sync with src/runtime/prelude.ts.
struct page {
  u64 magic;
  u64 no_file_soft, no_file_hard; // RLIMIT_NOFILE, whose soft limit the engine raises
  u64 started_at;                 // CLOCK_MONOTONIC, nanoseconds
  u64 open_fds;                   // bit N: N is open, for the first 64; the engine is about to open more
  u32 invocation_size;            // 0: this invocation is none that programs are kept of
  char name[19];                  // of the file that is kept for it: hexadecimal, NUL-terminated
  u8 cwd_removed;                 // the working directory is none any more, and / in its place
  u8 invocation[PAGE - 64];       // all that must be the same for that file to be used (launch.c)
};
_Static_assert(sizeof(struct page) == PAGE, "one page");
#define MAGIC 0x4544554c45525054UL // "TPRELUDE"

// launch.c: becomes a program that is kept on disk for this command line. Returns where there is none, or it does not fit.
void launch(struct page *page, const char *const *argv, const char *const *env);

// loader.c: maps the dynamic loader, and tells it of the engine. Returns the loader's entry.
u64 load_engine(u64 *auxv);

#endif
