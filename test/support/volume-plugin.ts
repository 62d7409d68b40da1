// A volume plugin for tests, as a program: `bun volume-plugin.ts SOCKET DIRECTORY [BEHAVIOUR]`. It keeps a volume as a
// directory in DIRECTORY, counts mounts by id, and writes a line for each call into DIRECTORY/calls. With a behaviour it is
// a bad one.

import { appendFileSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const [socket = '', directory = '', behaviour = 'good'] = process.argv.slice(2);
const volumes = join(directory, 'volumes');
mkdirSync(volumes, { recursive: true });
symlinkSync('/etc', join(directory, 'link'));
const mounts = new Map<string, Set<string>>();
const pathOf = (name: string): string => join(volumes, name);
const isThere = (name: string): boolean => readdirSync(volumes).includes(name);

/** What bad ones answer to Mount, by behaviour. */
const badMountpoints: Readonly<Record<string, () => unknown>> = {
  root: () => '/',
  relative: () => 'relative/path',
  nothing: () => undefined,
  number: () => 7,
  missing: () => '/no/such/directory',
  dots: () => `${pathOf('v')}/../../../../../../../..`,
  'data-root': () => join(directory, '../data/volumes'),
  symlink: () => join(directory, 'link'),
};

interface Request {
  Name: string;
  ID: string;
  Opts: Record<string, string>;
}

function answer(method: string, { Name, ID, Opts }: Request): object {
  switch (method) {
    case 'Plugin.Activate':
      return { Implements: [behaviour === 'network' ? 'NetworkDriver' : 'VolumeDriver'] };
    case 'VolumeDriver.Capabilities':
      return { Capabilities: { Scope: 'global' } };
    case 'VolumeDriver.Create':
      if (Opts?.['fail'] !== undefined) return { Err: `cannot create: ${Opts['fail']}` };
      mkdirSync(pathOf(Name), { recursive: true });
      return { Err: '' };
    case 'VolumeDriver.List':
      return { Volumes: readdirSync(volumes).map((name) => ({ Name: name, Mountpoint: pathOf(name) })) };
  }
  if (!isThere(Name)) return { Err: `no such volume: ${Name}` };
  const ids = mounts.get(Name) ?? new Set();
  mounts.set(Name, ids);
  switch (method) {
    case 'VolumeDriver.Get':
      return { Volume: { Name, Mountpoint: pathOf(Name), Status: { users: ids.size } } };
    case 'VolumeDriver.Path':
      return { Mountpoint: pathOf(Name) };
    case 'VolumeDriver.Mount': {
      if (ids.has(ID)) return { Err: 'already mounted by this id' };
      ids.add(ID);
      const bad = badMountpoints[behaviour];
      return { Mountpoint: bad === undefined ? pathOf(Name) : bad() };
    }
    case 'VolumeDriver.Unmount':
      return ids.delete(ID) ? {} : { Err: 'not mounted by this id' };
    case 'VolumeDriver.Remove':
      rmSync(pathOf(Name), { recursive: true });
      return {};
  }
  return { Err: `unknown method ${method}` };
}

/** What bad ones say at all, but for the first calls, so that they are found. */
async function badAnswer(): Promise<Response | undefined> {
  switch (behaviour) {
    case 'hangs':
      await Bun.sleep(60_000);
      return undefined;
    case 'huge':
      return new Response('x'.repeat(8 << 20));
    case 'no-json':
      return new Response('<html>hello</html>');
    case 'array':
      return new Response('[]');
    case 'status':
      return new Response('went wrong\n', { status: 500 });
    case 'redirects':
      return Response.redirect('http://127.0.0.1:1/');
    case 'dies':
      return process.exit(3);
    case 'escapes':
      return Response.json({ Err: 'red \x1b[31m and\nmore lines' });
    default:
      return undefined;
  }
}

Bun.serve({
  unix: socket,
  async fetch(request) {
    const method = new URL(request.url).pathname.slice(1);
    const text = await request.text();
    appendFileSync(join(directory, 'calls'), `${method} ${text}\n`);
    const bad = method === 'Plugin.Activate' ? undefined : await badAnswer();
    return bad ?? Response.json(answer(method, JSON.parse(text || '{}')));
  },
});
