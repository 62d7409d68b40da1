// A host that fails: no space or no right to write where the state is kept, state that is damaged, a pid that has gone to
// another process. Each is told in one line, nothing is left, other containers are none the worse for it, and `delete
// --force` gets rid of the broken one.

import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import { type Bundle, type Result, tinyrun, withBundle } from '../support/bundle.ts';
import { runCommand, until } from '../support/container.ts';
import { leftovers } from '../support/refusal.ts';
import { skip } from '../support/skip.ts';
import { say, sayVia, succeeds } from '../support/verbs.ts';

const asTrap = (config: Config): void => {
  config.process.args = ['/payload', 'trap'];
};

/** Runs a script in a mount namespace of its own, with a filesystem of this size over the state root, and functions. */
function onSmallDisk(bundle: Bundle, options: string, script: string): Result {
  mkdirSync(bundle.root, { recursive: true });
  const roots = `--root ${bundle.root} --data-root ${bundle.dataRoot}`;
  const prelude = `
    mount --make-rprivate /
    mount -t tmpfs -o ${options} tmpfs ${bundle.root}
    tinyrun() { ${tinyrun} ${roots} "$@" </dev/null; }
    create() { tinyrun create --bundle ${bundle.dir} ${bundle.id} >${bundle.dir}/output 2>&1; }
    left() { ls -A ${bundle.root} | grep -v '^\\.' || true; }`;
  return runCommand(['unshare', '-m', 'sh', '-euc', `${prelude}\n${script}`]);
}

const CREATE = (id: string): string => `
  if create; then tinyrun list -q; tinyrun delete --force ${id}; echo made
  else tinyrun list -q; fi
  left`;

for (const [name, sizes] of Object.entries({
  files: Array.from({ length: 40 }, (_, i) => `nr_inodes=${i + 2}`),
  pages: Array.from({ length: 40 }, (_, i) => `size=${4 * (i + 1)}k`),
}))
  test(`a state root with too few ${name}: create says so, and leaves nothing`, () =>
    withBundle(
      (bundle) => {
        let refused = 0;
        for (const size of sizes) {
          const { stdout, stderr, code } = onSmallDisk(bundle, size, CREATE(bundle.id));
          assert.equal([stderr, code], ['', 0], size);
          assert.equal(leftovers(bundle), [], size);
          const said = readFileSync(join(bundle.dir, 'output'), 'utf8');
          if (stdout !== '') {
            assert.is(stdout, `${bundle.id}\nmade\n`, size);
            assert.is(said, '', size);
            assert.ok(refused > 2, 'some were too small');
            return;
          }
          assert.match(said, /^tinyrun: [^\n]+(ENOSPC|no space left)[^\n]*\n$/, size);
          refused++;
        }
        assert.unreachable('there was never room enough');
      },
      {
        config: (config) => {
          asTrap(config);
          config.annotations = { long: 'x'.repeat(9000) }; // state.json and config.json take more than a page
        },
      },
    ));

test('when the disk of the state root is full, containers can still be started, entered, changed, killed and deleted', () =>
  withBundle(
    (bundle) => {
      const { id, root } = bundle;
      const script = `
      create
      head -c 20M /dev/zero >${root}/.full 2>/dev/null || true
      tinyrun start ${id}
      tinyrun exec ${id} /payload true
      tinyrun update --pids-limit 50 ${id} || true
      tinyrun pause ${id}
      tinyrun resume ${id}
      tinyrun list -q
      tinyrun delete --force ${id}
      left`;
      const { stdout, stderr, code } = onSmallDisk(bundle, 'size=4m', script);
      assert.is(stdout, `${id}\n`);
      assert.match(stderr, /^(tinyrun: [^\n]+ENOSPC[^\n]+\n)?$/);
      assert.is(code, 0);
      assert.equal(leftovers(bundle), []);
    },
    { config: asTrap },
  ));

test('a state root that is read-only: one line, and what is there can be looked at', () =>
  withBundle(
    (bundle) => {
      const { id, root } = bundle;
      const script = `
      create
      mount -o remount,ro ${root}
      tinyrun list -q
      tinyrun state ${id} | grep status
      tinyrun delete --force ${id} || echo refused
      tinyrun create --bundle ${bundle.dir} other || echo refused
      mount -o remount,rw ${root}
      tinyrun delete --force ${id}
      left`;
      const { stdout, stderr, code } = onSmallDisk(bundle, 'size=4m', script);
      assert.match(stdout, new RegExp(`^${id}\n *"status": "created",\nrefused\nrefused\n$`), stderr);
      assert.match(stderr, /^(tinyrun: [^\n]+EROFS[^\n]+\n){2}$/);
      assert.is(code, 0);
      assert.equal(leftovers(bundle), []);
    },
    { config: asTrap },
  ));

/** What may happen to a file of a state directory. */
const damages: Readonly<Record<string, (path: string) => void>> = {
  missing: (path) => rmSync(path),
  empty: (path) => truncateSync(path),
  garbage: (path) => writeFileSync(path, '{"id": \0'),
  'a symlink': (path) => {
    rmSync(path);
    symlinkSync('/etc/passwd', path);
  },
  'a directory': (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  'a fifo': (path) => {
    rmSync(path);
    runCommand(['mkfifo', path]);
  },
};

const WORDS = /^(tinyrun: (warning: )?[^\n]+\n)*$/;

for (const file of [
  'state.json',
  'init.stat',
  'config.json',
  'exec.fifo',
  'init.pidfd',
  'state.text',
  'cgroup.paths',
])
  test(`${file} is damaged: no command hangs or fails in another way than by saying so, and delete --force cleans up`, () =>
    withBundle(
      async (bundle) => {
        const other = `${bundle.id}-other`;
        await succeeds(bundle, 'create', '--bundle', bundle.dir, other);
        for (const [name, damage] of Object.entries(damages)) {
          // Without state.json a container is taken for one that was never finished: it is only removed.
          if (file === 'state.json' && name === 'missing') continue;
          await succeeds(bundle, 'create', '--bundle', bundle.dir, bundle.id);
          const path = join(bundle.root, bundle.id, file);
          try {
            damage(path);
          } catch {
            await succeeds(bundle, 'delete', '--force', bundle.id);
            continue; // this kernel has no such file
          }
          const list = await say(bundle, 'list', '--quiet');
          assert.match(list.stdout, other, name);
          assert.is(list.code, 0, name);
          const id = bundle.id;
          for (const words of [
            ['state', id],
            ['start', id],
            ['exec', id, '/payload', 'true'],
            ['pause', id],
            ['resume', id],
            ['update', '--pids-limit', '60', id],
            ['kill', id, '0'],
            ['delete', id],
          ]) {
            const { stderr } = await say(bundle, ...words);
            assert.match(stderr, WORDS, `${name}: ${words.join(' ')}`);
            assert.not.match(stderr, /\.ts:\d|\bat .+:\d+:\d+|\$bunfs/, 'no stack trace');
          }
          await succeeds(bundle, 'delete', '--force', id);
          const ended = () =>
            !leftovers(bundle).some((left) => left.includes(`${id}/`) && !left.includes(other));
          await until(`nothing is left of it: ${name}`, ended);
        }
        await succeeds(bundle, 'delete', '--force', other);
        await until('nothing is left', () => leftovers(bundle).length === 0);
      },
      { config: asTrap },
    ));

const REUSE = 'a process that has got the pid of an init that has ended gets no signal';
test(REUSE, () =>
  withBundle(
    async (bundle) => {
      const roots = `--root ${bundle.root} --data-root ${bundle.dataRoot}`;
      const { id } = bundle;
      // The pid namespace's first process takes orphans, and waits for them (`wait` knows only its own: hence the loop).
      const script = `
        tinyrun() { ${tinyrun} ${roots} "$@" </dev/null; }
        tinyrun create --bundle ${bundle.dir} --pid-file ${bundle.dir}/pid ${id} >/dev/null
        pid=$(cat ${bundle.dir}/pid)
        tinyrun kill ${id} KILL
        for i in $(seq 100); do [ -e /proc/$pid ] || break; sleep 0.05; (true); done
        for i in $(seq 100); do
          echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid
          sleep 300 </dev/null >/dev/null 2>&1 & taken=$!
          [ $taken = $pid ] && break
          kill -9 $taken
        done
        [ $taken = $pid ] || { echo not taken; exit 0; }
        for verb in state start 'kill KILL' 'exec' pause resume 'update --pids-limit 9' 'kill --all KILL' 'delete --force'; do
          case $verb in
            exec) tinyrun exec ${id} /payload true || true ;;
            'kill KILL') tinyrun kill ${id} KILL || true ;;
            'kill --all KILL') tinyrun kill --all ${id} KILL || true ;;
            *) tinyrun $verb ${id} || true ;;
          esac
          kill -0 $pid || echo "$verb has killed another process"
        done 2>&1
        tinyrun list -q
        kill -9 $pid
        echo done`;
      const via = ['unshare', '--pid', '--fork', '--mount-proc', 'sh', '-euc', script];
      const { stdout, stderr, code } = await sayVia(bundle, via, []);
      if (stdout.includes('not taken')) return skip(REUSE, 'the pid could not be had');
      assert.equal([stderr, code], ['', 0]);
      assert.match(stdout, /"pid": 0,\n +"status": "stopped"/);
      assert.not.match(stdout, 'another process');
      assert.match(stdout, /cannot start a container that has stopped/);
      assert.match(stdout, /container not running/);
      assert.match(stdout, /done\n$/);
      assert.equal(leftovers(bundle), []);
    },
    { config: asTrap },
  ),
);

test.run();
