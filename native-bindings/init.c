// The interpreter: runs a program of system calls, op by op, and knows nothing of containers. The program (see
// src/program/layout.ts, from which program.h is generated) stands in two segments of the same executable: the
// read-only ops and their data, and the arena of buffers that system calls write to.
//
// Every index that comes out of the program is checked against its bound before it is used. There is no libc, no heap
// and no global variable; all words that are printed come from the program, this file only adds numbers.

#include "arch.h"
#include "program.h"

struct span { unsigned at, length; };
struct report { unsigned reg, json; struct span prefix, suffix; };
struct header {
  unsigned magic, version, op_count, ops_at, arena_size, register_count, errno_count, errnos_at, size;
  int trace_fd, step_fd;
  unsigned report_count;
  struct report reports[MAX_REPORTS];
};
struct rule { unsigned short number, target; };
struct op {
  unsigned char kind, to, nargs, nerrors;
  unsigned short number, arg_kinds;
  u64 args[MAX_ARGS];
  struct rule errors[MAX_ERRORS];
  unsigned short fail, exit;
  struct span text, json, trace;
  unsigned zero;
};
_Static_assert(sizeof(struct header) == HEADER_SIZE, "header as in layout.ts");
_Static_assert(sizeof(struct op) == OP_SIZE, "op as in layout.ts");

#define PROGRAM ((const struct header *)PROGRAM_ADDRESS)
#define BYTES ((const char *)PROGRAM_ADDRESS)
#define ARENA ((unsigned char *)ARENA_ADDRESS)

struct iovec { const void *base; u64 length; };
struct timespec { i64 seconds, nanoseconds; };

static i64 sys(u64 number, u64 a, u64 b, u64 c) {
  u64 args[MAX_ARGS] = {a, b, c, 0, 0, 0};
  return syscall6(number, args);
}

static _Noreturn void leave(i64 code) {
  for (;;) sys(SYS_exit_group, (u64)code, 0, 0);
}

// A program that breaks its own format is a bug of the planner, which checks it: stop before it does harm.
static void require(int holds) {
  if (!holds) leave(MALFORMED_EXIT);
}

// Writes a number as decimal so that it ends at `end`; returns where it starts.
static char *decimal(char *end, i64 value) {
  u64 rest = value < 0 ? -(u64)value : (u64)value;
  do *--end = (char)('0' + rest % 10); while ((rest /= 10) != 0);
  if (value < 0) *--end = '-';
  return end;
}

static struct iovec words(struct span span) {
  require(span.at <= PROGRAM->size && span.length <= PROGRAM->size - span.at);
  return (struct iovec){BYTES + span.at, span.length};
}

static struct iovec errno_words(i64 number) {
  if (number <= 0 || number >= (i64)PROGRAM->errno_count) return (struct iovec){"", 0};
  return words(((const struct span *)(BYTES + PROGRAM->errnos_at))[number]);
}

// One writev a line, so that lines of two processes never mix.
static void print(i64 fd, const struct iovec *parts, u64 count) {
  sys(SYS_writev, (u64)fd, (u64)parts, count);
}

// `PREFIX WORDS: ERRNO-WORDS SUFFIX`, to each place that wants to know; a `fail` op has no errno.
static void report(const struct op *op, const i64 *registers, i64 number) {
  for (unsigned i = 0; i < PROGRAM->report_count; i++) {
    const struct report *to = &PROGRAM->reports[i];
    if (registers[to->reg] < 0) continue;
    struct iovec parts[5] = {words(to->prefix), words(to->json ? op->json : op->text), {": ", number ? 2 : 0},
                             errno_words(number), words(to->suffix)};
    print(registers[to->reg], parts, 5);
  }
}

static i64 now(void) {
  struct timespec time = {0, 0};
  sys(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, (u64)&time, 0);
  return time.seconds * 1000000000 + time.nanoseconds;
}

// The one place that a trace comes from: `LINE = RESULT ERRNO-WORDS NANOSECONDS ns`.
static void trace(const struct op *op, i64 result, i64 nanoseconds) {
  char value[24], spent[24];
  char *v = decimal(value + 24, result), *s = decimal(spent + 24, nanoseconds);
  int failed = result < 0 && result > -4096 && op->kind == KIND_CALL;
  struct iovec parts[8] = {words(op->trace),
                           {" = ", 3},
                           {v, (u64)(value + 24 - v)},
                           {" ", 1},
                           failed ? errno_words(-result) : (struct iovec){"", 0},
                           {failed ? " " : "", failed ? 1 : 0},
                           {s, (u64)(spent + 24 - s)},
                           {" ns\n", 4}};
  print(PROGRAM->trace_fd, parts, 8);
}

static unsigned char *arena(u64 at, u64 size) {
  require(at <= PROGRAM->arena_size && size <= PROGRAM->arena_size - at);
  return ARENA + at;
}

static const char *data(u64 at) {
  require(at <= PROGRAM->size);
  return BYTES + at;
}

static i64 reg(const i64 *registers, u64 index) {
  require(index < PROGRAM->register_count);
  return registers[index];
}

static i64 call(const struct op *op, const i64 *registers) {
  u64 args[MAX_ARGS] = {0};
  for (unsigned i = 0; i < op->nargs; i++) {
    u64 value = op->args[i];
    switch (op->arg_kinds >> (2 * i) & 3) {
      case ARG_IMMEDIATE: args[i] = value; break;
      case ARG_REGISTER: args[i] = (u64)reg(registers, value); break;
      case ARG_ARENA: args[i] = (u64)arena(value, 0); break;
      case ARG_DATA: args[i] = (u64)data(value); break;
    }
  }
  return syscall6(op->number, args);
}

static int holds(u64 comparison, i64 a, i64 b) {
  switch (comparison) {
    case COMPARE_EQ: return a == b;
    case COMPARE_NE: return a != b;
    case COMPARE_LT: return a < b;
    case COMPARE_GE: return a >= b;
    case COMPARE_AND: return (a & b) != 0;
  }
  leave(MALFORMED_EXIT);
}

static i64 format(const struct op *op, i64 value) {
  char digits[24];
  char *start = decimal(digits + 24, value);
  u64 length = (u64)(digits + 24 - start), width = op->args[2], pad = width > length ? width - length : 0;
  unsigned char *to = arena(op->args[1], pad + length);
  require(width == 0 || length <= width);
  for (u64 i = 0; i < pad; i++) to[i] = (unsigned char)op->args[3];
  for (u64 i = 0; i < length; i++) to[pad + i] = (unsigned char)start[i];
  return (i64)(pad + length);
}

static i64 store(const struct op *op, i64 value) {
  require(op->args[2] <= 8);
  unsigned char *to = arena(op->args[1], op->args[2]);
  for (u64 i = 0; i < op->args[2]; i++) to[i] = (unsigned char)(value >> (8 * i));
  return value;
}

static i64 load(const struct op *op) {
  require(op->args[2] <= 8);
  const unsigned char *from = arena(op->args[1], op->args[2]);
  u64 value = 0;
  for (u64 i = 0; i < op->args[2]; i++) value |= (u64)from[i] << (8 * i);
  return (i64)value;
}

// wait4(2): the low seven bits are the signal that ended it; a shell adds 128.
static i64 exit_code(i64 status) {
  i64 signal = status & 0x7f;
  return signal ? 128 + signal : status >> 8 & 0xff;
}

// The result of one op; `next` is changed where the op goes elsewhere.
static i64 perform(const struct op *op, const i64 *registers, u64 *next) {
  switch (op->kind) {
    case KIND_CALL: return call(op, registers);
    case KIND_JUMP: *next = op->args[0]; return 0;
    case KIND_BRANCH: {
      i64 value = reg(registers, op->args[0]);
      if (holds(op->args[1], value, (i64)op->args[2])) *next = op->args[3];
      return value;
    }
    case KIND_SET: return (i64)op->args[0];
    case KIND_FORMAT: return format(op, reg(registers, op->args[0]));
    case KIND_STORE: return store(op, reg(registers, op->args[0]));
    case KIND_LOAD: return load(op);
    case KIND_EXITCODE: return exit_code(reg(registers, op->args[0]));
    case KIND_FAIL: return 0;
  }
  leave(MALFORMED_EXIT);
}

// Decides where a failed call goes: the target of the first rule that names its errno, or NO_TARGET.
static unsigned rule_for(const struct op *op, i64 number) {
  for (unsigned i = 0; i < op->nerrors; i++)
    if (op->errors[i].number == number || op->errors[i].number == ANY_ERRNO) return op->errors[i].target;
  return NO_TARGET;
}

static void check_header(void) {
  const struct header *h = PROGRAM;
  require(h->magic == MAGIC && h->version == VERSION && h->op_count <= MAX_OPS && h->report_count <= MAX_REPORTS);
  require(h->register_count > STDERR_INDEX && h->register_count <= MAX_REGISTERS);
  require(h->ops_at <= h->size && (u64)h->op_count * OP_SIZE <= h->size - h->ops_at);
  require(h->errnos_at <= h->size && (u64)h->errno_count * sizeof(struct span) <= h->size - h->errnos_at);
  for (unsigned i = 0; i < h->report_count; i++) require(h->reports[i].reg < h->register_count);
}

_Noreturn void interpret(void) {
  const struct header *h = PROGRAM;
  check_header();
  i64 registers[MAX_REGISTERS];
  for (unsigned i = 0; i < MAX_REGISTERS; i++) registers[i] = -1;
  registers[EXIT_INDEX] = 0;
  registers[STDERR_INDEX] = 2;

  const struct op *ops = (const struct op *)(BYTES + h->ops_at);
  for (u64 at = 0;;) {
    require(at < h->op_count);
    const struct op *op = &ops[at];
    require(op->nargs <= MAX_ARGS && op->nerrors <= MAX_ERRORS);
    char go;
    if (h->step_fd >= 0) sys(SYS_read, (u64)h->step_fd, (u64)&go, 1);
    i64 started = h->trace_fd >= 0 ? now() : 0;
    if (h->trace_fd >= 0 && op->arg_kinds & NO_RETURN) trace(op, 0, 0);

    u64 next = at + 1;
    i64 result = perform(op, registers, &next);
    if (h->trace_fd >= 0) trace(op, result, now() - started);

    int failed = op->kind == KIND_FAIL;
    if (op->kind == KIND_CALL && result < 0 && result > -4096) {
      unsigned target = rule_for(op, -result);
      if (target == NO_TARGET) failed = 1;
      else next = target;
    }
    if (failed) {
      report(op, registers, op->kind == KIND_FAIL ? 0 : -result);
      registers[EXIT_INDEX] = op->exit;
      if (op->fail == NO_TARGET) leave(op->exit);
      next = op->fail;
    } else if (op->to != NO_REGISTER) {
      require(op->to < h->register_count);
      registers[op->to] = result;
    }
    at = next;
  }
}
