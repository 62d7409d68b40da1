// What a container prints, as records in DATA_ROOT/containers/ID/log: when, on which stream, and the bytes as they were.
//
//    0  u32  length of the bytes
//    4  u32  1 stdout, 2 stderr; 0: output was lost here, since nothing could be written
//    8  s64  seconds, and
//   16  s64  nanoseconds since 1970, when it was read
//   24       the bytes, at most CHUNK
//
// Little endian; one write(2) a record. What is not wholly written (a full disk) is cut off again, so that a record is
// there or not. A file that has reached its size becomes log.1, that one log.2, and so on.
//
// lseek(2) does the sums: of a file opened with O_APPEND nothing depends on the position.

import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { LogInput, MonitorInput } from './input.ts';

/** Bytes before those of the container. */
export const RECORD_HEADER = 24;
/** Bytes that are read at once: a pipe takes as many whole or not at all (PIPE_BUF). */
export const CHUNK = 4096;
/** The stream of a record that stands for lost output. */
export const LOST = 0;

export const recordBuffers: readonly Buffer[] = [
  { name: 'record', size: RECORD_HEADER + CHUNK },
  { name: 'lost', size: RECORD_HEADER },
];
/** Where the bytes of a record are read to. */
export const RECORD_BYTES = o.buf('record', RECORD_HEADER);

const LOG = o.reg('records');
const KEEP = 'What the container prints is there for `logs`, long after it has been printed.';
const FULL = 'A full disk costs output, and is noted; it never stops the container.';
const words = (what: string, why = KEEP): Words => ({ what, why, from: '--log-opt' });

const openLog = (to: string, how: o.Flags, extra: Partial<o.Extra> = {}): Op =>
  o.openat(
    o.reg('keeping'),
    'log',
    ['O_RDWR', 'O_APPEND', 'O_CREAT', ...how],
    { ...words('open the log'), to, ...extra },
    0o640,
  );

/** Host program: register `records`. */
export const planOpenLog = ({ log }: MonitorInput): Op[] =>
  log === undefined ? [] : [openLog('records', [])];

const seek = (to: string, by: number | { reg: string }, from: string, what: string): Op =>
  o.call('lseek', [LOG, by, o.flags(from)], { ...words(what), to });

/** Writes a record of the `size` bytes in buffer `record`, which the stream `stream` brought; both are registers. */
export function planKeep({ log }: MonitorInput): Op[] {
  if (log === undefined) return [];
  return [
    o.store('size', o.buf('record'), 4, words('put the length into the record')),
    o.store('stream', o.buf('record', 4), 4, words('put the stream into the record')),
    clock('record', 'put the time into the record'),
    ...planNoteLoss('log-lost'),
    seek('before', 0, 'SEEK_END', 'how long is the log?'),
    ...planRotate(log),
    seek('last', RECORD_HEADER - 1, 'SEEK_SET', 'sum up: the header but its first byte'),
    seek('last', o.reg('size'), 'SEEK_CUR', 'sum up: and the bytes'),
    seek('total', 1, 'SEEK_CUR', 'sum up: the whole record'),
    seek('before', 0, 'SEEK_END', 'where does it start?'),
    seek('last', o.reg('last'), 'SEEK_CUR', 'and where is its last byte?'),
    o.write(LOG, o.buf('record'), o.reg('total'), {
      ...words('write the record'),
      onError: { goto: { '*': 'log-lost' } },
    }),
    ...planCheckWhole('kept'),
    o.label('log-lost'),
    o.set('loss', 1, words('output was lost', FULL)),
    o.label('kept'),
  ];
}

const clock = (buffer: string, what: string): Op =>
  o.call('clock_gettime', [o.flags('CLOCK_REALTIME'), o.buf(buffer, 8)], words(what));

/** Goes to `whole` if the last byte is there; cuts off what is there otherwise. */
const planCheckWhole = (whole: string): Op[] => [
  o.call('pread64', [LOG, o.buf('byte'), 1, o.reg('last')], {
    ...words('is all of it there?', FULL),
    to: 'there',
    onError: { ignore: ['*'] },
  }),
  o.branch('there', '==', 1, whole, words('it is')),
  o.call('ftruncate', [LOG, o.reg('before')], {
    ...words('take away the part that is', FULL),
    onError: { ignore: ['*'] },
  }),
];

/** Before anything else is written, and at the end: a record that says that there was more. To `full` if that fails, too. */
export function planNoteLoss(full: string): Op[] {
  return [
    o.branch('loss', '<', 1, `no-loss-${full}`, words('was output lost before?', FULL)),
    clock('lost', 'put the time into the note'),
    seek('before', 0, 'SEEK_END', 'where does the note start?'),
    seek('last', RECORD_HEADER - 1, 'SEEK_CUR', 'and where is its last byte?'),
    o.write(LOG, o.buf('lost'), RECORD_HEADER, {
      ...words('note that output was lost', FULL),
      onError: { goto: { '*': full } },
    }),
    ...planCheckWhole(`noted-${full}`),
    o.jump(full, words('there is no room for that either', FULL)),
    o.label(`noted-${full}`),
    o.set('loss', 0, words('it is noted', FULL)),
    o.label(`no-loss-${full}`),
  ];
}

const fileName = (number: number): string => (number === 0 ? 'log' : `log.${number}`);

/** Begins another file where this one, `before` bytes long, is full. */
function planRotate({ maxSize, maxFiles }: LogInput): Op[] {
  if (maxSize === undefined) return [];
  const why = 'A log that only grows fills the disk: the oldest part goes when there are enough files.';
  const on = { goto: { '*': 'log-fits' } }; // the file grows, and it is tried again at the next record
  const dir = o.reg('keeping');
  /** An op that may find nothing there. */
  const maybe = (op: (extra: o.Extra) => Op, what: string, next: string): Op[] => [
    op({ ...words(what, why), onError: { goto: { ENOENT: next, ...on.goto } } }),
    o.label(next),
  ];
  const older = Array.from({ length: maxFiles - 1 }, (_, i) => maxFiles - 2 - i);
  return [
    o.branch('before', '<', maxSize, 'log-fits', words(`is it shorter than ${maxSize} bytes?`, why)),
    ...older.flatMap((number) => {
      const [from, to] = [fileName(number), fileName(number + 1)];
      return maybe((extra) => o.renameat(dir, from, dir, to, extra), `call ${from} ${to}`, `renamed-${to}`);
    }),
    ...(maxFiles > 1
      ? []
      : maybe((extra) => o.unlinkat(dir, 'log', [], extra), 'remove the log', 'removed-log')),
    openLog('rotated', ['O_EXCL'], { onError: on }),
    o.call('dup3', [o.reg('rotated'), LOG, o.flags('O_CLOEXEC')], words('go on in the new file', why)),
    o.close(o.reg('rotated'), words('close its other descriptor', why)),
    o.label('log-fits'),
  ];
}
