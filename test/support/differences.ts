// Where a container of tinyrun is not what runc 1.1 or crun 1.8 make of the same bundle, each with its reason. The test
// of it (test/run/differential.test.ts) fails for a difference that is not here, and for a row that is no difference.

import type { Peer } from './peers.ts';

export interface Difference {
  /** For people. */
  what: string;
  /** The names of the facts (facts.ts) that differ. */
  fact: RegExp;
  /** The bundles (bundles.ts) in which they do; default: any. */
  bundle?: RegExp;
  /** A path of the host without which there is no difference. */
  needs?: string;
  tinyrun: string;
  /** What a peer does; absent: as tinyrun. */
  runc?: string;
  crun?: string;
  why: string;
}

export const differences: readonly Difference[] = [
  {
    what: 'rootfsPropagation rshared',
    fact: /^mount \//,
    bundle: /a shared root/,
    tinyrun:
      'the root and all mounts are shared with mount namespaces made of the container; the host sees none of it',
    runc: 'shared while mounts are made, slave at the end',
    crun: 'shared, not a slave of the host as well',
    why: 'config-linux.md asks for a root that is shared; towards the host it stays a slave, so that no mount leaks',
  },
  {
    what: 'order of lines in /proc/self/mountinfo',
    fact: /^mounts by id$/,
    tinyrun: 'in a user namespace binds first',
    runc: 'as in the config',
    crun: 'as in the config',
    why: "the kernel sorts by id, which a bind gets when its source is copied: there by the host program; what covers what is by the config's order",
  },
  {
    what: 'file descriptors 0, 1 and 2',
    fact: /^file descriptor [012]$/,
    tinyrun: "the caller's own",
    runc: 'pipes, which runc copies to and from',
    why: 'nothing has to be copied; what the caller opened is what the program gets',
  },
  {
    what: 'propagation of cgroup hierarchies',
    fact: /^mount \/sys\/fs\/cgroup\/./,
    tinyrun: "slaves of the host's mounts, without a cgroup namespace",
    crun: 'private',
    why: 'as all binds; nothing is ever mounted in a cgroup hierarchy',
  },
  {
    what: 'read-only directory of v1 cgroup hierarchies',
    fact: /^mount \/sys\/fs\/cgroup$/,
    tinyrun: 'the tmpfs is read-only, as the config says',
    runc: 'the hierarchies are, the tmpfs is not',
    crun: 'the hierarchies are, the tmpfs is not',
    why: 'nothing can be put beside the hierarchies',
  },
  {
    what: 'masked files',
    fact: /^mount \/(proc\/(keys|timer_list|kcore)|etc\/secret)$/,
    tinyrun: "the host's /dev/null, bound",
    runc: "the container's /dev/null, bound",
    crun: "the host's /dev/null, bound read-only",
    why: 'a null device that the image or another container could swap would unmask (CVE-2025-31133); to write to it does no harm',
  },
  {
    what: 'masked directories',
    fact: /^mount \/(proc\/acpi|sys\/firmware|etc\/secrets)$/,
    tinyrun: 'an empty read-only tmpfs',
    crun: 'a read-only mount of a tmpfs of size 0',
    why: 'the same to a program',
  },
  {
    what: 'a read-only sysfs or tmpfs',
    fact: /^mount \/(sys|missing\/deep)$/,
    tinyrun: 'the filesystem is read-only as well as the mount',
    runc: 'a sysfs as tinyrun; of a tmpfs the mount alone is',
    crun: 'the mount alone is',
    why: 'mount(2) with MS_RDONLY does both: a second mount of the filesystem could be written to otherwise',
  },
  {
    what: 'propagation of the root, and of binds without an option',
    fact: /^mount \/($|plain|etc\/file|recursive|slave|plain\/sub|tmp$|payload$)/,
    tinyrun: 'slave: what the host mounts below is seen',
    crun: 'private',
    why: 'as runc, whose behaviour engines know; rprivate asks for the other',
  },
  {
    what: 'a shared bind',
    fact: /^mount \/shared$/,
    bundle: /binds/,
    tinyrun: "a peer of the host's mount: events go both ways",
    runc: "shared with others in the container; of the host's mount a slave, unless rootfsPropagation is shared",
    crun: 'private',
    why: 'rshared on a bind asks for both ways; to make the whole root shared for it would be more than was asked',
  },
  {
    what: '/dev/core',
    fact: /^ls \/dev$/,
    tinyrun: 'none',
    crun: 'a link to /proc/kcore',
    why: 'the spec does not ask for it, and /proc/kcore is masked',
  },
  {
    what: '/dev/core, where the kernel has /proc/kcore',
    fact: /^ls \/dev$/,
    needs: '/proc/kcore',
    tinyrun: 'none',
    runc: 'a link to /proc/kcore',
    why: 'as under crun',
  },
  {
    what: 'devices in a user namespace',
    fact: /^mount \/dev\/(null|zero|full|random|urandom|tty)$/,
    bundle: /user namespace/,
    tinyrun: "the host's nodes, bound as they are",
    runc: 'the same, as slaves of the host',
    crun: 'bound nosuid and noexec',
    why: 'a device node is neither executed nor setuid, and nothing is mounted below it',
  },
  {
    what: 'soft limit of open files where the config sets none',
    fact: /^limit NOFILE$/,
    tinyrun: "the caller's",
    runc: 'the hard limit, as the Go library raises it',
    why: 'select(2) breaks beyond 1024: the caller had its reason',
  },
  {
    what: 'personality',
    fact: /^personality$/,
    tinyrun: 'set',
    runc: 'not set before 1.2',
    why: 'config-linux.md, "Personality"',
  },
  {
    what: 'a variable that env has twice',
    fact: /^environment$/,
    tinyrun: 'passed on twice, as it is',
    runc: 'the last one only',
    crun: 'the last one only',
    why: 'env is passed on unchanged; execve(2) takes it',
  },
];

/** The row that explains a difference, if any. */
export const explain = (fact: string, bundle: string, peer: Peer): Difference | undefined =>
  differences.find(
    (row) => row.fact.test(fact) && (row.bundle ?? /^/).test(bundle) && row[peer] !== undefined,
  );

/** The table as a page for people. */
export function differencesPage(): string {
  const rows = differences.map(({ what, tinyrun, runc, crun, why }) =>
    ['', what, tinyrun, runc ?? 'as tinyrun', crun ?? 'as tinyrun', why, ''].join(' | ').trim(),
  );
  return `# Differences from runc and crun

What a program in a container can see of its runtime was compared for the bundles of \`test/support/bundles.ts\`: mounts
with their options, namespaces, credentials, environment, limits, file descriptors, signals, devices and names
(\`test/support/facts.ts\`). All of it is the same under the native and the ffi engine. Against runc 1.1 and crun 1.8 it
differs in these rows; \`test/run/differential.test.ts\` fails for any other.

| what | tinyrun | runc | crun | why |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}
