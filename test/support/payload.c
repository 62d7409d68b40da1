// What whole-container tests run: one static program, a table of sub-commands that each print one thing about where
// they run, one fact a line. `payload cwd -- cat /a /b` runs several, one after the other.
// A failing call prints `COMMAND: ERRNO-NUMBER words` to stderr and exits with 1.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *command; // for messages

static void need(int argc, int count) {
  if (argc > count) return;
  fprintf(stderr, "%s: needs %d arguments\n", command, count);
  exit(2);
}

// The value of a call that must not fail.
static long must(long result) {
  if (result >= 0) return result;
  fprintf(stderr, "%s: %d %s\n", command, errno, strerror(errno));
  exit(1);
}

static void copy_file(const char *path) {
  char bytes[4096];
  int fd = must(open(path, O_RDONLY));
  for (ssize_t n; (n = must(read(fd, bytes, sizeof bytes))) > 0;) must(write(1, bytes, n));
  close(fd);
}

static void print_link(const char *path, const char *name) {
  char target[4096];
  ssize_t n = readlink(path, target, sizeof target - 1);
  target[n < 0 ? 0 : n] = 0;
  printf("%s %s", name, target);
}

// Processes

static int do_true(int argc, char **argv) { return 0; }
static int do_exit(int argc, char **argv) { need(argc, 1); return atoi(argv[1]); }
static int do_signal(int argc, char **argv) { need(argc, 1); must(kill(getpid(), atoi(argv[1]))); pause(); return 0; }
static int do_sleep(int argc, char **argv) { need(argc, 1); usleep(atof(argv[1]) * 1e6); return 0; }

// try SUB-COMMAND...: what it prints, errors as well, and goes on; says `ok` where nothing else tells that it worked.
static int run(int argc, char **argv);
static int do_try(int argc, char **argv) {
  need(argc, 1);
  int status;
  pid_t child = must(fork());
  if (child == 0) {
    must(dup2(1, 2));
    int code = run(argc - 1, argv + 1);
    if (code == 0) puts("ok");
    exit(code);
  }
  return must(waitpid(child, &status, 0)) < 0;
}

static int do_exec(int argc, char **argv) { need(argc, 1); return must(execv(argv[1], argv + 1)); }

// await PATH: until it is there.
static int do_await(int argc, char **argv) {
  need(argc, 1);
  for (int i = 0; i < 10000; i++, usleep(1000))
    if (access(argv[1], F_OK) == 0) return 0;
  return must(access(argv[1], F_OK));
}

static int do_args(int argc, char **argv) {
  for (int i = 1; i < argc; i++) puts(argv[i]);
  return 0;
}

static int do_env(int argc, char **argv) {
  for (char **e = environ; *e; e++) puts(*e);
  return 0;
}

// trap [SIGNAL...]: says `ready`, then the number of each of these signals as it comes; ends at SIGTERM.
static int do_trap(int argc, char **argv) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  for (int i = 1; i < argc; i++) sigaddset(&set, atoi(argv[i]));
  sigprocmask(SIG_BLOCK, &set, 0);
  puts("ready");
  for (int number = 0; number != SIGTERM;) {
    sigwait(&set, &number);
    printf("%d\n", number);
  }
  return 0;
}

// spawn N: N children that do what the next commands say, as this process does.
static int do_spawn(int argc, char **argv) {
  need(argc, 1);
  for (int left = atoi(argv[1]); left > 0; left--)
    if (must(fork()) == 0) break;
  return 0;
}

// fork-orphan: a grandchild outlives its parent; prints whose child it became.
static int do_fork_orphan(int argc, char **argv) {
  int link[2];
  must(pipe(link));
  pid_t child = must(fork());
  if (child == 0) {
    pid_t parent = getpid();
    if (must(fork()) > 0) _exit(0);
    while (getppid() == parent) usleep(1000);
    int now = getppid();
    must(write(link[1], &now, sizeof now));
    _exit(0);
  }
  must(waitpid(child, 0, 0));
  int now = -1;
  must(read(link[0], &now, sizeof now));
  printf("%d\n", now);
  return 0;
}

// Files

// watch PATH: prints the table of mounts each time that it changes, until PATH is there; says `ready` first.
static int do_watch(int argc, char **argv) {
  need(argc, 1);
  struct pollfd mounts = {.fd = must(open("/proc/self/mountinfo", O_RDONLY)), .events = POLLPRI}; // proc_pid_mounts(5)
  char bytes[4096];
  while (must(read(mounts.fd, bytes, sizeof bytes)) > 0) continue;
  puts("ready");
  while (access(argv[1], F_OK) < 0)
    if (must(poll(&mounts, 1, 5)) > 0) copy_file("/proc/self/mountinfo");
  return 0;
}

static int do_cat(int argc, char **argv) {
  for (int i = 1; i < argc; i++) copy_file(argv[i]);
  return 0;
}

static int compare(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int visible(const struct dirent *entry) { return strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."); }
static int do_ls(int argc, char **argv) {
  need(argc, 1);
  struct dirent **names;
  int count = must(scandir(argv[1], &names, visible, compare));
  for (int i = 0; i < count; i++) puts(names[i]->d_name);
  return 0;
}

static int do_write(int argc, char **argv) {
  need(argc, 2);
  int fd = must(open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644));
  must(write(fd, argv[2], strlen(argv[2])));
  return must(close(fd));
}

// stat PATH...: type mode uid gid rdev size path; the link itself, not its target.
static int do_stat(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    struct stat s;
    must(lstat(argv[i], &s));
    const char *type = S_ISREG(s.st_mode)    ? "file"
                       : S_ISDIR(s.st_mode)  ? "directory"
                       : S_ISLNK(s.st_mode)  ? "link"
                       : S_ISCHR(s.st_mode)  ? "char"
                       : S_ISBLK(s.st_mode)  ? "block"
                       : S_ISFIFO(s.st_mode) ? "fifo"
                                             : "socket";
    printf("%s %04o %d %d %d:%d %ld %s\n", type, s.st_mode & 07777, s.st_uid, s.st_gid, major(s.st_rdev),
           minor(s.st_rdev), (long)s.st_size, argv[i]);
  }
  return 0;
}

static int do_readlink(int argc, char **argv) {
  need(argc, 1);
  char target[4096] = {0};
  must(readlink(argv[1], target, sizeof target - 1));
  return puts(target) < 0;
}

static int do_unlink(int argc, char **argv) { need(argc, 1); return must(unlink(argv[1])); }
static int do_mkdir(int argc, char **argv) { need(argc, 1); return must(mkdir(argv[1], 0755)); }

// mknod PATH c|b|p [MAJOR MINOR]
static int do_mknod(int argc, char **argv) {
  need(argc, 2);
  mode_t type = *argv[2] == 'c' ? S_IFCHR : *argv[2] == 'b' ? S_IFBLK : S_IFIFO;
  dev_t device = argc > 4 ? makedev(atoi(argv[3]), atoi(argv[4])) : 0;
  return must(mknod(argv[1], type | 0600, device));
}

// mount SOURCE TARGET TYPE [DATA]
static int do_mount(int argc, char **argv) {
  need(argc, 3);
  return must(mount(argv[1], argv[2], argv[3], 0, argc > 4 ? argv[4] : 0));
}
static int do_umount(int argc, char **argv) { need(argc, 1); return must(umount(argv[1])); }

static int do_sysctl(int argc, char **argv) {
  need(argc, 1);
  char path[512] = "/proc/sys/";
  strncat(path, argv[1], sizeof path - 32);
  for (char *c = path + 10; *c; c++)
    if (*c == '.') *c = '/';
  copy_file(path);
  return 0;
}

static int do_mountinfo(int argc, char **argv) { copy_file("/proc/self/mountinfo"); return 0; }
static int do_status(int argc, char **argv) { copy_file("/proc/self/status"); return 0; }
static int do_oom(int argc, char **argv) { copy_file("/proc/self/oom_score_adj"); return 0; }

static int do_cwd(int argc, char **argv) {
  char path[4096];
  must(syscall(SYS_getcwd, path, sizeof path)); // the kernel's word: `(unreachable)/...` where it is outside
  return puts(path) < 0;
}

// fds: number, target, F_GETFL flags, F_GETFD flags of each open file descriptor.
static int do_fds(int argc, char **argv) {
  for (int fd = 0; fd < 1024; fd++) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) continue;
    char path[64], name[16];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(name, sizeof name, "%d", fd);
    print_link(path, name);
    printf(" 0%o %d\n", flags, fcntl(fd, F_GETFD));
  }
  return 0;
}

// Attributes

static int do_ids(int argc, char **argv) {
  gid_t groups[256];
  int count = must(getgroups(256, groups));
  printf("uid %d %d\ngid %d %d\ngroups", getuid(), geteuid(), getgid(), getegid());
  for (int i = 0; i < count; i++) printf(" %d", groups[i]);
  return puts("") < 0;
}

static int do_umask(int argc, char **argv) { return printf("%04o\n", umask(0)) < 0; }

static int do_hostname(int argc, char **argv) {
  struct utsname name;
  must(uname(&name));
  return puts(name.nodename) < 0;
}

static int do_machine(int argc, char **argv) {
  struct utsname name;
  must(uname(&name));
  return puts(name.machine) < 0;
}

// clock: seconds of the monotonic and of the boot time clock.
static int do_clock(int argc, char **argv) {
  struct timespec monotonic, boottime;
  must(clock_gettime(CLOCK_MONOTONIC, &monotonic));
  must(clock_gettime(CLOCK_BOOTTIME, &boottime));
  return printf("%ld %ld\n", (long)monotonic.tv_sec, (long)boottime.tv_sec) < 0;
}

static int do_domainname(int argc, char **argv) {
  struct utsname name;
  must(uname(&name));
  return puts(name.domainname) < 0;
}

static int do_ns(int argc, char **argv) {
  const char *names[] = {"pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    print_link(path, names[i]);
    puts("");
  }
  return 0;
}

static int do_limits(int argc, char **argv) {
  const char *names[] = {"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS",
                         "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"}; // by number
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    struct rlimit limit;
    must(getrlimit(i, &limit));
    printf("%s %ld %ld\n", names[i], (long)limit.rlim_cur, (long)limit.rlim_max);
  }
  return 0;
}

// sigmask: which signals are blocked, and which are ignored, by number.
static int do_sigmask(int argc, char **argv) {
  sigset_t mask;
  sigprocmask(SIG_BLOCK, 0, &mask);
  printf("blocked");
  for (int s = 1; s < 65; s++)
    if (sigismember(&mask, s) == 1) printf(" %d", s);
  printf("\nignored");
  for (int s = 1; s < 65; s++) {
    struct sigaction action;
    if (sigaction(s, 0, &action) == 0 && action.sa_handler == SIG_IGN) printf(" %d", s);
  }
  return puts("") < 0;
}

static int do_ioprio(int argc, char **argv) {
  long value = must(syscall(SYS_ioprio_get, 1, 0)); // IOPRIO_WHO_PROCESS
  return printf("%ld %ld\n", value >> 13, value & 0x1fff) < 0; // class, priority
}

struct scheduling { // <linux/sched/types.h>, struct sched_attr
  unsigned size, policy;
  unsigned long flags;
  int nice;
  unsigned priority;
  unsigned long runtime, deadline, period;
};
static int do_scheduler(int argc, char **argv) {
  struct scheduling s = {.size = sizeof s};
  must(syscall(SYS_sched_getattr, 0, &s, sizeof s, 0));
  printf("policy %u\nnice %d\npriority %u\nflags %lu\n", s.policy, s.nice, s.priority, s.flags);
  return printf("runtime %lu\ndeadline %lu\nperiod %lu\n", s.runtime, s.deadline, s.period) < 0;
}

static int do_cpus(int argc, char **argv) {
  cpu_set_t set;
  must(sched_getaffinity(0, sizeof set, &set));
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &set)) printf("%d\n", i);
  return 0;
}

static int do_personality(int argc, char **argv) { return printf("0x%x\n", personality(0xffffffff)) < 0; }

static int do_tty(int argc, char **argv) {
  for (int fd = 0; fd < 3; fd++) printf("%d %s\n", fd, isatty(fd) ? ttyname(fd) ? ttyname(fd) : "unnamed" : "none");
  struct winsize size;
  if (ioctl(0, TIOCGWINSZ, &size) == 0) printf("size %d %d\n", size.ws_col, size.ws_row);
  return printf("session %d foreground %d\n", getsid(0) == getpid(), tcgetpgrp(0) == getpgrp()) < 0;
}

// winsize COUNT: columns and rows of the terminal, and again at each of COUNT SIGWINCHs.
static int do_winsize(int argc, char **argv) {
  need(argc, 1);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  sigprocmask(SIG_BLOCK, &set, 0);
  for (int count = atoi(argv[1]);; count--) {
    struct winsize size;
    must(ioctl(0, TIOCGWINSZ, &size));
    printf("%d %d\n", size.ws_col, size.ws_row);
    if (count == 0) return 0;
    must(sigwaitinfo(&set, 0));
  }
}

// count LAST: the numbers from 1, one a line, in large writes.
static int do_count(int argc, char **argv) {
  need(argc, 1);
  FILE *out = fdopen(must(dup(1)), "w"); // stdout is flushed at each line
  setvbuf(out, 0, _IOFBF, 65536);
  for (int number = 1, last = atoi(argv[1]); number <= last; number++) fprintf(out, "%d\n", number);
  return must(fclose(out));
}

// connect ADDRESS PORT, or connect PATH of a unix socket.
static int do_connect(int argc, char **argv) {
  need(argc, 1);
  if (argc == 2) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
    return must(connect(fd, (struct sockaddr *)&address, sizeof address));
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &address.sin_addr);
  int fd = must(socket(AF_INET, SOCK_STREAM, 0));
  return must(connect(fd, (struct sockaddr *)&address, sizeof address));
}

// Its session keyring as keyctl(2) describes it: `keyring;UID;GID;PERMISSIONS;NAME`.
static int do_keyring(int argc, char **argv) {
  (void)argc, (void)argv;
  char text[256] = "";
  long id = must(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* KEY_SPEC_SESSION_KEYRING */, 0));
  must(syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, id, text, sizeof text));
  puts(text);
  return 0;
}

// syscall NUMBER [ARGUMENT...]: its result and errno, `-1 38`.
static int do_syscall(int argc, char **argv) {
  need(argc, 1);
  unsigned long arguments[7] = {0};
  for (int i = 1; i < argc && i < 8; i++) arguments[i - 1] = strtoul(argv[i], 0, 0);
  long result = syscall(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], arguments[6]);
  printf("%ld %d\n", result, result < 0 ? errno : 0);
  return 0;
}

static const struct {
  const char *name;
  int (*run)(int argc, char **argv); // argv[0] is the sub-command
} commands[] = {
    {"true", do_true},
    {"exit", do_exit},
    {"signal", do_signal},
    {"sleep", do_sleep},
    {"try", do_try},
    {"exec", do_exec},
    {"await", do_await},
    {"args", do_args},
    {"env", do_env},
    {"trap", do_trap},
    {"spawn", do_spawn},
    {"fork-orphan", do_fork_orphan},
    {"watch", do_watch},
    {"cat", do_cat},
    {"ls", do_ls},
    {"write", do_write},
    {"stat", do_stat},
    {"readlink", do_readlink},
    {"unlink", do_unlink},
    {"mkdir", do_mkdir},
    {"mknod", do_mknod},
    {"mount", do_mount},
    {"umount", do_umount},
    {"sysctl", do_sysctl},
    {"mountinfo", do_mountinfo},
    {"status", do_status},
    {"oom", do_oom},
    {"cwd", do_cwd},
    {"fds", do_fds},
    {"ids", do_ids},
    {"umask", do_umask},
    {"hostname", do_hostname},
    {"machine", do_machine},
    {"clock", do_clock},
    {"domainname", do_domainname},
    {"ns", do_ns},
    {"limits", do_limits},
    {"sigmask", do_sigmask},
    {"ioprio", do_ioprio},
    {"scheduler", do_scheduler},
    {"cpus", do_cpus},
    {"personality", do_personality},
    {"tty", do_tty},
    {"winsize", do_winsize},
    {"count", do_count},
    {"connect", do_connect},
    {"keyring", do_keyring},
    {"syscall", do_syscall},
};

static int run(int argc, char **argv) {
  command = argv[0];
  for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
    if (!strcmp(commands[i].name, command)) return commands[i].run(argc, argv);
  fprintf(stderr, "payload: no sub-command %s\n", command);
  return 2;
}

// Sub-commands are separated by `--`; the first that fails ends it.
int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  int status = 0;
  for (int at = 1; at < argc && status == 0;) {
    int end = at;
    while (end < argc && strcmp(argv[end], "--")) end++;
    status = run(end - at, argv + at);
    at = end + 1;
  }
  fflush(stdout);
  return status;
}
