// `tinyrun explain` shows what `run` would do, and does nothing of it; what it shows is what `run --trace` sees done.

import { chmodSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, runTinyrun, tinyrun, withBundle } from '../support/bundle.ts';
import { output, runCommand } from '../support/container.ts';
import { listTree } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';
import { assertTraced, parseTrace } from '../support/traced.ts';

/** Configs that take the planner's different ways. */
const variants: { name: string; flags: string[]; config: (config: Config) => void }[] = [
  { name: 'the default', flags: [], config: () => {} },
  { name: 'an overlay', flags: ['--overlay'], config: () => {} },
  { name: 'a bind', flags: ['-v', '/tmp:/tmp:ro', '--tmpfs', '/run:size=1m'], config: () => {} },
  {
    name: 'a terminal',
    flags: [],
    config: ({ process }) => {
      process.terminal = true;
    },
  },
  {
    name: 'a user namespace',
    flags: [],
    config: ({ linux }) => {
      linux!.namespaces!.push({ type: 'user' });
      linux!.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      linux!.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    },
  },
];

/** Everything that may change: what is there, and when it was changed. */
function stock(bundle: Bundle): string[] {
  const top = dirname(bundle.dir);
  const files = [top, ...listTree(top)].map((path) => {
    const { mode, size, mtimeMs, ctimeMs } = statSync(path);
    return [path, mode, size, mtimeMs, ctimeMs].join(' ');
  });
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [...files, ...mounts.filter((line) => line.includes(top))]; // others have their own
}

for (const { name, flags, config } of variants) {
  test(`explain needs no root and changes nothing: ${name}`, () =>
    withBundle(
      (bundle) => {
        chmodSync(dirname(bundle.dir), 0o755); // mkdtemp(3) makes it for its owner only
        const before = stock(bundle);
        const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
        const roots = ['--root', bundle.root, '--data-root', bundle.dataRoot];
        for (const form of [[], ['--compact'], ['--program'], ['--json']]) {
          const words = [...nobody, tinyrun, ...roots, 'explain', ...form, ...flags, bundle.dir];
          const { stdout: listing, stderr, code } = runCommand(words, { cwd: '/' });
          // A user can make a container with a user namespace, and is told what it would lack.
          assert.match(`${code} ${stderr}`, /^0 (tinyrun: warning: .*no cgroup is delegated.*\n)?$/);
          assert.match(listing, 'make the rootfs a slave of the host');
        }
        assert.equal(stock(bundle), before);
      },
      { config },
    ));

  test(`what run does is what explain says: ${name}`, () =>
    withBundle(
      (bundle) => {
        const words = [...flags, '--bundle', bundle.dir, bundle.id];
        const explained = JSON.parse(output(runTinyrun(bundle, ['explain', '--json', ...words])));
        const trace = join(bundle.dir, 'trace');
        assert.is(runTinyrun(bundle, ['run', '--trace', trace, ...words]).code, 0);
        assertTraced(parseTrace(readFileSync(trace, 'utf8')), explained);
      },
      { config },
    ));
}

test('each op that explain lists says what it does, why, and where that comes from', () =>
  withBundle((bundle) => {
    const ops = JSON.parse(output(runTinyrun(bundle, ['explain', '--json', bundle.dir])));
    assert.ok(Array.isArray(ops) && ops.length > 100);
    for (const [i, op] of ops.entries()) {
      assert.is(op.number, i);
      assert.ok(['host', 'init'].includes(op.section));
      assert.match(op.what, /^\S/);
      assert.match(op.why, /^\S.*[.?]$/s);
      assert.match(op.from, /^(runtime$|\/|--)/);
      assert.is(typeof op.text, 'string');
    }
  }));

test('explain calls nothing that could change the machine', () =>
  withBundle((bundle) => {
    if (Bun.which('strace') === null) return skip('what explain calls', 'no strace');
    const file = join(bundle.dir, 'strace');
    const calls =
      'mount,umount2,move_mount,open_tree,mkdir,mkdirat,mknodat,rename,renameat,renameat2,unlink,unlinkat,rmdir';
    const more =
      'pivot_root,chroot,unshare,setns,chmod,fchmod,fchmodat,fchown,symlinkat,linkat,sethostname,open,openat,openat2';
    const command = ['strace', '-f', '-qq', '-o', file, '-e', `trace=${calls},${more}`];
    output(runCommand([...command, tinyrun, 'explain', '--overlay', bundle.dir]));
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    assert.ok(lines.some((line) => line.includes('config.json')));
    const harmless = /^\d+ +(open|openat|openat2)\(|^\d+ (<\.\.\.|[+-]{3})/;
    assert.equal(
      lines.filter((line) => !harmless.test(line)),
      [],
    );
    assert.equal(
      lines.filter((line) => /O_CREAT|O_WRONLY|O_TRUNC/.test(line)),
      [],
    );
  }));

test.run();
