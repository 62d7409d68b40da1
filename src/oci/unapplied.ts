// Which fields of a checked config this version accepts and does not apply: what `run` and `create` warn about in one line.
// A field goes from here as soon as somebody applies it.
import type { Config, Resources } from './config.ts';

/** JSON pointers of the fields that are set, would have an effect, and are not applied yet; usually a few. */
export function unappliedFields(config: Config): string[] {
  const pointers: string[] = [];
  const note = (pointer: string, set: unknown) => {
    if (set) pointers.push(pointer);
  };
  const { process, linux = {} } = config;
  note('/process/execCPUAffinity', hasEffect(process?.execCPUAffinity));
  note('/linux/cgroupsPath', linux.cgroupsPath);
  note('/linux/resources', linux.resources !== undefined && limitsSomething(linux.resources));
  note('/linux/seccomp', linux.seccomp);
  return pointers;
}

/** Zero means "leave alone" to engines; and every config has the one rule that denies all devices, from `spec` on. */
function limitsSomething({ devices = [], ...limits }: Resources): boolean {
  const [first, ...others] = devices;
  const denyAll =
    first?.allow === false && !first.type && first.major === undefined && first.minor === undefined;
  return others.length > 0 || (first !== undefined && !denyAll) || hasEffect(limits);
}

/** Whether a value holds anything at any depth but zeros, false, empty texts, lists and objects. */
function hasEffect(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.values(value).some(hasEffect) : Boolean(value);
}
