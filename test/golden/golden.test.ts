// What the planner makes of some bundles, as files that a person reads: a change of the planner shows in a review as a
// change of programs. `UPDATE_GOLDEN=1` writes them anew; look at the difference before you believe it.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../src/oci/parse.ts';
import { validateConfig } from '../../src/oci/validate.ts';
import { planExecProgram } from '../../src/plan/exec.ts';
import type { HostFacts } from '../../src/plan/host.ts';
import { planContainer } from '../../src/plan/plan.ts';
import { checkProgram } from '../../src/program/check.ts';
import { parseProgram, printProgram } from '../../src/program/text.ts';
import { execInput } from '../support/exec-input.ts';
import { type Change, MONITOR, ownedBy, planInput, TERMINAL } from '../support/plan-input.ts';

const folder = import.meta.dir;
const names = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

/** Few capabilities to drop and one signal to restore, so that the programs stay short. */
const HOST: Partial<HostFacts> = { capBounding: 0x20000421n, sigIgnored: 1n << 12n, noFile: undefined };

/** What is not in config.json. */
const CHANGES: Readonly<Record<string, Change>> = {
  overlay: {
    rootfs: ownedBy(1000, 0),
    flagMounts: [
      {
        mount: { destination: '/data', source: '/srv/new', options: ['rbind', 'rprivate'] },
        createSource: true,
        from: '--volume',
      },
    ],
    sources: new Map([['/srv/new', 'missing']]),
    transient: false,
  },
  seccomp: {
    seccomp: {
      // load nr; if it is 83 (mkdir), NOTIFY; else ALLOW
      filter: Uint8Array.fromBase64('IAAAAAAAAAAVAAABUwAAAAYAAAAAAMB/BgAAAAAA/38='),
      flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'],
      listener: { path: '/run/agent.sock', metadata: 'm' },
    },
  },
  record: { monitor: MONITOR, init: true },
  terminal: { terminal: TERMINAL },
};

function planGolden(name: string) {
  const { config, problems } = validateConfig(
    parseConfig(readFileSync(join(folder, name, 'config.json'), 'utf8')),
  );
  assert.equal(problems, []);
  return name === 'exec'
    ? planExecProgram(execInput({ config, host: planInput({ host: HOST }).host }))
    : planContainer(planInput({ ...CHANGES[name], config, host: HOST }));
}

/** Where two texts begin to differ, with the line of each; `none`. */
function firstDifference(before: string, after: string): string {
  const [old, now] = [before.split('\n'), after.split('\n')];
  for (let i = 0; i < Math.max(old.length, now.length); i++)
    if (old[i] !== now[i]) return `line ${i + 1}\n- ${old[i]}\n+ ${now[i]}`;
  return 'none';
}

test('every change belongs to a bundle', () => {
  for (const name of Object.keys(CHANGES)) assert.ok(names.includes(name), name);
});

for (const name of names) {
  test(`${name}: the plan is the one in program.txt`, () => {
    const text = printProgram(planGolden(name));
    const file = join(folder, name, 'program.txt');
    if (process.env['UPDATE_GOLDEN']) writeFileSync(file, text);
    assert.ok(existsSync(file), 'run it once with UPDATE_GOLDEN=1');
    assert.is(firstDifference(readFileSync(file, 'utf8'), text), 'none');
  });

  test(`${name}: nothing is wrong with the program`, () => {
    for (const arch of ['x64', 'arm64'] as const)
      assert.equal(checkProgram(planGolden(name), arch), [], arch);
  });

  test(`${name}: the text form reads back as the same program`, () => {
    const program = planGolden(name);
    assert.equal(parseProgram(printProgram(program)), program);
  });
}

test.run();
