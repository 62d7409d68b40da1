// OCI layouts, image archives and layers made by hand, so that a test can have anything wrong in them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

const OCI = 'application/vnd.oci.image.';

export interface MadeLayer {
  tar: Uint8Array;
  diffId: string;
}

export interface MadeImage {
  layers: MadeLayer[];
  compression?: 'gzip' | 'zstd';
  /** Of the config, on top of what is needed. */
  config?: object;
  platform?: object;
  /** Annotations of its descriptor in index.json. */
  annotations?: Record<string, string>;
  /** Changes the manifest before it is written. */
  manifest?: (manifest: { layers: { mediaType: string; digest: string; size: number }[] }) => object;
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: object;
  annotations?: Record<string, string>;
}

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;

const utf8 = new TextEncoder();
export const json = (value: unknown): Uint8Array => utf8.encode(JSON.stringify(value));

/** Runs a program of the host; throws where it fails. */
export function host(
  command: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): string {
  const done = Bun.spawnSync(command, {
    ...options,
    env: { ...process.env, ...options.env },
    stdin: 'ignore',
  });
  if (done.exitCode !== 0) throw new Error(`${command.join(' ')}: ${done.stderr}`);
  return done.stdout.toString();
}

/** A layer of these files: path -> text, or a size in bytes. */
export function makeLayer(files: Record<string, string | number>): MadeLayer {
  const folder = mkdtempSync('/tmp/tinyrun-test-');
  try {
    for (const [path, contents] of Object.entries(files)) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(
        join(folder, path),
        typeof contents === 'string' ? contents : new Uint8Array(contents).fill(120),
      );
    }
    return tarOf(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A layer of a directory, by tar(1). */
export function tarOf(folder: string): MadeLayer {
  const done = Bun.spawnSync(['tar', '--sort=name', '--numeric-owner', '-C', folder, '-cf', '-', '.']);
  const tar = new Uint8Array(done.stdout);
  return { tar, diffId: sha256(tar) };
}

const compressions = { gzip: gzipSync, zstd: zstdCompressSync };

/** Writes a blob; returns its descriptor. */
export function putBlob(folder: string, mediaType: string, bytes: Uint8Array): Descriptor {
  const digest = sha256(bytes);
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  writeFileSync(join(folder, 'blobs', digest.replace(':', '/')), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** Writes the blobs of an image; returns the descriptor of its manifest. */
export function putImage(folder: string, image: MadeImage): Descriptor {
  const config = putBlob(folder, `${OCI}config.v1+json`, configOf(image));
  const layers = image.layers.map(({ tar }) =>
    image.compression === undefined
      ? putBlob(folder, `${OCI}layer.v1.tar`, tar)
      : putBlob(folder, `${OCI}layer.v1.tar+${image.compression}`, compressions[image.compression](tar)),
  );
  const manifest = { schemaVersion: 2, mediaType: `${OCI}manifest.v1+json`, config, layers };
  const descriptor = putBlob(folder, `${OCI}manifest.v1+json`, json(image.manifest?.(manifest) ?? manifest));
  const { platform, annotations } = image;
  return { ...descriptor, ...(platform ? { platform } : {}), ...(annotations ? { annotations } : {}) };
}

export const configOf = ({ layers, config }: MadeImage): Uint8Array =>
  json({
    created: '2026-01-02T03:04:05Z',
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    ...config,
  });

/** Writes the two files at the top of a layout. */
export function putIndex(folder: string, manifests: Descriptor[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(folder, 'index.json'), json({ schemaVersion: 2, manifests }));
}

/** A whole layout. */
export function makeLayout(folder: string, ...images: MadeImage[]): void {
  putIndex(
    folder,
    images.map((image) => putImage(folder, image)),
  );
}

export const named = (name: string): Record<string, string> => ({ 'io.containerd.image.name': name });

/** An archive as `docker save` wrote them before version 25, its manifest at the end. */
export function makeDockerArchive(folder: string, file: string, image: MadeImage, names: string[]): void {
  const config = configOf(image);
  const configName = `${sha256(config).slice(7)}.json`;
  const layers = image.layers.map(({ tar, diffId }) => {
    const name = `${diffId.slice(7)}/layer.tar`;
    mkdirSync(join(folder, diffId.slice(7)), { recursive: true });
    writeFileSync(join(folder, name), tar);
    return name;
  });
  writeFileSync(join(folder, configName), config);
  writeFileSync(
    join(folder, 'manifest.json'),
    json([{ Config: configName, RepoTags: names, Layers: layers }]),
  );
  const folders = image.layers.map(({ diffId }) => diffId.slice(7));
  host(['tar', '-C', folder, '-cf', file, ...new Set(folders), configName, 'manifest.json']);
}
