// The seccomp filter: loaded by init when hardly anything follows. OCI config-linux.md, "Seccomp"; seccomp(2),
// seccomp_unotify(2).
//
// With no_new_privs that is right before execve. Without it the kernel wants CAP_SYS_ADMIN, so the filter is there when
// CAP_SYS_ADMIN is dropped at last, and a profile must allow capset and prctl; the engines' profiles do.
//
// A filter that asks somebody about calls gives init a descriptor. It goes to the one who answers, through the host
// program, which no filter holds up: host and init talk by write(2) and read(2) only, as in runc.
//
//   host                                       init
//   <─ number of the descriptor ────────────── loads the filter
//   takes it (pidfd_getfd)                     waits
//   connects to listenerPath, sends it
//   ─ go on ─────────────────────────────────> capabilities, execve

import { OCI_VERSION } from '../oci/version.ts';
import type { Buffer, Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import { actions, INSTRUCTION } from '../seccomp/tables.ts';
import type { ProcessInput } from './input.ts';
import { planConnectTo, planSendFd } from './sockets.ts';

const FROM = '/linux/seccomp';
const words = (what: string, why: string): Words => ({ what, why, from: FROM });
const talk = (what: string): Words => ({
  what,
  why: 'Who answers the calls that the filter asks about gets its descriptor from the host program: no filter is on that.',
  from: `${FROM}/listenerPath`,
});

const PID_GAP = ' '.repeat(10);

/** The filter is loaded while init still has CAP_SYS_ADMIN. */
export const needsAdmin = ({ seccomp, config }: ProcessInput): boolean =>
  seccomp !== undefined && config.process.noNewPrivileges !== true;

const utf8 = new TextEncoder();
const byteLength = (text: string): number => utf8.encode(text).length;

/** Buffers for what the one who answers is told. */
export function seccompBuffers(input: ProcessInput): Buffer[] {
  const listener = input.seccomp?.listener;
  if (listener === undefined) return [];
  const { text, size } = processState(input, listener.metadata);
  return [
    { name: 'seccomp-number', size: 8 },
    { name: 'seccomp-state', size, init: text },
  ];
}

/** The container process state of the spec, with gaps for the pid. */
function processState(
  { id, bundle, config }: ProcessInput,
  metadata: string,
): {
  text: string;
  size: number;
  gaps: number[];
} {
  const PID = -1234567890; // stands for the gap: eleven characters
  const state = {
    ...{ ociVersion: OCI_VERSION, id, status: 'creating', pid: PID, bundle },
    ...(config.annotations === undefined ? {} : { annotations: config.annotations }),
  };
  const all = { ociVersion: OCI_VERSION, fds: ['seccompFd'], pid: PID, metadata, state };
  const [head = '', middle = '', ...tail] = JSON.stringify(all).split(`"pid":${PID}`);
  const parts = [`${head}"pid":`, `${middle}"pid":`, tail.join(`"pid":${PID}`)];
  const text = parts.join(PID_GAP);
  const first = byteLength(parts[0]!);
  return { text, size: byteLength(text), gaps: [first, first + PID_GAP.length + byteLength(parts[1]!)] };
}

/** Host program, before clone3: how init tells the number of its descriptor. */
export function planListenerSockets(input: ProcessInput): Op[] {
  if (input.seccomp?.listener === undefined) return [];
  return [
    o.call(
      'socketpair',
      [o.flags('AF_UNIX'), o.flags('SOCK_STREAM', 'SOCK_CLOEXEC'), 0, o.buf('fds')],
      talk('make a socket pair for the seccomp listener'),
    ),
    o.load(o.buf('fds', 0), 4, 'seccomp-host', talk('take one end')),
    o.load(o.buf('fds', 4), 4, 'seccomp-init', talk('take the other end')),
  ];
}

/** Host program, when init is on its way: hands the filter's descriptor to the one who answers. */
export function planHandListener(input: ProcessInput): Op[] {
  const listener = input.seccomp?.listener;
  if (listener === undefined) return [];
  const { size, gaps } = processState(input, listener.metadata);
  const connect = `failed to connect with seccomp agent specified in the seccomp profile: ${listener.path}`;
  return [
    o.close(o.reg('seccomp-init'), talk('close the end of init')),
    o.read(o.reg('seccomp-host'), o.buf('seccomp-number'), 4, {
      ...talk("wait for the number of the filter's descriptor"),
      to: 'size',
    }),
    o.branch('size', '!=', 4, 'no-listener', talk('has init failed?')),
    o.load(o.buf('seccomp-number'), 4, 'number', talk('take it')),
    o.call('pidfd_open', [o.reg('pid'), 0], { ...talk('open a pidfd of init'), to: 'pidfd' }),
    o.call('pidfd_getfd', [o.reg('pidfd'), o.reg('number'), 0], {
      ...talk("take the filter's descriptor"),
      to: 'notify',
    }),
    o.close(o.reg('pidfd'), talk('close the pidfd')),
    ...planConnectTo('agent', listener.path, talk, connect),
    ...gaps.map((gap) =>
      o.format(
        'pid',
        o.buf('seccomp-state', gap),
        { width: PID_GAP.length },
        talk('put the pid into the state'),
      ),
    ),
    ...planSendFd(
      'agent',
      'notify',
      { buf: 'seccomp-state', size },
      talk(`send the state and the descriptor to ${listener.path}`),
    ),
    o.close(o.reg('agent'), talk('close the socket')),
    o.close(o.reg('notify'), talk('close the descriptor')),
    o.write(o.reg('seccomp-host'), 'k', 1, {
      ...talk('let init go on'),
      onError: { ignore: ['EPIPE'] }, // it was killed meanwhile, which is seen below
    }),
    o.label('no-listener'),
    o.close(o.reg('seccomp-host'), talk('close our end')),
  ];
}

/** Init program, first of all: only the host program has the other end. */
export function planCloseListener(input: ProcessInput): Op[] {
  if (input.seccomp?.listener === undefined) return [];
  return [o.close(o.reg('seccomp-host'), talk('close the end of the host program'))];
}

/** Init program: loads the filter, and waits until the one who answers has been told. */
export function planSeccomp(input: ProcessInput): Op[] {
  const { seccomp } = input;
  if (seccomp === undefined) return [];
  const { filter, flags, listener } = seccomp;
  const count = filter.length / INSTRUCTION;
  const why = needsAdmin(input)
    ? 'Without no_new_privs this takes CAP_SYS_ADMIN: so it comes before that is dropped.'
    : 'As late as possible: what follows must get through the filter.';
  const program = { struct: 'sock_fprog', fields: { len: count, filter: { bytes: filter } } };
  return [
    o.call('seccomp', [o.flags('SECCOMP_SET_MODE_FILTER'), o.flags(...flags), program], {
      ...words(`load the seccomp filter of ${count} instructions (${summary(filter)})`, why),
      ...(listener === undefined ? {} : { to: 'notify' }),
    }),
    ...(listener === undefined ? [] : planTellHost()),
  ];
}

/** <linux/bpf_common.h>: BPF_RET | BPF_K. */
const BPF_RET = 0x06;

/** The results that a filter has, in the order of the table: `KILL_THREAD, ERRNO, ALLOW`. */
function summary(filter: Uint8Array): string {
  const results = new Set<number>();
  const view = new DataView(filter.buffer, filter.byteOffset, filter.length); // one for all: there are a thousand
  for (let at = 0; at < filter.length; at += INSTRUCTION)
    if (view.getUint16(at, true) === BPF_RET) results.add((view.getUint32(at + 4, true) & 0xffff0000) >>> 0);
  return Object.entries(actions)
    .filter(([name, { value }]) => name !== 'SCMP_ACT_KILL' && results.has(value))
    .map(([name]) => name.slice('SCMP_ACT_'.length))
    .join(', ');
}

/** The descriptor closes at execve, and an op that fails here says so: a filter may forbid write, or read. */
function planTellHost(): Op[] {
  return [
    o.store(
      'notify',
      o.buf('seccomp-number'),
      4,
      talk("put the number of the filter's descriptor into a buffer"),
    ),
    o.write(o.reg('seccomp-init'), o.buf('seccomp-number'), 4, talk('tell the host program the number')),
    o.read(o.reg('seccomp-init'), o.buf('byte'), 1, {
      ...talk('wait until the one who answers has been told'),
      to: 'size',
    }),
    o.branch('size', '!=', 1, 'end-init', talk('or has the host program failed?')),
  ];
}
