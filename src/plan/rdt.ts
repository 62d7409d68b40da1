// linux.intelRdt: which part of the processors' caches and memory bandwidth the container may use, and whether it is
// measured. OCI config-linux.md, "IntelRdt"; Documentation/arch/x86/resctrl.rst.
//
//   RESCTRL/CLOS/schemata              what the class of service may use; CLOS is the closID, or the container's id
//   RESCTRL/CLOS/tasks                 who is in it: init, and so all that it starts
//   RESCTRL/CLOS/mon_groups/ID/tasks   who is measured
//
// A class with a closID may be others' as well: it is never removed. As runc, also in what is written to schemata.

import { TinyrunError } from '../errors.ts';
import type { IntelRdt } from '../oci/config.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';

type RdtInput = Pick<PlanInput, 'config' | 'id' | 'resctrl'>;
const FROM = '/linux/intelRdt';

/** Whether a config wants anything of it; init then waits until it is in its class. */
export function hasRdt({ config }: Pick<PlanInput, 'config'>): boolean {
  const { closID, enableMonitoring, ...limits } = config.linux?.intelRdt ?? {};
  return Boolean(closID || enableMonitoring || schemataOf(limits) !== '');
}

function schemataOf({ l3CacheSchema, memBwSchema, schemata = [] }: IntelRdt): string {
  // A line of memory bandwidth among those of the cache would contradict the field for it.
  const cache = l3CacheSchema?.split('\n').filter((line) => !memBwSchema || !/^\s*MB:/.test(line)) ?? [];
  return [...cache, ...(memBwSchema?.split('\n') ?? []), ...schemata]
    .filter((line) => line !== '')
    .join('\n');
}

interface Groups {
  /** The class's directory, and whether it is the container's alone. */
  clos: string;
  own: boolean;
  /** The directory of the measured group; undefined: not measured. */
  monitor: string | undefined;
  schemata: string;
}

function groupsOf({ config, id, resctrl }: RdtInput): Groups {
  const { closID, enableMonitoring, ...limits } = config.linux?.intelRdt ?? {};
  if (resctrl === undefined)
    throw new TinyrunError('HOST', `${FROM}: this machine has no resctrl filesystem mounted`, {
      hint: 'mount -t resctrl resctrl /sys/fs/resctrl, where the processor and the kernel have it',
    });
  const root = resctrl.mountPoint;
  const schemata = schemataOf(limits);
  if (closID && closID !== '/' && schemata === '' && !resctrl.exists)
    throw new TinyrunError(
      'CONFIG',
      `${FROM}/closID: ${JSON.stringify(closID)}: there is no such class of service`,
      {
        hint: 'without schemata it must be there already',
      },
    );
  const clos = closID === '/' ? root : `${root}/${closID || id}`;
  return { clos, own: !closID, monitor: enableMonitoring ? `${clos}/mon_groups/${id}` : undefined, schemata };
}

/** Directories that go with the container, in the order of removal: for state.json. */
export function rdtDirectories(input: RdtInput): string[] {
  if (!hasRdt(input)) return [];
  const { clos, own, monitor } = groupsOf(input);
  return [...(monitor === undefined ? [] : [monitor]), ...(own ? [clos] : [])];
}

const words = (what: string, from = FROM): Words => ({
  what,
  why: 'Processors share their caches and the way to memory among classes of service; who is in one is told by its files.',
  from,
});

/** Host program, before clone3: the class and the measured group. */
export function planRdtGroups(input: RdtInput): Op[] {
  if (!hasRdt(input)) return [];
  const { clos, monitor, schemata } = groupsOf(input);
  const make = (path: string): Op =>
    o.mkdirat(o.AT_FDCWD, path, 0o755, { ...words(`make ${path}`), onError: { ignore: ['EEXIST'] } });
  const shown = schemata.replaceAll('\n', ', ');
  return [
    ...(clos === input.resctrl?.mountPoint ? [] : [make(clos)]),
    ...(schemata === ''
      ? []
      : [
          o.openat(o.AT_FDCWD, `${clos}/schemata`, ['O_WRONLY'], {
            ...words('open its schemata'),
            to: 'file',
          }),
          o.write(o.reg('file'), `${schemata}\n`, new TextEncoder().encode(schemata).length + 1, {
            ...words(`write schemata ${shown} (info/last_cmd_status of resctrl has the reason of a failure)`),
          }),
          o.close(o.reg('file'), words('close its schemata')),
        ]),
    ...(monitor === undefined ? [] : [make(monitor)]),
  ];
}

/** Buffer for a pid as digits. */
export const rdtBuffers = (input: RdtInput): { name: string; size: number }[] =>
  hasRdt(input) ? [{ name: 'rdt-pid', size: 24 }] : [];

/** Host program, while init waits: puts it into its class and into the measured group. */
export function planJoinRdt(input: RdtInput): Op[] {
  if (!hasRdt(input)) return [];
  const { clos, monitor } = groupsOf(input);
  return [
    o.format('pid', o.buf('rdt-pid'), { to: 'size' }, words('write the pid of init as digits')),
    ...[clos, ...(monitor === undefined ? [] : [monitor])].flatMap((group) => [
      o.openat(o.AT_FDCWD, `${group}/tasks`, ['O_WRONLY'], { ...words(`open ${group}/tasks`), to: 'file' }),
      o.write(o.reg('file'), o.buf('rdt-pid'), o.reg('size'), words(`put init into ${group}`)),
      o.close(o.reg('file'), words('close its tasks')),
    ]),
  ];
}

/** Host program, at the end: removes what is the container's alone. */
export const planRemoveRdt = (input: RdtInput): Op[] =>
  rdtDirectories(input).map((path) =>
    o.unlinkat(o.AT_FDCWD, path, ['AT_REMOVEDIR'], {
      ...words(`remove ${path}`),
      onError: { ignore: ['ENOENT'], fail: 'leave' }, // a failure half-way may have come before it was made
    }),
  );
