// The state directory, as ops of the host program: taking the id, writing state.json and the pid file, removing it all.
// OCI runtime.md, "State".
//
// Two processes may want one id: mkdir(2) decides. A lock on the directory, held while this process lives, tells a
// container that is being made from the leftover of a killed one; the lock on the state root makes mkdir and lock one
// step.
//
// state.json is there before anything else is made, with 0 for the pid: whoever comes after a killed tinyrun reads there
// what has to be removed. The pid is written into its gap once init is born, behind init.stat, which says which init.
// A container that is not started at once has a fifo besides: its name tells the status (runtime/status.ts).

import {
  ASIDE,
  CREATING_FIFO,
  containerDirectory,
  INIT_STAT,
  MOUNTED,
  SHARED_FILES,
  STATE_FILES,
} from '../oci/state.ts';
import { OCI_VERSION } from '../oci/version.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';
import { mountsOutside } from './namespaces.ts';
import { PROC_PID } from './pid.ts';
import { rdtDirectories } from './rdt.ts';
import { runtime } from './words.ts';

/** mkdir of every directory on the way to `path`, which is trusted: a place of the host that tinyrun was given. */
export function makeDirectories(path: string, mode: number, why: string, fail?: string): Op[] {
  const ops: Op[] = [];
  for (let slash = path.indexOf('/', 1); ; slash = path.indexOf('/', slash + 1)) {
    const part = slash < 0 ? path : path.slice(0, slash);
    ops.push(
      o.mkdirat(o.AT_FDCWD, part, slash < 0 ? mode : 0o755, {
        ...runtime(`make directory ${part}`, why),
        onError: { ignore: ['EEXIST'], ...(fail === undefined ? {} : { fail }) },
      }),
    );
    if (slash < 0) return ops;
  }
}

/** Takes the id, or fails where it is taken. Registers: `stateroot`, `state`. */
export function planTakeId({ stateRoot, id }: PlanInput): Op[] {
  return [
    ...makeDirectories(stateRoot, 0o711, 'The state of all containers is kept below one directory.', 'leave'),
    o.openat(o.AT_FDCWD, stateRoot, ['O_RDONLY', 'O_DIRECTORY'], {
      ...runtime(`open the state root ${stateRoot}`, 'Everything in it is reached through this descriptor.'),
      to: 'stateroot',
      onError: { fail: 'leave' },
    }),
    o.flock(o.reg('stateroot'), ['LOCK_EX'], {
      ...runtime(
        'lock the state root',
        'No other tinyrun may see our directory before it is locked as well.',
      ),
      onError: { fail: 'leave' },
    }),
    o.mkdirat(o.reg('stateroot'), id, 0o711, {
      ...runtime(
        `create container ${id} in ${stateRoot}`,
        'mkdir is atomic: of two callers with the same id, one gets EEXIST.',
      ),
      onError: { goto: { EEXIST: 'taken' }, fail: 'leave' },
    }),
    o.openat(o.reg('stateroot'), id, ['O_RDONLY', 'O_DIRECTORY'], {
      ...runtime('open the state directory', 'Its files are made and removed relative to it.'),
      to: 'state',
    }),
    o.flock(o.reg('state'), ['LOCK_EX', 'LOCK_NB'], {
      ...runtime(
        'lock the state directory',
        'The kernel drops this lock when we die: then others may clean up.',
      ),
    }),
    o.flock(o.reg('stateroot'), ['LOCK_UN'], {
      ...runtime('unlock the state root', 'Others may create their containers.'),
    }),
  ];
}

/** The op behind a taken id, out of the way at the end of the host program. */
export function planTaken({ id }: PlanInput): Op[] {
  return [
    o.label('taken'),
    o.fail(
      runtime(
        `container with given ID already exists: ${id}`,
        'An id names one container until it is deleted.',
      ),
      {
        fail: 'leave',
      },
    ),
  ];
}

/** Buffers for the pid in paths and for state.json. */
export function stateBuffers(
  input: PlanInput,
  state: StateFile,
): { name: string; size: number; init?: string }[] {
  return [
    { name: 'state', size: state.size, init: state.text },
    { name: 'procstat', size: PROC_PID.length + 6, init: PROC_PID + '/stat\0' },
    { name: 'stat', size: 1024 },
    ...(input.pidFile === undefined ? [] : [{ name: 'pidtext', size: 24 }]),
  ];
}

/** Where a container's own files are, and what says which volumes it uses. */
export const dataDirectory = ({ dataRoot, id }: Pick<PlanInput, 'dataRoot' | 'id'>): string =>
  containerDirectory(dataRoot, id);

const PID_GAP = '0'.padStart(10);

/** The root filesystem on the host, as the state tells it. */
export const rootfsPath = ({ rootfs }: PlanInput): string =>
  rootfs.kind === 'directory'
    ? rootfs.path
    : rootfs.own.kept
      ? rootfs.own.merged
      : rootfs.layers[rootfs.layers.length - 1]!;

/** state.json with a gap for the pid, which nobody knows before clone3. */
export interface StateFile {
  text: string;
  size: number; // bytes
  gap: number; // where the gap is, bytes
}

export function stateFile(input: PlanInput): StateFile {
  const { config, id, bundle, rootfs, host, transient, args, noPivot, cgroup, uses } = input;
  const resctrl = rdtDirectories(input);
  const rest = {
    bundle,
    rootfs: rootfsPath(input),
    created: new Date(host.now).toISOString(),
    owner: '',
    annotations: config.annotations ?? {},
    tinyrun: {
      transient,
      ...(args === undefined ? {} : { args }),
      ...(noPivot ? { noPivot } : {}),
      ...(config.hooks?.poststart?.length ? { poststart: true } : {}),
      ...(config.hooks?.poststop?.length ? { poststop: true } : {}),
      ...((rootfs.kind === 'overlay' && !rootfs.own.kept) || uses !== undefined
        ? { dataDirectory: dataDirectory(input) }
        : {}),
      ...(resctrl.length > 0 ? { resctrl } : {}),
      ...(cgroup?.scope === undefined ? {} : { unit: cgroup.scope.unit }),
      ...(cgroup === undefined
        ? {}
        : {
            cgroups: cgroup.places.map(({ controllers, path }) => ({
              controllers,
              path,
              ...(cgroup.existing ? { existing: true } : {}),
            })),
          }),
    },
  };
  const head = `${JSON.stringify({ ociVersion: OCI_VERSION, id }).slice(0, -1)},"pid":`; // ASCII, as ids are
  const text = `${head}${PID_GAP},${JSON.stringify(rest).slice(1)}\n`;
  return { text, size: new TextEncoder().encode(text).length, gap: head.length };
}

/** Writes all that is known before there is a pid: state.json, and the config that `exec`, `delete` and hooks go by. */
export function planWriteState(input: PlanInput, { size }: StateFile): Op[] {
  const complete = 'A reader sees the whole file or none: it is written aside and renamed.';
  const early = 'Before anything is made: should we be killed, this says what there is to remove.';
  const config =
    'The bundle may change: exec, hooks and delete go by the config that the container was made of.';
  return [
    createFile(ASIDE, early),
    ...planWriteWhole('state.json', o.buf('state'), size, (what) => runtime(what, early)),
    o.close(o.reg('file'), runtime('close state.json', complete)),
    o.renameat(o.reg('state'), ASIDE, o.reg('state'), 'state.json', {
      ...runtime('put state.json in its place', complete),
    }),
    o.openat(o.AT_FDCWD, input.configPath, ['O_RDONLY'], {
      ...runtime(`open ${input.configPath}`, config),
      to: 'source',
    }),
    createFile('config.json', config),
    copyConfig('copy config.json', config),
    copyConfig(
      'copy the rest of config.json',
      'There is none; but a full disk takes a part first, and then fails.',
    ),
    o.close(o.reg('source'), runtime(`close ${input.configPath}`, config)),
    o.close(o.reg('file'), runtime('close config.json', config)),
    ...planFifo(input),
  ];
}

const copyConfig = (what: string, why: string): Op =>
  o.call('sendfile', [o.reg('file'), o.reg('source'), 0, CONFIG_LIMIT], runtime(what, why));

/** `create` only: the fifo that init waits at. */
function planFifo({ lifecycle }: PlanInput): Op[] {
  if (lifecycle !== 'created') return [];
  const why =
    'Init waits for a byte from it; `start` writes that. Opened for both, it has no end and no error.';
  return [
    o.mknodat(o.reg('state'), CREATING_FIFO, 'S_IFIFO', 0o600, 0, runtime('make the exec fifo', why)),
    o.openat(o.reg('state'), CREATING_FIFO, ['O_RDWR'], {
      ...runtime('open the exec fifo', why),
      to: 'fifo',
    }),
  ];
}

/** Host program, behind clone3: the pid of init, for others to find. */
export function planWritePid({ gap }: StateFile): Op[] {
  const why = 'The pid alone may be reused; with its start time it names one process for ever.';
  const last = 'From here on there is a container to be seen.';
  return [
    o.format(
      'pid',
      o.buf('state', gap),
      { width: PID_GAP.length },
      runtime('put the pid into state.json', last),
    ),
    o.format(
      'pid',
      o.buf('procstat', 6),
      { width: 10, pad: '/' },
      runtime('put the pid into /proc/PID/stat', why),
    ),
    o.openat(o.AT_FDCWD, o.buf('procstat'), ['O_RDONLY'], {
      ...runtime('open /proc/PID/stat', why),
      to: 'file',
    }),
    o.read(o.reg('file'), o.buf('stat'), 1024, { ...runtime('read /proc/PID/stat', why), to: 'size' }),
    o.close(o.reg('file'), runtime('close /proc/PID/stat', why)),
    createFile(INIT_STAT, why),
    o.write(o.reg('file'), o.buf('stat'), o.reg('size'), runtime('write init.stat', why)),
    o.close(o.reg('file'), runtime('close init.stat', why)),
    o.openat(o.reg('state'), 'state.json', ['O_WRONLY'], {
      ...runtime('open state.json', last),
      to: 'file',
    }),
    o.call('pwrite64', [o.reg('file'), o.buf('state', gap), PID_GAP.length, gap], {
      ...runtime('write the pid into state.json', last),
    }),
    o.close(o.reg('file'), runtime('close state.json', last)),
  ];
}

const PAGE = 4096;
/** What sendfile(2) copies at most, in bytes; a config.json is smaller (runtime/config-file.ts). */
const CONFIG_LIMIT = 0x7ffff000;

/**
 * Writes a whole file, open in a register. On a full filesystem write(2) may take a part of it, and calls that no
 * failure; what fits into a page is taken as a whole or not at all.
 */
export function planWriteWhole(
  name: string,
  text: Parameters<typeof o.write>[1],
  size: number,
  words: (what: string) => Words,
  file = 'file',
): Op[] {
  if (size <= PAGE) return [o.write(o.reg(file), text, size, words(`write ${name}`))];
  return [
    o.write(o.reg(file), text, size, { ...words(`write ${name}`), to: 'size' }),
    o.branch('size', '==', size, `whole-${name}`, words('was all of it written?')),
    o.fail(words(`write ${name}: no space left on device for more than a part of its ${size} bytes`)),
    o.label(`whole-${name}`),
  ];
}

/** @param fail where its failure leads to; else where all do */
export const createFile = (name: string, why: string, fail?: string): Op =>
  o.openat(
    o.reg('state'),
    name,
    ['O_WRONLY', 'O_CREAT', 'O_EXCL'],
    {
      ...runtime(`create ${name}`, why),
      to: 'file',
      ...(fail === undefined ? {} : { onError: { fail } }),
    },
    0o600,
  );

/** Removes the state directory; what is missing was never made, and what else is in it takes a program that can loop. */
export function planRemoveState(input: PlanInput): Op[] {
  const { id, transient } = input;
  const why = 'The container is gone, and so is its id.';
  const names = [
    ...(transient ? [] : SHARED_FILES),
    ...(mountsOutside(input) ? [MOUNTED] : []),
    ...STATE_FILES,
  ];
  return [
    ...names.map((name) =>
      o.unlinkat(o.reg('state'), name, [], {
        ...runtime(`remove ${name}`, why),
        onError: { ignore: ['ENOENT', 'EBADF'], fail: 'leave' },
      }),
    ),
    o.unlinkat(o.reg('stateroot'), id, ['AT_REMOVEDIR'], {
      ...runtime('remove the state directory', why),
      onError: { goto: { ENOTEMPTY: 'purge' }, ignore: ['ENOENT'], fail: 'leave' }, // `volume attach` has left a note
    }),
  ];
}
