// A call of a volume plugin: JSON by POST, and JSON back. The plugin is another program, and may be a bad one: it has so
// much time, so many bytes, and what it answers is looked at before it is believed.

import { TinyrunError } from '../../errors.ts';
import { findPlugin, type PluginAddress } from './plugin-address.ts';

export type Answer = Readonly<Record<string, unknown>>;

/** Milliseconds that a call may take: Docker's two minutes for what makes and mounts, one for the rest. */
const PATIENCE = { long: 120_000, short: 60_000 } as const;
/** In its place, in milliseconds. */
const VARIABLE = 'TINYRUN_PLUGIN_TIMEOUT';
const LONG = ['VolumeDriver.Create', 'VolumeDriver.Mount'];
/** Bytes of an answer. */
const LONGEST = 1 << 20;
/** Milliseconds before the next try where nobody listens: a plugin may just be starting again. */
const RETRIES = [100, 200, 400, 800];
const MEDIA_TYPE = 'application/vnd.docker.plugins.v1.2+json';

/** Plugins that have said in this process that they have volumes. */
const activated = new Map<string, Promise<PluginAddress>>();

/**
 * Calls a plugin, after making sure that it is one of volumes.
 * @param method `VolumeDriver.Create`, ...
 * @param what is being done, the beginning of messages: `create data`
 * @throws TinyrunError HOST with the plugin's own words; NOT_FOUND where there is none
 */
export async function callPlugin(
  plugin: string,
  method: string,
  body: object,
  what: string,
): Promise<Answer> {
  const ready = activated.get(plugin) ?? activate(plugin, what);
  activated.set(plugin, ready);
  return call({ plugin, address: await ready, method, what }, body);
}

async function activate(plugin: string, what: string): Promise<PluginAddress> {
  const address = findPlugin(plugin, what);
  const { Implements } = await call({ plugin, address, method: 'Plugin.Activate', what }, {});
  if (Array.isArray(Implements) && Implements.includes('VolumeDriver')) return address;
  throw new TinyrunError('HOST', `${what}: plugin "${plugin}" does not implement VolumeDriver`, {
    hint: `it is a plugin for ${Array.isArray(Implements) ? Implements.join(', ') : 'nothing that it says'}`,
    data: { plugin },
  });
}

interface Call {
  plugin: string;
  address: PluginAddress;
  method: string;
  what: string;
}

const failed = ({ plugin, method, what }: Call, why: string, hint?: string): TinyrunError =>
  new TinyrunError('HOST', `${what}: ${method}: ${why}`, {
    hint: hint ?? `ask the volume plugin ${plugin}: its log may say more`,
    data: { plugin, method },
  });

async function call(one: Call, body: object): Promise<Answer> {
  const { status, text } = await post(one, body);
  let answer: unknown;
  try {
    answer = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    throw failed(one, `the answer is no JSON (status ${status}): ${short(text)}`);
  }
  if (!isAnswer(answer)) throw failed(one, `the answer is no object: ${short(text)}`);
  const { Err } = answer;
  if (Err !== undefined && Err !== null && Err !== '') throw failed(one, short(String(Err)));
  if (status !== 200) throw failed(one, `status ${status}: ${short(text)}`);
  return answer;
}

const isAnswer = (value: unknown): value is Answer =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A plugin's words, in one line of bounded length. */
const short = (text: string): string => text.trim().replace(/\s+/g, ' ').slice(0, 500);

async function post(one: Call, body: object): Promise<{ status: number; text: string }> {
  const { address, method } = one;
  const given = Number(process.env[VARIABLE]);
  const patience = given > 0 ? given : LONG.includes(method) ? PATIENCE.long : PATIENCE.short;
  const signal = AbortSignal.timeout(patience);
  for (let tries = 0; ; tries++)
    try {
      const response = await fetch(`${address.url}/${method}`, {
        ...(address.socket === undefined ? {} : { unix: address.socket }),
        method: 'POST',
        headers: { 'Content-Type': MEDIA_TYPE, Accept: MEDIA_TYPE },
        body: JSON.stringify(body),
        redirect: 'error',
        keepalive: false,
        signal,
      });
      return { status: response.status, text: await readBody(one, response) };
    } catch (error) {
      if (error instanceof TinyrunError) throw error;
      if (signal.aborted)
        throw failed(
          one,
          `no answer within ${patience / 1000} s`,
          'see whether the plugin hangs, and start it again',
        );
      const wait = RETRIES[tries];
      // Only where the call has not reached anybody: nothing is asked for twice.
      if (!isUnheard(error) || wait === undefined) throw failed(one, wordsOf(error));
      await Bun.sleep(wait);
    }
}

/** Nobody listens. */
const isUnheard = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  /^(FailedToOpenSocket|ConnectionRefused|ECONNREFUSED|ENOENT)$/.test(String(error.code));

function wordsOf(error: unknown): string {
  if (isUnheard(error)) return 'nobody listens on its socket';
  return error instanceof Error ? short(error.message) : String(error);
}

async function readBody(one: Call, response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > LONGEST) throw failed(one, `the answer is longer than ${LONGEST >> 20} MiB`);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}
