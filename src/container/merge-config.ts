// An image's config and what the command line says above it -> a container's config, by Docker's rules: what is given
// replaces, but environment, labels, ports and volumes, which are added to.

import { TinyrunError } from '../errors.ts';
import type { ContainerConfig } from './config.ts';

/** What an image says about its containers: OCI image-spec config.md, "Properties". */
export interface ImageDefaults {
  User?: string | undefined;
  ExposedPorts?: Record<string, object> | undefined;
  Env?: readonly string[] | undefined;
  Entrypoint?: readonly string[] | undefined;
  Cmd?: readonly string[] | undefined;
  Volumes?: Record<string, object> | undefined;
  WorkingDir?: string | undefined;
  Labels?: Record<string, string> | undefined;
  StopSignal?: string | undefined;
}

/** What the command line says: as in ContainerConfig; absent, or an empty list: nothing. */
export interface ConfigFlags {
  image: string;
  command: readonly string[];
  /** Empty: none, not even the image's. */
  entrypoint: string | undefined;
  hostname: string | undefined;
  domainname: string;
  user: string | undefined;
  workingDir: string | undefined;
  env: readonly string[];
  labels: Readonly<Record<string, string>>;
  stopSignal: string | undefined;
  stopTimeout: number | undefined;
  tty: boolean;
  interactive: boolean;
  detach: boolean;
  /** It is started at once. */
  starts: boolean;
}

/**
 * @param hostname of who gives none
 * @throws TinyrunError USAGE where neither says what is to be started
 */
export function mergeConfig(image: ImageDefaults, flags: ConfigFlags, hostname: string): ContainerConfig {
  // An entrypoint of the caller's means that the image's arguments are not for it.
  const replaced = flags.entrypoint !== undefined;
  const given = flags.entrypoint ? [flags.entrypoint] : [];
  const entrypoint = replaced ? given : (image.Entrypoint ?? []);
  const cmd = flags.command.length > 0 ? flags.command : replaced ? [] : (image.Cmd ?? []);
  const config: ContainerConfig = {
    Hostname: flags.hostname ?? hostname,
    Domainname: flags.domainname,
    User: flags.user ?? image.User ?? '',
    AttachStdin: !flags.detach && flags.interactive,
    AttachStdout: !flags.detach,
    AttachStderr: !flags.detach,
    ...(image.ExposedPorts === undefined ? {} : { ExposedPorts: image.ExposedPorts }),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: !flags.detach && flags.interactive,
    Env: mergeEnvironment(image.Env ?? [], flags.env),
    Cmd: cmd.length === 0 ? null : [...cmd],
    Image: flags.image,
    Volumes: image.Volumes ?? null,
    WorkingDir: flags.workingDir ?? image.WorkingDir ?? '',
    Entrypoint: entrypoint.length === 0 ? null : [...entrypoint],
    Labels: { ...image.Labels, ...flags.labels },
    ...stopOptions(image.StopSignal, flags),
  };
  if (flags.starts) commandOf(config);
  return config;
}

/**
 * The words of a container's program. One that only holds volumes needs none, until it is started.
 * @throws TinyrunError USAGE where there are none
 */
export function commandOf({ Entrypoint, Cmd, Image }: ContainerConfig): string[] {
  const words = [...(Entrypoint ?? []), ...(Cmd ?? [])];
  if (words.length > 0) return words;
  throw new TinyrunError('USAGE', 'no command specified', {
    hint: `image ${Image} has none: write it behind the image`,
  });
}

function stopOptions(
  imageSignal: string | undefined,
  { stopSignal, stopTimeout }: ConfigFlags,
): Pick<ContainerConfig, 'StopSignal' | 'StopTimeout'> {
  const signal = stopSignal ?? imageSignal;
  return {
    ...(signal ? { StopSignal: signal } : {}),
    ...(stopTimeout === undefined ? {} : { StopTimeout: stopTimeout }),
  };
}

/**
 * `NAME=value` entries of both; of a name in both, the later counts, in the place of the earlier. `NAME` alone in the later
 * takes the variable away.
 */
export function mergeEnvironment(first: readonly string[], second: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (const entry of first) values.set(nameOf(entry), entry);
  for (const entry of second) {
    if (entry.includes('=')) values.set(nameOf(entry), entry);
    else values.delete(entry);
  }
  return [...values.values()];
}

const nameOf = (entry: string): string => entry.split('=', 1)[0]!;
