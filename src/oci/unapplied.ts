// Which fields of a checked config this version accepts and does not apply: what `run` and `create` warn about in one line.
// A field goes from here as soon as somebody applies it.
import type { Config } from './config.ts';

/** JSON pointers of the fields that are set, would have an effect, and are not applied yet; usually a few. */
export function unappliedFields(config: Config): string[] {
  const pointers: string[] = [];
  const note = (pointer: string, set: unknown) => {
    if (set) pointers.push(pointer);
  };
  const { process, linux = {} } = config;
  note('/process/apparmorProfile', process?.apparmorProfile);
  note('/process/selinuxLabel', process?.selinuxLabel);
  config.mounts?.forEach((mount, i) => {
    note(`/mounts/${i}/uidMappings`, mount.uidMappings?.length);
    note(`/mounts/${i}/gidMappings`, mount.gidMappings?.length);
    note(`/mounts/${i}/options`, mount.options?.includes('idmap') || mount.options?.includes('ridmap'));
  });
  note('/linux/netDevices', hasEffect(linux.netDevices));
  note('/linux/intelRdt', hasEffect(linux.intelRdt));
  note('/linux/memoryPolicy', linux.memoryPolicy);
  note('/linux/mountLabel', linux.mountLabel);
  return pointers;
}

/** Whether a value holds anything at any depth but zeros, false, empty texts, lists and objects. */
function hasEffect(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.values(value).some(hasEffect) : Boolean(value);
}
