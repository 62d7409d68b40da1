// What a process can tell of the container that it is in, as facts: name -> value, without what differs from run to run
// (ids, inode numbers). Two runtimes that give the same facts are the same to a program.

import { readlinkSync } from 'node:fs';
import { parseMountinfo } from './container.ts';

export type Facts = Record<string, string>;

const SECTIONS: readonly string[] = [
  ...[
    'mountinfo',
    'ns',
    'status',
    'env',
    'cwd',
    'limits',
    'fds',
    'umask',
    'sigmask',
    'ids',
    'hostname',
    'domainname',
  ],
  ...['oom', 'scheduler', 'ioprio', 'personality'],
];
/** Listed, and each name in them. */
const FOLDERS = ['/', '/dev', '/dev/pts'];
const STATUS = [
  'CapInh',
  'CapPrm',
  'CapEff',
  'CapBnd',
  'CapAmb',
  'NoNewPrivs',
  'Uid',
  'Gid',
  'Groups',
  'Seccomp',
  'NSpid',
  'NSpgid',
  'NSsid',
];
const MARK = '=== ';

/** The payload's sub-commands whose output `parseFacts` reads. */
export const factCommands: readonly string[] = [
  ...SECTIONS.flatMap((name) => ['args', MARK + name, '--', name, '--']),
  ...FOLDERS.flatMap((path) => ['args', `${MARK}ls ${path}`, '--', 'try', 'ls', path, '--']),
  ...['args', `${MARK}stat`],
  ...[
    '/',
    '/dev',
    '/dev/null',
    '/dev/tty',
    '/dev/console',
    '/dev/fd',
    '/dev/stdin',
    '/dev/ptmx',
    '/dev/shm',
    '/proc',
    '/sys',
    '/tmp',
  ].flatMap((path) => ['--', 'try', 'stat', path]),
];

/** Reads what factCommands printed. */
export function parseFacts(printed: string): Facts {
  const facts: Facts = {};
  for (const part of printed.split(MARK).slice(1)) {
    const [name = '', ...lines] = part.split('\n').filter((line) => line !== '' && line !== 'ok');
    Object.assign(facts, (readers[name] ?? asLines)(lines, name));
  }
  return facts;
}

type Reader = (lines: string[], name: string) => Facts;
const asLines: Reader = (lines, name) => ({ [name]: lines.join(' ') });
/** `NAME VALUE` on each line. */
const byFirstWord =
  (prefix: string): Reader =>
  (lines) =>
    Object.fromEntries(lines.map((line) => [`${prefix} ${line.split(' ')[0]}`, line.replace(/^\S+ ?/, '')]));

const readers: Readonly<Record<string, Reader>> = {
  mountinfo: (lines) => mountFacts(lines.join('\n')),
  ns: (lines) =>
    Object.fromEntries(
      lines.map((line) => {
        const [name = '', link] = line.split(' ');
        return [`namespace ${name}`, link === readlinkSync(`/proc/self/ns/${name}`) ? "the caller's" : 'new'];
      }),
    ),
  status: (lines) =>
    Object.fromEntries(
      lines
        .map((line) => line.split(/:\s*/) as [string, string])
        .filter(([name]) => STATUS.includes(name))
        .map(([name, value]) => [`status ${name}`, value.trim().replaceAll('\t', ' ')]),
    ),
  env: (lines) => ({ environment: lines.join(' ') }),
  limits: byFirstWord('limit'),
  fds: (lines) =>
    byFirstWord('file descriptor')(
      lines.map((line) => line.replace(/\[\d+\]/, '[]')),
      '',
    ),
  sigmask: byFirstWord('signals'),
  ids: byFirstWord('ids'),
  stat: (lines) =>
    Object.fromEntries(
      lines.map((line) => [`stat ${line.split(' ').at(-1)}`, line.split(' ').slice(0, 5).join(' ')]),
    ),
};

/** By target, and in the order of the table, which is that of their ids. */
function mountFacts(table: string): Facts {
  const lines = parseMountinfo(table);
  const facts: Facts = { 'mounts by id': lines.map(({ target }) => target).join(' ') };
  for (const line of lines) {
    const below = lines.filter(({ target }) => target === line.target);
    const parent = below.find(({ id }) => id === line.parent);
    const name = `mount ${line.target}${parent === undefined ? '' : ' (on another)'}`;
    const propagation = line.propagation
      .map((text) => text.replace(/:\d+/, ''))
      .filter((text) => !/propagate_from/.test(text));
    const flags = [...line.options].sort().join(',');
    const root = line.root.replace(/\/tmp\/tinyrun-test-[^/]*/, '');
    facts[name] = [line.type, line.source, root, flags, line.superOptions.join(','), ...propagation].join(
      ' ',
    );
  }
  return facts;
}
