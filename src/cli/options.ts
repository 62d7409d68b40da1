// The command line as one table: every command with its options, once. fast.ts parses by it, yargs.ts makes help,
// completion and error messages of it. Names and meanings are runc's where runc has the command, Docker's for volumes
// and networks. Plain object literals: nothing is computed when this is loaded.

/** What an option is, and what its value may be. */
export interface OptionSpec {
  /** `flag` has no value (but `--rm=false` is understood), `number` is a decimal number from 0. */
  type: 'flag' | 'text' | 'number';
  /** One letter. */
  alias?: string;
  /** May be given several times; its value is a list. Of others, the last one counts. */
  repeat?: true;
  choices?: readonly string[];
  description: string;
  /** Shown in help; what applies it is where the option is read. */
  default?: string;
  /** Not in help and completion. */
  hidden?: true;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

export interface CommandSpec {
  /** What stands behind the command's name, for help. */
  usage: string;
  description: string;
  /** Least and most number of arguments. */
  args: readonly [number, number];
  /** Takes words behind `--`. */
  rest?: true;
  /** All behind the first argument are the program's words, whatever they look like. */
  words?: true;
  /** So it is if the argument is an image (cold.ts); otherwise options may stand behind it, too. */
  imageWords?: true;
  options: OptionTable;
  hidden?: true;
}

/** Options of every command; they may also stand before it. */
export const globalOptions: OptionTable = {
  root: { type: 'text', description: 'state root: one directory a container', default: '/run/tinyrun' },
  'data-root': { type: 'text', description: 'what survives a reboot', default: '/var/lib/tinyrun' },
  log: { type: 'text', description: 'append messages to this file, too' },
  'log-format': {
    type: 'text',
    choices: ['text', 'json'],
    description: 'form of the messages in the log file',
    default: 'text',
  },
  debug: { type: 'flag', description: 'say more, with stack traces of errors' },
  'systemd-cgroup': { type: 'flag', description: 'the same as --cgroup-manager systemd' },
  'cgroup-manager': {
    type: 'text',
    choices: ['cgroupfs', 'systemd', 'disabled'],
    description: 'who makes cgroups; with disabled the container stays in the own one',
    default: 'cgroupfs',
  },
  rootless: {
    type: 'text',
    choices: ['auto', 'true', 'false'],
    description: 'containers for users who are not root, if their config has a user namespace',
    default: 'auto',
  },
  criu: { type: 'text', description: 'no effect: criu is looked for along PATH', hidden: true },
  'log-level': { type: 'text', description: 'no effect: see --debug', hidden: true },
};

/** Who executes a program, and who looks on. */
const engineOptions: OptionTable = {
  engine: {
    type: 'text',
    choices: ['native', 'ffi'],
    description: 'who executes the program',
    default: 'native',
  },
  trace: { type: 'text', description: 'show each op with its result in this file or fd' },
  'step-fd': { type: 'number', description: 'read a byte from this fd before each op', hidden: true },
};

/** Of `run` and `create`. */
const createOptions: OptionTable = {
  bundle: { type: 'text', alias: 'b', description: 'bundle directory; the argument is the id then' },
  config: { type: 'text', alias: 'f', description: "another file than the bundle's config.json" },
  overlay: { type: 'flag', description: 'write to a layer of the container, not to the rootfs' },
  volume: { type: 'text', alias: 'v', repeat: true, description: '[SOURCE:]DESTINATION[:OPTION,...]' },
  mount: {
    type: 'text',
    repeat: true,
    description: 'type=bind|volume|tmpfs|image,source=...,destination=...,...',
  },
  tmpfs: { type: 'text', repeat: true, description: 'DESTINATION[:OPTION,...]' },
  hostname: { type: 'text', description: 'hostname in place of the one in config.json' },
  'add-host': { type: 'text', repeat: true, description: 'NAME:ADDRESS, a line of /etc/hosts' },
  dns: { type: 'text', repeat: true, description: 'address of a name server' },
  'dns-search': { type: 'text', repeat: true, description: 'domain to look names up in' },
  'no-pivot': { type: 'flag', description: 'chroot instead of pivot_root, for a rootfs on a ramdisk' },
  'no-new-keyring': { type: 'flag', description: "keep the caller's session keyring" },
  'preserve-fds': { type: 'number', description: 'pass on that many fds from 3 on', default: '0' },
  'pid-file': { type: 'text', description: 'write the pid of the container process to this file' },
  'console-socket': { type: 'text', description: 'send the terminal to this socket, when detached' },
  'pidfd-socket': { type: 'text', description: 'send a pidfd of the container process to this socket' },
  'no-subreaper': { type: 'flag', description: 'no effect: no subreaper is used', hidden: true },
  ...engineOptions,
};

const runOptions: OptionTable = {
  ...createOptions,
  name: {
    type: 'text',
    description: 'name of the container; of a bundle: its id, and it is kept until it is deleted',
  },
  rm: { type: 'flag', description: 'delete the container when it ends, even with --name' },
  keep: { type: 'flag', description: 'keep the ended container until it is deleted' },
  detach: { type: 'flag', alias: 'd', description: 'do not wait for its end; it is kept until deleted' },
};

/** Of `checkpoint` and `restore`. */
const criuOptions: OptionTable = {
  'image-path': { type: 'text', description: 'directory of the images', default: './checkpoint' },
  'work-path': { type: 'text', description: "directory of criu's log; default: that of the images" },
  'tcp-established': { type: 'flag', description: 'with established TCP connections' },
  'ext-unix-sk': { type: 'flag', description: 'with unix sockets to others outside' },
  'shell-job': { type: 'flag', description: 'with a session that began outside' },
  'file-locks': { type: 'flag', description: 'with file locks' },
  'manage-cgroups-mode': {
    type: 'text',
    choices: ['soft', 'full', 'strict', 'ignore'],
    description: 'what of cgroups is saved and made again',
    default: 'soft',
  },
  'empty-ns': {
    type: 'text',
    choices: ['network'],
    description: 'a namespace whose contents are not saved, or not made',
  },
  'auto-dedup': { type: 'flag', description: 'free pages of older images that are of no use any more' },
  'lazy-pages': { type: 'flag', description: 'move memory on demand, by userfaultfd' },
  trace: engineOptions['trace']!,
};

const updateOptions: OptionTable = {
  resources: {
    type: 'text',
    alias: 'r',
    description: 'read linux.resources from this file, or - for stdin; no other option counts then',
  },
  'blkio-weight': { type: 'text', description: 'weight of its I/O, 10 to 1000' },
  'cpu-period': { type: 'text', description: 'microseconds that the quota is for' },
  'cpu-quota': { type: 'text', description: 'microseconds of CPU time in each period' },
  'cpu-burst': { type: 'text', description: 'microseconds that may be saved up from earlier periods' },
  'cpu-share': { type: 'text', description: 'weight of its CPU time, 2 to 262144' },
  'cpu-rt-period': { type: 'text', description: 'microseconds that the realtime runtime is for' },
  'cpu-rt-runtime': { type: 'text', description: 'microseconds of realtime scheduling in each period' },
  'cpu-idle': { type: 'text', description: '1: it runs when nobody else wants to' },
  'cpuset-cpus': { type: 'text', description: 'CPUs that it may use: 0-3,7' },
  'cpuset-mems': { type: 'text', description: 'memory nodes that it may use' },
  'kernel-memory': { type: 'text', description: 'no effect: the kernel has no such limit any more' },
  'kernel-memory-tcp': { type: 'text', description: 'no effect, as in runc' },
  memory: { type: 'text', description: 'bytes, or 50M; -1 is no limit' },
  'memory-reservation': { type: 'text', description: 'soft limit' },
  'memory-swap': { type: 'text', description: 'memory and swap together; -1 is no limit' },
  'pids-limit': { type: 'text', description: 'processes and threads; -1 is no limit' },
  'l3-cache-schema': { type: 'text', description: 'refused: tinyrun keeps no resctrl group' },
  'mem-bw-schema': { type: 'text', description: 'refused: tinyrun keeps no resctrl group' },
};

const runUsage = 'IMAGE [COMMAND] [ARGS...] | BUNDLE [-- ARGS...] | [--bundle BUNDLE] ID';

export type CommandTable = Readonly<Record<string, CommandSpec>>;

/** The commands that engines call, and their kin: what the fast path knows without loading more (cold.ts). */
export const commands: CommandTable = {
  run: {
    usage: runUsage,
    description: 'create a container of an image or a bundle, run it and wait for its end',
    args: [1, 1],
    rest: true,
    imageWords: true,
    options: runOptions,
  },
  create: {
    usage: 'IMAGE [COMMAND] [ARGS...] | [--bundle BUNDLE] ID',
    description: 'create a container, whose program waits for start',
    args: [1, 1],
    imageWords: true,
    options: createOptions,
  },
  start: { usage: 'ID', description: 'run the program of a created container', args: [1, 1], options: {} },
  kill: {
    usage: 'ID [SIGNAL]',
    description: 'send a signal to the container process (default: SIGTERM)',
    args: [1, 2],
    options: {
      all: { type: 'flag', alias: 'a', description: 'to all processes of the container' },
      regex: { type: 'flag', alias: 'r', description: 'ID is a regular expression: to all that match' },
    },
  },
  exec: {
    usage: 'ID COMMAND [ARGS...] | --process FILE ID',
    description: 'start one more process in a container',
    args: [1, 1],
    words: true,
    options: {
      tty: { type: 'flag', alias: 't', description: 'give it a terminal' },
      detach: { type: 'flag', alias: 'd', description: 'do not wait for its end' },
      process: { type: 'text', alias: 'p', description: 'file with its process object, as in config.json' },
      env: { type: 'text', alias: 'e', repeat: true, description: 'NAME=VALUE' },
      user: { type: 'text', alias: 'u', description: 'UID[:GID]' },
      'additional-gids': { type: 'text', alias: 'g', repeat: true, description: 'one more group' },
      cwd: { type: 'text', description: 'working directory in the container' },
      cap: { type: 'text', alias: 'c', repeat: true, description: 'one more capability' },
      'no-new-privs': { type: 'flag', description: 'no execve gains rights' },
      apparmor: { type: 'text', description: 'AppArmor profile' },
      'process-label': { type: 'text', description: 'SELinux label' },
      cgroup: {
        type: 'text',
        repeat: true,
        description: "[CONTROLLER[,...]:]PATH, an existing cgroup below the container's",
      },
      'ignore-paused': { type: 'flag', description: 'also in a paused container' },
      'preserve-fds': { type: 'number', description: 'pass on that many fds from 3 on', default: '0' },
      'pid-file': { type: 'text', description: 'write the pid of the process to this file' },
      'console-socket': { type: 'text', description: 'send the terminal to this socket, when detached' },
      'pidfd-socket': { type: 'text', description: 'send a pidfd of the process to this socket' },
      ...engineOptions,
    },
  },
  spec: {
    usage: '',
    description: 'write a config.json to start from',
    args: [0, 0],
    options: {
      bundle: { type: 'text', alias: 'b', description: 'directory to write it to', default: '.' },
      file: { type: 'text', alias: 'f', description: 'another file, in place of config.json in the bundle' },
      rootless: { type: 'flag', description: 'for the user who calls, without root' },
    },
  },
  list: {
    usage: '',
    description: 'list the containers of the state root',
    args: [0, 0],
    options: {
      format: {
        type: 'text',
        alias: 'f',
        choices: ['table', 'json'],
        description: 'form of the list',
        default: 'table',
      },
      quiet: { type: 'flag', alias: 'q', description: 'ids only' },
    },
  },
  state: { usage: 'ID', description: "print a container's state", args: [1, 1], options: {} },
  delete: {
    usage: 'ID',
    description: 'delete a stopped container',
    args: [1, 1],
    options: {
      force: { type: 'flag', alias: 'f', description: 'kill it if it runs; no error if there is none' },
      regex: { type: 'flag', alias: 'r', description: 'ID is a regular expression: all that match' },
    },
  },
  pause: {
    usage: 'ID',
    description: 'stop all processes of a container where they are',
    args: [1, 1],
    options: {},
  },
  resume: { usage: 'ID', description: 'let a paused container go on', args: [1, 1], options: {} },
  ps: {
    usage: 'ID [PS-OPTIONS...]',
    description: "show a container's processes, by the host's ps(1); without ID, as `container ls`",
    args: [1, 1],
    words: true,
    options: {
      format: {
        type: 'text',
        alias: 'f',
        choices: ['table', 'json'],
        description: 'form of the list; json: the pids alone',
        default: 'table',
      },
    },
  },
  events: {
    usage: 'ID',
    description: "show a container's statistics at intervals, and when it lacks memory, until it ends",
    args: [1, 1],
    options: {
      interval: { type: 'text', description: 'between two statistics: 500ms, 1m30s', default: '5s' },
      stats: { type: 'flag', description: 'the statistics once' },
    },
  },
  update: {
    usage: 'ID',
    description: 'change the limits of a container that runs',
    args: [1, 1],
    options: updateOptions,
  },
  checkpoint: {
    usage: 'ID',
    description: 'write a running container to files, by criu, and delete it',
    args: [1, 1],
    options: {
      ...criuOptions,
      'parent-path': { type: 'text', description: 'images of an earlier one, relative to --image-path' },
      'leave-running': { type: 'flag', description: 'let the container go on' },
      'pre-dump': { type: 'flag', description: 'its memory only, and let it go on' },
      'status-fd': { type: 'number', description: 'with --lazy-pages: write a zero byte there when ready' },
      'page-server': { type: 'text', description: 'ADDRESS:PORT that memory is sent to' },
    },
  },
  restore: {
    usage: '[--bundle BUNDLE] ID',
    description: 'make a container from the files of a checkpoint, by criu',
    args: [1, 1],
    options: {
      ...criuOptions,
      bundle: { type: 'text', alias: 'b', description: 'the bundle that it was made of', default: '.' },
      detach: { type: 'flag', alias: 'd', description: 'do not wait for its end' },
      'pid-file': { type: 'text', description: 'write the pid of the container process to this file' },
      'console-socket': { type: 'text', description: 'refused: criu cannot hand over a terminal this way' },
      'no-pivot': { type: 'flag', description: 'no effect: criu makes the root', hidden: true },
      'no-subreaper': { type: 'flag', description: 'no effect: no subreaper is used', hidden: true },
      'lsm-profile': { type: 'text', description: 'apparmor:NAME or selinux:LABEL in place of its own' },
      'lsm-mount-context': {
        type: 'text',
        description: 'SELinux context of its mounts in place of their own',
      },
    },
  },
  features: { usage: '', description: 'print what tinyrun can do, as JSON', args: [0, 0], options: {} },
  explain: {
    usage: runUsage,
    description: 'show what run would do, each system call with its reason',
    args: [1, 1],
    rest: true,
    imageWords: true,
    options: {
      json: { type: 'flag', description: 'for machines' },
      program: { type: 'flag', description: "the program's text form" },
      compact: { type: 'flag', description: 'one line an op' },
      filter: { type: 'flag', description: 'the instructions of the seccomp filter' },
      ...runOptions,
    },
  },
  purge: {
    usage: 'ID CODE',
    description: 'remove what a transient container left, and exit with CODE',
    args: [2, 2],
    options: {},
    hidden: true,
  },
  'criu-failed': {
    usage: 'VERB ID LOG',
    description: "say the last error of criu's log",
    args: [3, 3],
    options: {},
    hidden: true,
  },
  'copy-up': {
    usage: 'FROM TO DESTINATION [KEEP]',
    description: 'fill a tmpfs (descriptor TO) with what a directory (descriptor FROM) holds',
    args: [3, 4],
    options: {},
    hidden: true,
  },
};

/**
 * Looks up the command at a word, whose name may take two: `volume create`, and `explain mounts` beside `explain`. Names
 * like `constructor` are none.
 * @returns its name, its spec, and the first word behind it
 */
export function findCommand(
  table: CommandTable,
  words: readonly string[],
  at: number,
): { name: string; spec: CommandSpec; next: number } | undefined {
  const name = words[at]!;
  const both = `${name} ${words[at + 1] ?? ''}`;
  if (Object.hasOwn(table, both)) return { name: both, spec: table[both]!, next: at + 2 };
  return Object.hasOwn(table, name) ? { name, spec: table[name]!, next: at + 1 } : undefined;
}

/** Looks an option up by name or one-letter alias. Returns its name and spec. */
export function findOption(table: OptionTable, word: string): [string, OptionSpec] | undefined {
  if (word.length > 1) return Object.hasOwn(table, word) ? [word, table[word]!] : undefined;
  for (const name in table) if (table[name]!.alias === word) return [name, table[name]!];
  return undefined;
}

/** Reads an option's value; undefined where it is not one that the option takes. */
export function readValue(spec: OptionSpec, text: string): string | number | boolean | undefined {
  if (spec.type === 'flag') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (spec.type === 'number') return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  return spec.choices === undefined || spec.choices.includes(text) ? text : undefined;
}
