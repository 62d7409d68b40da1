// Who writes an archive and who reads it, side by side in one process: a chunk at a time is handed over, so nothing piles up
// between the two.

import type { ByteSink, ByteSource } from './source.ts';

/** What a writer gets whose reader wants no more; the reader's own end says why. */
const UNREAD = new Error('nobody reads any more');

/**
 * Runs both at once.
 * @param write gets the end to write to; when it is done, the reader comes to its end
 * @param read gets the end to read from
 * @returns the results of both
 * @throws what the writer throws, or else the reader
 */
export async function connect<W, R>(
  write: (sink: ByteSink) => Promise<W>,
  read: (source: ByteSource) => Promise<R>,
): Promise<[written: W, read: R]> {
  const slot: Slot = { chunk: undefined, ended: false, unread: false, wakeReader() {}, wakeWriter() {} };
  const writing = write(sinkOf(slot)).finally(() => {
    slot.ended = true;
    slot.wakeReader();
  });
  const reading = read(sourceOf(slot)).finally(() => {
    slot.unread = true;
    slot.wakeWriter();
  });
  const [written, got] = await Promise.allSettled([writing, reading]);
  // A reader whose archive is cut off says so, but the writer knows why.
  if (written.status === 'rejected' && written.reason !== UNREAD) throw written.reason;
  if (got.status === 'rejected') throw got.reason;
  if (written.status === 'rejected') throw written.reason;
  return [written.value, got.value];
}

interface Slot {
  chunk: Uint8Array | undefined;
  ended: boolean;
  unread: boolean;
  wakeReader: () => void;
  wakeWriter: () => void;
}

function sinkOf(slot: Slot): ByteSink {
  return {
    async write(bytes) {
      if (!slot.unread) {
        slot.chunk = bytes;
        const taken = new Promise<void>((resolve) => {
          slot.wakeWriter = resolve;
        });
        slot.wakeReader();
        await taken;
      }
      if (slot.unread) throw UNREAD;
    },
  };
}

async function* sourceOf(slot: Slot): ByteSource {
  for (;;) {
    if (slot.chunk === undefined && !slot.ended)
      await new Promise<void>((resolve) => {
        slot.wakeReader = resolve;
      });
    if (slot.chunk === undefined) return;
    yield slot.chunk;
    slot.chunk = undefined;
    slot.wakeWriter();
  }
}
