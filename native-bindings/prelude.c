// The prelude: the first code of the tinyrun executable, before the dynamic loader's and the JavaScript engine's. Where
// a program is kept that fits the command line, it becomes that, and no JavaScript ever runs (launch.c). Else it keeps
// what the engine is about to change, takes from the environment what would steer the engine (which runs as root, for a
// caller that may not be), opens /dev/null in place of a closed stdin, stdout or stderr (or the engine's own files would
// be called so), and goes on at the dynamic loader's entry point (loader.c) as the kernel would have done.
//
// scripts/prelude.ts links it at CODE_ADDRESS, as a segment of its own, and gives it DATA_ADDRESS, a part of the same
// segment, and what it must know of the engine. src/runtime/prelude.ts reads the facts. The dynamic loader obeys LD_*, as
// for every program that is not static.

#include "prelude.h"

// Names that start so, in capitals or not (mimalloc reads its own in any case):
//   BUN_ NODE_        options, debugger, preloaded code, IPC; BUN_BE_BUN turns the executable into bun itself
//   JSC_ WTF_         the JavaScript engine's own options, among them files to write
//   MIMALLOC_ Malloc  allocators: options and log files
//   ICU_ OPENSSL_ UV_ data files, CPU features, threads
static const char prefixes[][10] = {"bun_", "node_", "jsc_", "wtf_", "mimalloc_", "malloc", "icu_", "openssl_", "uv_"};

// But these, to the letter, may pass: with them the engine has one thread, as src/engine/ffi.ts needs it. They are no
// danger: they only make it slower.
static const char harmless[][32] = {"BUN_JSC_useConcurrentGC=0", "BUN_JSC_numberOfGCMarkers=1",
                                    "BUN_JSC_useConcurrentJIT=0", "MIMALLOC_PURGE_DELAY=-1"};

// And these the engine always gets: no thread that makes a heap ready, of which a process of milliseconds uses little; and no
// third compiler, which costs the longest work that we have, the import of an image, a sixth of its time, and wins nothing.
// Two, as the stack moves by an even number of words.
static const char own[2][32] = {"BUN_JSC_useWarmUpMarkedBlocks=0", "BUN_JSC_useFTLJIT=0"};

// As the kernel enters a static program, so is the dynamic loader entered: the stack pointer at argc, and rdx (x0) zero,
// since nobody wants a function called at exit (System V ABI, 3.4.1).
// The room that is left above the frames is for the words that we add.
#if defined(__x86_64__)
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  mov %rsp, %rdi\n"
        "  sub $32, %rsp\n"
        "  and $-16, %rsp\n"
        "  call prelude\n"
        "  mov %rdx, %rsp\n"
        "  xor %edx, %edx\n"
        "  xor %ebp, %ebp\n"
        "  jmp *%rax\n");
#elif defined(__aarch64__)
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  mov x0, sp\n"
        "  sub sp, sp, #32\n"
        "  bl prelude\n"
        "  mov sp, x1\n"
        "  mov x16, x0\n"
        "  mov x0, #0\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  br x16\n");
#endif

// The compiler may call it where a structure is set to zero.
__attribute__((used)) void *memset(void *memory, int value, u64 size) {
  for (volatile u8 *byte = memory; size > 0; size--) *byte++ = (u8)value;
  return memory;
}

enum { F_GETFD = 1, FAILURE = 125, POLLNVAL = 0x20 };

static int steers_the_engine(const char *variable) {
  for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; i++)
    if (same(harmless[i], variable)) return 0;
  for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    const char *prefix = prefixes[i], *c = variable;
    while (*prefix && (*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c) == *prefix) prefix++, c++;
    if (!*prefix) return 1;
  }
  return 0;
}

// A new file gets the lowest free number. Were that 0, 1 or 2, what is meant for the caller would be written into a file
// of ours, and a container would be given it: so nothing is done without three open files.
static void open_stdio(void) {
  for (i64 fd = 0; fd < 3; fd++)
    if (call(SYS_fcntl, fd, F_GETFD) == -EBADF && call(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR) != fd)
      call(SYS_exit_group, FAILURE);
}

// One ppoll(2) tells of all which are open. It takes no more than the limit of open files.
static u64 open_fds(u64 limit) {
  struct {
    int fd;
    short events, revents;
  } polls[64];
  u64 open = 0, count = limit < 64 ? limit : 64;
  struct timespec at_once = {0, 0};
  for (u64 fd = 0; fd < count; fd++) polls[fd].fd = (int)fd, polls[fd].events = polls[fd].revents = 0;
  if (call(SYS_ppoll, polls, count, &at_once) < 0) return ~0UL;
  for (u64 fd = 0; fd < count; fd++)
    if (!(polls[fd].revents & POLLNVAL)) open |= 1UL << fd;
  return open;
}

// The engine does not start in a directory that was removed. Any other will do: what is kept for relative paths was looked
// for by launch(), and JavaScript is told.
static u8 leave_removed_directory(void) {
  char path[16];
  return call(SYS_getcwd, path, sizeof path) == -ENOENT && call(SYS_chdir, "/") == 0;
}

// Where to go on, and with which stack: two registers.
struct start {
  u64 entry;
  const u64 *stack;
};

// `stack` is as the kernel made it: argc, argv, NULL, envp, NULL, auxv. All of it moves down: what is before the variables by two
// words, which ours take, and what is behind them by as many as are taken out. Whoever looks for it expects it there.
__attribute__((used)) struct start prelude(u64 *stack) {
  const char **argv = (const char **)stack + 1, **env = argv + stack[0] + 1;
  open_stdio();

  struct facts *facts = (struct facts *)DATA_ADDRESS;
  if (call(SYS_mprotect, facts, FACTS, PROT_READ | PROT_WRITE) == 0) { // else no magic: not to be read
    struct timespec now = {0, 0};
    if (call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &facts->no_file_soft) == 0 &&
        call(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0) {
      facts->started_at = (u64)now.seconds * 1000000000UL + (u64)now.nanoseconds;
      facts->open_fds = open_fds(facts->no_file_soft);
      facts->magic = MAGIC;
      launch(facts, argv, env);
      facts->cwd_removed = leave_removed_directory();
    }
    call(SYS_mprotect, facts, FACTS, PROT_READ);
  }

  u64 *from = stack, *to = stack - 2, *moved = to;
  while (from < (u64 *)env) *to++ = *from++;
  for (unsigned i = 0; i < sizeof own / sizeof *own; i++) *to++ = (u64)own[i];
  for (; *from; from++)
    if (!steers_the_engine((const char *)*from)) *to++ = *from;
  *to++ = *from++;
  u64 *auxv = to;
  do {
    to[0] = from[0], to[1] = from[1];
    to += 2, from += 2;
  } while (to[-2]);
  return (struct start){load_engine(auxv), moved};
}
