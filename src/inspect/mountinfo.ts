// The lines of /proc/PID/mountinfo: proc_pid_mountinfo(5). Pure.

export interface MountInfo {
  id: number;
  /** Of itself, or of none in the list: the root of the tree. */
  parent: number;
  /** Which directory or file of the filesystem is mounted. */
  root: string;
  target: string;
  options: string[];
  propagation: Propagation;
  type: string;
  source: string;
  superOptions: string[];
}

/** In which peer groups a mount is: mount_namespaces(7), "Peer groups". None at all: it is private. */
export interface Propagation {
  shared?: number;
  master?: number;
  /** The nearest group that it gets mounts of and that the reader can see, where `master` is none of them. */
  from?: number;
  unbindable?: true;
}

/** Parses the file; lines that are none of its form are left out. */
export function parseMountinfo(text: string): MountInfo[] {
  return text.split('\n').flatMap((line) => {
    const [own = '', filesystem] = line.split(' - ');
    const [id = '', parent = '', , root = '', target = '', options = '', ...groups] = own.split(' ');
    if (filesystem === undefined) return [];
    const [type = '', source = '', superOptions = ''] = filesystem.split(' ');
    return [
      {
        id: Number(id),
        parent: Number(parent),
        root: unescapePath(root),
        target: unescapePath(target),
        options: options.split(','),
        propagation: parseGroups(groups),
        type,
        source: unescapePath(source),
        superOptions: superOptions.split(',').map(unescapePath),
      },
    ];
  });
}

function parseGroups(fields: readonly string[]): Propagation {
  const propagation: Propagation = {};
  for (const field of fields) {
    const [name, number] = field.split(':');
    if (name === 'shared') propagation.shared = Number(number);
    else if (name === 'master') propagation.master = Number(number);
    else if (name === 'propagate_from') propagation.from = Number(number);
    else if (name === 'unbindable') propagation.unbindable = true;
  }
  return propagation;
}

/** The kernel writes spaces, tabs, newlines and backslashes as three octal digits. Bytes beyond ASCII it leaves. */
const unescapePath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Whether `path` is `directory`, or in it; both clean and absolute. */
export const isWithin = (path: string, directory: string): boolean =>
  directory === '/' || path === directory || path.startsWith(`${directory}/`);

/** The path of something in `directory`, from there: empty for itself. */
export const relativeTo = (path: string, directory: string): string =>
  directory === '/' ? path.slice(1) : path.slice(directory.length + 1);

/** `/a` and `b/c` -> `/a/b/c`. */
export const joined = (directory: string, relative: string): string =>
  relative === '' ? directory : `${directory === '/' ? '' : directory}/${relative}`;
