// Tests that can't run on this machine say so in a form that test/run-all.ts counts and repeats at the end.

/**
 * Call it and return, inside the test.
 * @param reason what the machine lacks
 */
export function skip(name: string, reason: string): void {
  console.log(`\nskipped: ${name}: ${reason}`); // uvu has printed its bullets without a newline
}
