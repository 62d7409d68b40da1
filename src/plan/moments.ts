// What DATA_ROOT/containers/ID tells of a container's last run: `started`, and then `exit`, which is missing while it runs
// and where its monitor was killed. Of one that was made of a bundle, waited for and kept, `exit` is in its state directory.
//
//   started   SECONDS NANOSECONDS
//   exit      CODE SECONDS NANOSECONDS       since 1970
//   oom       memory.oom_control (v1) or memory.events (v2) of its cgroup at the end; on v1 only where something was killed

import type { CgroupPlace } from '../cgroup/path.ts';
import { EXIT } from '../oci/state.ts';
import type { Buffer, Op } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { hasController } from './cgroup-limits.ts';
import type { PlanInput } from './input.ts';
import { planOpenLog } from './output-log.ts';
import { createFile } from './state.ts';
import { runtime } from './words.ts';

const [SECONDS, NANOSECONDS] = [10, 9]; // digits
const TIME = SECONDS + 1 + NANOSECONDS + 1;
const OOM = 512; // bytes
const DIR = o.reg('keeping');
const TELL = 'It is known when the container ran and how it ended, long after nothing else is left of that.';

/** Whether the host program ends with a container that stays, and of which nothing but its state directory does. */
export const isKeptBundle = ({ lifecycle, transient }: Pick<PlanInput, 'lifecycle' | 'transient'>): boolean =>
  lifecycle === 'foreground' && !transient;

export function momentBuffers(input: PlanInput): Buffer[] {
  if (input.monitor === undefined && !isKeptBundle(input)) return [];
  return [
    { name: 'moment', size: 1 + TIME, init: `${' '.repeat(TIME)}\n` },
    { name: 'clock', size: 16 },
    { name: 'code', size: 4 },
    ...(input.monitor === undefined ? [] : [{ name: 'oom', size: OOM }]),
  ];
}

/** Host program, when the id is taken: register `keeping`, the directory; what an earlier run has told is gone. */
export function planOpenKept(input: PlanInput): Op[] {
  const { monitor } = input;
  if (monitor === undefined) return [];
  return [
    o.openat(o.AT_FDCWD, monitor.directory, ['O_PATH', 'O_DIRECTORY'], {
      ...runtime(`open directory ${monitor.directory}`, 'What is kept of the container is kept there.'),
      to: 'keeping',
    }),
    ...[EXIT, 'oom'].map((name) =>
      o.unlinkat(DIR, name, [], {
        ...runtime(`remove ${name} of an earlier run`, TELL),
        onError: { ignore: ['ENOENT'] },
      }),
    ),
    ...planOpenLog(monitor),
  ];
}

/** Init program, first of all: none of it is the container's. */
export function planCloseKept({ monitor }: Pick<PlanInput, 'monitor'>): Op[] {
  if (monitor === undefined) return [];
  const names = ['keeping', ...(monitor.log === undefined ? [] : ['records'])];
  return names.map((name) =>
    o.close(o.reg(name), runtime(`close ${name}`, 'A way to the host, and nothing that init needs.')),
  );
}

/** Where the time stands in buffer `moment`, behind a space. */
const TIME_AT = 1;

/** Puts the time there. */
function planTime(extra: Partial<o.Extra> = {}): Op[] {
  const part = (from: number, to: number, width: number, pad: string): Op[] => [
    o.load(o.buf('clock', from), 8, 'time', runtime('take a part of it', TELL)),
    o.format('time', o.buf('moment', to), { width, pad }, runtime('write it as digits', TELL)),
  ];
  return [
    o.call('clock_gettime', [o.flags('CLOCK_REALTIME'), o.buf('clock')], {
      ...runtime('look at the clock', TELL),
      ...extra,
    }),
    ...part(0, TIME_AT, SECONDS, ' '),
    ...part(8, TIME_AT + SECONDS + 1, NANOSECONDS, '0'),
  ];
}

/** Some bytes of a buffer. */
type Part = [from: { buf: string; at: number }, size: number | { reg: string }];

/** Writes a file that is whole or not there; any failure goes to `fail`. */
function planWriteFile(name: string, parts: readonly Part[], sync: boolean, fail: string): Op[] {
  const words = (what: string): o.Extra => ({ ...runtime(what, TELL), onError: { fail } });
  const aside = `.${name}`;
  return [
    o.openat(
      DIR,
      aside,
      ['O_WRONLY', 'O_CREAT', 'O_TRUNC'],
      { ...words(`create ${name}`), to: 'file' },
      0o644,
    ),
    ...parts.map(([from, size]) => o.write(o.reg('file'), from, size, words(`write ${name}`))),
    ...(sync ? [o.call('fsync', [o.reg('file')], words(`get ${name} onto the disk`))] : []),
    o.close(o.reg('file'), words(`close ${name}`)),
    o.renameat(DIR, aside, DIR, name, words(`put ${name} in its place`)),
  ];
}

/** Host program, when the program runs. */
export const planWriteStarted = (): Op[] => [
  ...planTime(),
  ...planWriteFile('started', [[o.buf('moment', TIME_AT), TIME]], false, 'undo'),
];

/** Host program, when all is over, well or not, and before anything is removed; the exit code is in `exit`. */
export function planWriteExit(input: PlanInput): Op[] {
  const { monitor, rootfs } = input;
  if (monitor === undefined) return [];
  const goes = rootfs.kind === 'overlay' && rootfs.own.kept && rootfs.own.remove; // read by who is attached, if at all
  return [
    o.branch('keeping', '<', 0, 'exit-known', runtime('has anything begun?', TELL)),
    o.store('exit', o.buf('code'), 4, runtime('keep the exit code', 'A failure on the way has its own.')),
    ...planOom(input),
    ...planFormatExit(),
    ...planWriteFile(EXIT, EXIT_PARTS, !goes, 'exit-written'),
    o.label('exit-written'),
    TAKE_CODE, // what could not be written was said; this is the container's all the same
    o.label('exit-known'),
  ];
}

const TAKE_CODE = o.load(o.buf('code'), 4, 'exit', runtime('take the exit code again', TELL));
const EXIT_PARTS: readonly Part[] = [
  [o.buf('exittext'), o.reg('size')],
  [o.buf('moment'), 1 + TIME],
];

const planFormatExit = (): Op[] => [
  TAKE_CODE,
  o.format('exit', o.buf('exittext'), { to: 'size' }, runtime('write the exit code as digits', TELL)),
  ...planTime({ onError: { fail: 'exit-written' } }),
];

/** Host program of a container of a bundle, when it has ended and stays: the code is written before the time, or not at all. */
export function planKeepExit(): Op[] {
  const words = (what: string): o.Extra => ({ ...runtime(what, TELL), onError: { fail: 'exit-written' } });
  return [
    o.store('exit', o.buf('code'), 4, runtime('keep the exit code', 'A failure on the way has its own.')),
    ...planFormatExit(),
    createFile(EXIT, TELL, 'exit-written'),
    ...EXIT_PARTS.map(([from, size]) => o.write(o.reg('file'), from, size, words(`write ${EXIT}`))),
    o.close(o.reg('file'), words(`close ${EXIT}`)),
    o.label('exit-written'),
    TAKE_CODE, // as above
  ];
}

const isOfV2 = ({ controllers }: CgroupPlace): boolean => controllers === '';

/** `oom_kill_disable 0\nunder_oom 0\noom_kill N`: the place of N. */
const V1_KILLS = 40;

/** What the cgroup tells of processes that were killed for want of memory. */
function planOom({ cgroup }: PlanInput): Op[] {
  const v1 = cgroup?.places.find((place) => hasController(place, 'memory'));
  const v2 = cgroup?.available.includes('memory') ? cgroup.places.find(isOfV2) : undefined;
  const path = v1 ? `${v1.path}/memory.oom_control` : v2 ? `${v2.path}/memory.events` : '';
  if (path === '') return [];
  const why = 'The cgroup knows who was killed for want of memory, and is about to go.';
  return [
    o.openat(o.AT_FDCWD, path, ['O_RDONLY'], {
      ...runtime(`open ${path}`, why),
      to: 'file',
      onError: { goto: { '*': 'no-oom' } }, // it was never made
    }),
    o.read(o.reg('file'), o.buf('oom'), OOM, {
      ...runtime(`read ${path}`, why),
      to: 'size',
      onError: { fail: 'no-oom' },
    }),
    o.close(o.reg('file'), { ...runtime(`close ${path}`, why), onError: { fail: 'no-oom' } }),
    ...(v1
      ? [
          o.load(o.buf('oom', V1_KILLS), 1, 'kills', runtime('take the first digit of oom_kill', why)),
          o.branch('kills', '==', '0'.charCodeAt(0), 'no-oom', runtime('was nobody killed?', why)),
        ]
      : []),
    ...planWriteFile('oom', [[o.buf('oom'), o.reg('size')]], false, 'no-oom'),
    o.label('no-oom'),
  ];
}
