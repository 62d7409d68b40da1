// What tinyrun can do, as far as it does not follow from another table: OCI features.md and features-linux.md. A flag
// is true for what is applied, whether this host has it or not; spec/conformance.md has the same fields.

export const features = {
  cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
  seccomp: true,
  apparmor: true,
  selinux: true,
  intelRdt: { enabled: true, schemata: true, monitoring: true },
  idmap: true,
  netDevices: true,
} as const;

/**
 * Annotations of config.json by which a container gets what its config does not say: an engine that runs the images of
 * strangers must not pass these on from an image. One that ends with a dot stands for all that begin so.
 */
export const unsafeAnnotations: readonly string[] = [
  'io.tinyrun.layers',
  'io.tinyrun.overlay',
  'org.systemd.property.',
];
