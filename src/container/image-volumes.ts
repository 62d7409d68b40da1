// `--image-volume`, Podman's: what becomes of the paths that an image wants to be volumes (VOLUME of its Dockerfile), which
// cannot be undone in an image that is made of it.

import { TinyrunError } from '../errors.ts';
import type { Image } from '../image/store.ts';
import { cleanPath } from '../volume/path.ts';
import type { HostConfig } from './config.ts';
import { requestsOf } from './volumes.ts';

/** A volume without a name each; nothing; a tmpfs each. */
export type ImageVolumes = 'anonymous' | 'ignore' | 'tmpfs';

const MODES: Readonly<Record<string, ImageVolumes>> = {
  anonymous: 'anonymous',
  bind: 'anonymous', // as Podman called it first
  ignore: 'ignore',
  tmpfs: 'tmpfs',
};

/**
 * Reads the value of the flag.
 * @throws TinyrunError USAGE
 */
export function parseImageVolumes(text = 'anonymous'): ImageVolumes {
  const mode = Object.hasOwn(MODES, text) ? MODES[text] : undefined;
  if (mode !== undefined) return mode;
  throw new TinyrunError('USAGE', `invalid argument ${JSON.stringify(text)} for --image-volume`, {
    hint: 'it is anonymous, ignore or tmpfs',
  });
}

/**
 * The image as if it had no volumes, and the flags with those that take their place.
 * @param cwd absolute; what `-v ./x:/y` is relative to
 */
export function withoutVolumes(
  image: Image,
  hostConfig: HostConfig,
  mode: ImageVolumes,
  cwd: string,
): { image: Image; hostConfig: HostConfig } {
  const { Volumes, ...config } = image.config.config ?? {};
  if (mode === 'anonymous' || !Volumes) return { image, hostConfig };
  const bare = { ...image, config: { ...image.config, config } };
  if (mode === 'ignore') return { image: bare, hostConfig };
  const given = new Set(requestsOf(hostConfig, cwd).map(({ destination }) => destination));
  const paths = Object.keys(Volumes).filter((path) => !given.has(cleanPath(path)));
  return { image: bare, hostConfig: { ...hostConfig, Tmpfs: [...hostConfig.Tmpfs, ...paths] } };
}
