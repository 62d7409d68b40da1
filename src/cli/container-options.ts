// The command line of `run IMAGE` and `create IMAGE` -> CreateOptions. What a flag's value may be, each parser in src/container
// knows; here is which flag goes where, and which contradict each other.

import { normalizeCapability } from '../container/capability.ts';
import type { HostConfig } from '../container/config.ts';
import type { CreateOptions } from '../container/create.ts';
import { DEFAULT_SHM_SIZE } from '../container/defaults.ts';
import { DETACH_KEYS, parseDetachKeys } from '../container/detach-keys.ts';
import { parseDevice } from '../container/device-flag.ts';
import { findContainerRecord } from '../container/find.ts';
import { parseImageVolumes } from '../container/image-volumes.ts';
import { parseEnvironment, parseLines, toLabels, toPairs } from '../container/key-value.ts';
import type { ConfigFlags } from '../container/merge-config.ts';
import { type ModeFlag, parseMode } from '../container/modes.ts';
import { parseInteger } from '../container/quantity.ts';
import { assertSeccompProfile } from '../container/seccomp-file.ts';
import { parseSecurityOptions } from '../container/security-opt.ts';
import { AT_FDCWD, exists } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { sysctlNamespace, sysctlPath } from '../oci/sysctl.ts';
import type { AttachInput } from '../plan/input.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { readText, refused } from '../runtime/probe.ts';
import { countsSwap } from '../runtime/probe-cgroups.ts';
import { hasAppArmor } from '../runtime/probe-security.ts';
import { parseSignal } from '../sys/signals.ts';
import { type CommandLine, flag, text, texts } from './command-line.ts';
import { absolute } from './global.ts';
import { assertLimits, parseLogConfig, sizeOption, toLimits } from './limit-options.ts';
import { path } from './run-options.ts';

/**
 * Reads the options.
 * @param cwd absolute; relative paths start there
 * @throws TinyrunError USAGE, UNSUPPORTED
 */
export function toCreateImageOptions(line: CommandLine, global: GlobalOptions, cwd: string): CreateOptions {
  refuseUnsupported(line);
  const hostConfig = toHostConfig(line, global, cwd);
  const flags = toConfigFlags(line, cwd);
  assertConsistent(line, hostConfig);
  assertLimits(hostConfig);
  return {
    name: text(line, 'name') || undefined,
    flags,
    hostConfig,
    cidFile: path(line, 'cidfile', cwd),
    platform: text(line, 'platform') || undefined,
    imageVolumes: parseImageVolumes(text(line, 'image-volume')),
  };
}

/**
 * Who stays with a container that `run` starts; undefined with --detach.
 * @throws TinyrunError USAGE
 */
export function toAttach(line: CommandLine): AttachInput | undefined {
  if (flag(line, 'detach')) return undefined;
  const streams = texts(line, 'attach').map((name) => name.toLowerCase());
  const wrong = streams.find((name) => !['stdin', 'stdout', 'stderr'].includes(name));
  if (wrong !== undefined)
    throw new TinyrunError(
      'USAGE',
      `invalid argument ${JSON.stringify(wrong)} for --attach: valid streams are STDIN, STDOUT and STDERR`,
    );
  const has = (name: string): boolean => streams.length === 0 || streams.includes(name);
  return {
    stdin: streams.length === 0 ? flag(line, 'interactive') : has('stdin'),
    stdout: has('stdout'),
    stderr: has('stderr'),
    sigProxy: line.options['sig-proxy'] === undefined || flag(line, 'sig-proxy'),
    detachKeys: toDetachKeys(line),
  };
}

/** The bytes of --detach-keys. */
export const toDetachKeys = (line: CommandLine): number[] =>
  parseDetachKeys(text(line, 'detach-keys') ?? DETACH_KEYS);

function toConfigFlags(line: CommandLine, cwd: string): ConfigFlags {
  const stopTimeout = text(line, 'stop-timeout');
  const stopSignal = text(line, 'stop-signal') || undefined;
  if (stopSignal !== undefined && parseSignal(stopSignal) === undefined)
    throw new TinyrunError('USAGE', `invalid signal: ${stopSignal}`);
  const workingDir = text(line, 'workdir') || undefined;
  if (workingDir !== undefined && !workingDir.startsWith('/'))
    throw new TinyrunError(
      'USAGE',
      `the working directory '${workingDir}' is invalid, it needs to be an absolute path`,
    );
  return {
    image: line.args[0]!,
    command: line.rest ?? [],
    entrypoint: text(line, 'entrypoint'),
    hostname: hostname(text(line, 'hostname')),
    domainname: text(line, 'domainname') ?? '',
    user: text(line, 'user') || undefined,
    workingDir,
    env: parseEnvironment([...readListFiles(line, 'env-file', cwd), ...texts(line, 'env')], process.env),
    labels: toLabels([...readListFiles(line, 'label-file', cwd), ...texts(line, 'label')]),
    stopSignal,
    stopTimeout: stopTimeout === undefined ? undefined : parseInteger(stopTimeout, '--stop-timeout'),
    tty: flag(line, 'tty'),
    interactive: flag(line, 'interactive'),
    detach: flag(line, 'detach'),
    starts: line.command !== 'create',
  };
}

/**
 * The lines of the files that an option names.
 * @throws TinyrunError CONFIG, USAGE
 */
export const readListFiles = (line: CommandLine, name: string, cwd: string): string[] =>
  texts(line, name).flatMap((file) => parseLines(readFile(file, cwd, `--${name}`), file));

/** The kernel takes 64 bytes, uname(2); a name of hosts(5) has no blanks. */
function hostname(given: string | undefined): string | undefined {
  if (given === undefined || given === '') return undefined;
  if (Buffer.byteLength(given) <= 64 && !/[\s\0]/.test(given)) return given;
  throw new TinyrunError('USAGE', `invalid hostname format: ${given}`);
}

function readFile(file: string, cwd: string, from: string): string {
  const found = readText(absolute(file, cwd), 16 << 20);
  if (typeof found === 'number') throw refused('CONFIG', `${from}: open ${file}`, -found);
  return found;
}

/** Refused here, where the flag can be named; that a namespace is the container's own is checked with its config. */
function sysctls(line: CommandLine): Record<string, string> {
  const pairs = toPairs(texts(line, 'sysctl'), '--sysctl');
  for (const [key, value] of Object.entries(pairs)) {
    const namespace = sysctlNamespace(sysctlPath(key) ?? '');
    if (namespace !== undefined && namespace !== 'uts') continue;
    const why =
      namespace === undefined
        ? 'it is in no namespace of a container, it would change the whole host'
        : 'write --hostname or --domainname';
    throw new TinyrunError(
      'USAGE',
      `invalid argument ${JSON.stringify(`${key}=${value}`)} for --sysctl: ${why}`,
    );
  }
  return pairs;
}

function toHostConfig(line: CommandLine, global: GlobalOptions, cwd: string): HostConfig {
  const mode = (name: ModeFlag): string =>
    parseMode(name, text(line, name), (called) => idOf(global, called));
  const security = securityOptions(line, cwd);
  return {
    Binds: texts(line, 'volume'),
    Mounts: texts(line, 'mount'),
    Tmpfs: texts(line, 'tmpfs'),
    VolumesFrom: texts(line, 'volumes-from'),
    VolumeDriver: text(line, 'volume-driver') ?? '',
    ContainerIDFile: '',
    LogConfig: parseLogConfig(text(line, 'log-driver'), texts(line, 'log-opt')),
    NetworkMode: networkMode(line, global),
    PidMode: mode('pid'),
    IpcMode: mode('ipc'),
    UTSMode: mode('uts'),
    UsernsMode: mode('userns'),
    CgroupnsMode:
      mode('cgroupns') === 'private' || (mode('cgroupns') === '' && isUnified()) ? 'private' : 'host',
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: flag(line, 'rm'),
    Annotations: toPairs(texts(line, 'annotation'), '--annotation'),
    CapAdd: texts(line, 'cap-add').map((name) => normalizeCapability(name, 'CapAdd')),
    CapDrop: texts(line, 'cap-drop').map((name) => normalizeCapability(name, 'CapDrop')),
    GroupAdd: texts(line, 'group-add'),
    Privileged: flag(line, 'privileged'),
    ReadonlyRootfs: flag(line, 'read-only'),
    SecurityOpt: security,
    Dns: texts(line, 'dns'),
    DnsOptions: texts(line, 'dns-option'),
    DnsSearch: texts(line, 'dns-search'),
    ExtraHosts: texts(line, 'add-host'),
    ShmSize: sizeOption(line, 'shm-size') || DEFAULT_SHM_SIZE,
    Sysctls: sysctls(line),
    Devices: texts(line, 'device').map(parseDevice),
    ...toLimits(line, { countsSwap, isUnified }),
    CgroupParent: text(line, 'cgroup-parent') ?? '',
    Init: flag(line, 'init'),
  };
}

/** `--network` once: several networks there are not. */
function networkMode(line: CommandLine, global: GlobalOptions): string {
  const given = [...texts(line, 'network'), ...texts(line, 'net')];
  return parseMode('network', given.at(-1), (called) => idOf(global, called));
}

function idOf({ dataRoot }: GlobalOptions, called: string): string {
  const record = findContainerRecord(dataRoot, called);
  if (record === undefined) throw new TinyrunError('NOT_FOUND', `No such container: ${called}`);
  return record.id;
}

/** A profile's text goes into the record, as Docker does it: the file may be gone at the next start. */
function securityOptions(line: CommandLine, cwd: string): string[] {
  const options = texts(line, 'security-opt').map((option) => {
    const file = /^seccomp[=:](.*)$/s.exec(option)?.[1];
    if (file === undefined || file === 'unconfined' || file === 'builtin') return option;
    const profile = readFile(file, cwd, `--security-opt ${option}`);
    assertSeccompProfile(profile, `--security-opt ${option}`);
    return `seccomp=${profile}`;
  });
  const { apparmor } = parseSecurityOptions(options);
  if (apparmor !== undefined && !hasAppArmor())
    throw new TinyrunError(
      'HOST',
      `--security-opt apparmor=${apparmor}: this kernel has no AppArmor, or it is off`,
      { hint: 'leave it out, or switch AppArmor on' },
    );
  return options;
}

const isUnified = (): boolean => exists(AT_FDCWD, '/sys/fs/cgroup/cgroup.controllers');

function refuseUnsupported(line: CommandLine): void {
  const refuse = (what: string, hint: string): TinyrunError =>
    new TinyrunError('UNSUPPORTED', what, { hint });
  if (texts(line, 'publish').length > 0 || flag(line, 'publish-all'))
    throw refuse(
      '--publish: tinyrun has no networks yet, so there is no port to publish',
      'use --network host',
    );
  const [storage] = texts(line, 'storage-opt');
  if (storage !== undefined)
    throw refuse(
      `--storage-opt ${storage}: there is no limit for a container's own layer (with Docker only for overlay over xfs with 'pquota' mount option)`,
      'keep what may grow in a volume that has one: volume create -o size=1g NAME',
    );
  const restart = text(line, 'restart');
  if (restart !== undefined && restart !== '' && restart !== 'no')
    throw refuse(
      `--restart ${restart}: tinyrun has no daemon that would start it again`,
      'let a service manager do it: systemd with `tinyrun start -a NAME`',
    );
  const pull = text(line, 'pull');
  if (pull !== undefined && !['', 'missing', 'never'].includes(pull))
    throw refuse(
      `--pull ${pull}: tinyrun fetches no images`,
      'copy it with skopeo, and `tinyrun image import` it',
    );
}

/** What Docker calls conflicting, in its words. */
function assertConsistent(line: CommandLine, host: HostConfig): void {
  const refuse = (what: string): TinyrunError => new TinyrunError('USAGE', `conflicting options: ${what}`);
  const given = (name: string): boolean => line.options[name] !== undefined;
  const joinsNetwork = host.NetworkMode.startsWith('container:');
  if (given('hostname') && joinsNetwork) throw refuse('hostname and the network mode');
  if (given('hostname') && host.UTSMode !== '') throw refuse('hostname and the UTS mode');
  if (given('domainname') && host.UTSMode !== '') throw refuse('domainname and the UTS mode');
  if (host.Dns.length > 0 && joinsNetwork) throw refuse('dns and the network mode');
  if (host.ExtraHosts.length > 0 && joinsNetwork)
    throw refuse('custom host-to-IP mapping and the network mode');
  if (given('attach') && flag(line, 'detach')) throw refuse('-a and -d');
}
