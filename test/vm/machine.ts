// A throw-away virtual machine that runs one command as root: QEMU with a Debian kernel, this machine's own files
// read-only over 9p, and memory for what is written. Nothing is installed and nothing stays but the unpacked kernel,
// dist/vm/. Neither root nor /dev/kvm is needed.

import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { run, top } from '../../scripts/native.ts';

export type Flavour = 'unified' | 'systemd';

const QEMU = 'qemu-system-x86_64';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MEMORY_MIB = 2048;
/** A kernel that does not come up in this time under KVM does not at all: nested, or paravirtual, virtualisation. */
const KVM_SECONDS = 10;
/** What init.sh needs before it has the host's files; the modules they depend on are added. */
const MODULES = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay'];

interface Kernel {
  image: string;
  version: string;
  /** lib/modules/VERSION */
  modules: string;
}

/** Why this machine can have no virtual one, with what would help; undefined where it can. */
export function findObstacle(flavour: Flavour): string | undefined {
  if (process.arch !== 'x64') return `no kernel is known for ${process.arch}`;
  const needed: [command: string, name: string][] = [
    [QEMU, 'qemu-system-x86'],
    ['busybox', 'busybox-static'],
    ['depmod', 'kmod'],
    ['xz', 'xz-utils'],
  ];
  const missing = needed.filter(([command]) => Bun.which(command) === null).map(([, name]) => name);
  if (flavour === 'systemd') {
    if (!existsSync('/lib/systemd/systemd')) missing.push('systemd');
    if (Bun.which('dbus-daemon') === null) missing.push('dbus');
  }
  if (missing.length > 0) return `missing: ${missing.join(' ')}; try: apt-get install ${missing.join(' ')}`;
  if (findKernel() === undefined && (Bun.which('apt-get') === null || !existsSync(KEYRING)))
    return "a Debian kernel is needed, and this is no Debian: no apt-get, or no archive's keyring";
  return undefined;
}

const folder = join(top, 'dist/vm');

function findKernel(): Kernel | undefined {
  const boot = join(folder, 'kernel/boot');
  const name = existsSync(boot) ? readdirSync(boot).find((file) => file.startsWith('vmlinuz-')) : undefined;
  if (name === undefined) return undefined;
  const version = name.slice('vmlinuz-'.length);
  return { version, image: join(boot, name), modules: join(folder, 'kernel/lib/modules', version) };
}

/** Fetches the kernel, if it is not there yet; why it could not be had, in one line. */
export function findKernelProblem(): string | undefined {
  try {
    fetchKernel();
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `no kernel to be had: ${why.trim().split('\n').join('; ')}`;
  }
}

/** The newest kernel for this Debian, downloaded and unpacked if it is not there yet; apt's own state is left alone. */
function fetchKernel(): Kernel {
  const found = findKernel();
  if (found !== undefined) return found;
  const apt = join(folder, 'apt');
  for (const name of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(apt, name), { recursive: true });
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const suite = codename === 'bookworm' ? 'bookworm-backports' : codename; // 6.1 lacks half of what is tested
  const indexes = run(['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']);
  const mirror = indexes.split('\n').find((uri) => uri !== '' && !uri.includes('security'));
  writeFileSync(join(apt, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  const settings = {
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::Cache': join(apt, 'cache'),
    'APT::Sandbox::User': 'root',
  };
  const options = ['-qq', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  run(['apt-get', ...options, 'update']);
  const shown = run(['apt-cache', ...options, 'show', `linux-image-amd64/${suite}`]);
  const name = /^Depends: (linux-image-[^ ,]*)/m.exec(shown)?.[1];
  if (name === undefined) throw new Error(`no linux-image-amd64 in ${suite} of ${mirror}`);
  run(['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', apt, 'apt-get', ...options, 'download', name]);
  const archive = readdirSync(apt).find((file) => file.endsWith('.deb'));
  const unpacked = join(apt, 'unpacked');
  run(['dpkg-deb', '-x', join(apt, archive ?? ''), unpacked]);
  run(['depmod', '-b', unpacked, name.slice('linux-image-'.length)]);
  renameSync(unpacked, join(folder, 'kernel'));
  rmSync(apt, { recursive: true });
  const kernel = findKernel();
  if (kernel === undefined) throw new Error(`${name} has no kernel`);
  return kernel;
}

/** Packs init.sh, what it runs and the modules that it loads, in the order of their dependencies. */
function packInitramfs(kernel: Kernel, command: string, dir: string): string {
  const tree = join(dir, 'initramfs');
  mkdirSync(join(tree, 'modules'), { recursive: true });
  copyFileSync(Bun.which('busybox') ?? '', join(tree, 'busybox'));
  for (const [name, mode] of Object.entries({ 'init.sh': 'init', 'suite.sh': 'suite.sh' })) {
    copyFileSync(join(import.meta.dir, name), join(tree, mode));
    run(['chmod', '755', join(tree, mode)]);
  }
  writeFileSync(join(tree, 'command.sh'), command);
  writeFileSync(join(tree, 'top'), top);

  const dependencies = new Map(
    readFileSync(join(kernel.modules, 'modules.dep'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(/:? +|:$/).filter(Boolean))
      .map((files) => [basename(files[0] ?? '').replace(/\.ko.*/, ''), files.toReversed()] as const),
  );
  // What is not listed is part of the kernel.
  const files = [...new Set(MODULES.flatMap((name) => dependencies.get(name) ?? []))];
  const names = files.map((file) => basename(file).replace(/\.ko.*/, ''));
  for (const [i, file] of files.entries()) {
    const unpack = file.endsWith('.xz') ? 'xz -dc' : 'cat';
    run([
      'sh',
      '-c',
      `${unpack} "$1" >"$2"`,
      'sh',
      join(kernel.modules, file),
      join(tree, 'modules', names[i]!),
    ]);
  }
  writeFileSync(join(tree, 'modules/order'), names.map((name) => `${name}\n`).join(''));
  const archive = join(dir, 'initramfs.cpio');
  run(['sh', '-c', 'cd "$1" && find . | busybox cpio -o -H newc >"$2"', 'sh', tree, archive]);
  return archive;
}

type Accelerator = 'kvm' | 'tcg';
/** Without hardware's help one: with two the kernel's patching of its own code made it panic now and then. */
const CPUS: Record<Accelerator, number> = { kvm: 2, tcg: 1 };

function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
/** What the last machine ran with: KVM is tried once only. */
let accelerator: Accelerator | undefined;

/**
 * Boots a machine, runs a shell script in it, and hands on what that prints.
 * @returns the script's exit code; undefined where the machine ended without one, or did not end in time
 */
export async function runInMachine(
  flavour: Flavour,
  command: string,
  seconds: number,
  print: (line: string) => void,
): Promise<{ code: number | undefined; console: string }> {
  const kernel = fetchKernel();
  const dir = mkdtempSync('/tmp/tinyrun-vm-');
  try {
    const initramfs = packInitramfs(kernel, command, dir);
    accelerator ??= hasKvm() ? 'kvm' : 'tcg';
    const first = await boot(flavour, kernel, initramfs, dir, accelerator, seconds, print);
    if (first.up || accelerator === 'tcg') return first;
    accelerator = 'tcg';
    return await boot(flavour, kernel, initramfs, dir, accelerator, seconds, print);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function boot(
  flavour: Flavour,
  kernel: Kernel,
  initramfs: string,
  dir: string,
  accelerator: Accelerator,
  seconds: number,
  print: (line: string) => void,
): Promise<{ code: number | undefined; console: string; up: boolean }> {
  const log = join(dir, `console-${accelerator}`);
  const share = (id: string, path: string): string[] => [
    ...['-fsdev', `local,id=${id},path=${path},security_model=none,multidevs=remap,readonly=on`],
    ...['-device', `virtio-9p-pci,fsdev=${id},mount_tag=${id}`],
  ];
  const kernelArguments = [
    ...['console=ttyS0', 'panic=-1', 'quiet', `flavour=${flavour}`],
    ...['systemd.unit=suite.target', 'systemd.unified_cgroup_hierarchy=1'],
  ];
  const machine = Bun.spawn(
    [
      ...[
        QEMU,
        '-M',
        'pc',
        '-cpu',
        'max',
        '-accel',
        accelerator,
        '-smp',
        `${CPUS[accelerator]}`,
        '-m',
        `${MEMORY_MIB}`,
      ],
      ...['-nodefaults', '-display', 'none', '-no-reboot', '-serial', `file:${log}`],
      ...['-kernel', kernel.image, '-initrd', initramfs, '-append', kernelArguments.join(' ')],
      ...share('root', '/'),
      ...share('modules', kernel.modules),
      ...share('top', top),
      ...['-device', 'virtio-serial-pci', '-chardev', 'stdio,id=output,signal=off'],
      ...['-device', 'virtserialport,nr=1,chardev=output'],
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] }, // with an end of stdin, QEMU would take the output for closed too
  );
  const text = () => (existsSync(log) ? readFileSync(log, 'utf8').replaceAll('\0', '') : '');
  const isUp = () => text().includes('tinyrun: up');
  const end = () => machine.kill('SIGKILL');
  // Who ends us ends the machine, and what it has in /tmp.
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, end);
  const limit = setTimeout(end, seconds * 1000);
  const trial = setTimeout(
    () => {
      if (!isUp()) end();
    },
    (accelerator === 'kvm' ? KVM_SECONDS : seconds) * 1000,
  );
  const stderr = new Response(machine.stderr).text();
  let code: number | undefined;
  let rest = '';
  const utf8 = new TextDecoder();
  for await (const bytes of machine.stdout) {
    const lines = (rest + utf8.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const end = /^machine: exit code (\d+)$/.exec(line);
      if (end === null) print(line);
      else code = Number(end[1]);
    }
  }
  await machine.exited;
  clearTimeout(limit);
  clearTimeout(trial);
  for (const signal of signals) process.off(signal, end);
  return { code, console: `${text()}${await stderr}`, up: isUp() };
}
