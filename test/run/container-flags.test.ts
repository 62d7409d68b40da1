// Docker's flags of `run IMAGE`: what a program in the container sees of each.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isV2, removeCgroup } from '../support/cgroup.ts';
import { busybox, leftOf, makeImage, withStore } from '../support/store.ts';

const MEMORY = 'cat /sys/fs/cgroup/memory';

/** Flags, a script, what it prints. */
const TABLE: [string, string, string | RegExp][] = [
  ['', 'id', 'uid=0(root) gid=0(root) groups=0(root),10(wheel)'],
  ['', 'echo $PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ['', 'echo $HOME $PWD $TERM', '/root /'],
  ['', 'echo $HOSTNAME; hostname', /^([0-9a-f]{12})\n\1$/],
  ['', 'grep CapEff /proc/self/status', 'CapEff:\t00000000a80425fb'],
  ['', 'grep Seccomp: /proc/self/status', 'Seccomp:\t2'],
  ['', 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t0'],
  ['', 'unshare -m true 2>&1 || echo no', /Operation not permitted\nno$/],
  ['', 'ls /sys/class/net', 'lo'],
  ['', 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start', '0'],
  ['', 'ls -A /sys/firmware; wc -c </proc/keys', '0'],
  ['', 'cat /proc/1/oom_score_adj', /^-?\d+$/],
  ['-e A=1 --env B=2', 'echo $A$B', '12'],
  ['-u ann', 'id; echo $HOME', 'uid=1000(ann) gid=1001(ann) groups=50(staff),1001(ann)\n/home/ann'],
  ['-u ann', 'grep CapEff /proc/self/status', 'CapEff:\t0000000000000000'],
  ['-u 5:6', 'id', 'uid=5 gid=6 groups=6'],
  ['--user 1000:staff', 'id -G', '50'],
  ['-u ann --group-add wheel --group-add 7', 'id -G', '1001 7 10 50'],
  ['-w /tmp/new/dir', 'pwd', '/tmp/new/dir'],
  ['--hostname zz', 'hostname; cat /etc/hostname; grep -c zz /etc/hosts', 'zz\nzz\n1'],
  ['-h zz --domainname d.org', 'hostname; cat /proc/sys/kernel/domainname', 'zz\nd.org'],
  ['--read-only', 'touch /x 2>&1; touch /dev/shm/x && echo shm', 'touch: /x: Read-only file system\nshm'],
  ['--cap-add net_admin', 'grep CapEff /proc/self/status', 'CapEff:\t00000000a80435fb'],
  ['--cap-drop ALL', 'grep CapEff /proc/self/status', 'CapEff:\t0000000000000000'],
  ['--cap-drop ALL --cap-add CAP_KILL', 'grep CapEff /proc/self/status', 'CapEff:\t0000000000000020'],
  [
    '--privileged',
    'grep Seccomp: /proc/self/status; test -w /proc/sys/kernel/domainname && echo open',
    'Seccomp:\t0\nopen',
  ],
  [
    '--privileged',
    'mount -t tmpfs x /tmp && grep -c " /tmp " /proc/mounts; test -c /dev/kmsg -o -b /dev/loop0 -o -c /dev/loop-control && echo devices',
    '1\ndevices',
  ],
  ['--security-opt no-new-privileges', 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t1'],
  ['--security-opt seccomp=unconfined', 'grep Seccomp: /proc/self/status', 'Seccomp:\t0'],
  [
    '--security-opt systempaths=unconfined',
    'ls -A /proc/acpi /sys/firmware | wc -l | grep -v ^0 | wc -l',
    '1',
  ],
  ['--ulimit nofile=100:200', 'ulimit -Sn; ulimit -Hn', '100\n200'],
  ['--oom-score-adj 500', 'cat /proc/self/oom_score_adj', '500'],
  ['--device /dev/null:/dev/nothing:r', 'test -c /dev/nothing && cat /dev/nothing && echo read', 'read'],
  [
    '--device /dev/kmsg:/dev/log-of-host:r',
    '(echo tinyrun test >/dev/log-of-host) 2>&1 || echo refused',
    /refused$/,
  ],
  ['--sysctl net.ipv4.ip_forward=1', 'cat /proc/sys/net/ipv4/ip_forward', '1'],
  ['--shm-size 1m', 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2', '1024'],
  ['--ipc none', 'grep -c /dev/shm /proc/mounts', '0'],
  ['--add-host server:192.0.2.7', 'grep server /etc/hosts', '192.0.2.7\tserver'],
  [
    '--dns 192.0.2.8 --dns-search a.org --dns-option ndots:2',
    'cat /etc/resolv.conf',
    'nameserver 192.0.2.8\nsearch a.org\noptions ndots:2',
  ],
  ['--tmpfs /s:size=1m', 'grep " /s " /proc/mounts | cut -d" " -f1', 'tmpfs'],
  ['--pid host', 'test $$ != 1 && echo host', 'host'],
  [
    '--pids-limit 50 --cpu-shares 512',
    'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.shares',
    '50\n512',
  ],
  [
    '-m 64m --cpus 0.5 --cpuset-cpus 0',
    'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpuset/cpuset.cpus',
    '67108864\n50000\n0',
  ],
  ['-m64m', `${MEMORY}/memory.memsw.limit_in_bytes`, '134217728'],
  ['-m64m --memory-swap 0', `${MEMORY}/memory.memsw.limit_in_bytes`, '134217728'],
  ['-m64m --memory-swap 64m', `${MEMORY}/memory.memsw.limit_in_bytes`, '67108864'],
  ['-m64m --memory-swap -1', `${MEMORY}/memory.memsw.limit_in_bytes`, '9223372036854771712'],
  ['--memory-swappiness 20', `${MEMORY}/memory.swappiness`, '20'],
  ['-m64m --memory-reservation 32m', 'cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes', '33554432'],
  ['--init', 'cat /proc/1/comm; echo $$', /^(?!sh)\S+\n(?!1$)\d+$/],
  ['--entrypoint echo', 'x', 'sh -c x'],
];

test('each flag has its effect', async () => {
  await withStore((store) => {
    for (const [flags, script, expected] of TABLE) {
      if (isV2 && script.includes('/sys/fs/cgroup')) continue;
      const words = flags.split(' ').filter(Boolean);
      const { stdout, stderr } = store.t('run', '--rm', ...words, 'bb', 'sh', '-c', script);
      const told = `${flags}: ${script}: ${stderr}`;
      if (typeof expected === 'string') assert.is(stdout.trimEnd(), expected, told);
      else assert.match(stdout.trimEnd(), expected, told);
    }
  });
});

/** Flags, the exit code, words of the refusal; those of flags about volumes are in test/texts. */
const REFUSED: [string, number, string][] = [
  ['--user zed', 125, 'unable to find user zed: no matching entries in passwd file'],
  ['--user ann:zed', 125, 'unable to find group zed: no matching entries in group file'],
  ['--user 4294967296', 125, 'uids and gids must be in range 0-2147483647'],
  ['--restart always', 125, '--restart always: tinyrun has no daemon that would start it again'],
  ['-p 80:80', 125, '--publish: tinyrun has no networks yet'],
  ['--network front', 125, '--network front: tinyrun has no networks to join yet'],
  ['--pull always', 125, '--pull always: tinyrun fetches no images'],
  [
    '--platform linux/s390x',
    125,
    "the image's platform (linux/amd64) is not the wanted platform (linux/s390x)",
  ],
  ['--memory 1m', 125, 'Minimum memory limit allowed is 6MB'],
  ['--memory-swappiness 101', 125, 'Valid memory swappiness range is 0-100'],
  ['--memory-swap 64m', 125, 'You should always set the Memory limit when using Memoryswap limit'],
  ['--cpus 1000', 125, 'range of CPUs is from 0.01 to'],
  ['--blkio-weight 5', 125, 'Range of blkio weight is from 10 to 1000'],
  ['--cap-add NOPE', 125, 'invalid CapAdd: unknown capability: "CAP_NOPE"'],
  ['--hostname h --uts host', 125, 'conflicting options: hostname and the UTS mode'],
  ['--log-driver syslog', 125, '--log-driver syslog: tinyrun keeps output in files only'],
  ['--log-opt x=1', 125, "unknown log opt 'x' for json-file log driver"],
  [
    '--device /dev/nothing-there',
    125,
    'error gathering device information while adding custom device "/dev/nothing-there"',
  ],
  ['--device /etc/passwd', 125, 'not a device node'],
  ['--stop-signal NOPE', 125, 'invalid signal: NOPE'],
  ['-w rel', 125, "the working directory 'rel' is invalid, it needs to be an absolute path"],
  ['--env-file /nothing', 125, '--env-file: open /nothing: ENOENT'],
  ['--network container:nobody', 125, 'No such container: nobody'],
  ['--memory=', 125, 'invalid argument "" for --memory'],
  ['--cpus=', 125, 'invalid argument "" for --cpus'],
  ['--pids-limit=', 125, 'invalid argument "" for --pids-limit'],
  ['--sysctl kernel.panic=1', 125, 'invalid argument "kernel.panic=1" for --sysctl: it is in no namespace'],
  ['--sysctl kernel.hostname=x', 125, 'for --sysctl: write --hostname'],
  ['--env-file /bin/busybox', 125, '/bin/busybox: it is no text'],
];

test('what is wrong is refused, and leaves nothing behind', async () => {
  await withStore((store) => {
    for (const [flags, exit, words] of REFUSED) {
      const { stdout, stderr, code } = store.t('run', '--rm', ...flags.split(' '), 'bb', 'true');
      assert.equal([stdout, code], ['', exit], `${flags}: ${stderr}`);
      assert.match(stderr, words);
    }
    assert.equal(leftOf(store), []);
  });
});

test('what takes a container of an image says of one of a bundle what is for it', async () => {
  await withStore((store) => {
    mkdirSync(`${store.root}/web`, { recursive: true });
    for (const words of [
      ['rm', 'web'],
      ['rm', '-f', 'web'],
      ['stop', 'web'],
      ['commit', 'web'],
      ['logs', 'web'],
    ]) {
      const { stderr, code } = store.t(...words);
      assert.match(stderr, 'container web is of a bundle');
      assert.is(code, 1);
    }
    assert.match(store.t('stop', 'nobody').stderr, 'No such container: nobody');
  });
});

test('exit codes: 125 of tinyrun, 126 and 127 of the program, its own, 128 + signal', async () => {
  await withStore((store) => {
    const code = (...words: string[]): number => store.t('run', '--rm', 'bb', ...words).code;
    assert.equal(
      [code('true'), code('sh', '-c', 'exit 7'), code('nosuch'), code('/etc'), code('/etc/passwd')],
      [0, 7, 127, 126, 126],
    );
    assert.is(
      code('sh', '-c', 'kill -9 $$; sleep 5; kill -TERM $$'),
      0,
      'process 1 gets no signal of its own',
    );
    assert.is(code('sh', '-c', 'sleep 9 & kill -9 $!; wait $!'), 137);
    assert.match(
      store.t('run', '--rm', 'bb', 'nosuch').stderr,
      'exec: "nosuch": executable file not found in $PATH',
    );
    for (const [name, program, noted] of [
      ['missing', 'nosuch', '127 exec: "nosuch": executable file not found in $PATH'],
      ['denied', '/etc/passwd', '126 exec: "/etc/passwd": it cannot be executed'],
    ] as const) {
      store.out('create', '--name', name, 'bb', program);
      for (const words of [['start'], ['start', '-a'], ['restart']])
        assert.is(store.t(...words, name).code, 1);
      assert.is(store.out('inspect', '-f', '{{.State.ExitCode}} {{.State.Error}}', name), noted);
    }
    assert.is(store.t('run', '--name', 'its-own', 'bb', 'sh', '-c', 'exit 127').code, 127);
    assert.is(store.out('inspect', '-f', '{{.State.Error}}', 'its-own'), '');
    assert.is(store.t('run', '--rm', '--bad', 'bb').code, 125);
    assert.is(store.t('run', '--rm', 'nosuch').code, 125);
  });
});

test('K10: an image that is not here', async () => {
  await withStore((store) => {
    const { stderr, code } = store.t('run', '--pull', 'never', 'nosuch', 'true');
    assert.match(stderr, "Unable to find image 'nosuch:latest' locally");
    assert.is(code, 125);
  });
});

test('an image’s own words: user, directory, environment, entrypoint, labels, stop signal', async () => {
  await withStore(async (store) => {
    const config = {
      ...{
        User: 'ann',
        WorkingDir: '/opt/new',
        Env: ['A=image', 'B=image'],
        Entrypoint: ['/bin/sh', '-c'],
        Cmd: ['id -un; pwd; echo $A$B'],
      },
      ...{ Labels: { l: 'image' }, StopSignal: 'SIGUSR1' },
    };
    await makeImage(store, 'own', busybox, config);
    assert.is(store.out('run', '--rm', '-e', 'B=flag', 'own'), 'ann\n/opt/new\nimageflag');
    assert.is(store.out('run', '--rm', 'own', 'echo $0 x'), '/bin/sh x');
    assert.is(store.out('run', '--rm', '--entrypoint', 'id', 'own', '-u'), '1000');
    const trap = 'trap "exit 3" USR1; while :; do sleep 0.1; done';
    store.out('run', '-d', '--name', 's', 'own', trap);
    store.out('stop', 's');
    assert.is(store.out('wait', 's'), '3');
  });
});

test('--env-file, --label-file, --cidfile, --security-opt seccomp=FILE', async () => {
  await withStore((store) => {
    const file = (name: string, text: string): string => {
      writeFileSync(join(store.top, name), text);
      return join(store.top, name);
    };
    const env = file('env', '# comment\nA=from file\n');
    assert.is(store.out('run', '--rm', '--env-file', env, 'bb', 'sh', '-c', 'echo $A'), 'from file');
    const cid = join(store.top, 'cid');
    const id = store.out('create', '--cidfile', cid, '--label-file', file('l', 'x=y'), '-l', 'a', 'bb');
    assert.is(readFileSync(cid, 'utf8'), id);
    assert.match(store.t('create', '--cidfile', cid, 'bb').stderr, 'container ID file found');
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }],
    };
    const seccomp = `seccomp=${file('s', JSON.stringify(profile))}`;
    const { stderr } = store.t('run', '--rm', '--security-opt', seccomp, 'bb', 'mkdir', '/x');
    assert.match(stderr, 'Operation not permitted');
  });
});

test('--cgroup-parent: the cgroups of all its containers are below it', async () => {
  if (isV2) return;
  await withStore((store) => {
    const parent = store.top.slice('/tmp/'.length);
    try {
      const words = ['run', '--rm', '--cgroup-parent', `/${parent}`, 'bb', 'cat', '/proc/self/cgroup'];
      assert.match(store.out(...words), new RegExp(`pids:/${parent}/[0-9a-f]{64}$`, 'm'));
    } finally {
      removeCgroup(parent);
    }
  });
});

test('L18: hosts, hostname and resolv.conf are the container’s own, written anew at each start', async () => {
  await withStore((store) => {
    assert.is(store.out('run', '--rm', '--hostname', 'zz', 'bb', 'hostname'), 'zz');
    store.out(
      'create',
      '--name',
      'c',
      'bb',
      'sh',
      '-c',
      'cat /etc/hosts /etc/resolv.conf; echo x >>/etc/hosts; echo y >>/etc/resolv.conf',
    );
    const first = store.out('start', '-a', 'c');
    const second = store.out('start', '-a', 'c');
    assert.not.match(second, /^x$/m, 'hosts is new');
    assert.match(second, /^y$/m, 'a changed resolv.conf stays');
    assert.not.match(first, /^y$/m);
  });
});

test.run();
