// Lists such as `0-3,7` of CPUs and of memory nodes -> the bit masks that system calls take. cpuset(7), "Formats".

/** More than any kernel can have of either; the kernel itself says which of them there are. */
const MOST_IDS = 8192;
const WORD = 64; // bits of an unsigned long, in which the kernel counts masks

/** Whether it is a list of numbers and ranges, none of them backwards or beyond `MOST_IDS`. Spaces are no part of it. */
export function isIdList(list: string): boolean {
  return list.split(',').every((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    return first <= last && last < MOST_IDS;
  });
}

/**
 * The mask of a list that `isIdList`: bit N is set where N is in it.
 * @returns whole words of 64 bits; none for an empty list
 */
export function maskOfIds(list: string): Uint8Array<ArrayBuffer> {
  const ranges = list === '' ? [] : list.split(',').map((part) => part.split('-').map(Number));
  const highest = Math.max(-1, ...ranges.map((range) => range[range.length - 1]!));
  const mask = new Uint8Array((Math.ceil((highest + 1) / WORD) * WORD) / 8);
  for (const [first = 0, last = first] of ranges)
    for (let id = first; id <= last; id++) mask[id >> 3]! |= 1 << (id & 7);
  return mask;
}
