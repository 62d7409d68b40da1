// Seccomp profiles for tests, and what a filter says of a call by its name.

import type { Seccomp } from '../../src/oci/config.ts';
import { compileProfile } from '../../src/runtime/seccomp-compile.ts';
import { type Answer, simulate } from '../../src/seccomp/simulate.ts';
import { architectures } from '../../src/seccomp/tables.ts';
import { syscallNumber, syscallTable } from '../../src/sys/syscalls.ts';

/** What engines do not let through, or under a condition only. */
const DENIED = `acct add_key bpf clock_adjtime clock_settime clone clone3 create_module delete_module finit_module fsconfig
  fsmount fsopen fspick get_kernel_syms get_mempolicy init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl
  lookup_dcookie mbind mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open
  personality pivot_root process_vm_readv process_vm_writev ptrace query_module quotactl quotactl_fd reboot request_key
  set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday socket swapoff swapon _sysctl sysfs
  syslog umount2 unshare uselib userfaultfd ustat vhangup io_uring_setup io_uring_enter io_uring_register`;

/** Calls that only 32-bit architectures have. */
const OF_32_BITS = `_llseek _newselect chown32 fadvise64_64 fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 getegid32
  geteuid32 getgid32 getgroups32 getresgid32 getresuid32 getuid32 ipc lchown32 lstat64 mmap2 sendfile64 setfsgid32 setfsuid32
  setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigaction signal sigprocmask sigreturn
  socketcall stat64 statfs64 truncate64 ugetrlimit waitpid clock_gettime64 clock_nanosleep_time64 futex_time64
  ppoll_time64 pselect6_time64 recvmmsg_time64 rt_sigtimedwait_time64 semtimedop_time64 timer_gettime64 utimensat_time64`;

const words = (text: string): string[] => text.split(/\s+/);

/** The last call that a profile of 2021 knows: what came later is newer than the profile. */
const LAST_KNOWN = 441; // epoll_pwait2

const EPERM = 1;
const ENOSYS = 38;
const AF_VSOCK = 40;
const CLONE_NEW = 0x7e020000; // all namespaces but time

/** A profile of the shape of Docker's: some 350 names are allowed, a few under conditions, everything else is EPERM. */
export function dockerShaped(): Seccomp {
  const denied = new Set(words(DENIED));
  const allowed = Object.entries(syscallTable('x64'))
    .filter(([name, number]) => !denied.has(name) && number <= LAST_KNOWN)
    .map(([name]) => name);
  const allow = 'SCMP_ACT_ALLOW';
  const equal = 'SCMP_CMP_EQ';
  const masked = 'SCMP_CMP_MASKED_EQ';
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [
      { names: [...allowed, ...words(OF_32_BITS)], action: allow },
      {
        names: ['socket'],
        action: allow,
        args: [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_NE' }],
      },
      ...[0, 8, 0x20000, 0x20008, 0xffffffff].map((value) => ({
        names: ['personality'],
        action: allow,
        args: [{ index: 0, value, op: equal }],
      })),
      {
        names: ['clone'],
        action: allow,
        args: [{ index: 0, value: CLONE_NEW, valueTwo: 0, op: masked }],
      },
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    ],
  };
}

/** AUDIT_ARCH_* by the last part of its name in config.json. */
export const audit = (name: string): number => architectures[`SCMP_ARCH_${name}`]!;

export const compile = (seccomp: Seccomp): Uint8Array => compileProfile(seccomp, 'x64').filter;

/** What a filter says of an x86_64 call: `ALLOW`, `ERRNO 1`. */
export const ask = (filter: Uint8Array, name: string | number, ...args: bigint[]): string =>
  says(
    simulate(filter, {
      nr: typeof name === 'number' ? name : syscallNumber(name, 'x64')!,
      arch: audit('X86_64'),
      args,
    }),
  );

/** An answer in few letters. */
export const says = ({ action, data }: Answer): string =>
  action.slice('SCMP_ACT_'.length) + (data === 0 ? '' : ` ${data}`);

/** All is allowed, but for these rules. */
export const allowing = (...syscalls: NonNullable<Seccomp['syscalls']>): Seccomp => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  syscalls,
});
