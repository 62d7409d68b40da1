// What the table of resources.ts is made of: a row says which field of linux.resources is written to which file, on v1 and
// on v2, and why there is none on one of them.

import { TinyrunError } from '../errors.ts';
import type { Int64, Resources } from '../oci/config.ts';
import { orMax, orMinusOne } from './convert.ts';

/** One write to one file of the container's cgroup. */
export interface CgroupWrite {
  /** The hierarchy, by its controllers as in CgroupHierarchy. */
  controllers: string;
  file: string;
  value: string;
  what: string;
  from: string;
  /** What is written instead where the kernel has no such file. */
  otherwise?: FileValue;
  /** That there is no such file is no failure. */
  optional?: true;
}

export interface FileValue {
  file: string;
  value: string;
  otherwise?: FileValue;
  optional?: true;
}

/** A field, or an item of a list: where it stands below /linux/resources, and what it has. */
export type Item<T> = readonly [at: string, value: T];

/** A string says why there is no such thing. */
type Version<T> = string | ((value: T, resources: Resources) => readonly FileValue[]);

interface Row<T> {
  controller: string;
  /** Where v2 calls the controller otherwise. */
  controllerV2?: string;
  items: (resources: Resources) => readonly Item<T>[];
  v1: Version<T>;
  v2: Version<T>;
  /** Values that are no loss where the controller is missing. */
  dispensable?: (value: T) => boolean;
}

/** A row as a function of what it is asked for: the rows' types of values differ. */
export type Writer = (resources: Resources, hosts: Hosts) => CgroupWrite[];

export interface Hosts {
  version: 1 | 2;
  /** The hierarchy that a controller is in. */
  hierarchyOf: (controller: string) => string | undefined;
}

export const isZero = (value: Int64): boolean => value === 0 || value === 0n;

/** A number, unless it is absent or zero. */
export const number = (at: string, value: Int64 | undefined): Item<Int64>[] =>
  value === undefined || isZero(value) ? [] : [[at, value]];
/** A number, be it zero. */
export const exact = (at: string, value: Int64 | undefined): Item<Int64>[] =>
  value === undefined ? [] : [[at, value]];
export const text = (at: string, value: string | undefined): Item<string>[] =>
  value === undefined || value === '' ? [] : [[at, value]];
export const yes = (at: string, value: boolean | undefined): Item<true>[] => (value ? [[at, true]] : []);
export const listed = <T>(at: string, list: readonly T[] | undefined): Item<T>[] =>
  (list ?? []).map((value, i) => [`${at}/${i}`, value]);

export const plain =
  (file: string) =>
  (value: Int64 | string): FileValue[] => [{ file, value: String(value) }];
export const limit =
  (file: string) =>
  (value: Int64): FileValue[] => [{ file, value: orMax(value) }];
export const signed =
  (file: string) =>
  (value: Int64): FileValue[] => [{ file, value: orMinusOne(value) }];

export const NOT_ON_V2 = 'cgroup v2 has no such thing';

export const row =
  <T>(definition: Row<T>): Writer =>
  (resources, hosts) => {
    const writes: CgroupWrite[] = [];
    for (const [at, value] of definition.items(resources)) {
      const from = `/linux/resources/${at}`;
      const version = hosts.version === 1 ? definition.v1 : definition.v2;
      if (typeof version === 'string') throw unable(from, version);
      const controller =
        hosts.version === 2 ? (definition.controllerV2 ?? definition.controller) : definition.controller;
      const controllers = hosts.hierarchyOf(controller);
      if (controllers === undefined) {
        if (definition.dispensable?.(value)) continue;
        throw unable(from, `cgroup controller ${controller} is not there`);
      }
      for (const write of version(value, resources))
        writes.push({ controllers, ...write, what: `set ${write.file} to ${write.value}`, from });
    }
    return writes;
  };

export const unable = (from: string, why: string): TinyrunError =>
  new TinyrunError('CONFIG', `set ${from}: ${why}`, { data: { pointer: from } });
