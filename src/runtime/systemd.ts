// systemd's manager over D-Bus: scopes made, changed and ended. Loaded only with `--systemd-cgroup`, or for a container that
// was made with it. org.freedesktop.systemd1(5); spec/cgroups.md.

import { connect, type Socket } from 'node:net';
import { createClient, type DBusError, type Message, type MessageBus } from 'dbus-native';
import type { Variant } from '../cgroup/gvariant.ts';
import type { Property } from '../cgroup/unit-properties.ts';
import { TinyrunError } from '../errors.ts';

const SYSTEM_BUS = '/run/dbus/system_bus_socket';
/** systemd itself, without a bus between: root's only. */
const PRIVATE = '/run/systemd/private';
const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER = `${SYSTEMD}.Manager`;
const PATH = '/org/freedesktop/systemd1';
const PATIENCE_MS = 30_000;

export interface Systemd {
  /** Makes a scope, and waits until it is there. */
  startScope: (unit: string, properties: readonly Property[]) => Promise<void>;
  setProperties: (unit: string, properties: readonly Property[]) => Promise<void>;
  /** Ends a unit and forgets how it ended; one that is not there is fine. */
  stop: (unit: string) => Promise<void>;
  /** Absolute below the mount point; undefined: no such unit, or it has none. */
  cgroupOf: (unit: string) => Promise<string | undefined>;
}

/**
 * Calls `use` with a connection, which is closed afterwards.
 * @throws TinyrunError HOST where systemd cannot be asked, or refuses
 */
export async function withSystemd<T>(use: (systemd: Systemd) => Promise<T>): Promise<T> {
  const { socket, direct } = await dial();
  // Its own transport has a thread that reads; nothing here has descriptors to pass.
  const bus = createClient({ stream: socket, direct, authMethods: ['EXTERNAL'] });
  try {
    return await use(speak(bus, direct));
  } finally {
    socket.destroy();
  }
}

async function dial(): Promise<{ socket: Socket; direct: boolean }> {
  let problem: unknown;
  for (const path of [SYSTEM_BUS, PRIVATE]) {
    try {
      return { socket: await open(path), direct: path === PRIVATE };
    } catch (error) {
      problem ??= error;
    }
  }
  const why = problem instanceof Error ? problem.message : String(problem);
  throw new TinyrunError('HOST', `ask systemd for a cgroup: ${why}`, {
    hint: 'without systemd leave --systemd-cgroup out',
    cause: problem,
  });
}

const open = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(`connect to ${path}: ${error.code ?? error.message}`, { cause: error })),
    );
  });

function speak(bus: MessageBus, direct: boolean): Systemd {
  const call = async (what: string, message: Message): Promise<unknown> => {
    const destination = direct ? {} : { destination: message.destination ?? SYSTEMD };
    try {
      return await bus.invoke<unknown>({ ...message, ...destination }, { timeout: PATIENCE_MS });
    } catch (error) {
      throw refused(what, error);
    }
  };
  const ask = (what: string, member: string, signature: string, body: unknown[]): Promise<unknown> =>
    call(what, { path: PATH, interface: MANAGER, member, ...(signature === '' ? {} : { signature, body }) });

  /** Starts a job and waits for its end; the signal may come before the reply that names the job. */
  const runJob = async (
    what: string,
    member: string,
    signature: string,
    body: unknown[],
  ): Promise<string> => {
    const results = new Map<string, string>();
    let wake = (): void => {};
    const name = bus.mangle(PATH, MANAGER, 'JobRemoved');
    const listen = ([, job, , result]: [number, string, string, string]): void => {
      results.set(job, result);
      wake();
    };
    if (!direct) {
      const rule = `type='signal',interface='${MANAGER}',member='JobRemoved'`;
      await call(what, {
        destination: 'org.freedesktop.DBus',
        path: '/org/freedesktop/DBus',
        interface: 'org.freedesktop.DBus',
        member: 'AddMatch',
        signature: 's',
        body: [rule],
      });
    }
    bus.signals.on(name, listen);
    try {
      await ask(what, 'Subscribe', '', []);
      const job = String(await ask(what, member, signature, body));
      const end = Date.now() + PATIENCE_MS;
      while (!results.has(job)) {
        const left = end - Date.now();
        if (left <= 0) throw new TinyrunError('HOST', `${what}: systemd did not do it in time`);
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, left).unref();
        });
      }
      return results.get(job)!;
    } finally {
      bus.signals.off(name, listen);
    }
  };

  const reset = (unit: string): Promise<unknown> =>
    ask(`forget how ${unit} ended`, 'ResetFailedUnit', 's', [unit]).catch(ignoreMissing);

  const stop = async (unit: string): Promise<void> => {
    await runJob(`stop ${unit}`, 'StopUnit', 'ss', [unit, 'replace']).catch(ignoreMissing);
    await reset(unit);
  };

  const cgroupOf = async (unit: string): Promise<string | undefined> => {
    const path = await ask(`look for ${unit}`, 'GetUnit', 's', [unit]).catch(ignoreMissing);
    if (path === undefined) return undefined;
    const found = await call(`look at ${unit}`, {
      path: String(path),
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [`${SYSTEMD}.Scope`, 'ControlGroup'],
    });
    return typeof found === 'string' && found !== '' ? found : undefined;
  };

  return {
    startScope: async (unit, properties) => {
      const what = `make ${unit}`;
      const result = await runJob(what, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', [
        unit,
        'fail',
        properties.map(toWire),
        [],
      ]);
      if (result !== 'done')
        throw new TinyrunError('HOST', `${what}: systemd says ${JSON.stringify(result)}`, {
          hint: `see: systemctl status ${unit}`,
        });
    },
    setProperties: async (unit, properties) => {
      await ask(`change ${unit}`, 'SetUnitProperties', 'sba(sv)', [unit, true, properties.map(toWire)]);
    },
    stop,
    cgroupOf,
  };
}

/** `(sv)` */
const toWire = ([name, { signature, value }]: Property): [string, [string, Variant['value']]] => [
  name,
  [signature, value instanceof Uint8Array ? Buffer.from(value) : value],
];

const nameOf = (error: unknown): string | undefined => {
  const cause: unknown = error instanceof TinyrunError ? error.cause : undefined;
  return isDBusError(cause) ? cause.dbusName : undefined;
};
const isDBusError = (error: unknown): error is DBusError => error instanceof Error && 'dbusName' in error;

/** Whether a unit of that name is there already. */
export const isTaken = (error: unknown): boolean => nameOf(error) === `${SYSTEMD}.UnitExists`;

function ignoreMissing(error: unknown): undefined {
  if (nameOf(error) !== `${SYSTEMD}.NoSuchUnit`) throw error;
}

function refused(what: string, error: unknown): TinyrunError {
  const why = error instanceof Error ? error.message : String(error);
  return new TinyrunError('HOST', `${what}: systemd says: ${why}`, { cause: error });
}
