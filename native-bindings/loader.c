// The way on to the JavaScript engine, which is a dynamic executable: maps the dynamic loader as the kernel would have
// done (elf(5), ld.so(8)). The header of PT_INTERP is blanked in the file, so that the kernel starts the prelude at once:
// to load some libraries takes ten times as long as all that the prelude does.

#include "prelude.h"

enum { ET_DYN = 3, PT_LOAD = 1, PT_INTERP = 3, AT_NULL = 0, AT_PAGESZ = 6, AT_BASE = 7, AT_ENTRY = 9, FAILURE = 125 };
enum { PF_X = 1, PF_W = 2, PF_R = 4, MOST_HEADERS = 32 };

struct segment { u32 type, flags; u64 offset, address, physical, file_size, size, align; };
struct elf {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, headers_at, sections_at;
  u32 flags;
  u16 size, header_size, header_count, rest[3];
};

// Nothing can go on without it. (The kernel kills such a process without a word.)
static _Noreturn void fail(void) {
  static const char words[] = "tinyrun: the dynamic loader cannot be loaded\n";
  call(SYS_write, 2, words, sizeof words - 1);
  for (;;) call(SYS_exit_group, FAILURE);
}

static u64 map(u64 address, u64 size, int protection, int flags, i64 fd, u64 offset) {
  i64 result = call(SYS_mmap, address, size, protection, MAP_PRIVATE | flags, fd, offset);
  if (is_error(result)) fail();
  return (u64)result;
}

static u64 round_down(u64 value, u64 page) { return value & -page; }
static u64 round_up(u64 value, u64 page) { return round_down(value + page - 1, page); }

// Of one segment: what the file has, zeroes up to the end of that page, and pages of zeroes behind it.
static void map_segment(const struct segment *s, u64 base, i64 fd, u64 page) {
  int protection = (s->flags & PF_R ? PROT_READ : 0) | (s->flags & PF_W ? PROT_WRITE : 0) | (s->flags & PF_X ? PROT_EXEC : 0);
  u64 start = round_down(base + s->address, page), end = base + s->address + s->file_size;
  map(start, end - start, protection, MAP_FIXED, fd, round_down(s->offset, page));
  if (s->size <= s->file_size) return;
  u64 zeroes = round_up(end, page), last = round_up(base + s->address + s->size, page);
  for (volatile u8 *byte = (u8 *)end; byte < (u8 *)zeroes; byte++) *byte = 0;
  if (last > zeroes) map(zeroes, last - zeroes, protection, MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

// The loader finds its own name by PT_INTERP (glibc asserts that).
static void restore_header(u64 page) {
  u64 start = round_down(INTERP_HEADER, page);
  if (call(SYS_mprotect, start, page, PROT_READ | PROT_WRITE) != 0) fail();
  ((struct segment *)INTERP_HEADER)->type = PT_INTERP;
  call(SYS_mprotect, start, page, PROT_READ);
}

u64 load_engine(u64 *auxv) {
  u64 page = PAGE;
  for (const u64 *entry = auxv; entry[0] != AT_NULL; entry += 2)
    if (entry[0] == AT_PAGESZ) page = entry[1];
  i64 fd = call(SYS_openat, AT_FDCWD, INTERP_PATH, O_RDONLY | O_CLOEXEC);
  struct elf elf;
  struct segment segments[MOST_HEADERS];
  if (fd < 0 || call(SYS_pread64, fd, &elf, sizeof elf, 0) != sizeof elf || elf.type != ET_DYN ||
      elf.header_size != sizeof *segments || elf.header_count > MOST_HEADERS)
    fail();
  u64 size = elf.header_count * sizeof *segments, top = 0;
  if (call(SYS_pread64, fd, segments, size, elf.headers_at) != (i64)size) fail();
  for (u32 i = 0; i < elf.header_count; i++)
    if (segments[i].type == PT_LOAD) top = round_up(segments[i].address + segments[i].size, page);
  u64 base = map(0, top, 0, MAP_ANONYMOUS, -1, 0);
  for (u32 i = 0; i < elf.header_count; i++)
    if (segments[i].type == PT_LOAD) map_segment(&segments[i], base, fd, page);
  call(SYS_close, fd);
  restore_header(page);
  for (; auxv[0] != AT_NULL; auxv += 2) {
    if (auxv[0] == AT_BASE) auxv[1] = base;
    if (auxv[0] == AT_ENTRY) auxv[1] = ENGINE_ENTRY;
  }
  return base + elf.entry;
}
