// Which image of an index is for this machine: `linux/amd64`, `linux/arm64/v8`.

import { TinyrunError } from '../errors.ts';
import type { Descriptor, Platform } from './descriptor.ts';

/** What this machine runs. */
export const hostPlatform = (): Platform => ({
  os: 'linux',
  architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
});

/** Other names of architectures, as people and kernels have them. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  i386: '386',
};

/**
 * Parses the value of `--platform`: `OS/ARCHITECTURE[/VARIANT]`, or one of the first two alone.
 * @throws TinyrunError USAGE
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw new TinyrunError('USAGE', `invalid platform ${JSON.stringify(text)}`, {
      hint: 'a platform is linux/amd64, or linux/arm64/v8',
    });
  const [first = '', second, variant] = parts;
  if (second === undefined && first === 'linux') return hostPlatform();
  const [os, architecture] = second === undefined ? ['linux', first] : [first, second];
  return { os, architecture: ARCHITECTURES[architecture] ?? architecture, variant };
}

/** `OS/ARCHITECTURE[/VARIANT]`, as parsePlatform reads it. */
export const showPlatform = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant ? [variant] : [])].join('/');

/** Whether an image runs where another platform is wanted; arm64 has one variant, which may be left out. */
export function fits(image: Platform, wanted: Platform): boolean {
  const variantOf = ({ architecture, variant }: Platform): string =>
    variant || (architecture === 'arm64' ? 'v8' : '');
  return (
    image.os === wanted.os &&
    image.architecture === wanted.architecture &&
    (!wanted.variant || variantOf(image) === variantOf(wanted))
  );
}

/** What builders say about an image stands beside it like an image of an unknown platform. */
export const isAttestation = ({ annotations, platform }: Descriptor): boolean =>
  annotations['vnd.docker.reference.type'] === 'attestation-manifest' || platform?.os === 'unknown';

/**
 * The one descriptor of an index that is for a platform. One without a platform fits, where there is no other.
 * @param name of the index, for messages
 * @throws TinyrunError NOT_FOUND
 */
export function choosePlatform(list: readonly Descriptor[], wanted: Platform, name: string): Descriptor {
  const images = list.filter((descriptor) => !isAttestation(descriptor));
  const chosen =
    images.find(({ platform }) => platform !== undefined && fits(platform, wanted)) ??
    (images.length === 1 && images[0]!.platform === undefined ? images[0] : undefined);
  if (chosen !== undefined) return chosen;
  const there = images.map(({ platform }) => (platform === undefined ? 'unknown' : showPlatform(platform)));
  throw new TinyrunError(
    'NOT_FOUND',
    `${name}: no matching manifest for ${showPlatform(wanted)} in the manifest list entries`,
    { hint: `it has ${there.length === 0 ? 'no image' : there.join(', ')}; --platform chooses one` },
  );
}
