// tinyrun under Podman: what an engine calls, through its own command line, with storage of its own below /tmp.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { payload, runCommand, until } from '../support/container.ts';
import { skip } from '../support/skip.ts';

interface Podman {
  /** Where its storage is, and where tests may put things. */
  dir: string;
  /** Runs `podman WORDS`; returns stdout, and throws where the exit code is another. */
  (words: string, code?: number): string;
}

/** The engine's defaults raise limits that this process may not have. */
const LIMITS = '[containers]\ndefault_ulimits = ["nofile=512:512", "nproc=1024:1024"]\n';
const IMAGE = 'payload';
/** What holds the namespaces of a pod. */
const INFRA = 'infra';

const why =
  Bun.which('podman') === null || Bun.which('conmon') === null
    ? 'podman or conmon is not installed'
    : undefined;

/** A Podman with storage of its own, and an image whose only program is the payload. */
async function withPodman(use: (podman: Podman) => Promise<void> | void): Promise<void> {
  const dir = mkdtempSync('/tmp/tinyrun-test-');
  const at = (name: string) => join(dir, name);
  writeFileSync(at('containers.conf'), LIMITS);
  // Podman's own clean-up does not hear of --runtime-flag.
  writeFileSync(at('runtime'), `#!/bin/sh\nexec ${tinyrun} --root ${at('state')} "$@"\n`, { mode: 0o755 });
  const env = { ...process.env, CONTAINERS_CONF: at('containers.conf'), TMPDIR: dir };
  const engine = [
    ...['podman', '--root', at('root'), '--runroot', at('runroot'), '--tmpdir', at('tmp')],
    ...['--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'],
    ...['--runtime', at('runtime')],
  ];
  const podman = Object.assign(
    (words: string, code = 0): string => {
      const command = [...engine, ...words.replace(/^run (?!.*--pod)/, 'run --network none ').split(' ')];
      const result = runCommand(command, { env, timeout: 60_000, cwd: dir });
      if (result.code !== code)
        throw new Error(`podman ${words}: exit code ${result.code}: ${result.stderr}${result.stdout}`);
      return result.stdout + (code === 0 ? '' : result.stderr);
    },
    { dir },
  );
  try {
    mkdirSync(at('image/tmp'), { recursive: true });
    copyFileSync(payload, at('image/payload'));
    const tar = runCommand(['tar', '-C', at('image'), '-cf', at('image.tar'), '.']);
    assert.is(tar.code, 0, tar.stderr);
    podman(`import ${at('image.tar')} ${IMAGE}`);
    podman(`import --change ENTRYPOINT=["/payload","trap"] ${at('image.tar')} ${INFRA}`);
    await use(podman);
  } finally {
    podman('rm --all --force --time 0');
    podman('rmi --all --force');
    rmSync(dir, { recursive: true, force: true });
  }
  assert.not.match(readFileSync('/proc/self/mountinfo', 'utf8'), dir);
}

function podmanTest(name: string, use: (podman: Podman) => Promise<void> | void): void {
  if (why !== undefined) skip(name, why);
  else test(name, () => withPodman(use));
}

podmanTest('podman run: output, exit codes, environment, working directory, user', (podman) => {
  assert.is(podman(`run --rm ${IMAGE} /payload args a b`), 'a\nb\n');
  podman(`run --rm ${IMAGE} /payload exit 7`, 7);
  assert.match(podman(`run --rm -e A=B -w /tmp ${IMAGE} /payload env -- cwd`), /^A=B$(.|\n)*^\/tmp$/m);
  assert.match(podman(`run --rm -u 1000:1001 ${IMAGE} /payload ids`), /1000.*1001/s);
  assert.match(podman(`run --rm ${IMAGE} nothere`, 127), /executable file not found in \$PATH/);
  podman(`run --rm ${IMAGE} /proc`, 126);
});

podmanTest('podman run -d, logs, exec, top, pause, unpause, stop, start, rm', async (podman) => {
  podman(`run -d --name c1 ${IMAGE} /payload trap 10`);
  await until('it has begun', () => podman('logs c1') === 'ready\n');
  assert.is(podman('exec c1 /payload args in'), 'in\n');
  podman('exec c1 /payload exit 3', 3);
  assert.match(podman('exec -e X=1 -w /tmp -u 5 c1 /payload env -- cwd'), /^X=1$(.|\n)*^\/tmp$/m);
  assert.match(podman('top c1'), /trap/);
  podman('pause c1');
  assert.match(podman('ps --all'), /Paused/);
  podman('unpause c1');
  podman('kill --signal USR1 c1');
  await until('the signal arrives', () => podman('logs c1') === 'ready\n10\n');
  podman('stop --time 10 c1');
  assert.match(podman('ps --all'), /Exited \(0\)/);
  podman('start c1');
  await until('it has begun again', () => podman('logs c1').endsWith('ready\n'));
  podman('rm --force --time 0 c1');
});

podmanTest('podman run -t: a terminal', (podman) => {
  const screen = podman(`run -t --rm ${IMAGE} /payload tty`);
  assert.match(screen, /pts/);
});

podmanTest('podman run with limits, and podman update of none', (podman) => {
  podman(`run -d --name c1 --memory 64m --pids-limit 20 --cpu-shares 512 ${IMAGE} /payload trap`);
  const pid = podman('inspect -f {{.State.Pid}} c1').trim();
  const cgroups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const limit = (controller: string, v1: string, v2: string): string => {
    const line = new RegExp(unified ? '^0::(.*)$' : `^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm');
    const path = line.exec(cgroups)?.[1] ?? '';
    const folder = unified ? '' : `/${controller}`;
    return readFileSync(`/sys/fs/cgroup${folder}${path}/${unified ? v2 : v1}`, 'utf8').trim();
  };
  assert.is(limit('memory', 'memory.limit_in_bytes', 'memory.max'), String(64 << 20));
  assert.is(limit('pids', 'pids.max', 'pids.max'), '20');
  podman('rm --force --time 0 c1');
});

podmanTest('podman run with volumes, tmpfs and a read-only rootfs', (podman) => {
  podman('volume create v1');
  podman(`run --rm -v v1:/data ${IMAGE} /payload write /data/a hello`);
  assert.is(podman(`run --rm --read-only -v v1:/data:ro ${IMAGE} /payload cat /data/a`).trim(), 'hello');
  podman(`run --rm --read-only -v v1:/data:ro ${IMAGE} /payload write /data/a no`, 1);
  podman(`run --rm --tmpfs /scratch ${IMAGE} /payload write /scratch/b x`);
  podman('volume rm v1');
});

podmanTest('podman pod: containers that share namespaces', (podman) => {
  podman(`pod create --name p1 --network none --infra-image ${INFRA}`);
  podman(`run -d --pod p1 --name c1 ${IMAGE} /payload trap`);
  assert.match(podman('pod ps'), /Running/);
  podman('pod rm --force --time 0 p1');
});

test.run();
