// The house rules that a program can check, as functions from files to problems. test/rules.test.ts runs them over the
// sources, and over a bad sample each.

import { allConstants, arm64Constants, constants } from '../../src/sys/constants.ts';

export interface SourceFile {
  /** Relative to the project's folder. */
  path: string;
  text: string;
}

export interface Rule {
  name: string;
  /** Why, and what to do: printed with each problem. */
  message: string;
  /** Returns the lines (or imports) that break the rule. */
  check: (file: SourceFile) => string[];
  bad: SourceFile;
}

/** Folders of src/, from the command line down: imports go downwards only, and not to a neighbour. */
const layers: Record<string, number> = {
  ...{ cli: 0 },
  ...{ inspect: 1 },
  ...{ container: 2 },
  ...{ explain: 3, runtime: 3 },
  ...{ volume: 4, rootfs: 4, engine: 4 },
  ...{ image: 5 },
  ...{ archive: 6 },
  ...{ plan: 7 },
  ...{ seccomp: 8, cgroup: 8 },
  ...{ oci: 9, program: 9, disk: 9 },
  ...{ sys: 10 },
};
/** Folders whose code touches the disk, the kernel or processes; the only ones that may call libc. */
const doers = [
  'cli',
  'inspect',
  'container',
  'runtime',
  'volume',
  'rootfs',
  'engine',
  'image',
  'archive',
  'disk',
];
/** Folders that are data to data: no effects, so that a test needs no root. */
const pure = ['plan', 'seccomp', 'cgroup', 'oci', 'program', 'sys'];
/** Engines run programs, whatever they are for. */
const engineImports = ['program', 'sys', 'engine'];

/** The modules a file imports; relative ones as paths from the project's folder. */
export function importsOf({ path, text }: SourceFile): string[] {
  const specifiers = [...text.matchAll(/^\s*(?:import|export)\b[^;'"]*?from\s+['"]([^'"]+)['"]/gm)];
  const bare = [...text.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm)];
  const dynamic = [...text.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]/g)];
  return [...specifiers, ...bare, ...dynamic].map(([, specifier = '']) =>
    specifier.startsWith('.') ? new URL(specifier, `file:///${path}`).pathname.slice(1) : specifier,
  );
}

/** The folder of src/ that a path is in. */
const folderOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1];

function checkImport(folder: string, target: string): boolean {
  if (target === 'src/errors.ts') return true;
  if (target.startsWith('native-bindings/')) return doers.includes(folder);
  if (target.startsWith('dist/')) return folder === 'engine' || folder === 'runtime';
  if (target.startsWith('package.json')) return folder === 'cli';
  if (!/^(src|test|scripts|bench|native-bindings)\//.test(target)) return true; // a package: see the next rule
  const to = folderOf(target);
  if (to === undefined) return false;
  if (to === folder) return true;
  if (folder === 'engine') return engineImports.includes(to);
  return layers[to]! > layers[folder]!;
}

/** The code of a TypeScript file: without comments and the contents of strings. */
export function codeOf(text: string): string {
  const token = /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;
  return text.replace(token, (found) => (found[0] === '/' ? '' : "''"));
}

/** The lines of a file that match. */
const lines = (text: string, pattern: RegExp) => text.split('\n').filter((line) => pattern.test(line));
const isTest = (path: string) => path.endsWith('.test.ts');
const isCode = (path: string) => /\.(ts|c|h|sh)$/.test(path);

/** The names of constants that a file looks up where that gives no value, or another machine's: `flag` of libc.ts knows all. */
function wrongConstants({ path, text }: SourceFile): string[] {
  if (!/^(src|native-bindings)\//.test(path) || path.startsWith('src/sys/')) return [];
  const looked = [...text.matchAll(/\bconstants\['(\w+)'\]/g)].map(([, name = '']) => name);
  const flags = [...text.matchAll(/\bflag\(((?:'[A-Z]\w*'(?:,\s*)?)+)\)/g)]
    .flatMap(([, list = '']) => list.split(/,\s*/))
    .map((name) => name.slice(1, -1));
  const all = allConstants();
  return [
    ...looked.filter((name) => !(name in constants) || name in arm64Constants),
    ...flags.filter((name) => !(name in all)),
  ];
}

// Put together, so that this file keeps its own rule.
const hosts = ['registry.' + 'npmjs', 'registry.' + 'yarnpkg', 'deb.' + 'debian.org'];
const workplace = /(?<![\w.}~*-])\/work\/(?:main|shared)|(?:^|[\s'"`(])\/work\//;

export const rules: Rule[] = [
  {
    name: 'imports go downwards',
    message:
      'cli → inspect → container → explain, runtime → volume, rootfs, engine → image → archive → plan → seccomp, cgroup → oci, program, disk → sys',
    check: (file) => {
      const folder = folderOf(file.path);
      return folder === undefined ? [] : importsOf(file).filter((target) => !checkImport(folder, target));
    },
    bad: { path: 'src/plan/plan.ts', text: "import { syscall } from '../../native-bindings/libc.ts';\n" },
  },
  {
    name: 'every folder of src has its layer',
    message: 'add the folder to `layers`',
    check: ({ path }) => {
      const folder = folderOf(path);
      return folder === undefined || folder in layers ? [] : [folder];
    },
    bad: { path: 'src/utils/misc.ts', text: '' },
  },
  {
    name: 'planners and compilers have no effects',
    message: 'data to data only: what the host says comes as an argument (plan/host.ts)',
    check: (file) => {
      if (!pure.includes(folderOf(file.path) ?? '')) return [];
      return importsOf(file).filter((target) => /^(node|bun):|^[a-z@]+$/.test(target));
    },
    bad: { path: 'src/oci/parse.ts', text: "import { readFileSync } from 'node:fs';\n" },
  },
  {
    name: 'every test file runs its tests',
    message: 'end it with `test.run();`: without it uvu runs nothing and exits with 0',
    check: ({ path, text }) => (isTest(path) && !/^\w+\.run\(\);$/m.test(text) ? ['no .run() in it'] : []),
    bad: { path: 'test/oci/parse.test.ts', text: "test('parses', () => {});\n" },
  },
  {
    name: 'tests have no hooks',
    message: 'set up in a helper called inside the test: uvu exits with 0 when some hooks throw',
    check: ({ path, text }) => (isTest(path) ? lines(codeOf(text), /\b\w+\.(before|after)(\.each)?\(/) : []),
    bad: { path: 'test/oci/parse.test.ts', text: 'test.before.each(() => {});\ntest.run();\n' },
  },
  {
    name: 'no file is longer than 400 lines, no test than 800',
    message: 'split it by purpose; only tables (src/sys) may be longer',
    check: ({ path, text }) => {
      const count = text.split('\n').length - 1;
      const most = path.startsWith('test/') ? 800 : 400;
      return isCode(path) && !path.startsWith('src/sys/') && count > most ? [`${count} lines`] : [];
    },
    bad: { path: 'src/plan/plan.ts', text: '\n'.repeat(401) },
  },
  {
    name: 'the project speaks of itself alone',
    message: "no registry's host, no path of the machine that it was written on",
    check: ({ text }) =>
      text.split('\n').filter((line) => workplace.test(line) || hosts.some((host) => line.includes(host))),
    bad: { path: 'README.md', text: `run ${'/work'}/main/dist/tinyrun\n` },
  },
  {
    name: 'constants have a value, on every machine',
    message: "say flag('NAME'), with a name of src/sys/constants.ts",
    check: wrongConstants,
    bad: {
      path: 'src/runtime/files.ts',
      text: "open(path, constants['O_NOFOLLOW']! | flag('O_NOFOLOW'));\n",
    },
  },
  {
    name: 'types are not evaded',
    message: 'narrow it with a check; the linter looks for `any`',
    check: ({ path, text }) =>
      path.endsWith('.ts') && path !== 'test/support/rules.ts'
        ? lines(text, /\bas any[;,)\]]|\bas unknown as\b|@ts-(ignore|nocheck|expect-error)/)
        : [],
    bad: { path: 'src/oci/parse.ts', text: 'const config = JSON.parse(text) as unknown as Config;\n' },
  },
];

/** Returns `PATH: RULE: LINE` for each problem of the rule in the files. */
export function findProblems(rule: Rule, files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    rule.check(file).map((found) => `${file.path}: ${rule.name}: ${found.trim()}`),
  );
}
