// What the kernel's security modules are told: the AppArmor profile and the SELinux label that the container's program
// gets at its execve, and the SELinux label of its mounts. OCI config.md, "Linux Process" (apparmorProfile,
// selinuxLabel); config-linux.md, "Mount Label".
//
// The files of /proc/self/attr are the calling process' own, and only it may write to them: init opens them in the host's
// proc, before the pivot, so that no mount of an image stands in for them (CVE-2019-16884); it writes to them when the mounts
// are made, since what it executes for those (hooks, copy-up) would get the label as well.

import { TinyrunError } from '../errors.ts';
import type { Op, Words } from '../program/op.ts';
import * as o from '../program/ops.ts';
import type { PlanInput } from './input.ts';

type LabelInput = Pick<PlanInput, 'config' | 'securityModules'>;
const utf8 = new TextEncoder();

interface Label {
  field: 'apparmorProfile' | 'selinuxLabel';
  file: string;
  text: string;
  value: string;
}

/**
 * The labels that init sets at its execve.
 * @throws TinyrunError HOST where this kernel has not got what the config asks for
 */
function listLabels({ config, securityModules }: LabelInput): Label[] {
  const { apparmorProfile, selinuxLabel } = config.process;
  const { mountLabel } = config.linux ?? {};
  const missing = (pointer: string, value: string, module: string): TinyrunError =>
    new TinyrunError(
      'HOST',
      `${pointer}: ${JSON.stringify(value)}: this kernel has no ${module}, or it is off`,
      {
        hint: `take the field from config.json, or switch ${module} on`,
      },
    );
  const labels: Label[] = [];
  if (apparmorProfile) {
    if (!securityModules.includes('apparmor'))
      throw missing('/process/apparmorProfile', apparmorProfile, 'AppArmor');
    const file = '/proc/self/attr/apparmor/exec';
    labels.push({ field: 'apparmorProfile', file, text: `exec ${apparmorProfile}`, value: apparmorProfile });
  }
  const selinux = securityModules.includes('selinux');
  if (selinuxLabel) {
    if (!selinux) throw missing('/process/selinuxLabel', selinuxLabel, 'SELinux');
    labels.push({
      field: 'selinuxLabel',
      file: '/proc/self/attr/exec',
      text: selinuxLabel,
      value: selinuxLabel,
    });
  }
  if (mountLabel && !selinux) throw missing('/linux/mountLabel', mountLabel, 'SELinux');
  return labels;
}

const WHY =
  'A security module decides by it what the program may do, whatever its user and its capabilities are.';

/**
 * Init program, before the pivot: opens where its labels are written to, in registers that planSetLabels uses.
 * @param proc the host's proc, where it is no longer at /proc
 */
export function planOpenLabels(input: LabelInput, proc?: o.Fd): Op[] {
  return listLabels(input).map(({ field, file }) =>
    o.openat(proc ?? o.AT_FDCWD, proc === undefined ? file : file.slice('/proc/'.length), ['O_WRONLY'], {
      what: `open ${file}`,
      why: "In the host's proc: what an image or a mount has in its place would swallow the label.",
      from: `/process/${field}`,
      to: `label-${field}`,
    }),
  );
}

/** Whether there is anything to open and to set. */
export const hasLabels = ({ config: { process } }: LabelInput): boolean =>
  Boolean(process.apparmorProfile || process.selinuxLabel);

/** Init program, before it gives up its rights: what it executes from here on has its labels. */
export function planSetLabels(input: LabelInput): Op[] {
  return listLabels(input).flatMap(({ field, text, value }) => {
    const module = field === 'apparmorProfile' ? 'AppArmor profile' : 'SELinux label';
    const words: Words = { what: `set ${module} ${value}`, why: WHY, from: `/process/${field}` };
    const unknown = `unknown-${field}`;
    return [
      o.write(o.reg(`label-${field}`), text, utf8.encode(text).length, {
        ...words,
        onError: { goto: { ENOENT: unknown, EINVAL: unknown } },
      }),
      o.jump(`set-${field}`, { ...words, what: 'it is known' }),
      o.label(unknown),
      o.fail({
        ...words,
        what: `${words.what}: this kernel knows no such ${field === 'apparmorProfile' ? 'profile: is it loaded?' : 'label'}`,
      }),
      o.label(`set-${field}`),
      o.close(o.reg(`label-${field}`), { ...words, what: 'close its file' }),
    ];
  });
}

/** The SELinux label that a new filesystem gets as its option `context`, for those that have no labels of their own. */
export function mountContext(
  { config }: Pick<PlanInput, 'config'>,
  type: string | undefined,
): string | undefined {
  const { mountLabel } = config.linux ?? {};
  // As runc: proc and sysfs are the kernel's, cgroups everybody's, and mqueue takes none.
  return mountLabel && !UNLABELLED.has(type ?? '') ? mountLabel : undefined;
}

const UNLABELLED: ReadonlySet<string> = new Set(['proc', 'sysfs', 'mqueue', 'cgroup', 'cgroup2']);
