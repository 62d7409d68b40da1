// Paths of a config, as text: where in the root they are, whatever that has there.

/** `/a/../b//c/` -> `b/c`; `/` -> ``. Purely textual, like path.Clean: what runc does with destinations. */
export function cleanInside(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
