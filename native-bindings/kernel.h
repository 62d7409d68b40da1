// How the code before the JavaScript engine asks the kernel: call(SYS_x, ...) with up to six arguments gives the result,
// or -errno (syscall(2), "Architecture calling conventions"). Numbers and flags that differ between machines are here.
#ifndef KERNEL_H
#define KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

#if defined(__x86_64__)

static inline i64 call7(i64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register u64 r10 __asm__("r10") = d;
  register u64 r8 __asm__("r8") = e;
  register u64 r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return number;
}

enum {
  SYS_read = 0, SYS_write = 1, SYS_close = 3, SYS_mmap = 9, SYS_mprotect = 10, SYS_munmap = 11, SYS_rt_sigaction = 13,
  SYS_pread64 = 17, SYS_pwrite64 = 18, SYS_clone = 56, SYS_wait4 = 61, SYS_uname = 63, SYS_fcntl = 72, SYS_getcwd = 79, SYS_chdir = 80, SYS_getuid = 102,
  SYS_geteuid = 107,
  SYS_prctl = 157, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_openat = 257, SYS_readlinkat = 267, SYS_ppoll = 271,
  SYS_prlimit64 = 302, SYS_getrandom = 318, SYS_memfd_create = 319, SYS_execveat = 322, SYS_statx = 332
};
enum { O_DIRECTORY = 0200000, O_NOFOLLOW = 0400000 };

#elif defined(__aarch64__)

static inline i64 call7(i64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register u64 x8 __asm__("x8") = (u64)number;
  register u64 x0 __asm__("x0") = a;
  register u64 x1 __asm__("x1") = b;
  register u64 x2 __asm__("x2") = c;
  register u64 x3 __asm__("x3") = d;
  register u64 x4 __asm__("x4") = e;
  register u64 x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
  return (i64)x0;
}

enum {
  SYS_getcwd = 17, SYS_fcntl = 25, SYS_chdir = 49, SYS_openat = 56, SYS_close = 57, SYS_read = 63, SYS_write = 64,
  SYS_pread64 = 67, SYS_pwrite64 = 68, SYS_ppoll = 73, SYS_clone = 220, SYS_wait4 = 260, SYS_readlinkat = 78, SYS_exit_group = 94, SYS_clock_gettime = 113,
  SYS_rt_sigaction = 134, SYS_uname = 160, SYS_prctl = 167, SYS_getuid = 174, SYS_geteuid = 175, SYS_munmap = 215, SYS_mmap = 222,
  SYS_mprotect = 226, SYS_prlimit64 = 261, SYS_getrandom = 278, SYS_memfd_create = 279, SYS_execveat = 281, SYS_statx = 291
};
enum { O_DIRECTORY = 040000, O_NOFOLLOW = 0100000 };

#else
#error "tinyrun knows x86_64 and aarch64"
#endif

enum { SYS_close_range = 436, SYS_openat2 = 437 };

#define call(...) call_padded(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define call_padded(number, a, b, c, d, e, f, ...) \
  call7(number, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))

enum { ENOENT = 2, EINTR = 4, EBADF = 9, EINVAL = 22 };
enum { SIGKILL = 9, SIGCHLD = 17 };
enum { AT_FDCWD = -100, AT_EMPTY_PATH = 0x1000 };
enum { O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_APPEND = 02000, O_NONBLOCK = 04000, O_CLOEXEC = 02000000, O_PATH = 010000000 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_POPULATE = 0x8000 };
enum { CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, RLIMIT_NOFILE = 7, PAGE = 4096 };

struct timespec { i64 seconds, nanoseconds; };

static inline int is_error(i64 result) { return result < 0 && result >= -4095; }

// Whether the text starts with `prefix`; returns what follows, or 0.
static inline const char *after(const char *text, const char *prefix) {
  while (*prefix && *text == *prefix) text++, prefix++;
  return *prefix ? 0 : text;
}

static inline int same(const char *a, const char *b) {
  const char *rest = after(a, b);
  return rest && !*rest;
}

static inline u64 length(const char *text) {
  u64 n = 0;
  while (text[n]) n++;
  return n;
}

static inline int same_bytes(const void *a, const void *b, u64 size) {
  const u8 *x = a, *y = b;
  for (u64 i = 0; i < size; i++)
    if (x[i] != y[i]) return 0;
  return 1;
}

#endif
