// Programs without JavaScript: where a linked program is kept on disk that fits the command line, this process becomes it
// at once. Two kinds, below the state root:
//
//   .programs/NAME        programs of earlier `run`s, `create`s and `exec`s (src/runtime/program-cache.ts, exec-cache.ts).
//                         NAME is a hash of the invocation (invocation.c): this build, its place, the host, limits and
//                         signals of the caller, directory, command line.
//   .programs/VERB.BUILD  programs of this build for `tinyrun [--root R] [--log F] VERB ID`, whatever the id
//                         (src/runtime/verb-cache.ts). Other words are a part of the name: `kill ID 9` looks for
//                         `kill+9.BUILD`. They run in a child: one that ends with NOT_ME leaves it to JavaScript.
//
// A file is used only if it belongs to root, in a directory that is root's alone; if the invocation that stands in it
// is this one, to the byte (a verb has none); and if, with the parameters of this call put in, its checks hold, which look
// again at what the planner saw on disk. Whatever is not understood, or is not as it should be, is left to JavaScript,
// without a word.
//
// src/runtime/launch-file.ts writes the file. Nothing here knows what a container is.

#include "prelude.h"

// Keep in sync with src/runtime/launch-file.ts. Places are offsets from the start of the file.
struct file {
  u64 magic;
  u32 size, flags;
  u32 invocation, invocation_size; // size 0: the place of the file says what it is for
  u32 checks, check_count;
  u32 patches, patch_count;
  u32 image, image_size;           // the executable, at the end
  u32 number, spare;               // path of a file that starts with a number of eight bytes; 0: none
};
struct check { u32 want, root, path, data, size; }; // root, path: NUL-terminated texts; root 0: none
struct patch { u32 kind, at, size; };               // a text is put there, and what is left of its room filled with NULs
#define FILE_MAGIC 0x3248434e55414c54UL             // "TLAUNCH2"
enum { CHILD = 1 };                                 // it runs in a child, which may end with NOT_ME
enum { WANT_MISSING, WANT_PLAIN, WANT_DIRECTORY, WANT_OTHER, WANT_CONTENTS, WANT_ENDING, WANT_LINES };
enum { PATCH_GIVEN, PATCH_NEW_ID = PATCH_GIVEN + PARAMETERS, PATCH_MILLISECONDS, PATCH_SECONDS, PATCH_NUMBER, PATCHES };
enum { NOT_ME = 75, MOST = 1 << 26, DIGITS = 10 };

enum { RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 0x10 };
enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_EXEC = 0x10, F_SETFD = 2, F_ADD_SEALS = 1033, SEAL_ALL = 0xf };
enum { CLOSE_RANGE_CLOEXEC = 4, PR_SET_PDEATHSIG = 1, STATX_BASIC_STATS = 0x7ff };
enum { S_IFMT = 0170000, S_IFDIR = 0040000, S_IFREG = 0100000 };

struct statx {
  u32 mask, block_size;
  u64 attributes;
  u32 links, uid, gid;
  u16 mode, spare;
  u64 inode, size, rest[26];
};
_Static_assert(sizeof(struct statx) == 256, "as in <linux/stat.h>");

i64 open_at(i64 directory, const char *path, u64 flags, u64 resolve) {
  u64 how[3] = {flags | O_CLOEXEC, 0, resolve};
  return call(SYS_openat2, directory, path, how, sizeof how);
}

static int look_at(i64 fd, struct statx *seen) {
  return call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, seen) == 0;
}

// Opens a file of a root that may be hostile, if it is a regular one: to open a device is enough to set it going.
i64 open_regular(i64 pinned) {
  char path[] = "/proc/self/fd/0000000000", *end = path + sizeof path - 1, *at = end - 10, *digit = end;
  struct statx seen;
  if (!look_at(pinned, &seen) || (seen.mode & S_IFMT) != S_IFREG) return -EINVAL;
  u64 number = (u64)pinned;
  do *--digit = (char)('0' + number % 10); while ((number /= 10) != 0);
  while (digit < end) *at++ = *digit++; // no leading zero: proc(5) has no such name
  *at = 0;
  return open_at(AT_FDCWD, path, O_RDONLY, 0);
}

// The file

static int is_text(const struct file *file, u32 at) { return at >= sizeof *file && at < file->image; }

// Whether a file consists of these bytes, or ends with them.
static int has_bytes(i64 fd, const char *bytes, u64 size, int at_end) {
  struct statx seen;
  u8 chunk[PAGE];
  u64 done = 0, start = 0;
  i64 got;
  if (at_end) {
    if (!look_at(fd, &seen) || seen.size < size) return 0;
    start = seen.size - size;
  }
  while ((got = call(SYS_pread64, fd, chunk, sizeof chunk, start + done)) > 0 && (u64)got <= size - done &&
         same_bytes(chunk, bytes + done, (u64)got))
    done += (u64)got;
  return got == 0 && done == size;
}

static int contains(const u8 *line, u64 size, const char *text) {
  u64 wanted = length(text);
  for (u64 at = 0; at + wanted <= size; at++)
    if (same_bytes(line + at, text, wanted)) return 1;
  return 0;
}

// Whether those lines of a file that contain a text, which ends with a NUL in front of the bytes, are these bytes.
static int has_lines(i64 fd, const char *text, u64 size) {
  u8 lines[2 * PAGE];
  u64 used = 0, done = length(text) + 1;
  i64 got;
  while ((got = call(SYS_read, fd, lines + used, sizeof lines - used)) > 0) {
    used += (u64)got;
    u64 start = 0;
    for (u64 at = start; at < used; at++) {
      if (lines[at] != '\n') continue;
      u64 line = at + 1 - start;
      if (contains(lines + start, line, text)) {
        if (line > size - done || !same_bytes(lines + start, text + done, line)) return 0;
        done += line;
      }
      start = at + 1;
    }
    if (start == 0 && used == sizeof lines) return 0;
    for (u64 at = start; at < used; at++) lines[at - start] = lines[at];
    used -= start;
  }
  return got == 0 && used == 0 && done == size;
}

static int holds(const struct file *file, const struct check *check, i64 directory) {
  const char *bytes = (const char *)file;
  u64 resolve = check->root ? RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS : 0;
  if (check->root && (check->want == WANT_MISSING || check->want == WANT_PLAIN)) resolve |= RESOLVE_NO_SYMLINKS;
  int has_data = check->want == WANT_CONTENTS || check->want == WANT_ENDING || check->want == WANT_LINES, reads = has_data && !check->root;
  i64 fd = open_at(directory, bytes + check->path, reads ? O_RDONLY | O_NONBLOCK : O_PATH, resolve);
  if (fd >= 0 && has_data && check->root) {
    i64 pinned = fd;
    fd = open_regular(pinned);
    call(SYS_close, pinned);
  }
  if (fd < 0) return check->want == WANT_MISSING && fd == -ENOENT;
  int good = check->want == WANT_PLAIN;
  if (check->want == WANT_DIRECTORY || check->want == WANT_OTHER) {
    struct statx seen;
    good = look_at(fd, &seen) && ((seen.mode & S_IFMT) == S_IFDIR) == (check->want == WANT_DIRECTORY);
  } else if (check->want == WANT_LINES) {
    good = has_lines(fd, bytes + check->data, check->size);
  } else if (has_data) {
    good = has_bytes(fd, bytes + check->data, check->size, check->want == WANT_ENDING);
  }
  call(SYS_close, fd);
  return good;
}

static int all_hold(const struct file *file) {
  const struct check *checks = (const struct check *)((const u8 *)file + file->checks);
  for (u32 i = 0; i < file->check_count; i++) {
    const struct check *check = &checks[i];
    if (!is_text(file, check->path) || (check->root && !is_text(file, check->root))) return 0;
    if (check->data > file->image || check->size > file->image - check->data) return 0;
    if (check->want == WANT_LINES && length((const char *)file + check->data) >= check->size) return 0;
    i64 root = AT_FDCWD;
    if (check->root) root = open_at(AT_FDCWD, (const char *)file + check->root, O_PATH | O_DIRECTORY, 0);
    int good = !is_error(root) || root == AT_FDCWD ? holds(file, check, root) : 0;
    if (root >= 0) call(SYS_close, root);
    if (!good) return 0;
  }
  return 1;
}

static int is_table(const struct file *file, u32 at, u64 count, u64 size) {
  return at >= sizeof *file && at <= file->image && count <= (file->image - at) / size;
}

// Whether the file is whole: every place in it is inside, and a text that starts before the image ends before it. What is
// put in stands behind the tables and the invocation.
static int is_whole(const struct file *file, u64 size) {
  return file->magic == FILE_MAGIC && file->size == size && file->image > sizeof *file && file->image <= size &&
         file->image_size == size - file->image && is_table(file, file->invocation, file->invocation_size, 1) &&
         file->checks % 4 == 0 && is_table(file, file->checks, file->check_count, sizeof(struct check)) &&
         file->patches % 4 == 0 && is_table(file, file->patches, file->patch_count, sizeof(struct patch)) &&
         file->checks + file->check_count * sizeof(struct check) <= file->invocation &&
         file->patches + file->patch_count * sizeof(struct patch) <= file->invocation &&
         (!file->number || is_text(file, file->number)) && ((const u8 *)file)[file->image - 1] == 0;
}

// What is put in

static void digits(char *text, u64 count, u64 value) {
  while (count-- > 0) text[count] = (char)('0' + value % 10), value /= 10;
}

// `2030-01-02T03:04:05.678Z`. Days to a date by the calendar that starts in March and has 400 years (proleptic Gregorian).
static void put_time(char text[24], struct timespec time) {
  u64 second = (u64)time.seconds % 86400, day = (u64)time.seconds / 86400 + 719468; // since 0000-03-01
  u64 era = day / 146097, rest = day % 146097;
  u64 year = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
  u64 day_of_year = rest - (365 * year + year / 4 - year / 100), month = (5 * day_of_year + 2) / 153;
  const char *form = "0000-00-00T00:00:00.000Z";
  for (int i = 0; i < 24; i++) text[i] = form[i];
  digits(text, 4, era * 400 + year + (month >= 10));
  digits(text + 5, 2, month < 10 ? month + 3 : month - 9);
  digits(text + 8, 2, day_of_year - (153 * month + 2) / 5 + 1);
  digits(text + 11, 2, second / 3600);
  digits(text + 14, 2, second / 60 % 60);
  digits(text + 17, 2, second % 60);
  digits(text + 20, 3, (u64)time.nanoseconds / 1000000);
}

// The number that a file starts with, as ten digits of a path: `//////1234`, since proc(5) has no name with leading zeros.
static int put_number(const struct file *file, char text[DIGITS]) {
  i64 number = 0, fd = file->number ? open_at(AT_FDCWD, (const char *)file + file->number, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0) : -1;
  i64 got = fd < 0 ? -1 : call(SYS_pread64, fd, &number, sizeof number, 0);
  if (fd >= 0) call(SYS_close, fd);
  if (got != sizeof number || number <= 0) return 0;
  for (int i = DIGITS - 1; i >= 0; i--, number /= 10) text[i] = number ? (char)('0' + number % 10) : '/';
  return number == 0;
}

// Puts in what differs from call to call: the parameters, a new id, the time; at last the number, whose file may be named by
// a parameter.
static int patch(struct file *file, const char *const given[PARAMETERS]) {
  const struct patch *patches = (const struct patch *)((const u8 *)file + file->patches);
  u8 random[6];
  char id[13] = {0}, time[25] = {0}, second[21] = {0}, number[DIGITS + 1] = {0};
  struct timespec now = {0, 0};
  if (call(SYS_getrandom, random, sizeof random, 0) != sizeof random || call(SYS_clock_gettime, CLOCK_REALTIME, &now) != 0) return 0;
  for (int i = 0; i < 12; i++) id[i] = hexadecimal(random[i / 2] >> (i % 2 ? 0 : 4));
  put_time(time, now);
  for (int i = 0; i < 19; i++) second[i] = time[i];
  second[19] = 'Z';
  const char *texts[PATCHES] = {0};
  for (int kind = 0; kind < PARAMETERS; kind++) texts[PATCH_GIVEN + kind] = given[kind];
  texts[PATCH_NEW_ID] = id, texts[PATCH_MILLISECONDS] = time, texts[PATCH_SECONDS] = second, texts[PATCH_NUMBER] = number;
  for (u32 i = 0; i < file->patch_count; i++) {
    u32 kind = patches[i].kind, at = patches[i].at, size = patches[i].size;
    if (kind >= PATCHES || !texts[kind]) return 0;
    if (at < file->invocation + file->invocation_size || at > file->size || size > file->size - at) return 0;
    if (kind == PATCH_NUMBER && !number[0] && !put_number(file, number)) return 0;
    u64 fill = length(texts[kind]);
    if (fill > size) return 0;
    for (u64 c = 0; c < size; c++) ((char *)file)[at + c] = c < fill ? texts[kind][c] : 0;
  }
  return 1;
}

// The program

// The image as a sealed file in memory (src/engine/image.ts); Linux 6.3 wants to be told that it will be executed.
static i64 make_image(const struct file *file) {
  i64 memory = call(SYS_memfd_create, "tinyrun", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (memory == -EINVAL) memory = call(SYS_memfd_create, "tinyrun", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memory < 0) return memory;
  if (call(SYS_write, memory, (const u8 *)file + file->image, file->image_size) == file->image_size &&
      call(SYS_fcntl, memory, F_ADD_SEALS, SEAL_ALL) == 0)
    return memory;
  call(SYS_close, memory);
  return -1;
}

// Nothing that the caller has open besides is handed on (src/runtime/run.ts).
static void execute(i64 memory) {
  static const char name[] = "tinyrun";
  const char *argv[] = {name, 0}, *env[] = {0};
  if (call(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) call(SYS_execveat, memory, "", argv, env, AT_EMPTY_PATH);
}

// Runs the program in a child, and ends as it does, unless it is a case for JavaScript. Were SIGCHLD ignored, the kernel
// would keep no exit code (wait(2)).
static void run_child(i64 memory) {
  u64 before[4] = {0}, usual[4] = {0}; // struct sigaction of the kernel
  if (call(SYS_rt_sigaction, SIGCHLD, usual, before, 8) != 0) return;
  i64 child = call(SYS_clone, SIGCHLD);
  if (child == 0) {
    call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); // who kills tinyrun kills its work
    execute(memory);
    call(SYS_exit_group, NOT_ME);
  }
  int status = 0;
  i64 ended = child;
  while (child > 0 && (ended = call(SYS_wait4, child, &status)) == -EINTR) {}
  if (child > 0 && ended == child && (status & 0x7f) == 0 && (status >> 8 & 0xff) != NOT_ME)
    call(SYS_exit_group, status >> 8 & 0xff);
  call(SYS_rt_sigaction, SIGCHLD, before, 0, 8);
}

static void become(const struct file *file) {
  i64 memory = make_image(file);
  if (memory < 0) return;
  if (file->flags & CHILD) run_child(memory);
  else execute(memory);
  call(SYS_close, memory);
}

static int is_private(const struct statx *seen, u16 type) {
  return seen->uid == 0 && (seen->mode & S_IFMT) == type && (seen->mode & 077) == 0;
}

// Looks for the program of this name, and becomes it. Symlinks are followed on the way to the state root only.
static void try_file(const char *root_path, const char *name, const void *invocation, u64 size, const char *const given[PARAMETERS]) {
  i64 root = open_at(AT_FDCWD, root_path, O_PATH | O_DIRECTORY, 0);
  if (root < 0) return;
  i64 directory = open_at(root, ".programs", O_PATH | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  struct statx seen;
  i64 fd = -1;
  if (directory >= 0 && look_at(directory, &seen) && is_private(&seen, S_IFDIR))
    fd = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (fd >= 0 && look_at(fd, &seen) && is_private(&seen, S_IFREG) && seen.size > sizeof(struct file) && seen.size < MOST) {
    i64 map = call(SYS_mmap, 0, seen.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (!is_error(map)) {
      struct file *file = (struct file *)map; // our own copy: what is put in stays here
      if (is_whole(file, seen.size) && file->invocation_size == size &&
          same_bytes((const u8 *)file + file->invocation, invocation, size) && patch(file, given) && all_hold(file))
        become(file);
      call(SYS_munmap, map, seen.size);
    }
  }
  if (fd >= 0) call(SYS_close, fd);
  if (directory >= 0) call(SYS_close, directory);
  call(SYS_close, root);
}

void launch(struct facts *facts, const char *const *argv, const char *const *env) {
  int has_place = 0, is_login_of_root = 0;
  for (; *env; env++) {
    // What engines hand on to a container by the environment, and a plan may depend on.
    if (after(*env, "NOTIFY_SOCKET=") || after(*env, "LISTEN_FDS=")) return;
    const char *place = after(*env, "XDG_RUNTIME_DIR=");
    if (place && *place) has_place = 1;
    if (same(*env, "USER=root")) is_login_of_root = 1;
  }
  struct command command;
  // A setuid executable is refused by JavaScript (src/cli/main.ts); old kernels allow an empty argv, behind which env stands.
  if (call(SYS_geteuid) != 0 || call(SYS_getuid) != 0 || !argv[0] || !read_command(argv, &command)) return;
  if (!command.root) {
    if (has_place && !is_login_of_root) return; // root of a user namespace, it may be: src/cli/global.ts looks
    command.root = "/run/tinyrun";
  }
  const char *given[PARAMETERS] = {0};
  if (same(command.verb, "run") || same(command.verb, "create") || same(command.verb, "exec")) {
    if (!read_invocation(facts, &command, argv)) return;
    for (int kind = 0; kind < PARAMETERS; kind++)
      if (facts->words[kind]) given[kind] = argv[facts->words[kind]];
    try_file(command.root, facts->name, facts->invocation, facts->invocation_size, given);
    return;
  }
  given[GIVEN_ID] = command.id;
  if (command.id && is_name(command.id) && append(command.name, ".", BUILD) && is_name(command.name))
    try_file(command.root, command.name, "", 0, given);
}
