// What is written into a container's cgroup before anything runs in it: limits, and which devices may be used. OCI
// config-linux.md, "Control groups"; the tables are in src/cgroup.

import { compileDevices } from '../cgroup/device-program.ts';
import { deviceRules, deviceWrites } from '../cgroup/devices.ts';
import { type CgroupPlace, isUnified } from '../cgroup/path.ts';
import { resourceWrites } from '../cgroup/resources.ts';
import type { CgroupWrite } from '../cgroup/row.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';

const words = (what: string, why: string, from: string): Words => ({ what, why, from });
const LIMIT = 'Limits are set before anything runs under them.';

const utf8 = new TextEncoder();
const lengthOf = (text: string): number => utf8.encode(text).length;

/** The container's places in v1 hierarchies. */
export const legacyPlaces = ({ cgroup }: Pick<PlanInput, 'cgroup'>): CgroupPlace[] =>
  cgroup?.places.filter(({ controllers }) => controllers !== '') ?? [];
export const hasController = ({ controllers }: CgroupPlace, name: string): boolean =>
  controllers.split(',').includes(name);

/** All writes that linux.resources asks for, but for devices. */
export function limitsOf({ config, cgroup }: PlanInput): CgroupWrite[] {
  const { resources } = config.linux ?? {};
  return resources === undefined || cgroup === undefined
    ? []
    : resourceWrites(resources, cgroup.places, cgroup.available);
}

/** Writes to files one after the other; what goes to the same file is written through one descriptor. */
export function planWrites(writes: readonly CgroupWrite[], input: PlanInput): Op[] {
  const ops: Op[] = [];
  for (let i = 0; i < writes.length; ) {
    const first = writes[i]!;
    let next = i + 1;
    while (next < writes.length && first.otherwise === undefined && isSameFile(first, writes[next]!)) next++;
    ops.push(...planFile(writes.slice(i, next), `limit-${first.file}-${i}`, input));
    i = next;
  }
  return ops;
}

const isSameFile = (a: CgroupWrite, b: CgroupWrite): boolean =>
  a.file === b.file && a.controllers === b.controllers;

function planFile(writes: readonly CgroupWrite[], unique: string, input: PlanInput): Op[] {
  const [{ what, from, file, controllers, optional, otherwise }] = writes as readonly [CgroupWrite];
  const missing = otherwise !== undefined ? `cgroup-other-${unique}` : `cgroup-done-${unique}`;
  const said = words(what, LIMIT, from);
  const close = o.close(o.reg('file'), words(`close ${file}`, LIMIT, from));
  const open = (name: string, label?: string): Op => {
    const extra = {
      ...said,
      to: 'file',
      ...(label === undefined ? {} : { onError: { goto: { ENOENT: label } } }),
    };
    return controllers === ''
      ? o.openat(o.reg('cgroup'), name, ['O_WRONLY'], extra)
      : o.openat(o.AT_FDCWD, `${pathOf(controllers, input)}/${name}`, ['O_WRONLY'], extra);
  };
  const write = (value: string, of: Words): Op => o.write(o.reg('file'), value, lengthOf(value), of);
  const ops: Op[] = [
    open(file, optional || otherwise !== undefined ? missing : undefined),
    ...writes.map((one) => write(one.value, words(one.what, LIMIT, one.from))),
    close,
  ];
  if (otherwise !== undefined)
    ops.push(
      o.jump(`cgroup-done-${unique}`, words('it is set', LIMIT, from)),
      o.label(missing),
      open(otherwise.file),
      write(otherwise.value, words(`set ${otherwise.file} to ${otherwise.value}`, LIMIT, from)),
      close,
    );
  if (optional || otherwise !== undefined) ops.push(o.label(`cgroup-done-${unique}`));
  return ops;
}

const pathOf = (controllers: string, { cgroup }: PlanInput): string =>
  cgroup!.places.find((place) => place.controllers === controllers)!.path;

/** Which devices may be used: lines of v1's files, or a program for v2. */
export function planDeviceRules(input: PlanInput): Op[] {
  const rules = deviceRules(input.config.linux?.resources?.devices);
  const from = '/linux/resources/devices';
  const why = 'A device node in the container is of no use for a device that is not allowed.';
  if (isUnified(input.cgroup!.places)) return planDeviceProgram(compileDevices(rules), from, why);
  const place = legacyPlaces(input).find((legacy) => hasController(legacy, 'devices'));
  if (place === undefined)
    return [o.fail(words('set /linux/resources/devices: cgroup controller devices is not there', why, from))];
  return planWrites(
    deviceWrites(rules).map((write) => ({
      ...write,
      controllers: place.controllers,
      what: `set ${write.file} to ${write.value}`,
    })),
    input,
  );
}

function planDeviceProgram(program: Uint8Array, from: string, why: string): Op[] {
  return [
    o.call(
      'bpf',
      [
        o.flags('BPF_PROG_LOAD'),
        {
          struct: 'bpf_prog_load',
          fields: {
            prog_type: o.flags('BPF_PROG_TYPE_CGROUP_DEVICE'),
            insn_cnt: program.length / 8,
            insns: { bytes: program },
            license: 'MIT',
          },
        },
        40,
      ],
      { ...words('load the program for device rules', why, from), to: 'file' },
    ),
    o.store('cgroup', o.buf('attach', 0), 4, words('put the cgroup into the arguments', why, from)),
    o.store('file', o.buf('attach', 4), 4, words('put the program there', why, from)),
    o.call(
      'bpf',
      [o.flags('BPF_PROG_ATTACH'), o.buf('attach'), ATTACH.length],
      words('have the cgroup ask it about devices', why, from),
    ),
    o.close(o.reg('file'), words('close the program', 'The cgroup keeps it.', from)),
  ];
}

/** union bpf_attr for BPF_PROG_ATTACH: u32 target_fd, attach_bpf_fd, attach_type, attach_flags. */
export const ATTACH = new Uint8Array(
  new Uint32Array([0, 0, 6 /* BPF_CGROUP_DEVICE */, 2 /* ALLOW_MULTI */]).buffer,
);
