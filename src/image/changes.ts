// Dockerfile instructions that change the config of an image which is imported or committed: `-c 'CMD ["sh"]'`. Words,
// quotes and variables are read as Docker's builder reads them.

import { TinyrunError } from '../errors.ts';
import type { ImageDefaults } from './config.ts';

type Apply = (config: ImageDefaults, text: string, seen: ReadonlySet<string>) => void;

const instructions: Readonly<Record<string, Apply>> = {
  CMD: (config, text) => {
    config.Cmd = commandOf(text);
  },
  ENTRYPOINT: (config, text, seen) => {
    config.Entrypoint = commandOf(text);
    if (!seen.has('CMD')) delete config.Cmd; // it was meant for the old entrypoint
  },
  ENV: (config, text) => {
    for (const [name, value] of pairsOf('ENV', text, config))
      config.Env = withVariable(config.Env, name, value);
  },
  EXPOSE: (config, text) => {
    const ports = wordsOf(text, config).flatMap(portsOf);
    config.ExposedPorts = { ...config.ExposedPorts, ...setOf(ports) };
  },
  LABEL: (config, text) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairsOf('LABEL', text, config)) };
  },
  ONBUILD: (config, text) => {
    const [, trigger] = /^(ONBUILD|FROM|MAINTAINER)\b/i.exec(text.toUpperCase()) ?? [];
    if (trigger === 'ONBUILD') throw wrong("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger !== undefined) throw wrong(`${trigger} isn't allowed as an ONBUILD trigger`);
    config.OnBuild = [...(config.OnBuild ?? []), text];
  },
  STOPSIGNAL: (config, text) => {
    config.StopSignal = oneWord('STOPSIGNAL', text, config);
  },
  USER: (config, text) => {
    config.User = oneWord('USER', text, config);
  },
  VOLUME: (config, text) => {
    const paths = listOf(text) ?? wordsOf(text, config);
    if (paths.includes('')) throw wrong('VOLUME specified can not be an empty string');
    config.Volumes = { ...config.Volumes, ...setOf(paths) };
  },
  WORKDIR: (config, text) => {
    const path = oneWord('WORKDIR', text, config);
    config.WorkingDir = joined(path.startsWith('/') ? '/' : config.WorkingDir || '/', path);
  },
};

const TAKE_SOME = ['ENV', 'EXPOSE', 'LABEL', 'ONBUILD', 'VOLUME'];

/**
 * Applies Dockerfile instructions to a config, in order.
 * @param config stays as it is
 * @param changes each one instruction: `ENV a=b`
 * @throws TinyrunError USAGE in Docker's words where there are any
 */
export function applyChanges(config: ImageDefaults, changes: readonly string[]): ImageDefaults {
  const changed = structuredClone(config);
  const seen = new Set<string>();
  for (const change of changes) {
    const [, word = '', text = ''] = /^\s*(\S+)\s*([\s\S]*?)\s*$/.exec(change) ?? [];
    const name = word.toUpperCase();
    const apply = Object.hasOwn(instructions, name) ? instructions[name] : undefined;
    if (apply === undefined) throw wrong(`${JSON.stringify(word)} is not a valid change command`);
    if (text === '' && TAKE_SOME.includes(name)) throw wrong(`${name} requires at least one argument`);
    if (change.includes('\0')) throw wrong(`${name} contains a NUL byte`);
    apply(changed, text, seen);
    seen.add(name);
  }
  return changed;
}

const wrong = (message: string): TinyrunError =>
  new TinyrunError('USAGE', message, {
    hint: `a change is one of ${Object.keys(instructions).join(', ')} with its arguments`,
  });

const setOf = (names: readonly string[]): Record<string, object> =>
  Object.fromEntries(names.map((name) => [name, {}]));

/** The list of the JSON form, `["a", "b"]`; undefined where it is another form. */
function listOf(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((word) => typeof word === 'string') ? value : undefined;
  } catch {
    return undefined; // then it is shell, where `[` is a command
  }
}

const commandOf = (text: string): string[] => listOf(text) ?? (text === '' ? [] : ['/bin/sh', '-c', text]);

function withVariable(env: readonly string[] | undefined, name: string, value: string): string[] {
  const entry = `${name}=${value}`;
  const at = (env ?? []).findIndex((other) => other.startsWith(`${name}=`));
  return at < 0 ? [...(env ?? []), entry] : env!.with(at, entry);
}

function joined(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of `${base}/${path}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** `8000-8001/udp` -> `8000/udp`, `8001/udp` */
function portsOf(text: string): string[] {
  const [, first, last, protocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last ?? first)];
  if (first === undefined || from < 1 || to > 65535 || to < from)
    throw wrong(`invalid containerPort: ${text}`);
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${protocol.toLowerCase()}`);
}

function oneWord(name: string, text: string, config: ImageDefaults): string {
  const words = wordsOf(text, config);
  if (words.length !== 1) throw wrong(`${name} requires exactly one argument`);
  return words[0]!;
}

/** `a=b "c=d e"`, or the older form `a b c`: one name, and all the rest its value. */
function pairsOf(name: string, text: string, config: ImageDefaults): [string, string][] {
  const words = splitWords(text);
  if (!words[0]!.includes('=')) {
    const [, first = '', rest = ''] = /^(\S+)\s+([\s\S]+)$/.exec(text) ?? [];
    if (first === '') throw wrong(`${name} must have two arguments`);
    return [[first, expand(rest, config)]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0)
      throw wrong(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    if (equals === 0) throw wrong(`${name} names can not be blank`);
    return [expand(word.slice(0, equals), config), expand(word.slice(equals + 1), config)];
  });
}

const wordsOf = (text: string, config: ImageDefaults): string[] =>
  splitWords(text).map((word) => expand(word, config));

/** Splits at blanks outside of quotes; quotes and backslashes stay. */
const splitWords = (text: string): string[] =>
  text.match(/(?:\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|[^\s])+/g) ?? [];

/** Takes quotes and backslashes away, and puts variables in, outside of single quotes. */
function expand(word: string, { Env = [] }: ImageDefaults): string {
  const variable = (name: string): string => {
    const entry = Env.find((other) => other.startsWith(`${name}=`));
    return entry === undefined ? '' : entry.slice(name.length + 1);
  };
  const part = /\\([\s\S])|'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\$(?:\{(\w+)\}|(\w+))/g;
  return word.replace(part, (found, escaped, single, double, braced, bare) => {
    if (escaped !== undefined) return escaped;
    if (single !== undefined) return single;
    if (double !== undefined) return expand(double.replaceAll("'", "\\'"), { Env });
    const name = braced ?? bare;
    return name === undefined ? found : variable(name);
  });
}
