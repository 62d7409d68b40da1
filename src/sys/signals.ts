// Signals by name, as `kill CONTAINER SIGNAL`, annotations and Docker write them -> numbers, and back. The kernel's
// real-time signals begin at 32, the C library's SIGRTMIN at 34: names mean the latter. Source: signal(7), kill(1).

const FIRST_REAL_TIME = 34; // SIGRTMIN of the C library
const LAST = 64; // SIGRTMAX

/** Signal numbers by name without SIG: `TERM`. The second names come last. */
export const signals: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
  RTMIN: 34,
  RTMAX: 64,
  IOT: 6,
  CLD: 17,
  POLL: 29,
};

/**
 * A signal as a person writes it: `TERM`, `SIGTERM`, `term`, `15`, `RTMIN+3`, `RTMAX-1`, or `0` (only asks whether the
 * process is there).
 * @returns its number, 0 to 64; undefined for anything else
 */
export function parseSignal(text: string): number | undefined {
  if (/^(0|[1-9][0-9]?)$/.test(text)) return Number(text) <= LAST ? Number(text) : undefined;
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (Object.hasOwn(signals, name)) return signals[name];
  const [, base, offset] = /^(RTMIN\+|RTMAX-)([0-9]{1,2})$/.exec(name) ?? [];
  if (base === undefined) return undefined;
  const number = base === 'RTMIN+' ? FIRST_REAL_TIME + Number(offset) : LAST - Number(offset);
  return number >= FIRST_REAL_TIME && number <= LAST ? number : undefined;
}

/** `SIGTERM`, `SIGRTMIN+3`; a number without a name (0, 32, 33, above 64) as `signal 32`. */
export function signalName(n: number): string {
  for (const name in signals) if (signals[name] === n) return `SIG${name}`;
  return n > FIRST_REAL_TIME && n < LAST ? `SIGRTMIN+${n - FIRST_REAL_TIME}` : `signal ${n}`;
}
