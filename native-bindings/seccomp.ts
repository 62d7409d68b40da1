// libseccomp through bun:ffi: rules -> the bytes of a filter. Loaded only where a profile must be compiled: the filters of
// earlier runs are kept (src/runtime/seccomp.ts).

import { dlopen, FFIType, type Pointer, ptr, toArrayBuffer } from 'bun:ffi';
import { TinyrunError } from '../src/errors.ts';
import { constants } from '../src/sys/constants.ts';
import { errnoName, errnoWords } from '../src/sys/errno.ts';
import { close, memfdCreate, rawSyscall, readInto } from './libc.ts';

/** A condition as struct scmp_arg_cmp has it. */
export interface ArgumentComparison {
  index: number;
  operator: number; // enum scmp_compare
  value: bigint;
  valueTwo: bigint;
}

const { ptr: POINTER, u32, i32 } = FFIType;
const symbolTable = {
  seccomp_version: { args: [], returns: POINTER },
  seccomp_api_get: { args: [], returns: u32 },
  seccomp_init: { args: [u32], returns: POINTER },
  seccomp_release: { args: [POINTER], returns: FFIType.void },
  seccomp_arch_add: { args: [POINTER, u32], returns: i32 },
  seccomp_attr_set: { args: [POINTER, u32, u32], returns: i32 },
  seccomp_syscall_resolve_name: { args: [POINTER], returns: i32 },
  seccomp_syscall_resolve_name_arch: { args: [u32, POINTER], returns: i32 },
  seccomp_rule_add_array: { args: [POINTER, u32, i32, u32, POINTER], returns: i32 },
  seccomp_export_bpf: { args: [POINTER, i32], returns: i32 },
} as const;

const LIBRARY = 'libseccomp.so.2';
const SCMP_FLTATR_CTL_OPTIMIZE = 8;
const COMPARISON = 24; // bytes of struct scmp_arg_cmp { u32 arg; u32 op; u64 datum_a, datum_b; }
const [EEXIST, EDOM, EINVAL] = [17, 33, 22];
const [SEEK_SET, SEEK_END] = [0, 2];
/** What a name is resolved to that no architecture has (__NR_SCMP_ERROR). */
const UNKNOWN = -1;

const utf8 = new TextEncoder();

function load() {
  try {
    return dlopen(LIBRARY, symbolTable).symbols;
  } catch (cause) {
    throw new TinyrunError('HOST', `compile the seccomp profile: ${LIBRARY} cannot be loaded`, {
      hint: 'install libseccomp 2.5 or newer (Debian: apt-get install libseccomp2), or remove /linux/seccomp',
      cause,
    });
  }
}

/** A filter that is being made. */
export class FilterBuilder {
  private readonly library = load();
  private readonly context: Pointer;
  private readonly name = new Uint8Array(256);

  /** @param defaultAction what calls without a rule get */
  constructor(defaultAction: number) {
    const context = this.library.seccomp_init(defaultAction) as Pointer | null;
    if (context === null)
      throw new TinyrunError(
        'HOST',
        `compile the seccomp profile: ${this.about()} does not take the default action 0x${defaultAction.toString(16)}`,
        { hint: 'the library or the kernel is older than this action' },
      );
    this.context = context;
  }

  /** The library's version and what it makes of the kernel, for messages. */
  about(): string {
    const at = this.library.seccomp_version();
    const version = at === null ? [] : new Uint32Array(toArrayBuffer(at as Pointer, 0, 12));
    return `libseccomp ${version.join('.')} (API level ${this.library.seccomp_api_get()})`;
  }

  /** Frees the library's memory; the filter is of no use then. */
  release(): void {
    this.library.seccomp_release(this.context);
  }

  /** Also filters this architecture; the host's own always is. */
  addArchitecture(name: string, token: number): void {
    const result = this.library.seccomp_arch_add(this.context, token);
    if (result === 0 || result === -EEXIST) return;
    const why =
      result === -EDOM
        ? 'its byte order is not that of this host'
        : result === -EINVAL
          ? `${this.about()} does not know it`
          : words(result);
    throw new TinyrunError('CONFIG', `/linux/seccomp/architectures: ${name}: ${why}`);
  }

  /** Sorts the filter as a tree by number: shorter ways, where there are many rules. */
  sortAsTree(): void {
    // Before 2.5 there is no such order: then the rules stand one behind the other, and mean the same.
    this.library.seccomp_attr_set(this.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }

  /** The number of a call on the host, or a negative one where only others have it; undefined: nobody does. */
  resolve(name: string): number | undefined {
    const number = this.library.seccomp_syscall_resolve_name(this.text(name));
    return number === UNKNOWN ? undefined : number;
  }

  /** The same of another architecture; negative where it lacks the call. */
  resolveFor(token: number, name: string): number {
    return this.library.seccomp_syscall_resolve_name_arch(token, this.text(name));
  }

  /** A NUL-terminated string, in memory that lives as long as this. What is too long for it names no call. */
  private text(name: string): Pointer {
    const { written } = utf8.encodeInto(name, this.name.subarray(0, -1));
    this.name[written] = 0;
    return ptr(this.name);
  }

  /** Adds a rule, for all architectures; returns what is wrong with it, or undefined. */
  addRule(action: number, number: number, comparisons: readonly ArgumentComparison[]): string | undefined {
    const bytes = new Uint8Array(COMPARISON * Math.max(comparisons.length, 1));
    const view = new DataView(bytes.buffer);
    comparisons.forEach(({ index, operator, value, valueTwo }, i) => {
      view.setUint32(COMPARISON * i, index, true);
      view.setUint32(COMPARISON * i + 4, operator, true);
      view.setBigUint64(COMPARISON * i + 8, value, true);
      view.setBigUint64(COMPARISON * i + 16, valueTwo, true);
    });
    const { length } = comparisons;
    const result = this.library.seccomp_rule_add_array(this.context, action, number, length, ptr(bytes));
    return result === 0 ? undefined : `${this.about()}: ${words(result)}`;
  }

  /** The finished filter: struct sock_filter, one behind the other. */
  export(): Uint8Array {
    const fd = memfdCreate('seccomp', constants['MFD_CLOEXEC']!);
    try {
      const result = fd < 0 ? fd : this.library.seccomp_export_bpf(this.context, fd);
      if (result < 0)
        throw new TinyrunError('HOST', `compile the seccomp profile: ${this.about()}: ${words(result)}`);
      const bytes = new Uint8Array(rawSyscall('lseek', fd, 0, SEEK_END));
      rawSyscall('lseek', fd, 0, SEEK_SET);
      readInto(fd, bytes);
      return bytes;
    } finally {
      if (fd >= 0) close(fd);
    }
  }
}

function words(result: number): string {
  const name = errnoName(-result);
  return `${name} ${errnoWords[name] ?? ''}`.trimEnd();
}
