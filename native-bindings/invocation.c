// The invocation: the command line, and all else that a plan depends on besides what is on disk. launch.c looks for a
// program of the same one. Words that differ from call to call (the id, files that an engine makes for one call) are its
// parameters: only their lengths count, and the program that is kept is given them.

#include "prelude.h"
#include "options.h"

// The command line

static int is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '.';
}

// Whether a text can be a part of a path that is one name, and is none that tinyrun hides there.
int is_name(const char *text) {
  if (!*text || *text == '.' || length(text) > LONGEST_ID) return 0;
  while (is_word(*text)) text++;
  return !*text;
}

// Whether a text is an absolute path that JavaScript would take as it stands, of characters that no message quotes.
static int is_plain_path(const char *text) {
  if (*text != '/' || length(text) > LONGEST_PATH) return 0;
  for (; *text; text++) {
    if (*text == '/' && !is_word(text[1])) return 0;
    if (text[0] == '/' && text[1] == '.') return 0;
    if (*text != '/' && !is_word(*text)) return 0;
  }
  return 1;
}

int append(char *name, const char *separator, const char *word) {
  u64 at = length(name);
  if (at + length(separator) + length(word) >= LONGEST_NAME) return 0;
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
int read_command(const char *const *argv, struct command *command) {
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
    if (!command->verb) command->verb = *word, command->verb_at = (u32)(word - argv);
    else if (!command->id && **word != '-') { command->id = *word; continue; }
    if (!append(command->name, command->name[0] ? "+" : "", *word)) command->name[0] = 0, command->id = "";
  }
  if (!command->verb || (command->root && command->root[0] != '/')) return 0;
  for (const char *c = command->root; c && *c; c++)
    if (c[0] == '.' && c[1] == '.') return 0; // behind a symlink, `..` is another place than JavaScript takes it for
  return 1;
}

// Parameters

enum { PR_CAPBSET_READ = 23, SIGNALS = 64, SIG_IGN = 1 };

// Whether a list of options, each ended by a NUL, has one of this name.
static int has(const char *list, const char *name, u64 size) {
  for (; *list; list += length(list) + 1)
    if (length(list) == size && same_bytes(list, name, size)) return 1;
  return 0;
}

// Which parameter is the value of the option; PARAMETERS: none.
static u32 parameter_of(const char *name, int is_exec) {
  if (same(name, "pid-file")) return PID_FILE;
  if (same(name, "console-socket")) return CONSOLE_SOCKET;
  if (same(name, "log")) return LOG_FILE;
  if (is_exec && (same(name, "process") || same(name, "p"))) return PROCESS_FILE;
  return PARAMETERS;
}

// Finds the parameters by the tables of src/cli/options.ts. The argument of `run` and `create` is an id for sure only with
// --bundle. Returns whether all was understood.
static int find_parameters(const char *const *argv, u32 verb_at, int is_exec, u32 words[PARAMETERS]) {
  const char *values = is_exec ? exec_values : run_values, *flags = is_exec ? exec_flags : run_flags;
  u32 argument = 0;
  int has_bundle = is_exec;
  for (u32 at = 1; argv[at]; at++) {
    const char *word = argv[at];
    if (at == verb_at) continue;
    if (same(word, "--") && argument) break;
    if (word[0] != '-' || !word[1]) {
      if (argument || at < verb_at) return 0;
      argument = at;
      if (is_exec) break; // what follows are the program's words
      continue;
    }
    const char *name = word + 1 + (word[1] == '-');
    u64 size = 0;
    while (name[size] && name[size] != '=') size++;
    int takes_value = has(values, name, size);
    if (!takes_value && !has(flags, name, size)) return 0;
    if (takes_value && ((size == 6 && same_bytes(name, "bundle", 6)) || (size == 1 && *name == 'b'))) has_bundle = 1;
    if (!takes_value || name[size] == '=') continue;
    if (!argv[++at] || argv[at][0] == '-') return 0;
    u32 parameter = parameter_of(name, is_exec);
    if (parameter < PARAMETERS) words[parameter] = is_plain_path(argv[at]) ? at : 0;
  }
  if (argument && has_bundle && is_name(argv[argument]) && argv[argument][0] != '-') words[GIVEN_ID] = argument;
  return 1;
}

// The invocation

static int add(struct facts *facts, const void *bytes, u64 size) {
  if (size > sizeof facts->invocation - facts->invocation_size) return 0;
  for (u64 i = 0; i < size; i++) facts->invocation[facts->invocation_size++] = ((const u8 *)bytes)[i];
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

// The words: a parameter as its kind and length (that of the process file, which is only read, does not count), any other
// as its text.
static int add_words(struct facts *facts, const char *const *argv) {
  int fits = 1;
  for (u32 at = 0; argv[at] && fits; at++) {
    u32 kind = 0;
    while (kind < PARAMETERS && (facts->words[kind] != at || at == 0)) kind++;
    if (kind == PARAMETERS) {
      fits = add(facts, "w", 1) && add(facts, argv[at], length(argv[at]) + 1);
    } else {
      u32 parameter[2] = {kind, kind == PROCESS_FILE ? 0 : (u32)length(argv[at])};
      fits = add(facts, "p", 1) && add(facts, parameter, sizeof parameter);
    }
  }
  return fits;
}

// All that a plan depends on besides what is on disk: src/plan/host.ts, and the command line.
static int describe(struct facts *facts, const char *const *argv) {
  static const char build[] = BUILD;
  char uts[6][65], path[1024];
  u64 masks[2];
  read_masks(masks);
  if (call(SYS_uname, uts) != 0) return 0;
  int fits = add(facts, build, sizeof build) && add(facts, uts[1], 2 * 65) && add(facts, masks, sizeof masks) &&
             add(facts, &facts->no_file_soft, 16);
  i64 size = call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, sizeof path - 1);
  if (size <= 0 || size == sizeof path - 1) return 0;
  path[size] = 0;
  fits = fits && add(facts, path, (u64)size + 1);
  size = call(SYS_getcwd, path, sizeof path);
  fits = fits && size > 0 && path[0] == '/' && add(facts, path, (u64)size);
  return fits && add_words(facts, argv);
}

// FNV-1a
static void mix(u64 *hash, const u8 *bytes, u64 size) {
  for (u64 i = 0; i < size; i++) *hash = (*hash ^ bytes[i]) * 0x100000001b3UL;
}

static int mix_file(u64 *hash, const char *path) {
  i64 pinned = open_at(AT_FDCWD, path, O_PATH, 0);
  if (pinned < 0) return 0;
  i64 fd = open_regular(pinned), got = -1;
  call(SYS_close, pinned);
  if (fd < 0) return 0;
  u8 chunk[PAGE];
  while ((got = call(SYS_read, fd, chunk, sizeof chunk)) > 0) mix(hash, chunk, (u64)got);
  call(SYS_close, fd);
  return got == 0;
}

// The config that the container of `exec` was made of, and the process file: there are many for each command line. That two
// invocations share a name does no harm: what stands in the file decides.
static int mix_exec(u64 *hash, const struct facts *facts, const char *root, const char *const *argv) {
  char path[LONGEST_PATH + LONGEST_ID + 16];
  const char *const parts[] = {root, "/", argv[facts->words[GIVEN_ID]], "/config.json"};
  u64 size = 0;
  if (length(root) > LONGEST_PATH) return 0;
  for (int part = 0; part < 4; part++)
    for (const char *c = parts[part]; *c; c++) path[size++] = *c;
  path[size] = 0;
  return mix_file(hash, path) && (!facts->words[PROCESS_FILE] || mix_file(hash, argv[facts->words[PROCESS_FILE]]));
}

int read_invocation(struct facts *facts, const struct command *command, const char *const *argv) {
  int is_exec = same(command->verb, "exec");
  facts->invocation_size = 0;
  if (!find_parameters(argv, command->verb_at, is_exec, facts->words))
    for (u32 kind = 0; kind < PARAMETERS; kind++) facts->words[kind] = 0; // all words count as they are
  u64 hash = 0xcbf29ce484222325UL;
  int good = (!is_exec || facts->words[GIVEN_ID]) && describe(facts, argv) &&
             (!is_exec || mix_exec(&hash, facts, command->root, argv));
  if (!good) facts->invocation_size = 0;
  mix(&hash, facts->invocation, facts->invocation_size);
  for (int i = 0; i < 16; i++) facts->name[i] = hexadecimal(hash >> (60 - 4 * i));
  return good;
}
