// The prelude: the first code of the tinyrun executable, before the JavaScript engine's. It keeps what the engine is
// about to change, takes from the environment what would steer the engine (which runs as root, for a caller that may
// not be), opens /dev/null in place of a closed stdin, stdout or stderr (or the engine's own files would be called
// so), and goes on at the engine's entry point with the stack and the registers as they were.
//
// scripts/prelude.ts links it at CODE_ADDRESS, as a segment of its own, and gives it DATA_ADDRESS, a page of the same
// segment, and ENGINE_ENTRY. src/runtime/prelude.ts reads the page. The dynamic loader ran before this and has
// obeyed LD_*, as for every program that is not static.

typedef unsigned long u64;

// Keep in sync with src/runtime/prelude.ts.
struct page {
  u64 magic;
  u64 no_file_soft, no_file_hard; // RLIMIT_NOFILE, whose soft limit the engine raises
  u64 started_at;                 // CLOCK_MONOTONIC, nanoseconds
  u64 open_fds;                   // bit N: N is open, for the first 64; the engine is about to open more
};
#define MAGIC 0x4544554c45525054UL // "TPRELUDE"

// Names that start so, in capitals or not (mimalloc reads its own in any case):
//   BUN_ NODE_        options, debugger, preloaded code, IPC; BUN_BE_BUN turns the executable into bun itself
//   JSC_ WTF_         the JavaScript engine's own options, among them files to write
//   MIMALLOC_ Malloc  allocators: options and log files
//   ICU_ OPENSSL_ UV_ data files, CPU features, threads
static const char prefixes[][10] = {"bun_", "node_", "jsc_", "wtf_", "mimalloc_", "malloc", "icu_", "openssl_", "uv_"};

// But these, to the letter, may pass: with them the engine has one thread, as src/engine/ffi.ts needs it. They are no
// danger: they only make it slower.
static const char harmless[][32] = {"BUN_JSC_useConcurrentGC=0", "BUN_JSC_numberOfGCMarkers=1",
                                    "BUN_JSC_useConcurrentJIT=0", "BUN_JSC_useWarmUpMarkedBlocks=0",
                                    "MIMALLOC_PURGE_DELAY=-1"};

#if defined(__x86_64__)
// rdx is a function that the dynamic loader wants called at exit (System V ABI, 3.4.1).
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  push %rdx\n"
        "  push %rdx\n"
        "  lea 16(%rsp), %rdi\n"
        "  call prelude\n"
        "  pop %rdx\n"
        "  pop %rdx\n"
        "  mov $ENGINE_ENTRY, %rax\n"
        "  jmp *%rax\n");

enum {
  SYS_mprotect = 10, SYS_fcntl = 72, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_openat = 257, SYS_ppoll = 271, SYS_prlimit64 = 302
};

static long syscall4(long number, u64 a, u64 b, u64 c, u64 d) {
  register u64 r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return number;
}
#elif defined(__aarch64__)
// x0 is the function to call at exit; x19 survives the call.
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  mov x19, x0\n"
        "  mov x0, sp\n"
        "  bl prelude\n"
        "  mov x0, x19\n"
        "  ldr x16, =ENGINE_ENTRY\n"
        "  br x16\n");

enum {
  SYS_fcntl = 25, SYS_openat = 56, SYS_ppoll = 73, SYS_exit_group = 94, SYS_clock_gettime = 113, SYS_mprotect = 226, SYS_prlimit64 = 261
};

static long syscall4(long number, u64 a, u64 b, u64 c, u64 d) {
  register u64 x8 __asm__("x8") = number;
  register u64 x0 __asm__("x0") = a;
  register u64 x1 __asm__("x1") = b;
  register u64 x2 __asm__("x2") = c;
  register u64 x3 __asm__("x3") = d;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#endif

enum { RLIMIT_NOFILE = 7, CLOCK_MONOTONIC = 1, PROT_READ = 1, PROT_WRITE = 2, PAGE = 4096 };
enum { AT_FDCWD = -100, O_RDWR = 2, F_GETFD = 1, EBADF = 9, FAILURE = 125, POLLNVAL = 0x20 };

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

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
  for (u64 fd = 0; fd < 3; fd++)
    if (syscall4(SYS_fcntl, fd, F_GETFD, 0, 0) == -EBADF &&
        syscall4(SYS_openat, AT_FDCWD, (u64) "/dev/null", O_RDWR, 0) != (long)fd)
      syscall4(SYS_exit_group, FAILURE, 0, 0, 0);
}

// One ppoll(2) tells of all which are open. It takes no more than the limit of open files.
static u64 open_fds(u64 limit) {
  struct {
    int fd;
    short events, revents;
  } polls[64];
  u64 at_once[2] = {0}, open = 0, count = limit < 64 ? limit : 64;
  for (u64 fd = 0; fd < count; fd++) polls[fd].fd = fd, polls[fd].events = polls[fd].revents = 0;
  if (syscall4(SYS_ppoll, (u64)polls, count, (u64)at_once, 0) < 0) return ~0UL;
  for (u64 fd = 0; fd < count; fd++)
    if (!(polls[fd].revents & POLLNVAL)) open |= 1UL << fd;
  return open;
}

// `stack` is as the kernel made it: argc, argv, NULL, envp, NULL, auxv. The loader and libc hold pointers into it, so the
// variables move up in place, as unsetenv(3) would do it, and the auxiliary vector stays.
__attribute__((used)) void prelude(u64 *stack) {
  const char **env = (const char **)stack + stack[0] + 2, **kept = env;
  for (; *env; env++)
    if (!steers_the_engine(*env)) *kept++ = *env;
  while (kept < env) *kept++ = 0;
  open_stdio();

  struct page *page = (struct page *)DATA_ADDRESS;
  if (syscall4(SYS_mprotect, DATA_ADDRESS, PAGE, PROT_READ | PROT_WRITE, 0) != 0) return; // no magic: not to be read
  u64 now[2] = {0};
  if (syscall4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (u64)&page->no_file_soft) == 0 &&
      syscall4(SYS_clock_gettime, CLOCK_MONOTONIC, (u64)now, 0, 0) == 0) {
    page->started_at = now[0] * 1000000000UL + now[1];
    page->open_fds = open_fds(page->no_file_soft);
    page->magic = MAGIC;
  }
  syscall4(SYS_mprotect, DATA_ADDRESS, PAGE, PROT_READ, 0);
}
