// The two things that differ between machines: how a process starts, and how it asks the kernel. Raw system calls
// return -errno (syscall(2), "Architecture calling conventions").
#ifndef ARCH_H
#define ARCH_H

typedef long i64;
typedef unsigned long u64;

#if defined(__x86_64__)

// The kernel enters with the stack pointer aligned and rbp undefined.
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  and $-16, %rsp\n"
        "  call interpret\n"
        "  hlt\n");

static inline i64 syscall6(u64 number, const u64 *a) {
  i64 result;
  register u64 r10 __asm__("r10") = a[3];
  register u64 r8 __asm__("r8") = a[4];
  register u64 r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

enum { SYS_read = 0, SYS_writev = 20, SYS_clock_gettime = 228, SYS_exit_group = 231 };

#elif defined(__aarch64__)

__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  bl interpret\n"
        "  brk #0\n");

static inline i64 syscall6(u64 number, const u64 *a) {
  register u64 x8 __asm__("x8") = number;
  register u64 x0 __asm__("x0") = a[0];
  register u64 x1 __asm__("x1") = a[1];
  register u64 x2 __asm__("x2") = a[2];
  register u64 x3 __asm__("x3") = a[3];
  register u64 x4 __asm__("x4") = a[4];
  register u64 x5 __asm__("x5") = a[5];
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory", "cc");
  return (i64)x0;
}

enum { SYS_read = 63, SYS_writev = 66, SYS_clock_gettime = 113, SYS_exit_group = 94 };

#else
#error "tinyrun's interpreter knows x86_64 and aarch64"
#endif

#endif
