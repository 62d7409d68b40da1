// npm run test:vm: the tests that make containers, inside a throw-away virtual machine: a kernel of its own, and cgroup
// version 2 alone, which the machine that builds need not have.
//
//   npm run test:vm                      both flavours, each with the tests of its row in SUITES
//   npm run test:vm -- unified           one of them
//   npm run test:vm -- short             both, only what the kind of cgroups matters to
//   npm run test:vm -- unified run/cli   only the files whose path contains one of these
//
// unified: no service manager. systemd: it is process 1, D-Bus runs, and cgroups are made by it.
// Everything runs some ten times slower where the machine is not virtualised by hardware: limits of time are scaled.

import { top } from '../../scripts/native.ts';
import { type Flavour, findKernelProblem, findObstacle, runInMachine } from './machine.ts';

/** What runs where: words as `npm test -- WORDS` takes them. */
const SUITES: Record<Flavour, readonly string[]> = {
  unified: ['test/run/', 'test/engine/', 'test/runtime/'],
  systemd: ['test/run/systemd'],
};
/** The same for `short`: some three minutes without hardware's help, where all of it takes half an hour. */
const SHORT: Record<Flavour, readonly string[]> = {
  unified: ['run/cgroup', 'run/pause', 'run/update', 'run/user-namespace'],
  systemd: SUITES.systemd,
};
const SECONDS = 10_000;
const TIME_FACTOR = 10;

const total = { passed: 0, failed: 0, skipped: 0 };

async function runSuite(flavour: Flavour, words: readonly string[]): Promise<void> {
  const obstacle = findObstacle(flavour) ?? findKernelProblem();
  if (obstacle !== undefined) {
    console.log(`skipped: virtual machine, ${flavour}: ${obstacle}`);
    total.skipped++;
    return;
  }
  const quoted = [process.execPath, 'test/run-all.ts', ...words].map((word) => `'${word}'`);
  const command = `cd '${top}' && TINYRUN_TIME_FACTOR=${TIME_FACTOR} exec ${quoted.join(' ')}`;
  console.log(`virtual machine, ${flavour}:`);
  let counted = false;
  const { code, console: log } = await runInMachine(flavour, command, SECONDS, (line) => {
    const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line)?.slice(1).map(Number);
    if (counts === undefined) return console.log(line);
    counted = true;
    const [passed = 0, failed = 0, skipped = 0] = counts;
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  });
  if (code !== undefined && counted) return;
  total.failed++;
  const why = code === undefined ? `ended without a result, or not within ${SECONDS} s` : `exit code ${code}`;
  console.log(`FAIL virtual machine, ${flavour}: ${why}\n${log.split('\n').slice(-40).join('\n')}`);
}

const isFlavour = (word: string): word is Flavour => word in SUITES;
const words = process.argv.slice(2);
const flavours = words.some(isFlavour) ? words.filter(isFlavour) : (['unified', 'systemd'] as const);
const suites = words.includes('short') ? SHORT : SUITES;
const filters = words.filter((word) => !isFlavour(word) && word !== 'short');
for (const flavour of flavours) await runSuite(flavour, filters.length > 0 ? filters : suites[flavour]);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
