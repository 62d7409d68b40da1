// What `tinyrun spec` writes, beside what `runc spec` writes.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { defaultConfig, rootlessConfig } from '../../src/oci/defaults.ts';
import { parseConfig } from '../../src/oci/parse.ts';
import { validateConfig } from '../../src/oci/validate.ts';

const runc = Bun.which('runc');

function runcSpec(runc: string, as: readonly string[] = [], flags: readonly string[] = []): unknown {
  const bundle = mkdtempSync(join(tmpdir(), 'tinyrun-spec-'));
  try {
    chmodSync(bundle, 0o777);
    const { exitCode } = Bun.spawnSync([...as, runc, 'spec', ...flags], { cwd: bundle });
    assert.is(exitCode, 0);
    return JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  } finally {
    rmSync(bundle, { recursive: true });
  }
}

/** JSON pointer -> value of every leaf. */
function leaves(value: unknown, at = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null) return new Map([[at, value]]);
  return new Map(Object.entries(value).flatMap(([key, field]) => [...leaves(field, `${at}/${key}`)]));
}

test('the default config has no problem and no warning', () => {
  const { problems, warnings } = validateConfig(defaultConfig());
  assert.equal([...problems, ...warnings], []);
});

test('the default config survives being written and read', () => {
  assert.equal(parseConfig(JSON.stringify(defaultConfig())), defaultConfig());
});

test('callers can change a default config without changing the next one', () => {
  defaultConfig().process.capabilities!.bounding!.push('CAP_SYS_ADMIN');
  assert.not.ok(defaultConfig().process.capabilities!.bounding!.includes('CAP_SYS_ADMIN'));
});

if (runc === null) {
  console.log('skipped: the default config beside `runc spec`: runc is not installed');
} else {
  // Later runc has the second masked path too, and a cgroup namespace on hosts with cgroup v2.
  const justified =
    /^\/(ociVersion|hostname|process\/capabilities\/ambient\/[0-2]|linux\/maskedPaths\/1[0-9]|linux\/namespaces\/5\/type)$/;
  const unjustified = (mine: Config, others: unknown): string[] => {
    const [ours, theirs] = [leaves(mine), leaves(others)];
    const pointers = [...new Set([...ours.keys(), ...theirs.keys()])];
    return pointers.filter(
      (pointer) => ours.get(pointer) !== theirs.get(pointer) && !justified.test(pointer),
    );
  };

  test('the default config differs from `runc spec` only where defaults.ts says so', () => {
    assert.equal(unjustified(defaultConfig(), runcSpec(runc)), []);
  });

  test('the config of spec --rootless differs from `runc spec --rootless` in no other place', () => {
    const user = ['setpriv', '--reuid=1234', '--regid=1235', '--clear-groups'];
    assert.equal(unjustified(rootlessConfig(1234, 1235), runcSpec(runc, user, ['--rootless'])), []);
  });
}

test.run();
