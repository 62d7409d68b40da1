// The names of seccomp in config.json -> their numbers for the kernel and for libseccomp. OCI config-linux.md, "Seccomp";
// seccomp(2), <linux/seccomp.h>, <linux/audit.h>.

/** What a filter answers: the upper 16 bits of its result. */
export interface Action {
  value: number;
  /** The lower 16 bits hold an errno (or, for a tracer, any number): `errnoRet` says which. */
  takesErrno?: true;
}

export const actions: Readonly<Record<string, Action>> = {
  SCMP_ACT_KILL: { value: 0 }, // the older name of the next
  SCMP_ACT_KILL_THREAD: { value: 0 },
  SCMP_ACT_KILL_PROCESS: { value: 0x80000000 },
  SCMP_ACT_TRAP: { value: 0x00030000 },
  SCMP_ACT_ERRNO: { value: 0x00050000, takesErrno: true },
  SCMP_ACT_NOTIFY: { value: 0x7fc00000 },
  SCMP_ACT_TRACE: { value: 0x7ff00000, takesErrno: true },
  SCMP_ACT_LOG: { value: 0x7ffc0000 },
  SCMP_ACT_ALLOW: { value: 0x7fff0000 },
};

/** libseccomp's numbers: enum scmp_compare. */
export const operators: Readonly<Record<string, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

const [BITS_64, LITTLE, N32] = [0x80000000, 0x40000000, 0x20000000]; // __AUDIT_ARCH_*

/** libseccomp's numbers: those of audit, but for x32, which the kernel takes for x86_64. */
export const architectures: Readonly<Record<string, number>> = {
  SCMP_ARCH_X86: 3 + LITTLE,
  SCMP_ARCH_X86_64: 62 + BITS_64 + LITTLE,
  SCMP_ARCH_X32: 62 + LITTLE,
  SCMP_ARCH_ARM: 40 + LITTLE,
  SCMP_ARCH_AARCH64: 183 + BITS_64 + LITTLE,
  SCMP_ARCH_MIPS: 8,
  SCMP_ARCH_MIPS64: 8 + BITS_64,
  SCMP_ARCH_MIPS64N32: 8 + BITS_64 + N32,
  SCMP_ARCH_MIPSEL: 8 + LITTLE,
  SCMP_ARCH_MIPSEL64: 8 + BITS_64 + LITTLE,
  SCMP_ARCH_MIPSEL64N32: 8 + BITS_64 + LITTLE + N32,
  SCMP_ARCH_PPC: 20,
  SCMP_ARCH_PPC64: 21 + BITS_64,
  SCMP_ARCH_PPC64LE: 21 + BITS_64 + LITTLE,
  SCMP_ARCH_S390: 22,
  SCMP_ARCH_S390X: 22 + BITS_64,
  SCMP_ARCH_PARISC: 15,
  SCMP_ARCH_PARISC64: 15 + BITS_64,
  SCMP_ARCH_RISCV64: 243 + BITS_64 + LITTLE,
  SCMP_ARCH_LOONGARCH64: 258 + BITS_64 + LITTLE,
  SCMP_ARCH_M68K: 4,
  SCMP_ARCH_SH: 42 + LITTLE,
  SCMP_ARCH_SHEB: 42,
};

/** The architecture of a host. */
export const NATIVE = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' } as const;

/** The architecture that the kernel tells a filter. */
export const auditArchitecture = (name: string): number =>
  architectures[name === 'SCMP_ARCH_X32' ? 'SCMP_ARCH_X86_64' : name]!;

/** The bit of x32's system calls, by which a filter tells them from x86_64's. */
export const X32_BIT = 0x40000000;

/** Flags of seccomp(2) that a profile may ask for; SECCOMP_FILTER_FLAG_NEW_LISTENER comes of its rules. */
export const filterFlags: readonly string[] = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
];

/** Struct sock_filter is this many bytes: u16 code; u8 jt, jf; u32 k. */
export const INSTRUCTION = 8;
/** A filter has at most this many (BPF_MAXINSNS). */
export const MOST_INSTRUCTIONS = 4096;
/** Arguments of a system call. */
export const MOST_ARGUMENTS = 6;
