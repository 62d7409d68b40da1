// tinyrun under Podman: what an engine calls, through its own command line, with storage of its own below /tmp.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tinyrun } from '../support/bundle.ts';
import { removeCgroup } from '../support/cgroup.ts';
import { payload, runCommand, until } from '../support/container.ts';
import { withPty } from '../support/pty.ts';
import { skip } from '../support/skip.ts';

interface Podman {
  /** Where its storage is, and where tests may put things. */
  dir: string;
  /** Runs `podman WORDS`; returns stdout, and throws where the exit code is another. */
  (words: string, code?: number): string;
  /** The whole command line of `podman WORDS`. */
  command: (words: string) => string[];
}

/** The engine's defaults raise limits that this process may not have. */
const LIMITS = '[containers]\ndefault_ulimits = ["nofile=512:512", "nproc=1024:1024"]\n';
const IMAGE = 'payload';
/** Of its cgroup, Podman leaves the directories of hierarchies without controllers. */
function removePod(podman: Podman, name: string): void {
  const { Id: id } = JSON.parse(podman(`pod inspect ${name}`));
  podman(`pod rm --force --time 0 ${name}`);
  removeCgroup(`libpod_parent/${id}`);
}

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
  const engine = [
    ...['env', `CONTAINERS_CONF=${at('containers.conf')}`, `TMPDIR=${dir}`],
    ...['podman', '--root', at('root'), '--runroot', at('runroot'), '--tmpdir', at('tmp')],
    ...['--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'],
    ...['--runtime', at('runtime')],
  ];
  const command = (words: string) => [
    ...engine,
    ...words.replace(/^run (?!.*--(pod|network))/, 'run --network none ').split(' '),
  ];
  const podman = Object.assign(
    (words: string, code = 0): string => {
      const result = runCommand(command(words), { timeout: 60_000, cwd: dir });
      if (result.code !== code)
        throw new Error(`podman ${words}: exit code ${result.code}: ${result.stderr}${result.stdout}`);
      return result.stdout + (code === 0 ? '' : result.stderr);
    },
    { dir, command },
  );
  try {
    mkdirSync(at('image/tmp'), { recursive: true });
    copyFileSync(payload, at('image/payload'));
    writeFileSync(at('image/tmp/seed'), 'of the image');
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

function podmanTest(
  name: string,
  use: (podman: Podman) => Promise<void> | void,
  obstacle: string | undefined = undefined,
): void {
  const reason = why ?? obstacle;
  if (reason !== undefined) skip(name, reason);
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

podmanTest('podman run -t, run -it, exec -it: terminals', async (podman) => {
  const screen = podman(`run -t --rm ${IMAGE} /payload tty`);
  assert.match(screen, /pts/);
  await withPty(podman.command(`run -it --rm ${IMAGE} /payload tty -- exit 6`), async (pty) => {
    await pty.shows(/pts/);
    assert.is(await pty.exitCode(), 6);
  });
  podman(`run -d --name c1 ${IMAGE} /payload trap`);
  await withPty(podman.command('exec -it c1 /payload tty -- exit 7'), async (pty) => {
    await pty.shows(/pts/);
    assert.is(await pty.exitCode(), 7);
  });
  podman('rm --force --time 0 c1');
});

podmanTest('podman run with more rights, fewer rights, and none', (podman) => {
  const status = (flags: string): string => podman(`run --rm ${flags} ${IMAGE} /payload status`);
  const [sysAdmin, chown] = [1n << 21n, 1n << 0n];
  const effective = (text: string): bigint => BigInt(`0x${/^CapEff:\t(.+)$/m.exec(text)![1]}`);
  assert.is(effective(status('--cap-add SYS_ADMIN --cap-drop CHOWN')) & (sysAdmin | chown), sysAdmin);
  assert.is(effective(status('--cap-drop ALL')), 0n);
  assert.is(effective(status('--privileged')) & sysAdmin, sysAdmin);
  assert.match(status('--security-opt seccomp=unconfined'), /^Seccomp:\t0$/m);
  assert.match(status('--security-opt no-new-privileges'), /^NoNewPrivs:\t1\nSeccomp:\t2$/m);
});

podmanTest("podman run in namespaces of the host's, and in a user namespace", (podman) => {
  const own = (name: string): string => readlinkSync(`/proc/self/ns/${name}`);
  const shared = podman(
    `run --rm --network host --pid host --ipc host --uts host ${IMAGE} /payload readlink /proc/self/ns/net -- readlink /proc/self/ns/pid -- readlink /proc/self/ns/ipc -- readlink /proc/self/ns/uts`,
  );
  assert.equal(shared.trim().split('\n'), ['net', 'pid', 'ipc', 'uts'].map(own));
  const maps = '--uidmap 0:100000:1000 --gidmap 0:200000:1000';
  assert.match(podman(`run --rm ${maps} ${IMAGE} /payload cat /proc/self/uid_map`), /^ +0 +100000 +1000$/m);
});

podmanTest('podman run with limits, podman update, stats', (podman) => {
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
  podman('update --memory 32m c1');
  assert.is(limit('memory', 'memory.limit_in_bytes', 'memory.max'), String(32 << 20));
  assert.is(limit('pids', 'pids.max', 'pids.max'), '20');
  assert.match(podman('stats --no-stream --format {{.Name}}:{{.PIDS}} c1'), /^c1:1$/m);
  podman('rm --force --time 0 c1');
});

podmanTest('podman run with volumes, tmpfs and a read-only rootfs', (podman) => {
  podman('volume create v1');
  podman(`run --rm -v v1:/data ${IMAGE} /payload write /data/a hello`);
  assert.is(podman(`run --rm --read-only -v v1:/data:ro ${IMAGE} /payload cat /data/a`).trim(), 'hello');
  podman(`run --rm --read-only -v v1:/data:ro ${IMAGE} /payload write /data/a no`, 1);
  podman(`run --rm --tmpfs /scratch ${IMAGE} /payload write /scratch/b x`);
  podman('volume rm v1');
  // Podman asks for tmpcopyup on its own.
  assert.is(podman(`run --rm --tmpfs /tmp ${IMAGE} /payload ls /tmp`), 'seed\n');
  assert.is(podman(`run --rm --tmpfs /tmp:notmpcopyup ${IMAGE} /payload ls /tmp`), '');
});

/** Nor can runc: `open /dev/null: operation not permitted`. */
const podObstacle = existsSync('/sys/fs/cgroup/cgroup.controllers')
  ? 'Podman 4.3 denies all devices in the cgroup of a pod, on cgroup version 2'
  : undefined;

podmanTest(
  'podman pod: containers that share namespaces',
  (podman) => {
    podman(`pod create --name p1 --network none --infra-image ${INFRA}`);
    podman(`run -d --pod p1 --name c1 ${IMAGE} /payload trap`);
    assert.match(podman('pod ps'), /Running/);
    assert.is(podman(`run --rm --pod p1 ${IMAGE} /payload hostname`), 'p1\n');
    podman('pod pause p1');
    podman('pod unpause p1');
    podman('pod stop --time 0 p1');
    podman('pod start p1');
    removePod(podman, 'p1');
    podman(`pod create --name p2 --network host --share net --infra-image ${INFRA}`);
    const network = podman(`run --rm --pod p2 ${IMAGE} /payload readlink /proc/self/ns/net`);
    assert.is(network.trim(), readlinkSync('/proc/self/ns/net'));
    removePod(podman, 'p2');
  },
  podObstacle,
);

podmanTest('podman cp, commit, restart, healthcheck', async (podman) => {
  const health =
    '--health-cmd ["/payload","cat","/tmp/healthy"] --health-retries 1 --health-interval disable';
  podman(`run -d --name c1 ${health} ${IMAGE} /payload trap`);
  podman('healthcheck run c1', 1);
  writeFileSync(join(podman.dir, 'healthy'), 'yes');
  podman(`cp ${join(podman.dir, 'healthy')} c1:/tmp/healthy`);
  podman('healthcheck run c1');
  podman('commit --quiet c1 copy');
  assert.is(podman('run --rm --no-healthcheck copy /payload cat /tmp/healthy').trim(), 'yes');
  podman('restart --time 0 c1');
  await until('it has begun again', () => podman('logs c1').endsWith('ready\n'));
  assert.is(podman('exec c1 /payload cat /tmp/healthy').trim(), 'yes');
  podman('rm --force --time 0 c1');
});

podmanTest('podman build: each RUN is a container', (podman) => {
  const context = join(podman.dir, 'context');
  mkdirSync(context);
  const file = [
    `FROM ${IMAGE}`,
    'RUN ["/payload", "write", "/built", "in one"]',
    'USER 7',
    'RUN ["/payload", "cat", "/built", "--", "ids"]',
    'CMD ["/payload", "cat", "/built"]',
  ];
  writeFileSync(join(context, 'Containerfile'), `${file.join('\n')}\n`);
  podman(`build --isolation oci --network none --tag built ${context}`);
  assert.is(podman('run --rm built').trim(), 'in one');
});

test.run();
