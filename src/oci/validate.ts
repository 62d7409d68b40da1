// An object read from config.json -> every problem it has, each with its JSON pointer. OCI config.md: unknown
// properties are ignored, invalid or unsupported values are errors. This file checks what is not special to Linux;
// its neighbours validate-process.ts, validate-mounts.ts, validate-linux.ts and validate-resources.ts the rest.
//
// **Invariant:** nothing here looks at the host. That a path exists, that a namespace file is of its type, that a joined
// network namespace is not the host's under another path: that is found when the container is made.
import { Checker, type Problem, pointerTo, show } from './checker.ts';
import type { Config, Process } from './config.ts';
import type { Json } from './json.ts';
import { checkLinux } from './validate-linux.ts';
import { checkMounts } from './validate-mounts.ts';
import { checkProcess } from './validate-process.ts';

export type { Problem } from './checker.ts';

export interface Validation {
  /** What was given; a Config only if there are no problems. */
  config: Config;
  problems: Problem[];
  warnings: Problem[];
}

/** A semantic version of the spec's first major version: `1.0.2-dev`, `1.3.0`. */
const OCI_VERSION_1 = /^1\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+][\dA-Za-z.+-]+)?$/;

/** Sections for other platforms, and how those are called. */
const PLATFORMS: Readonly<Record<string, string>> = {
  solaris: 'Solaris',
  windows: 'Windows',
  zos: 'z/OS',
  freebsd: 'FreeBSD',
  vm: 'virtual machines',
};

export const HOOKS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
];

/**
 * Checks a whole config, as parseConfig (parse.ts) reads it, and finds all of its problems at once. Warnings are
 * for values that are accepted and have no, or another, effect.
 */
export function validateConfig(config: unknown): Validation {
  const checker = new Checker();
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    checker.fail('', `${show(config)} is not an object`, config);
  } else {
    checkConfig(checker, config as Json);
  }
  return { config: config as Config, problems: checker.problems, warnings: checker.warnings };
}

/** The same for a process object alone, as `exec --process` reads it from a file: pointers are `/cwd`, `/args/0`. */
export function validateProcess(process: unknown): Omit<Validation, 'config'> & { process: Process } {
  const checker = new Checker();
  if (typeof process !== 'object' || process === null || Array.isArray(process)) {
    checker.fail('', `${show(process)} is not an object`, process);
  } else {
    checkProcess(checker, process as Json, '');
  }
  return { process: process as Process, problems: checker.problems, warnings: checker.warnings };
}

/** `config.json: /process/cwd: is missing; config.json: /root: is missing`; also for warnings. */
export function formatProblems(problems: readonly Problem[], file = 'config.json'): string {
  return problems
    .map(({ pointer, message }) =>
      pointer === '' ? `${file}: ${message}` : `${file}: ${pointer}: ${message}`,
    )
    .join('; ');
}

function checkConfig(checker: Checker, config: Json): void {
  checkVersion(checker, config);
  const root = checker.required(config, '', 'root') ? checker.object(config, '', 'root') : undefined;
  if (root !== undefined) {
    if (checker.required(root, '/root', 'path') && checker.string(root, '/root', 'path') === '')
      checker.fail('/root/path', 'is empty', '');
    checker.boolean(root, '/root', 'readonly');
  }
  const process = checker.required(config, '', 'process') ? checker.object(config, '', 'process') : undefined;
  if (process !== undefined) checkProcess(checker, process, '/process');
  checkHooks(checker, config);
  checkAnnotations(checker, config);
  for (const platform in PLATFORMS) {
    // runc and crun skip these sections; a container that was meant for another platform would run here half set up.
    if (config[platform] !== undefined)
      checker.fail(`/${platform}`, `is a section for ${PLATFORMS[platform]}, tinyrun runs Linux containers`);
  }
  const namespaces = checkLinux(checker, config);
  checkMounts(checker, config, namespaces);
}

function checkVersion(checker: Checker, config: Json): void {
  if (!checker.required(config, '', 'ociVersion')) return;
  const version = checker.string(config, '', 'ociVersion');
  if (version === undefined || OCI_VERSION_1.test(version)) return;
  // runc 1.1 takes any text, crun 1.8 anything that starts with 1.0. Within a major version the spec is compatible.
  checker.fail('/ociVersion', `${show(version)} is not a version 1.x.y of the OCI runtime-spec`, version);
}

function checkAnnotations(checker: Checker, config: Json): void {
  for (const [key] of checker.stringMap(config, '', 'annotations'))
    if (key === '') checker.fail(pointerTo('/annotations', key), 'has an empty name');
}

function checkHooks(checker: Checker, config: Json): void {
  const hooks = checker.object(config, '', 'hooks');
  if (hooks === undefined) return;
  for (const point of HOOKS) {
    checker.objects(hooks, '/hooks', point, (hook, at) => {
      if (checker.required(hook, at, 'path')) checker.absolutePath(hook, at, 'path');
      checker.strings(hook, at, 'args');
      checker.strings(hook, at, 'env');
      checker.integer(hook, at, 'timeout', { min: 1, max: 0x7fffffff, what: 'a number of seconds above 0' });
    });
  }
}
