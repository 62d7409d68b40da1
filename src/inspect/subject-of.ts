// A container's name -> what is looked into (subject.ts): of one that has a record, or was made of a bundle.

import { gatherStartFacts } from '../container/facts.ts';
import { toOciConfig } from '../container/oci-config.ts';
import type { ContainerRecord } from '../container/record.ts';
import { statusOf } from '../container/status.ts';
import { AT_FDCWD, exists } from '../disk/files.ts';
import { containerLayer } from '../image/container-layer.ts';
import { layersOf } from '../image/layers.ts';
import type { Config } from '../oci/config.ts';
import { containerDirectory } from '../oci/state.ts';
import { parseLayersAnnotation } from '../plan/overlay.ts';
import { readConfig } from '../runtime/config-file.ts';
import type { GlobalOptions } from '../runtime/options.ts';
import { probeHost } from '../runtime/probe.ts';
import { parseSavedConfig, readSavedConfig, savedConfigPath } from '../runtime/saved-config.ts';
import { type Container, findContainer } from '../runtime/store.ts';
import { readUses, type Use } from '../volume/uses.ts';
import { resolveAny } from './find.ts';
import type { RootLayer, Subject } from './subject.ts';

/**
 * The container of a name, an id or the beginning of one.
 * @throws TinyrunError NOT_FOUND; CONFIG where its config cannot be read
 */
export async function subjectOf(global: GlobalOptions, called: string): Promise<Subject> {
  const found = resolveAny(global, called);
  return 'record' in found
    ? await recordSubject(global, found.record)
    : bundleSubject(global, found.container);
}

function bundleSubject({ root, dataRoot }: GlobalOptions, container: Container): Subject {
  const { id, bundle, status } = container.state;
  const config = readSavedConfig(root, id);
  return {
    ...{ id, status, config, bundle },
    init: initOf(container),
    configPath: savedConfigPath(root, id),
    layers: bundleLayers(container, config, dataRoot),
    dataDirectory: container.dataDirectory,
    mounts: mountsOf(dataRoot, id),
  };
}

function initOf(container: Container | undefined): Subject['init'] {
  const { init, state } = container ?? {};
  return init?.stat === undefined || state?.pid === 0 ? undefined : { pid: init.pid, stat: init.stat };
}

/** The directories of its root, topmost first. */
export function bundleLayers(
  { state, dataDirectory }: Container,
  config: Config,
  dataRoot: string,
): RootLayer[] {
  const { path } = config.root;
  const rootfs = path.startsWith('/') ? path : `${state.bundle}/${path}`;
  if (dataDirectory === undefined) return [{ role: 'rootfs', path: rootfs }];
  const annotation = config.annotations?.['io.tinyrun.layers'];
  const layers = annotation === undefined ? [rootfs] : parseLayersAnnotation(annotation, state.bundle);
  return [
    { role: 'upper', path: `${dataDirectory}/upper` },
    { role: 'init', path: `${dataRoot}/init-layer` },
    ...layers
      .map((layer, index): RootLayer => ({ role: 'image', path: layer, number: index + 1 }))
      .toReversed(),
  ];
}

const mountsOf = (dataRoot: string, id: string): Use[] => readUses(dataRoot, id)?.mounts ?? [];

async function recordSubject(global: GlobalOptions, record: ContainerRecord): Promise<Subject> {
  const { root, dataRoot } = global;
  const { id } = record;
  const bundle = containerDirectory(dataRoot, id);
  return {
    id,
    status: statusOf(global, record).status,
    init: initOf(findContainer(root, id)),
    config: await recordConfig(global, record),
    bundle,
    configPath: `${bundle}/config.json`,
    layers: recordLayers(dataRoot, record),
    dataDirectory: bundle,
    mounts: mountsOf(dataRoot, id),
  };
}

/** That of its last start; of one that was never started, what it would be, whatever others it joins. */
async function recordConfig(global: GlobalOptions, record: ContainerRecord): Promise<Config> {
  const path = `${containerDirectory(global.dataRoot, record.id)}/config.json`;
  if (exists(AT_FDCWD, path)) return parseSavedConfig(readConfig(path), path);
  const alone = { NetworkMode: 'none', PidMode: '', IpcMode: 'private', UTSMode: '' };
  const unjoined = { ...record, hostConfig: { ...record.hostConfig, ...alone } };
  const layer = containerLayer(global.dataRoot, record.id, record.chainId);
  const roots = [layer.upper, ...layer.lowers];
  return toOciConfig(unjoined, await gatherStartFacts(global, probeHost(), unjoined, layer.merged, roots));
}

function recordLayers(dataRoot: string, { id, chainId, image }: ContainerRecord): RootLayer[] {
  const { upper, lowers } = containerLayer(dataRoot, id, undefined);
  const layers = chainId === undefined ? [] : layersOf(dataRoot, chainId);
  return [
    { role: 'upper', path: upper },
    { role: 'init', path: lowers[0]! },
    ...layers
      .map(({ cacheId, diffId, chainId: chain }, index): RootLayer => {
        const path = `${dataRoot}/overlay2/${cacheId}/diff`;
        return { role: 'image', path, number: index + 1, diffId, chainId: chain, image };
      })
      .toReversed(),
  ];
}
