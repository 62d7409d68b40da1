// What the arguments of system calls are called and what they are, for printing programs and for telling a call with a
// wrong number of them. Names follow section 2 of the man pages, numbers and order the kernel (rt_sigaction has four).
// Calls that are not here are printed without names.

/** `flags` are names of constants.ts, or-ed or one of them; `id` is a user or group; a `dirfd` may be AT_FDCWD. */
export type ArgKind =
  | 'fd'
  | 'dirfd'
  | 'path'
  | 'string'
  | 'pointer'
  | 'flags'
  | 'mode'
  | 'pid'
  | 'id'
  | 'signal'
  | 'size'
  | 'int'
  | 'device';

type Argument = readonly [name: string, kind: ArgKind];

// biome-ignore format: a call per line
export const syscallArguments: Readonly<Record<string, readonly Argument[]>> = {
  // Files
  open: [['pathname', 'path'], ['flags', 'flags'], ['mode', 'mode']],
  openat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['flags', 'flags'], ['mode', 'mode']],
  openat2: [['dirfd', 'dirfd'], ['pathname', 'path'], ['how', 'pointer'], ['size', 'size']],
  creat: [['pathname', 'path'], ['mode', 'mode']],
  close: [['fd', 'fd']],
  close_range: [['first', 'fd'], ['last', 'fd'], ['flags', 'flags']],
  read: [['fd', 'fd'], ['buf', 'pointer'], ['count', 'size']],
  write: [['fd', 'fd'], ['buf', 'pointer'], ['count', 'size']],
  readv: [['fd', 'fd'], ['iov', 'pointer'], ['iovcnt', 'int']],
  writev: [['fd', 'fd'], ['iov', 'pointer'], ['iovcnt', 'int']],
  pread64: [['fd', 'fd'], ['buf', 'pointer'], ['count', 'size'], ['offset', 'int']],
  pwrite64: [['fd', 'fd'], ['buf', 'pointer'], ['count', 'size'], ['offset', 'int']],
  sendfile: [['out_fd', 'fd'], ['in_fd', 'fd'], ['offset', 'pointer'], ['count', 'size']],
  copy_file_range: [['fd_in', 'fd'], ['off_in', 'pointer'], ['fd_out', 'fd'], ['off_out', 'pointer'], ['size', 'size'], ['flags', 'flags']],
  splice: [['fd_in', 'fd'], ['off_in', 'pointer'], ['fd_out', 'fd'], ['off_out', 'pointer'], ['size', 'size'], ['flags', 'flags']],
  lseek: [['fd', 'fd'], ['offset', 'int'], ['whence', 'flags']],
  dup: [['oldfd', 'fd']],
  dup2: [['oldfd', 'fd'], ['newfd', 'fd']],
  dup3: [['oldfd', 'fd'], ['newfd', 'fd'], ['flags', 'flags']],
  pipe: [['pipefd', 'pointer']],
  pipe2: [['pipefd', 'pointer'], ['flags', 'flags']],
  fcntl: [['fd', 'fd'], ['op', 'flags'], ['arg', 'int']],
  flock: [['fd', 'fd'], ['op', 'flags']],
  ioctl: [['fd', 'fd'], ['op', 'flags'], ['arg', 'pointer']],
  fsync: [['fd', 'fd']],
  fdatasync: [['fd', 'fd']],
  syncfs: [['fd', 'fd']],
  sync: [],
  truncate: [['path', 'path'], ['length', 'size']],
  ftruncate: [['fd', 'fd'], ['length', 'size']],
  fallocate: [['fd', 'fd'], ['mode', 'flags'], ['offset', 'int'], ['size', 'size']],
  stat: [['pathname', 'path'], ['statbuf', 'pointer']],
  lstat: [['pathname', 'path'], ['statbuf', 'pointer']],
  fstat: [['fd', 'fd'], ['statbuf', 'pointer']],
  newfstatat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['statbuf', 'pointer'], ['flags', 'flags']],
  statx: [['dirfd', 'dirfd'], ['pathname', 'path'], ['flags', 'flags'], ['mask', 'flags'], ['statxbuf', 'pointer']],
  statfs: [['path', 'path'], ['buf', 'pointer']],
  fstatfs: [['fd', 'fd'], ['buf', 'pointer']],
  access: [['pathname', 'path'], ['mode', 'flags']],
  faccessat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['mode', 'flags']],
  faccessat2: [['dirfd', 'dirfd'], ['pathname', 'path'], ['mode', 'flags'], ['flags', 'flags']],
  getdents64: [['fd', 'fd'], ['dirp', 'pointer'], ['count', 'size']],
  getcwd: [['buf', 'pointer'], ['size', 'size']],
  chdir: [['path', 'path']],
  fchdir: [['fd', 'fd']],
  mkdir: [['pathname', 'path'], ['mode', 'mode']],
  mkdirat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['mode', 'mode']],
  rmdir: [['pathname', 'path']],
  mknod: [['pathname', 'path'], ['mode', 'mode'], ['dev', 'device']],
  mknodat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['mode', 'mode'], ['dev', 'device']],
  link: [['oldpath', 'path'], ['newpath', 'path']],
  linkat: [['olddirfd', 'dirfd'], ['oldpath', 'path'], ['newdirfd', 'dirfd'], ['newpath', 'path'], ['flags', 'flags']],
  symlink: [['target', 'string'], ['linkpath', 'path']],
  symlinkat: [['target', 'string'], ['newdirfd', 'dirfd'], ['linkpath', 'path']],
  readlink: [['pathname', 'path'], ['buf', 'pointer'], ['bufsiz', 'size']],
  readlinkat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['buf', 'pointer'], ['bufsiz', 'size']],
  unlink: [['pathname', 'path']],
  unlinkat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['flags', 'flags']],
  rename: [['oldpath', 'path'], ['newpath', 'path']],
  renameat: [['olddirfd', 'dirfd'], ['oldpath', 'path'], ['newdirfd', 'dirfd'], ['newpath', 'path']],
  renameat2: [['olddirfd', 'dirfd'], ['oldpath', 'path'], ['newdirfd', 'dirfd'], ['newpath', 'path'], ['flags', 'flags']],
  chmod: [['pathname', 'path'], ['mode', 'mode']],
  fchmod: [['fd', 'fd'], ['mode', 'mode']],
  fchmodat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['mode', 'mode']],
  fchmodat2: [['dirfd', 'dirfd'], ['pathname', 'path'], ['mode', 'mode'], ['flags', 'flags']],
  chown: [['pathname', 'path'], ['owner', 'id'], ['group', 'id']],
  fchown: [['fd', 'fd'], ['owner', 'id'], ['group', 'id']],
  lchown: [['pathname', 'path'], ['owner', 'id'], ['group', 'id']],
  fchownat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['owner', 'id'], ['group', 'id'], ['flags', 'flags']],
  umask: [['mask', 'mode']],
  utimensat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['times', 'pointer'], ['flags', 'flags']],
  setxattr: [['path', 'path'], ['name', 'string'], ['value', 'pointer'], ['size', 'size'], ['flags', 'flags']],
  lsetxattr: [['path', 'path'], ['name', 'string'], ['value', 'pointer'], ['size', 'size'], ['flags', 'flags']],
  fsetxattr: [['fd', 'fd'], ['name', 'string'], ['value', 'pointer'], ['size', 'size'], ['flags', 'flags']],
  getxattr: [['path', 'path'], ['name', 'string'], ['value', 'pointer'], ['size', 'size']],
  lgetxattr: [['path', 'path'], ['name', 'string'], ['value', 'pointer'], ['size', 'size']],
  fgetxattr: [['fd', 'fd'], ['name', 'string'], ['value', 'pointer'], ['size', 'size']],
  listxattr: [['path', 'path'], ['list', 'pointer'], ['size', 'size']],
  removexattr: [['path', 'path'], ['name', 'string']],
  lremovexattr: [['path', 'path'], ['name', 'string']],
  fremovexattr: [['fd', 'fd'], ['name', 'string']],
  name_to_handle_at: [['dirfd', 'dirfd'], ['pathname', 'path'], ['handle', 'pointer'], ['mount_id', 'pointer'], ['flags', 'flags']],
  open_by_handle_at: [['mount_fd', 'fd'], ['handle', 'pointer'], ['flags', 'flags']],
  memfd_create: [['name', 'string'], ['flags', 'flags']],

  // Mounts
  mount: [['source', 'string'], ['target', 'path'], ['filesystemtype', 'string'], ['mountflags', 'flags'], ['data', 'string']],
  umount2: [['target', 'path'], ['flags', 'flags']],
  pivot_root: [['new_root', 'path'], ['put_old', 'path']],
  chroot: [['path', 'path']],
  open_tree: [['dirfd', 'dirfd'], ['pathname', 'path'], ['flags', 'flags']],
  open_tree_attr: [['dirfd', 'dirfd'], ['pathname', 'path'], ['flags', 'flags'], ['attr', 'pointer'], ['size', 'size']],
  move_mount: [['from_dirfd', 'dirfd'], ['from_pathname', 'path'], ['to_dirfd', 'dirfd'], ['to_pathname', 'path'], ['flags', 'flags']],
  mount_setattr: [['dirfd', 'dirfd'], ['pathname', 'path'], ['flags', 'flags'], ['attr', 'pointer'], ['size', 'size']],
  fsopen: [['fsname', 'string'], ['flags', 'flags']],
  fsconfig: [['fd', 'fd'], ['cmd', 'flags'], ['key', 'string'], ['value', 'string'], ['aux', 'int']],
  fsmount: [['fsfd', 'fd'], ['flags', 'flags'], ['attr_flags', 'flags']],
  fspick: [['dirfd', 'dirfd'], ['path', 'path'], ['flags', 'flags']],
  statmount: [['req', 'pointer'], ['buf', 'pointer'], ['bufsize', 'size'], ['flags', 'flags']],
  listmount: [['req', 'pointer'], ['mnt_ids', 'pointer'], ['nr_mnt_ids', 'size'], ['flags', 'flags']],
  quotactl: [['op', 'flags'], ['special', 'path'], ['id', 'id'], ['addr', 'pointer']],

  // Processes
  clone: [['flags', 'flags'], ['stack', 'pointer'], ['parent_tid', 'pointer'], ['arg4', 'pointer'], ['arg5', 'pointer']],
  clone3: [['cl_args', 'pointer'], ['size', 'size']],
  fork: [],
  vfork: [],
  execve: [['pathname', 'path'], ['argv', 'pointer'], ['envp', 'pointer']],
  execveat: [['dirfd', 'dirfd'], ['pathname', 'path'], ['argv', 'pointer'], ['envp', 'pointer'], ['flags', 'flags']],
  exit: [['status', 'int']],
  exit_group: [['status', 'int']],
  wait4: [['pid', 'pid'], ['wstatus', 'pointer'], ['options', 'flags'], ['rusage', 'pointer']],
  waitid: [['idtype', 'flags'], ['id', 'pid'], ['infop', 'pointer'], ['options', 'flags'], ['rusage', 'pointer']],
  getpid: [],
  getppid: [],
  gettid: [],
  setsid: [],
  getsid: [['pid', 'pid']],
  setpgid: [['pid', 'pid'], ['pgid', 'pid']],
  getpgid: [['pid', 'pid']],
  pidfd_open: [['pid', 'pid'], ['flags', 'flags']],
  pidfd_getfd: [['pidfd', 'fd'], ['targetfd', 'fd'], ['flags', 'flags']],
  pidfd_send_signal: [['pidfd', 'fd'], ['sig', 'signal'], ['info', 'pointer'], ['flags', 'flags']],
  prctl: [['op', 'flags'], ['arg2', 'int'], ['arg3', 'int'], ['arg4', 'int'], ['arg5', 'int']],
  personality: [['persona', 'flags']],
  ptrace: [['op', 'flags'], ['pid', 'pid'], ['addr', 'pointer'], ['data', 'pointer']],
  process_vm_readv: [['pid', 'pid'], ['local_iov', 'pointer'], ['liovcnt', 'int'], ['remote_iov', 'pointer'], ['riovcnt', 'int'], ['flags', 'flags']],
  getrandom: [['buf', 'pointer'], ['buflen', 'size'], ['flags', 'flags']],
  uname: [['buf', 'pointer']],
  nanosleep: [['duration', 'pointer'], ['rem', 'pointer']],
  clock_gettime: [['clockid', 'flags'], ['tp', 'pointer']],
  clock_nanosleep: [['clockid', 'flags'], ['flags', 'flags'], ['t', 'pointer'], ['remain', 'pointer']],

  // Namespaces
  unshare: [['flags', 'flags']],
  setns: [['fd', 'fd'], ['nstype', 'flags']],
  sethostname: [['name', 'string'], ['len', 'size']],
  setdomainname: [['name', 'string'], ['len', 'size']],

  // Credentials
  getuid: [],
  geteuid: [],
  getgid: [],
  getegid: [],
  setuid: [['uid', 'id']],
  setgid: [['gid', 'id']],
  setreuid: [['ruid', 'id'], ['euid', 'id']],
  setregid: [['rgid', 'id'], ['egid', 'id']],
  setresuid: [['ruid', 'id'], ['euid', 'id'], ['suid', 'id']],
  setresgid: [['rgid', 'id'], ['egid', 'id'], ['sgid', 'id']],
  getresuid: [['ruid', 'pointer'], ['euid', 'pointer'], ['suid', 'pointer']],
  getresgid: [['rgid', 'pointer'], ['egid', 'pointer'], ['sgid', 'pointer']],
  setfsuid: [['fsuid', 'id']],
  setfsgid: [['fsgid', 'id']],
  setgroups: [['size', 'size'], ['list', 'pointer']],
  getgroups: [['size', 'size'], ['list', 'pointer']],
  capget: [['hdrp', 'pointer'], ['datap', 'pointer']],
  capset: [['hdrp', 'pointer'], ['datap', 'pointer']],
  seccomp: [['op', 'flags'], ['flags', 'flags'], ['args', 'pointer']],
  landlock_create_ruleset: [['attr', 'pointer'], ['size', 'size'], ['flags', 'flags']],
  landlock_add_rule: [['ruleset_fd', 'fd'], ['rule_type', 'flags'], ['rule_attr', 'pointer'], ['flags', 'flags']],
  landlock_restrict_self: [['ruleset_fd', 'fd'], ['flags', 'flags']],

  // Signals and waiting
  kill: [['pid', 'pid'], ['sig', 'signal']],
  tgkill: [['tgid', 'pid'], ['tid', 'pid'], ['sig', 'signal']],
  rt_sigaction: [['signum', 'signal'], ['act', 'pointer'], ['oldact', 'pointer'], ['sigsetsize', 'size']],
  rt_sigprocmask: [['how', 'flags'], ['set', 'pointer'], ['oldset', 'pointer'], ['sigsetsize', 'size']],
  rt_sigtimedwait: [['set', 'pointer'], ['info', 'pointer'], ['timeout', 'pointer'], ['sigsetsize', 'size']],
  rt_sigsuspend: [['mask', 'pointer'], ['sigsetsize', 'size']],
  signalfd4: [['fd', 'fd'], ['mask', 'pointer'], ['sizemask', 'size'], ['flags', 'flags']],
  eventfd2: [['initval', 'int'], ['flags', 'flags']],
  timerfd_create: [['clockid', 'flags'], ['flags', 'flags']],
  timerfd_settime: [['fd', 'fd'], ['flags', 'flags'], ['new_value', 'pointer'], ['old_value', 'pointer']],
  poll: [['fds', 'pointer'], ['nfds', 'int'], ['timeout', 'int']],
  ppoll: [['fds', 'pointer'], ['nfds', 'int'], ['tmo_p', 'pointer'], ['sigmask', 'pointer'], ['sigsetsize', 'size']],
  epoll_create1: [['flags', 'flags']],
  epoll_ctl: [['epfd', 'fd'], ['op', 'flags'], ['fd', 'fd'], ['event', 'pointer']],
  epoll_pwait: [['epfd', 'fd'], ['events', 'pointer'], ['maxevents', 'int'], ['timeout', 'int'], ['sigmask', 'pointer'], ['sigsetsize', 'size']],
  pause: [],

  // Sockets
  socket: [['domain', 'flags'], ['type', 'flags'], ['protocol', 'int']],
  socketpair: [['domain', 'flags'], ['type', 'flags'], ['protocol', 'int'], ['sv', 'pointer']],
  bind: [['sockfd', 'fd'], ['addr', 'pointer'], ['addrlen', 'size']],
  connect: [['sockfd', 'fd'], ['addr', 'pointer'], ['addrlen', 'size']],
  listen: [['sockfd', 'fd'], ['backlog', 'int']],
  accept4: [['sockfd', 'fd'], ['addr', 'pointer'], ['addrlen', 'pointer'], ['flags', 'flags']],
  sendto: [['sockfd', 'fd'], ['buf', 'pointer'], ['size', 'size'], ['flags', 'flags'], ['dest_addr', 'pointer'], ['addrlen', 'size']],
  recvfrom: [['sockfd', 'fd'], ['buf', 'pointer'], ['size', 'size'], ['flags', 'flags'], ['src_addr', 'pointer'], ['addrlen', 'pointer']],
  sendmsg: [['sockfd', 'fd'], ['msg', 'pointer'], ['flags', 'flags']],
  recvmsg: [['sockfd', 'fd'], ['msg', 'pointer'], ['flags', 'flags']],
  setsockopt: [['sockfd', 'fd'], ['level', 'flags'], ['optname', 'flags'], ['optval', 'pointer'], ['optlen', 'size']],
  getsockopt: [['sockfd', 'fd'], ['level', 'flags'], ['optname', 'flags'], ['optval', 'pointer'], ['optlen', 'pointer']],
  shutdown: [['sockfd', 'fd'], ['how', 'flags']],

  // Keys
  keyctl: [['op', 'flags'], ['arg2', 'int'], ['arg3', 'int'], ['arg4', 'int'], ['arg5', 'int']],
  add_key: [['type', 'string'], ['description', 'string'], ['payload', 'pointer'], ['plen', 'size'], ['keyring', 'int']],
  request_key: [['type', 'string'], ['description', 'string'], ['callout_info', 'string'], ['dest_keyring', 'int']],

  // Limits, scheduling and memory
  prlimit64: [['pid', 'pid'], ['resource', 'flags'], ['new_limit', 'pointer'], ['old_limit', 'pointer']],
  getrlimit: [['resource', 'flags'], ['rlim', 'pointer']],
  setrlimit: [['resource', 'flags'], ['rlim', 'pointer']],
  getpriority: [['which', 'flags'], ['who', 'id']],
  setpriority: [['which', 'flags'], ['who', 'id'], ['prio', 'int']],
  ioprio_set: [['which', 'flags'], ['who', 'id'], ['ioprio', 'int']],
  ioprio_get: [['which', 'flags'], ['who', 'id']],
  sched_setattr: [['pid', 'pid'], ['attr', 'pointer'], ['flags', 'flags']],
  sched_getattr: [['pid', 'pid'], ['attr', 'pointer'], ['size', 'size'], ['flags', 'flags']],
  sched_setscheduler: [['pid', 'pid'], ['policy', 'flags'], ['param', 'pointer']],
  sched_setaffinity: [['pid', 'pid'], ['cpusetsize', 'size'], ['mask', 'pointer']],
  sched_getaffinity: [['pid', 'pid'], ['cpusetsize', 'size'], ['mask', 'pointer']],
  sched_yield: [],
  set_mempolicy: [['mode', 'flags'], ['nodemask', 'pointer'], ['maxnode', 'size']],
  mbind: [['addr', 'pointer'], ['size', 'size'], ['mode', 'flags'], ['nodemask', 'pointer'], ['maxnode', 'size'], ['flags', 'flags']],
  mmap: [['addr', 'pointer'], ['length', 'size'], ['prot', 'flags'], ['flags', 'flags'], ['fd', 'fd'], ['offset', 'int']],
  munmap: [['addr', 'pointer'], ['length', 'size']],
  mprotect: [['addr', 'pointer'], ['size', 'size'], ['prot', 'flags']],
  madvise: [['addr', 'pointer'], ['size', 'size'], ['advice', 'flags']],
};

/** The man pages end these with `...`: how many arguments there are depends on the operation. */
const VARIADIC: readonly string[] = ['fcntl', 'ioctl', 'keyctl', 'prctl'];

/** The arguments of a system call, all needed; undefined if it is not listed, or takes more or fewer by operation. */
export function argumentsOf(call: string): readonly Argument[] | undefined {
  return Object.hasOwn(syscallArguments, call) && !VARIADIC.includes(call)
    ? syscallArguments[call]
    : undefined;
}

/** What argument `index` (from 0) of a system call is; undefined if the call is not listed or takes fewer. */
export function argumentKind(call: string, index: number): ArgKind | undefined {
  return Object.hasOwn(syscallArguments, call) ? syscallArguments[call]![index]?.[1] : undefined;
}
