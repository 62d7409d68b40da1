// Two commands -> how long each takes, and how they compare. They run in turns, A B A B ..., and the ratio is taken
// within each pair: whatever else the machine does at that moment slows both, and leaves their ratio alone.

/** When measuring ends although not all runs are done. */
export interface Bounds {
  /** Pairs of runs. */
  runs: number;
  /** Aborted by Ctrl-C: measuring then throws its reason. */
  signal: AbortSignal;
  /** Bun.nanoseconds() after which no further pair is begun, once there are three. */
  until: number;
}

/** Medians of `pairs` runs in turns; times in milliseconds. */
export interface Comparison {
  pairs: number;
  a: number;
  b: number;
  /** The median of A's time divided by B's of the same turn. */
  ratio: number;
}

const FEWEST = 3;
const WARM_UP = 2;
/** Milliseconds after which a command that should take a few is killed. */
export const LONGEST = 10_000;

/** Whether time has run out, after `done` runs. Throws where the user has interrupted. */
export async function isOver({ runs, signal, until }: Bounds, done: number): Promise<boolean> {
  await assertNotInterrupted(signal);
  return done >= runs || (done >= FEWEST && Bun.nanoseconds() > until);
}

/** To be asked again where a command has failed: Ctrl-C ends that as well. */
export async function assertNotInterrupted(signal: AbortSignal): Promise<void> {
  await Bun.sleep(0); // signals are only delivered between turns of the event loop
  signal.throwIfAborted();
}

/** Runs two commands in turns. Throws where one of them fails. */
export async function compare(
  a: readonly string[],
  b: readonly string[],
  bounds: Bounds,
): Promise<Comparison> {
  const times: { a: number; b: number }[] = [];
  for (let done = -WARM_UP; !(await isOver(bounds, done)); done++) {
    const pair = { a: await time(a, bounds.signal), b: await time(b, bounds.signal) };
    if (done >= 0) times.push(pair);
  }
  return {
    pairs: times.length,
    a: median(times.map((pair) => pair.a)),
    b: median(times.map((pair) => pair.b)),
    ratio: median(times.map((pair) => pair.a / pair.b)),
  };
}

/**
 * How a command ended, and the milliseconds from before fork to after wait.
 * @param longest milliseconds after which it is killed
 */
export function runTimed(command: readonly string[], longest = LONGEST): { exitCode: number; ms: number } {
  const begin = Bun.nanoseconds();
  // A container keeps what it is given open: no pipe, whose end would be waited for.
  const { exitCode } = Bun.spawnSync([...command], {
    stdio: ['ignore', 'ignore', 'ignore'],
    timeout: longest,
    killSignal: 'SIGKILL',
  });
  return { exitCode, ms: (Bun.nanoseconds() - begin) / 1e6 };
}

async function time(command: readonly string[], signal: AbortSignal): Promise<number> {
  const { exitCode, ms } = runTimed(command);
  if (exitCode === 0) return ms;
  await assertNotInterrupted(signal);
  throw new Error(`${command.join(' ')}: exit code ${exitCode}`);
}

/** Runs a command once; returns what it said if it failed. */
export function tryOnce(command: readonly string[]): string | undefined {
  const { exitCode, stderr } = Bun.spawnSync([...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST,
    killSignal: 'SIGKILL',
  });
  return exitCode === 0 ? undefined : stderr.toString().trim().split('\n').at(-1) || `exit code ${exitCode}`;
}

/** The middle value, or the mean of the two in the middle. Throws where there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('the median of nothing');
  const sorted = values.toSorted((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
