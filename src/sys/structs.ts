// The C structs that system calls take and give -> size and place of their fields, for the encoder. x86_64 and aarch64
// lay them out alike (64-bit pointers and longs, little endian); structs that differ, such as stat, are left out.
// Types are written as the kernel does (u32, s64). Source: <linux/...>, <asm-generic/...>, the man page each names.

export interface StructField {
  /** Offset from the start of the struct, in bytes. */
  at: number;
  bytes: 1 | 2 | 4 | 8;
  /** It holds an address. */
  pointer?: true;
}

export interface Struct {
  size: number; // bytes
  fields: Readonly<Record<string, StructField>>;
}

export const structs: Readonly<Record<string, Struct>> = {
  // struct open_how { u64 flags, mode, resolve; }
  // openat2(2)
  open_how: {
    size: 24,
    fields: {
      flags: { at: 0, bytes: 8 },
      mode: { at: 8, bytes: 8 },
      resolve: { at: 16, bytes: 8 },
    },
  },
  // struct clone_args { u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
  //   cgroup; }
  // clone3(2)
  clone_args: {
    size: 88,
    fields: {
      flags: { at: 0, bytes: 8 },
      pidfd: { at: 8, bytes: 8, pointer: true },
      child_tid: { at: 16, bytes: 8, pointer: true },
      parent_tid: { at: 24, bytes: 8, pointer: true },
      exit_signal: { at: 32, bytes: 8 },
      stack: { at: 40, bytes: 8, pointer: true },
      stack_size: { at: 48, bytes: 8 },
      tls: { at: 56, bytes: 8 },
      set_tid: { at: 64, bytes: 8, pointer: true },
      set_tid_size: { at: 72, bytes: 8 },
      cgroup: { at: 80, bytes: 8 },
    },
  },
  // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd; }
  // mount_setattr(2)
  mount_attr: {
    size: 32,
    fields: {
      attr_set: { at: 0, bytes: 8 },
      attr_clr: { at: 8, bytes: 8 },
      propagation: { at: 16, bytes: 8 },
      userns_fd: { at: 24, bytes: 8 },
    },
  },
  // struct rlimit64 { u64 rlim_cur, rlim_max; }
  // prlimit(2)
  rlimit64: {
    size: 16,
    fields: {
      rlim_cur: { at: 0, bytes: 8 },
      rlim_max: { at: 8, bytes: 8 },
    },
  },
  // struct sched_attr { u32 size, sched_policy; u64 sched_flags; s32 sched_nice; u32 sched_priority;
  //   u64 sched_runtime, sched_deadline, sched_period; u32 sched_util_min, sched_util_max; }
  // sched_setattr(2)
  sched_attr: {
    size: 56,
    fields: {
      size: { at: 0, bytes: 4 },
      sched_policy: { at: 4, bytes: 4 },
      sched_flags: { at: 8, bytes: 8 },
      sched_nice: { at: 16, bytes: 4 },
      sched_priority: { at: 20, bytes: 4 },
      sched_runtime: { at: 24, bytes: 8 },
      sched_deadline: { at: 32, bytes: 8 },
      sched_period: { at: 40, bytes: 8 },
      sched_util_min: { at: 48, bytes: 4 },
      sched_util_max: { at: 52, bytes: 4 },
    },
  },
  // struct __user_cap_header_struct { u32 version; int pid; }
  // capset(2)
  user_cap_header: {
    size: 8,
    fields: {
      version: { at: 0, bytes: 4 },
      pid: { at: 4, bytes: 4 },
    },
  },
  // struct __user_cap_data_struct { u32 effective, permitted, inheritable; }; version 3 takes two, the low bits first
  // capset(2)
  user_cap_data: {
    size: 12,
    fields: {
      effective: { at: 0, bytes: 4 },
      permitted: { at: 4, bytes: 4 },
      inheritable: { at: 8, bytes: 4 },
    },
  },
  // struct timespec { s64 tv_sec, tv_nsec; }
  // clock_gettime(2)
  timespec: {
    size: 16,
    fields: {
      tv_sec: { at: 0, bytes: 8 },
      tv_nsec: { at: 8, bytes: 8 },
    },
  },
  // struct itimerspec { struct timespec it_interval, it_value; }
  // timerfd_settime(2)
  itimerspec: {
    size: 32,
    fields: {
      it_interval_sec: { at: 0, bytes: 8 },
      it_interval_nsec: { at: 8, bytes: 8 },
      it_value_sec: { at: 16, bytes: 8 },
      it_value_nsec: { at: 24, bytes: 8 },
    },
  },
  // struct winsize { u16 ws_row, ws_col, ws_xpixel, ws_ypixel; }
  // ioctl_tty(2)
  winsize: {
    size: 8,
    fields: {
      ws_row: { at: 0, bytes: 2 },
      ws_col: { at: 2, bytes: 2 },
      ws_xpixel: { at: 4, bytes: 2 },
      ws_ypixel: { at: 6, bytes: 2 },
    },
  },
  // struct termios { u32 c_iflag, c_oflag, c_cflag, c_lflag; u8 c_line, c_cc[19]; }
  // ioctl_tty(2), TCGETS: the kernel's, not the C library's
  termios: {
    size: 36,
    fields: {
      c_iflag: { at: 0, bytes: 4 },
      c_oflag: { at: 4, bytes: 4 },
      c_cflag: { at: 8, bytes: 4 },
      c_lflag: { at: 12, bytes: 4 },
      c_line: { at: 16, bytes: 1 },
      VINTR: { at: 17, bytes: 1 },
      VEOF: { at: 21, bytes: 1 },
      VTIME: { at: 22, bytes: 1 },
      VMIN: { at: 23, bytes: 1 },
    },
  },
  // struct iovec { void *iov_base; size_t iov_len; }
  // readv(2)
  iovec: {
    size: 16,
    fields: {
      iov_base: { at: 0, bytes: 8, pointer: true },
      iov_len: { at: 8, bytes: 8 },
    },
  },
  // struct msghdr { void *msg_name; int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen; void *msg_control;
  //   size_t msg_controllen; unsigned msg_flags; }
  // sendmsg(2)
  msghdr: {
    size: 56,
    fields: {
      msg_name: { at: 0, bytes: 8, pointer: true },
      msg_namelen: { at: 8, bytes: 4 },
      msg_iov: { at: 16, bytes: 8, pointer: true },
      msg_iovlen: { at: 24, bytes: 8 },
      msg_control: { at: 32, bytes: 8, pointer: true },
      msg_controllen: { at: 40, bytes: 8 },
      msg_flags: { at: 48, bytes: 4 },
    },
  },
  // struct cmsghdr { size_t cmsg_len; int cmsg_level, cmsg_type; }
  // cmsg(3); its data follow
  cmsghdr: {
    size: 16,
    fields: {
      cmsg_len: { at: 0, bytes: 8 },
      cmsg_level: { at: 8, bytes: 4 },
      cmsg_type: { at: 12, bytes: 4 },
    },
  },
  // struct sockaddr_un { u16 sun_family; char sun_path[108]; }
  // unix(7); sun_path is written with a buffer, from byte 2 on
  sockaddr_un: {
    size: 110,
    fields: {
      sun_family: { at: 0, bytes: 2 },
    },
  },
  // struct ucred { int pid; u32 uid, gid; }
  // SO_PEERCRED, SCM_CREDENTIALS: unix(7)
  ucred: {
    size: 12,
    fields: {
      pid: { at: 0, bytes: 4 },
      uid: { at: 4, bytes: 4 },
      gid: { at: 8, bytes: 4 },
    },
  },
  // struct pollfd { int fd; short events, revents; }
  // poll(2)
  pollfd: {
    size: 8,
    fields: {
      fd: { at: 0, bytes: 4 },
      events: { at: 4, bytes: 2 },
      revents: { at: 6, bytes: 2 },
    },
  },
  // sigset_t of the kernel: u64
  // sigprocmask(2); signal N is bit N - 1
  sigset: {
    size: 8,
    fields: {
      bits: { at: 0, bytes: 8 },
    },
  },
  // struct sigaction { void (*handler)(int); unsigned long flags; void (*restorer)(void); u64 mask; }
  // rt_sigaction(2): the kernel's, not the C library's
  kernel_sigaction: {
    size: 32,
    fields: {
      handler: { at: 0, bytes: 8, pointer: true },
      flags: { at: 8, bytes: 8 },
      restorer: { at: 16, bytes: 8, pointer: true },
      mask: { at: 24, bytes: 8 },
    },
  },
  // siginfo_t { int si_signo, si_errno, si_code; int pad; int si_pid; u32 si_uid; int si_status; ... }
  // waitid(2), rt_sigtimedwait(2); from byte 12 on it depends on si_code: these are SIGCHLD's, kill(2)'s pid and uid too
  siginfo: {
    size: 128,
    fields: {
      si_signo: { at: 0, bytes: 4 },
      si_errno: { at: 4, bytes: 4 },
      si_code: { at: 8, bytes: 4 },
      si_pid: { at: 16, bytes: 4 },
      si_uid: { at: 20, bytes: 4 },
      si_status: { at: 24, bytes: 4 },
    },
  },
  // struct signalfd_siginfo { u32 ssi_signo; s32 ssi_errno, ssi_code; u32 ssi_pid, ssi_uid; s32 ssi_fd;
  //   u32 ssi_tid, ssi_band, ssi_overrun, ssi_trapno; s32 ssi_status, ssi_int; u64 ssi_ptr, ssi_utime, ssi_stime, ssi_addr;
  //   u16 ssi_addr_lsb, pad; s32 ssi_syscall; u64 ssi_call_addr; u32 ssi_arch; ... }
  // signalfd(2)
  signalfd_siginfo: {
    size: 128,
    fields: {
      ssi_signo: { at: 0, bytes: 4 },
      ssi_errno: { at: 4, bytes: 4 },
      ssi_code: { at: 8, bytes: 4 },
      ssi_pid: { at: 12, bytes: 4 },
      ssi_uid: { at: 16, bytes: 4 },
      ssi_fd: { at: 20, bytes: 4 },
      ssi_tid: { at: 24, bytes: 4 },
      ssi_band: { at: 28, bytes: 4 },
      ssi_overrun: { at: 32, bytes: 4 },
      ssi_trapno: { at: 36, bytes: 4 },
      ssi_status: { at: 40, bytes: 4 },
      ssi_int: { at: 44, bytes: 4 },
      ssi_ptr: { at: 48, bytes: 8 },
      ssi_utime: { at: 56, bytes: 8 },
      ssi_stime: { at: 64, bytes: 8 },
      ssi_addr: { at: 72, bytes: 8 },
      ssi_addr_lsb: { at: 80, bytes: 2 },
      ssi_syscall: { at: 84, bytes: 4 },
      ssi_call_addr: { at: 88, bytes: 8 },
      ssi_arch: { at: 96, bytes: 4 },
    },
  },
  // struct statx { u32 stx_mask, stx_blksize; u64 stx_attributes; u32 stx_nlink, stx_uid, stx_gid; u16 stx_mode, pad;
  //   u64 stx_ino, stx_size, stx_blocks, stx_attributes_mask; struct { s64 tv_sec; u32 tv_nsec; s32 pad; } stx_atime,
  //   stx_btime, stx_ctime, stx_mtime; u32 stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor; u64 stx_mnt_id;
  //   u32 stx_dio_mem_align, stx_dio_offset_align; u64 stx_subvol; u32 stx_atomic_write_unit_min,
  //   stx_atomic_write_unit_max, stx_atomic_write_segments_max, stx_dio_read_offset_align,
  //   stx_atomic_write_unit_max_opt; ... }
  // statx(2)
  statx: {
    size: 256,
    fields: {
      stx_mask: { at: 0, bytes: 4 },
      stx_blksize: { at: 4, bytes: 4 },
      stx_attributes: { at: 8, bytes: 8 },
      stx_nlink: { at: 16, bytes: 4 },
      stx_uid: { at: 20, bytes: 4 },
      stx_gid: { at: 24, bytes: 4 },
      stx_mode: { at: 28, bytes: 2 },
      stx_ino: { at: 32, bytes: 8 },
      stx_size: { at: 40, bytes: 8 },
      stx_blocks: { at: 48, bytes: 8 },
      stx_attributes_mask: { at: 56, bytes: 8 },
      stx_atime_sec: { at: 64, bytes: 8 },
      stx_atime_nsec: { at: 72, bytes: 4 },
      stx_btime_sec: { at: 80, bytes: 8 },
      stx_btime_nsec: { at: 88, bytes: 4 },
      stx_ctime_sec: { at: 96, bytes: 8 },
      stx_ctime_nsec: { at: 104, bytes: 4 },
      stx_mtime_sec: { at: 112, bytes: 8 },
      stx_mtime_nsec: { at: 120, bytes: 4 },
      stx_rdev_major: { at: 128, bytes: 4 },
      stx_rdev_minor: { at: 132, bytes: 4 },
      stx_dev_major: { at: 136, bytes: 4 },
      stx_dev_minor: { at: 140, bytes: 4 },
      stx_mnt_id: { at: 144, bytes: 8 },
      stx_dio_mem_align: { at: 152, bytes: 4 },
      stx_dio_offset_align: { at: 156, bytes: 4 },
      stx_subvol: { at: 160, bytes: 8 },
      stx_atomic_write_unit_min: { at: 168, bytes: 4 },
      stx_atomic_write_unit_max: { at: 172, bytes: 4 },
      stx_atomic_write_segments_max: { at: 176, bytes: 4 },
      stx_dio_read_offset_align: { at: 180, bytes: 4 },
      stx_atomic_write_unit_max_opt: { at: 184, bytes: 4 },
    },
  },
  // struct statfs { long f_type, f_bsize; u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree; int f_fsid[2];
  //   long f_namelen, f_frsize, f_flags, f_spare[4]; }
  // statfs(2)
  statfs: {
    size: 120,
    fields: {
      f_type: { at: 0, bytes: 8 },
      f_bsize: { at: 8, bytes: 8 },
      f_blocks: { at: 16, bytes: 8 },
      f_bfree: { at: 24, bytes: 8 },
      f_bavail: { at: 32, bytes: 8 },
      f_files: { at: 40, bytes: 8 },
      f_ffree: { at: 48, bytes: 8 },
      f_fsid0: { at: 56, bytes: 4 },
      f_fsid1: { at: 60, bytes: 4 },
      f_namelen: { at: 64, bytes: 8 },
      f_frsize: { at: 72, bytes: 8 },
      f_flags: { at: 80, bytes: 8 },
    },
  },
  // struct linux_dirent64 { u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]; }
  // getdents64(2); the name follows at byte 19, ended by a NUL
  dirent64: {
    size: 19,
    fields: {
      d_ino: { at: 0, bytes: 8 },
      d_off: { at: 8, bytes: 8 },
      d_reclen: { at: 16, bytes: 2 },
      d_type: { at: 18, bytes: 1 },
    },
  },
  // union bpf_attr for BPF_PROG_LOAD: { u32 prog_type, insn_cnt; u64 insns, license; u32 log_level, log_size; u64 log_buf; ... }
  // bpf(2); what is behind it may be left out
  bpf_prog_load: {
    size: 40,
    fields: {
      prog_type: { at: 0, bytes: 4 },
      insn_cnt: { at: 4, bytes: 4 },
      insns: { at: 8, bytes: 8, pointer: true },
      license: { at: 16, bytes: 8, pointer: true },
    },
  },
  // struct sock_fprog { u16 len; struct sock_filter *filter; }
  // seccomp(2)
  sock_fprog: {
    size: 16,
    fields: {
      len: { at: 0, bytes: 2 },
      filter: { at: 8, bytes: 8, pointer: true },
    },
  },
};
