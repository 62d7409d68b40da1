// Paths as text, the way Docker's flags read them: Go's path.Clean and filepath.Abs. Nothing here looks at a disk, so
// `..` is taken away by its spelling alone, symbolic links or not.

/**
 * The shortest path with the same meaning: no `.`, no empty parts, no `..` that has a parent to take away.
 *
 * @param path absolute; its `..` at the root stay at the root
 */
export function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') kept.pop();
    else if (part !== '' && part !== '.') kept.push(part);
  }
  return '/' + kept.join('/');
}

/**
 * A source of a flag: what starts with a dot is relative to the working directory, anything else stays as it is.
 *
 * @param cwd absolute
 */
export function resolveSource(source: string, cwd: string): string {
  return source.startsWith('.') ? cleanPath(cwd + '/' + source) : source;
}

/** Whether a path stays below where it starts: relative, not empty, with no `..` that leads out. Go's filepath.IsLocal. */
export function isLocalPath(path: string): boolean {
  if (path === '' || path.startsWith('/')) return false;
  let depth = 0;
  for (const part of path.split('/')) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) return false;
  }
  return true;
}
