// The fields of the types in src/oci/config.ts, read from their text: `linux.namespaces[].path`. The keys of a Record
// whose values have fields are NAME: `linux.netDevices.NAME.name`.

/** A type's own fields, by the type's name. */
type Interfaces = ReadonlyMap<string, string>;

/** Returns every field without fields of its own, below `Config`. */
export function configFields(source: string): string[] {
  const text = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  const interfaces = new Map(
    [...text.matchAll(/export interface (\w+) \{([\s\S]*?)\n\}/g)].map(([, name, body]) => [name!, body!]),
  );
  return fieldsOf(interfaces.get('Config')!, interfaces, '');
}

/** Splits `a?: T; b: { c: U }[];` at the semicolons outside of braces. */
function fieldsOf(body: string, interfaces: Interfaces, prefix: string): string[] {
  return splitOutside(body, ';').flatMap((declaration) => {
    const match = /^\s*(\w+)\??:\s*([\s\S]+?)\s*$/.exec(declaration);
    return match === null ? [] : below(match[2]!, interfaces, `${prefix}${match[1]}`);
  });
}

function below(type: string, interfaces: Interfaces, path: string): string[] {
  const record = /^Record<string, ([\s\S]+)>$/.exec(type)?.[1];
  if (record !== undefined)
    return hasFields(record, interfaces) ? below(record, interfaces, `${path}.NAME`) : [path];
  const list = /^([\s\S]+)\[\]$/.exec(type)?.[1];
  if (list !== undefined) return hasFields(list, interfaces) ? below(list, interfaces, `${path}[]`) : [path];
  const own = bodyOf(type, interfaces);
  return own === undefined ? [path] : fieldsOf(own, interfaces, `${path}.`);
}

const hasFields = (type: string, interfaces: Interfaces): boolean => bodyOf(type, interfaces) !== undefined;

const bodyOf = (type: string, interfaces: Interfaces): string | undefined =>
  /^\{([\s\S]*)\}$/.exec(type)?.[1] ?? interfaces.get(type);

function splitOutside(text: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '{') depth++;
    if (character === '}') depth--;
    if (character === separator && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}
