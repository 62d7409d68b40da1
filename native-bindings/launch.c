// Programs without JavaScript: where a linked program is kept on disk that fits the command line, this process becomes it
// at once. Two kinds, below the state root:
//
//   .programs/NAME        programs of earlier `run`s (src/runtime/program-cache.ts). NAME is a hash of the invocation:
//                         this build, its place, the host, limits and signals of the caller, directory, command line.
//   .programs/VERB.BUILD  programs of this build for `tinyrun [--root R] [--log F] VERB ID`, whatever the id
//                         (src/runtime/verb-cache.ts). Other words are a part of the name: `kill ID 9` looks for
//                         `kill+9.BUILD`. They run in a child: one that ends with NOT_ME leaves it to JavaScript.
//
// A file is used only if it belongs to root, in a directory that is root's alone; if the invocation that stands in it
// is this one, to the byte (a verb has none); and if its checks hold, which look again at what the
// planner saw on disk. Whatever is not understood, or is not as it should be, is left to JavaScript, without a word.
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
};
struct check { u32 want, root, path, data, size; }; // root, path: NUL-terminated texts; root 0: none
struct patch { u32 kind, at; };                     // at: in the image
#define FILE_MAGIC 0x3148434e55414c54UL             // "TLAUNCH1"
enum { CHILD = 1 };                                 // it runs in a child, which may end with NOT_ME
enum { WANT_MISSING, WANT_PLAIN, WANT_DIRECTORY, WANT_OTHER, WANT_CONTENTS };
enum { PATCH_NEW_ID, PATCH_MILLISECONDS, PATCH_GIVEN_ID };
enum { NOT_ME = 75, NAME = 160, ID = 255, MOST = 1 << 26 };

enum { RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 0x10 };
enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_EXEC = 0x10, F_SETFD = 2, F_ADD_SEALS = 1033, SEAL_ALL = 0xf };
enum { CLOSE_RANGE_CLOEXEC = 4, PR_CAPBSET_READ = 23, PR_SET_PDEATHSIG = 1, SIGNALS = 64, SIG_IGN = 1, STATX_BASIC_STATS = 0x7ff };
enum { S_IFMT = 0170000, S_IFDIR = 0040000, S_IFREG = 0100000 };

struct statx {
  u32 mask, block_size;
  u64 attributes;
  u32 links, uid, gid;
  u16 mode, spare;
  u64 inode, size, rest[26];
};
_Static_assert(sizeof(struct statx) == 256, "as in <linux/stat.h>");

static i64 open_at(i64 directory, const char *path, u64 flags, u64 resolve) {
  u64 how[3] = {flags | O_CLOEXEC, 0, resolve};
  return call(SYS_openat2, directory, path, how, sizeof how);
}

static int look_at(i64 fd, struct statx *seen) {
  return call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, seen) == 0;
}

// The command line

struct command {
  const char *root, *verb, *id;
  char name[NAME]; // of the program: the verb and all words behind it but the id and global options
};

static int is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '.';
}

static int append(char *name, const char *separator, const char *word) {
  u64 at = length(name);
  if (at + length(separator) + length(word) >= NAME) return 0;
  while (*separator) name[at++] = *separator++;
  for (; *word; word++) name[at++] = *word;
  name[at] = 0;
  return 1;
}

// The value of `--NAME VALUE` or `--NAME=VALUE`, one dash or two; moves on to VALUE. 0: it is another option.
static const char *option(const char *const **argv, const char *name) {
  const char *word = **argv + ((**argv)[1] == '-' ? 2 : 1), *rest = after(word, name);
  if (!rest || (*rest && *rest != '=')) return 0;
  if (*rest) return rest + 1;
  if (!(*argv)[1] || (*argv)[1][0] == '-') return 0;
  return *++*argv;
}

// Reads the options of every command where they stand; what else starts with a dash in front of the verb is not known.
static int read_command(const char *const *argv, struct command *command) {
  *command = (struct command){0};
  for (const char *const *word = argv + 1; *word && !same(*word, "--"); word++) {
    const char *value;
    if (**word == '-') {
      if ((value = option(&word, "root"))) { command->root = value; continue; }
      if (option(&word, "log") || option(&word, "log-format")) continue; // only JavaScript has something to say
      if (option(&word, "data-root") || option(&word, "cgroup-manager") || option(&word, "rootless")) continue;
      if (same(*word, "--systemd-cgroup") || same(*word, "-systemd-cgroup")) continue;
      if (!command->verb) return 0;
    }
    if (!command->verb) command->verb = *word;
    else if (!command->id && **word != '-') { command->id = *word; continue; }
    if (!append(command->name, command->name[0] ? "+" : "", *word)) command->name[0] = 0, command->id = "";
  }
  if (!command->verb || (command->root && command->root[0] != '/')) return 0;
  for (const char *c = command->root; c && *c; c++)
    if (c[0] == '.' && c[1] == '.') return 0; // behind a symlink, `..` is another place than JavaScript takes it for
  return 1;
}

// Whether a text can be a part of a path that is one name, and is none that tinyrun hides there.
static int is_name(const char *text) {
  if (!*text || *text == '.' || length(text) > 255) return 0;
  while (is_word(*text)) text++;
  return !*text;
}

// The invocation

static int add(struct page *page, const void *bytes, u64 size) {
  if (size > sizeof page->invocation - page->invocation_size) return 0;
  for (u64 i = 0; i < size; i++) page->invocation[page->invocation_size++] = ((const u8 *)bytes)[i];
  return 1;
}

// What the caller ignores, and which capabilities can be granted at all: as masks, like in /proc/self/status.
static void read_masks(u64 masks[2]) {
  masks[0] = masks[1] = 0;
  for (u64 number = 1; number <= SIGNALS; number++) {
    u64 action[4] = {0};
    if (call(SYS_rt_sigaction, number, 0, action, 8) == 0 && action[0] == SIG_IGN) masks[0] |= 1UL << (number - 1);
  }
  for (u64 number = 0; number < 64; number++) {
    i64 has = call(SYS_prctl, PR_CAPBSET_READ, number);
    if (has < 0) break;
    masks[1] |= (u64)has << number;
  }
}

// All that a plan depends on besides what is on disk: src/plan/host.ts, and the command line.
static int describe(struct page *page, const char *const *argv) {
  static const char build[] = BUILD;
  char uts[6][65], path[1024];
  u64 masks[2];
  read_masks(masks);
  if (call(SYS_uname, uts) != 0) return 0;
  int fits = add(page, build, sizeof build) && add(page, uts[1], 2 * 65) && add(page, masks, sizeof masks) &&
             add(page, &page->no_file_soft, 16);
  i64 size = call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, sizeof path - 1);
  if (size <= 0 || size == sizeof path - 1) return 0;
  path[size] = 0;
  fits = fits && add(page, path, (u64)size + 1);
  size = call(SYS_getcwd, path, sizeof path);
  fits = fits && size > 0 && path[0] == '/' && add(page, path, (u64)size);
  for (; *argv; argv++) fits = fits && add(page, *argv, length(*argv) + 1);
  return fits;
}

static char hexadecimal(u64 digit) { return "0123456789abcdef"[digit & 15]; }

// FNV-1a. That two invocations share a name does no harm: what stands in the file decides.
static void name_invocation(struct page *page) {
  u64 hash = 0xcbf29ce484222325UL;
  for (u64 i = 0; i < page->invocation_size; i++) hash = (hash ^ page->invocation[i]) * 0x100000001b3UL;
  for (int i = 0; i < 16; i++) page->name[i] = hexadecimal(hash >> (60 - 4 * i));
}

// The file

static int is_text(const struct file *file, u32 at) { return at >= sizeof *file && at < file->image; }

// Opens a file of a root that may be hostile, if it is a regular one: to open a device is enough to set it going.
static i64 open_regular(i64 pinned) {
  char path[] = "/proc/self/fd/0000000000", *end = path + sizeof path - 1, *at = end - 10, *digit = end;
  struct statx seen;
  if (!look_at(pinned, &seen) || (seen.mode & S_IFMT) != S_IFREG) return -EINVAL;
  u64 number = (u64)pinned;
  do *--digit = (char)('0' + number % 10); while ((number /= 10) != 0);
  while (digit < end) *at++ = *digit++; // no leading zero: proc(5) has no such name
  *at = 0;
  return open_at(AT_FDCWD, path, O_RDONLY, 0);
}

static int holds(const struct file *file, const struct check *check, i64 directory) {
  const char *bytes = (const char *)file;
  u64 resolve = check->root ? RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS : 0;
  if (check->root && (check->want == WANT_MISSING || check->want == WANT_PLAIN)) resolve |= RESOLVE_NO_SYMLINKS;
  int reads = check->want == WANT_CONTENTS && !check->root;
  i64 fd = open_at(directory, bytes + check->path, reads ? O_RDONLY | O_NONBLOCK : O_PATH, resolve);
  if (fd >= 0 && check->want == WANT_CONTENTS && check->root) {
    i64 pinned = fd;
    fd = open_regular(pinned);
    call(SYS_close, pinned);
  }
  if (fd < 0) return check->want == WANT_MISSING && fd == -ENOENT;
  int good = check->want == WANT_PLAIN;
  if (check->want == WANT_DIRECTORY || check->want == WANT_OTHER) {
    struct statx seen;
    good = look_at(fd, &seen) && ((seen.mode & S_IFMT) == S_IFDIR) == (check->want == WANT_DIRECTORY);
  } else if (check->want == WANT_CONTENTS) {
    u8 chunk[PAGE];
    u64 done = 0;
    i64 got;
    while ((got = call(SYS_read, fd, chunk, sizeof chunk)) > 0 && (u64)got <= check->size - done &&
           same_bytes(chunk, bytes + check->data + done, (u64)got))
      done += (u64)got;
    good = got == 0 && done == check->size;
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

// Whether the file is whole: every place in it is inside, and a text that starts before the image ends before it.
static int is_whole(const struct file *file, u64 size) {
  return file->magic == FILE_MAGIC && file->size == size && file->image > sizeof *file && file->image <= size &&
         file->image_size == size - file->image && is_table(file, file->invocation, file->invocation_size, 1) &&
         file->checks % 4 == 0 && is_table(file, file->checks, file->check_count, sizeof(struct check)) &&
         file->patches % 4 == 0 &&
         is_table(file, file->patches, file->patch_count, sizeof(struct patch)) && ((const u8 *)file)[file->image - 1] == 0;
}

// The program

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

// Puts in what differs from run to run: an id, new or given, and the time. A given one has its place, of ID bytes, filled with NULs.
static int patch(const struct file *file, const char *given, i64 memory) {
  const struct patch *patches = (const struct patch *)((const u8 *)file + file->patches);
  u8 random[6];
  char id[12], time[24], whole[ID] = {0};
  struct timespec now = {0, 0};
  if (call(SYS_getrandom, random, sizeof random, 0) != sizeof random || call(SYS_clock_gettime, CLOCK_REALTIME, &now) != 0) return 0;
  for (int i = 0; i < 12; i++) id[i] = hexadecimal(random[i / 2] >> (i % 2 ? 0 : 4));
  put_time(time, now);
  for (u64 i = 0; given && i < sizeof whole && given[i]; i++) whole[i] = given[i];
  const struct { const char *text; u64 size; } values[] = {{id, sizeof id}, {time, sizeof time}, {whole, sizeof whole}};
  for (u32 i = 0; i < file->patch_count; i++) {
    if (patches[i].kind > PATCH_GIVEN_ID) return 0;
    const char *text = values[patches[i].kind].text;
    u64 size = values[patches[i].kind].size;
    if (patches[i].at > file->image_size || size > file->image_size - patches[i].at) return 0;
    if (call(SYS_pwrite64, memory, text, size, patches[i].at) != (i64)size) return 0;
  }
  return 1;
}

// The image as a sealed file in memory (src/engine/image.ts); Linux 6.3 wants to be told that it will be executed.
static i64 make_image(const struct file *file, const char *id) {
  i64 memory = call(SYS_memfd_create, "tinyrun", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (memory == -EINVAL) memory = call(SYS_memfd_create, "tinyrun", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memory < 0) return memory;
  if (call(SYS_write, memory, (const u8 *)file + file->image, file->image_size) == file->image_size && patch(file, id, memory) &&
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

static void become(const struct file *file, const char *id) {
  i64 memory = make_image(file, id);
  if (memory < 0) return;
  if (file->flags & CHILD) run_child(memory);
  else execute(memory);
  call(SYS_close, memory);
}

static int is_private(const struct statx *seen, u16 type) {
  return seen->uid == 0 && (seen->mode & S_IFMT) == type && (seen->mode & 077) == 0;
}

// Looks for the program of this name, and becomes it. Symlinks are followed on the way to the state root only.
static void try_file(const struct command *command, const char *name, const void *invocation, u64 size) {
  i64 root = open_at(AT_FDCWD, command->root, O_PATH | O_DIRECTORY, 0);
  if (root < 0) return;
  i64 directory = open_at(root, ".programs", O_PATH | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  struct statx seen;
  i64 fd = -1;
  if (directory >= 0 && look_at(directory, &seen) && is_private(&seen, S_IFDIR))
    fd = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (fd >= 0 && look_at(fd, &seen) && is_private(&seen, S_IFREG) && seen.size > sizeof(struct file) && seen.size < MOST) {
    i64 map = call(SYS_mmap, 0, seen.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (!is_error(map)) {
      const struct file *file = (const struct file *)map;
      if (is_whole(file, seen.size) && file->invocation_size == size &&
          same_bytes((const u8 *)file + file->invocation, invocation, size) && all_hold(file))
        become(file, command->id);
      call(SYS_munmap, map, seen.size);
    }
  }
  if (fd >= 0) call(SYS_close, fd);
  if (directory >= 0) call(SYS_close, directory);
  call(SYS_close, root);
}

void launch(struct page *page, const char *const *argv, const char *const *env) {
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
  if (same(command.verb, "run")) {
    page->invocation_size = 0;
    if (describe(page, argv)) name_invocation(page);
    else page->invocation_size = 0;
    if (page->invocation_size > 0) try_file(&command, page->name, page->invocation, page->invocation_size);
    return;
  }
  if (command.id && is_name(command.id) && append(command.name, ".", BUILD) && is_name(command.name))
    try_file(&command, command.name, "", 0);
}
