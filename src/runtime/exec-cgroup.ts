// Which cgroups a process that is executed joins: those of the container, or some below them (`--cgroup`). runc's rules and
// words.

import { TinyrunError } from '../errors.ts';
import { cleanInside } from '../plan/clean-inside.ts';

interface Place {
  controllers: string;
  path: string;
}

/** Whether it is to be known where init is. */
export const dependsOnInit = (own: readonly Place[], asked: readonly string[]): boolean =>
  asked.length > 0 || own.some(({ controllers }) => controllers === '');

/**
 * @param own the container's cgroups
 * @param asked `PATH`, for all hierarchies, or `CONTROLLER[,CONTROLLER]:PATH`
 * @param initCgroup what /proc/PID/cgroup says of init
 * @throws TinyrunError USAGE
 */
export function execCgroups(own: readonly Place[], asked: readonly string[], initCgroup: string): Place[] {
  const paths = pathsOf(asked);
  for (const name of paths.keys())
    if (name !== ALL && !own.some((place) => isOf(place, name)))
      throw new TinyrunError('USAGE', `unknown controller ${name} in --cgroup`);
  return own.map((place) => {
    const sub = paths.get(ALL) ?? [...paths].find(([name]) => isOf(place, name))?.[1];
    if (sub !== undefined) return { controllers: place.controllers, path: below(place.path, sub) };
    return place.controllers === '' ? { controllers: '', path: whereInitIs(place.path, initCgroup) } : place;
  });
}

const ALL = '';
const isOf = ({ controllers }: Place, name: string): boolean =>
  controllers.split(',').includes(name) || controllers === `name=${name}`;

function pathsOf(asked: readonly string[]): Map<string, string> {
  const paths = new Map<string, string>();
  const [only = ''] = asked;
  if (asked.length === 1 && !only.includes(':')) return paths.set(ALL, only);
  for (const argument of asked) {
    const colon = argument.indexOf(':');
    const path = argument.slice(colon + 1);
    const names = argument.slice(0, Math.max(colon, 0)).split(',');
    if (path === '' || names.includes(''))
      throw new TinyrunError('USAGE', `invalid --cgroup argument: ${argument}`, {
        hint: 'give PATH, or CONTROLLER[,CONTROLLER]:PATH',
      });
    for (const name of names) {
      if (paths.has(name))
        throw new TinyrunError('USAGE', `invalid --cgroup argument: ${name} is given twice`);
      paths.set(name, path);
    }
  }
  return paths;
}

/** The textual path, which is never outside: `..` beyond the container's own cgroup is an error. */
function below(base: string, sub: string): string {
  const path = `/${cleanInside(`${base}/${sub}`)}`;
  if (path === base || path.startsWith(`${base}/`)) return path;
  throw new TinyrunError('USAGE', `${sub} is not a sub cgroup path`);
}

/**
 * In the unified hierarchy a cgroup that has children with controllers takes no processes: an init that has made such has
 * moved on to one of them, and there the process goes as well.
 */
function whereInitIs(path: string, initCgroup: string): string {
  const parts = (/^0::\/(.*)$/m.exec(initCgroup)?.[1] ?? '').split('/');
  for (let count = parts.length - 1; count > 0; count--)
    if (path.endsWith(`/${parts.slice(0, count).join('/')}`)) return [path, ...parts.slice(count)].join('/');
  return path;
}
