// npm test: every test file in a process of its own, then lint and types, then a look at what was left behind.
//
//   npm test                 all of it
//   npm test -- volume run/  only the files whose path contains one of these
//
// uvu's exit code alone says too little: a file that forgets `.run()` runs nothing and exits with 0, and so does a suite
// whose hooks throw. So the counts it prints are what is believed.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findLeaks, MARK, takeSnapshot } from './support/leaks.ts';
import { scaled } from './support/time.ts';

const top = join(import.meta.dir, '..');
const SECONDS_A_FILE = scaled(180);
/** Folders whose tests make containers: one at a time, since they share the machine's cgroups and mounts. */
const serial = /^test\/(run|engine|checklist)\//;

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}
const total: Outcome = { passed: 0, failed: 0, skipped: 0 };
const skips: string[] = [];
const failures: string[] = [];
let folder = ''; // for the output of commands
let outputs = 0;

interface Done {
  output: string;
  code: number;
  seconds: number;
  late: boolean;
}

/**
 * Runs a command, until its time is up. Its output goes to a file, not a pipe: a process left behind would hold the
 * pipe open, and nobody could tell that the command has ended.
 */
async function execute(command: string[]): Promise<Done> {
  const began = performance.now();
  const file = join(folder, `output-${++outputs}`);
  const fd = openSync(file, 'a');
  const child = Bun.spawn(command, {
    cwd: top,
    env: { ...process.env, [MARK]: String(process.pid), NO_COLOR: '1' },
    stdio: ['ignore', fd, fd],
    detached: true, // a process group of its own, to be killed as one
  });
  closeSync(fd);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    process.kill(-child.pid, 'SIGKILL');
  }, SECONDS_A_FILE * 1000);
  const code = await child.exited;
  clearTimeout(timer);
  return { output: readFileSync(file, 'utf8'), code, seconds: (performance.now() - began) / 1000, late };
}

function report(name: string, outcome: Outcome, seconds: number, details: string): void {
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  const counts = Object.entries(outcome).filter(([, count]) => count > 0);
  const words = counts.map(([kind, count]) => `${count} ${kind}`).join(', ');
  console.log(`${outcome.failed > 0 ? 'FAIL' : 'ok  '} ${name.padEnd(44)} ${words}, ${seconds.toFixed(1)} s`);
  if (outcome.failed === 0) return;
  failures.push(name);
  console.log(details.replace(/^/gm, '     | '));
}

/** Reads uvu's summary and our own `skipped:` lines. */
export function readOutcome(output: string, code: number): Outcome & { problem: string } {
  const count = (word: string) => Number(new RegExp(`^\\s*${word}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? 0);
  const [ran, passed, marked] = [count('Total'), count('Passed'), count('Skipped')];
  const told = output.match(/^skipped: .+$/gm)?.length ?? 0;
  const outcome = { passed: passed - told, failed: ran - passed, skipped: marked + told, problem: '' };
  if (ran + marked === 0) outcome.problem = 'no test ran: is `test.run()` missing?';
  else if (code !== 0 && outcome.failed === 0) outcome.problem = `exit code ${code} though no test failed`;
  if (outcome.problem !== '') outcome.failed++;
  return outcome;
}

async function runFile(file: string): Promise<void> {
  const { output, code, seconds, late } = await execute([process.execPath, file]);
  const { problem, ...outcome } = readOutcome(output, code);
  skips.push(...(output.match(/^skipped: .+$/gm) ?? []));
  const words = late ? `not done after ${SECONDS_A_FILE} s` : problem;
  report(file, outcome, seconds, `${output}${words}`);
}

async function runCheck(name: string, command: string[]): Promise<void> {
  const { output, code, seconds } = await execute(command);
  report(name, { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }, seconds, output);
}

/** Runs the files in order, some at a time. */
async function runFiles(files: readonly string[], atOnce: number): Promise<void> {
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) await runFile(file);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function main(filters: readonly string[]): Promise<number> {
  const all = [...new Bun.Glob('test/**/*.test.ts').scanSync({ cwd: top })].sort();
  const files = all.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
  if (files.length === 0) report('test files', { passed: 0, failed: 1, skipped: 0 }, 0, 'none found');
  const before = takeSnapshot();
  folder = mkdtempSync('/tmp/run-all-');

  await runFiles(
    files.filter((file) => !serial.test(file)),
    2,
  );
  await runFiles(
    files.filter((file) => serial.test(file)),
    1,
  );
  if (filters.length === 0) {
    await runCheck('lint', ['node_modules/.bin/biome', 'check', '.']);
    await runCheck('types', ['node_modules/.bin/tsc', '--noEmit']);
  }
  rmSync(folder, { recursive: true });
  const leaks = await findLeaks(before);
  report(
    'nothing left behind',
    { passed: leaks.length ? 0 : 1, failed: leaks.length ? 1 : 0, skipped: 0 },
    0,
    leaks.join('\n'),
  );

  for (const line of skips) console.log(line);
  for (const name of failures) console.log(`failed: ${name}`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
