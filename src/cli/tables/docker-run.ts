// Docker's options of `run` and `create`, on top of those of options.ts. Where the argument is a bundle, its config.json says
// what they say: then they are refused (cold.ts), but for a few.

import type { OptionSpec, OptionTable } from '../options.ts';

const text = (description: string, more: Partial<OptionSpec> = {}): OptionSpec => ({
  type: 'text',
  description,
  ...more,
});
const list = (description: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  text(description, { repeat: true, ...more });
const flag = (description: string, more: Partial<OptionSpec> = {}): OptionSpec => ({
  type: 'flag',
  description,
  ...more,
});

/** Of containers of an image alone. */
export const imageOptions: OptionTable = {
  annotation: list('NAME=VALUE, an annotation of its config.json'),
  attach: list('STDIN, STDOUT or STDERR: stay with it for these alone', { alias: 'a' }),
  'blkio-weight': text('weight of its I/O, 10 to 1000; 0: none of its own'),
  'cap-add': list('one more capability, or ALL'),
  'cap-drop': list('one capability less, or ALL'),
  'cgroup-parent': text("directory or slice that the container's cgroup is in"),
  cgroupns: text('cgroup namespace: private or host'),
  cidfile: text('write the id of the container to this file'),
  'cpu-shares': text('weight of its CPU time, 2 to 262144', { alias: 'c' }),
  cpus: text('CPU time that it may use: 1.5 is one and a half CPUs'),
  'cpuset-cpus': text('CPUs that it may use: 0-3,7'),
  'cpuset-mems': text('memory nodes that it may use'),
  device: list('HOST-DEVICE[:PATH[:rwm]]'),
  'dns-option': list('an option of resolv.conf'),
  domainname: text('NIS domain name'),
  entrypoint: text("program in place of the image's entrypoint"),
  env: list("NAME=VALUE, or NAME of the caller's environment", { alias: 'e' }),
  'env-file': list('file with a variable in each line'),
  'group-add': list('one more group'),
  hostname: text('hostname; default: the first 12 digits of its id', { alias: 'h' }),
  'image-volume': text('what its VOLUMEs become: anonymous volumes, tmpfs, or ignore', {
    default: 'anonymous',
  }),
  interactive: flag('keep its stdin open', { alias: 'i' }),
  ipc: text('IPC namespace: private, shareable, host, none or container:NAME'),
  label: list('NAME=VALUE, a label of the container', { alias: 'l' }),
  'label-file': list('file with a label in each line'),
  'log-driver': text('json-file: its output is kept; none: it is not'),
  'log-opt': list('max-size=SIZE, max-file=NUMBER'),
  memory: text('limit of its memory: 512m', { alias: 'm' }),
  'memory-reservation': text('soft limit of its memory'),
  'memory-swap': text('limit of memory and swap together; -1: none; default: twice --memory'),
  'memory-swappiness': text('how readily its memory is swapped out, 0 to 100; cgroup v1 only'),
  network: list('none, host or container:NAME; default: none'),
  net: list('the same as --network', { hidden: true }),
  'oom-score-adj': text('who is killed first for want of memory, -1000 to 1000'),
  pid: text('PID namespace: host or container:NAME'),
  'pids-limit': text('processes and threads; -1: no limit'),
  platform: text('OS/ARCHITECTURE that the image must be for'),
  privileged: flag("nearly all of the host's rights"),
  publish: list('refused: there are no networks yet', { alias: 'p', hidden: true }),
  'publish-all': flag('refused: there are no networks yet', { alias: 'P', hidden: true }),
  pull: text('missing or never: images are imported, not fetched'),
  'read-only': flag('its root is read-only'),
  restart: text('no: it is not started again'),
  'security-opt': list('no-new-privileges, seccomp=FILE, apparmor=PROFILE, systempaths=unconfined, ...'),
  'shm-size': text('size of /dev/shm', { default: '64m' }),
  'sig-proxy': flag('signals go to the container; default: true'),
  'detach-keys': text('keys that let go of its terminal; default: ctrl-p,ctrl-q'),
  'stop-signal': text('signal that stops it; default: that of its image, or SIGTERM'),
  'stop-timeout': text('seconds until `stop` kills it; -1: never', { default: '10' }),
  'storage-opt': list("refused: a container's own layer has no limit", { hidden: true }),
  sysctl: list('NAME=VALUE of a namespace of its own'),
  tty: flag('it has a terminal', { alias: 't' }),
  ulimit: list('NAME=SOFT[:HARD]: nofile=1024:2048'),
  user: text('USER[:GROUP], names or numbers', { alias: 'u' }),
  userns: text('host: no user namespace'),
  uts: text('UTS namespace: host or container:NAME'),
  workdir: text('working directory in the container', { alias: 'w' }),
};

export const dockerOptions: OptionTable = {
  ...imageOptions,
  init: flag('a small init is process 1: it forwards signals and reaps'),
  'volumes-from': list('CONTAINER[:ro]: mount what another container mounts'),
  'volume-driver': text('driver of the volumes of --volume that are made'),
};
