// `commit`: what a container has written becomes a layer, and that an image: its upper layer alone, so no volume and nothing of
// the init layer is in it.

import { close, syscall } from '../../native-bindings/libc.ts';
import { digestingSource } from '../archive/digest.ts';
import { packTree } from '../archive/pack.ts';
import { connect } from '../archive/pipe.ts';
import { AT_FDCWD, DIRECTORY } from '../disk/files.ts';
import { TinyrunError } from '../errors.ts';
import { applyChanges } from '../image/changes.ts';
import type { ImageConfig, ImageDefaults } from '../image/config.ts';
import { containerLayer } from '../image/container-layer.ts';
import { keepingLayers } from '../image/folders.ts';
import { addLayer } from '../image/layer-archive.ts';
import type { Layer } from '../image/layers.ts';
import type { Reference } from '../image/reference.ts';
import { createImage, type Image, resolveImage } from '../image/store.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { whilePaused } from '../runtime/paused.ts';
import { type ContainerRecord, lockContainer } from './record.ts';
import { statusOf } from './status.ts';

export interface CommitOptions {
  /** undefined: the image has an id alone. */
  name: Reference | undefined;
  author: string | undefined;
  message: string | undefined;
  /** Instructions of a Dockerfile, in their order. */
  changes: readonly string[];
  /** A container that runs stands still meanwhile, so that what it writes is whole. */
  pause: boolean;
}

/**
 * Makes an image of a container.
 * @throws TinyrunError NOT_FOUND; USAGE for the changes; ARCHIVE where a file has a name that no layer can have
 */
export async function commitContainer(
  global: GlobalOptions,
  record: ContainerRecord,
  options: CommitOptions,
): Promise<Image> {
  const { dataRoot } = global;
  const config = applyChanges(defaultsOf(record), options.changes);
  const image = resolveImage(dataRoot, record.imageId);
  const lock = lockContainer(dataRoot, record.id);
  if (lock === undefined) throw new TinyrunError('NOT_FOUND', `No such container: ${record.name}`);
  try {
    return await keepingLayers(dataRoot, async () => {
      const pack = (): Promise<Layer> => packUpper(dataRoot, record);
      const stops = options.pause && statusOf(global, record).status === 'running';
      const layer = stops ? await whilePaused(global, record.id, pack) : await pack();
      const text = JSON.stringify(imageConfig(record, image.config, config, layer, options));
      return await createImage(dataRoot, new TextEncoder().encode(text), {
        names: options.name === undefined ? [] : [options.name],
        parent: image.id,
      });
    });
  } finally {
    close(lock);
  }
}

/** What containers of the image start with: what this one did. */
function defaultsOf({ config }: ContainerRecord): ImageDefaults {
  const { User, Env, Cmd, Entrypoint, Volumes, WorkingDir, Labels, ExposedPorts } = config;
  const { StopSignal, StopTimeout } = config;
  return {
    ...(User !== '' && { User }),
    Env,
    ...(Cmd !== null && { Cmd }),
    ...(Entrypoint !== null && { Entrypoint }),
    ...(Volumes !== null && { Volumes }),
    ...(WorkingDir !== '' && { WorkingDir }),
    Labels,
    ...(ExposedPorts !== undefined && { ExposedPorts }),
    ...(StopSignal !== undefined && { StopSignal }),
    ...(StopTimeout !== undefined && { StopTimeout }),
  };
}

/** Its upper layer, as one of the layer store's. */
async function packUpper(dataRoot: string, { id, chainId }: ContainerRecord): Promise<Layer> {
  const { upper } = containerLayer(dataRoot, id, chainId);
  const root = syscall(`open ${upper}`, 'openat', AT_FDCWD, upper, DIRECTORY, 0);
  try {
    const [, layer] = await connect(
      (sink) => packTree(root, sink, { whiteouts: 'aufs' }),
      (tar) => addLayer(dataRoot, chainId, digestingSource(tar)),
    );
    return layer;
  } finally {
    close(root);
  }
}

function imageConfig(
  { config: { Cmd } }: ContainerRecord,
  base: ImageConfig,
  config: ImageDefaults,
  { diffId }: Layer,
  { author, message }: CommitOptions,
): ImageConfig {
  const created = new Date().toISOString();
  const { architecture, variant, os, rootfs, history = [] } = base;
  const said = {
    ...(author !== undefined && { author }),
    ...(message !== undefined && { comment: message }),
  };
  return {
    created,
    ...said,
    architecture,
    ...(variant !== undefined && { variant }),
    os,
    config,
    rootfs: { type: 'layers', diff_ids: [...rootfs.diff_ids, diffId] },
    history: [...history, { created, created_by: (Cmd ?? []).join(' '), ...said }],
  };
}
