// Checks `mounts`. OCI config.md, "Mounts"; what the options mean is mount-options.ts.
import { type Checker, show } from './checker.ts';
import type { Json } from './json.ts';
import { type MountOptions, type Propagation, parseMountOptions } from './mount-options.ts';
import { checkMappings, type Namespaces } from './validate-linux.ts';

/** Checks all mounts of a config; `namespaces` are the container's own or joined ones, by type. */
export function checkMounts(checker: Checker, config: Json, namespaces: Namespaces): void {
  checker.objects(config, '', 'mounts', (mount, at) => {
    checkDestination(checker, mount, at);
    const type = checker.string(mount, at, 'type');
    const source = checker.string(mount, at, 'source');
    const options = parseMountOptions(checker.strings(mount, at, 'options'));
    checkKind(checker, at, options, type, source);
    checkPropagation(checker, at, options.propagation);
    checkIdMap(checker, mount, at, options, namespaces);
  });
}

function checkDestination(checker: Checker, mount: Json, at: string): void {
  if (!checker.required(mount, at, 'destination')) return;
  const destination = checker.string(mount, at, 'destination');
  if (destination === '') checker.fail(`${at}/destination`, 'is empty', destination);
  else if (destination !== undefined && !destination.startsWith('/'))
    checker.warn(
      `${at}/destination`,
      `${show(destination)} is relative, which is deprecated: taken from /`,
      destination,
    );
}

/** A mount is a bind by its options, never by its type: runc and crun hand type `bind` to the kernel, ENODEV. */
function checkKind(
  checker: Checker,
  at: string,
  options: MountOptions,
  type: string | undefined,
  source: string | undefined,
): void {
  if (options.bind !== false) {
    // runc 1.1 binds the bundle itself then; crun fails.
    if (!source) checker.fail(`${at}/source`, 'is missing: a bind needs one');
    for (const option of options.data)
      checker.warn(`${at}/options`, `${show(option)} has no effect on a bind`, option);
  } else if (type === 'bind' || type === 'rbind') {
    checker.fail(
      `${at}/type`,
      `${show(type)} is not a filesystem: a bind has the option bind or rbind`,
      type,
    );
  } else if (!type && !options.remount) {
    checker.fail(`${at}/type`, 'is missing, and there is neither the option bind nor rbind');
  }
}

/** The last of several wins in the kernel, which nobody means; only slave and then shared add up (mount(8)). */
function checkPropagation(checker: Checker, at: string, propagation: readonly Propagation[]): void {
  for (let i = 1; i < propagation.length; i++) {
    const [before, after] = [propagation[i - 1]!.type, propagation[i]!.type];
    if (before === after || (before === 'slave' && after === 'shared')) continue;
    checker.fail(`${at}/options`, `${before} and ${after} contradict each other`);
  }
}

function checkIdMap(
  checker: Checker,
  mount: Json,
  at: string,
  options: MountOptions,
  namespaces: Namespaces,
): void {
  const uids = checkMappings(checker, mount, at, 'uidMappings');
  const gids = checkMappings(checker, mount, at, 'gidMappings');
  if (uids > 0 !== gids > 0)
    checker.fail(
      `${at}/${uids > 0 ? 'gidMappings' : 'uidMappings'}`,
      'is missing: a mount has both or neither',
    );
  const mapped = options.idmap !== false || uids + gids > 0;
  // The files of a new filesystem belong to the container's user namespace anyway; crun 1.8 skips the mappings.
  if (mapped && (options.bind === false || options.remount))
    checker.fail(
      `${at}/${options.idmap === false ? 'uidMappings' : 'options'}`,
      'only new binds can be idmapped',
    );
  if (options.idmap !== false && uids + gids === 0 && !namespaces.has('user'))
    checker.fail(`${at}/options`, `${options.idmap} needs uidMappings and gidMappings, or a user namespace`);
}
