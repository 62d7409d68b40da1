// What the parts of the prelude share: the facts that src/runtime/prelude.ts reads, and who does what.
#ifndef PRELUDE_H
#define PRELUDE_H

#include "kernel.h"

// Words that differ from call to call. Keep in sync with src/runtime/prelude.ts.
enum { GIVEN_ID, PID_FILE, CONSOLE_SOCKET, LOG_FILE, PROCESS_FILE, PARAMETERS };
enum { LONGEST_ID = 255, LONGEST_PATH = 255, LONGEST_NAME = 160 };

// Bytes of struct facts: a page of the largest kind. Where pages are smaller, only those exist that a long command line takes.
enum { FACTS = 1 << 16 };

// Keep in sync with src/runtime/prelude.ts.
struct facts {
  u64 magic;
  u64 no_file_soft, no_file_hard; // RLIMIT_NOFILE, whose soft limit the engine raises
  u64 started_at;                 // CLOCK_MONOTONIC, nanoseconds
  u64 open_fds;                   // bit N: N is open, for the first 64; the engine is about to open more
  u32 invocation_size;            // 0: this invocation is none that programs are kept of
  char name[19];                  // of the file that is kept for it: hexadecimal, NUL-terminated
  u8 cwd_removed;                 // the working directory is none any more, and / in its place
  u32 words[8];                   // by parameter: which word of the command line it is; 0: none
  u8 invocation[FACTS - 96];      // all that must be the same for that file to be used (invocation.c)
};
_Static_assert(sizeof(struct facts) == FACTS, "as scripts/prelude.ts makes room for");
#define MAGIC 0x4544554c45525054UL // "TPRELUDE"

struct command {
  const char *root, *verb, *id;
  u32 verb_at;             // the word that is the verb
  char name[LONGEST_NAME]; // of the program: the verb and all words behind it but the id and global options
};

// invocation.c: what the command line asks for; whether it is understood.
int read_command(const char *const *argv, struct command *command);
// Of `run`, `create` and `exec`: fills in the facts. Returns whether programs are kept of such.
int read_invocation(struct facts *facts, const struct command *command, const char *const *argv);
int is_name(const char *text);
int append(char *name, const char *separator, const char *word);

// launch.c: openat2(2) with a way to resolve the path; opens what is pinned by O_PATH if it is a regular file.
i64 open_at(i64 directory, const char *path, u64 flags, u64 resolve);
i64 open_regular(i64 pinned);

static inline char hexadecimal(u64 digit) { return "0123456789abcdef"[digit & 15]; }

// launch.c: becomes a program that is kept on disk for this command line. Returns where there is none, or it does not fit.
void launch(struct facts *facts, const char *const *argv, const char *const *env);

// loader.c: maps the dynamic loader, and tells it of the engine. Returns the loader's entry.
u64 load_engine(u64 *auxv);

#endif
