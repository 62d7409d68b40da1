// A container with a record and a terminal: keys, window, detaching, and terminals that are given back.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Config } from '../../src/oci/config.ts';
import type { MonitorInput } from '../../src/plan/input.ts';
import { runCommand, until } from '../support/container.ts';
import { ATTACHED, type Kept, withKept } from '../support/kept.ts';
import { withPty } from '../support/pty.ts';

const INTERACTIVE: Partial<MonitorInput> = { openStdin: true, attach: { ...ATTACHED, stdin: true } };
const shell = (script: string): string[] => ['/bin/busybox', 'sh', '-c', script];
const SH = ['/bin/busybox', 'sh'];

const withTerminal = (use: (kept: Kept) => Promise<void>): Promise<void> =>
  withKept(use, ({ process }: Config) => {
    process.terminal = true;
    process.env = [...(process.env ?? []), 'PS1=prompt> '];
  });

const codeOf = (kept: Kept): number => Number(kept.read('exit').split(' ')[0]);
const ended = (kept: Kept) => until('it has ended', () => existsSync(join(kept.directory, 'exit')));

test('a shell at a terminal: what is typed runs, the size is that of the window, exit ends it', () =>
  withTerminal((kept) =>
    withPty(
      kept.command(SH, INTERACTIVE),
      async (pty) => {
        const before = pty.settings();
        await pty.shows('prompt> ');
        assert.is.not(pty.settings(), before);
        pty.type('tty; stty size\n');
        await pty.shows('/dev/pts/0\n30 90\n');
        pty.resize(100, 40);
        pty.type('sleep 0.1; stty size\n');
        await pty.shows('40 100\n');
        pty.type('exit 9\n');
        assert.is(await pty.exitCode(), 9);
        assert.is(pty.settings(), before);
        assert.is(codeOf(kept), 9);
        assert.match(kept.read('log'), '/dev/pts/0');
      },
      { columns: 90, rows: 30 },
    ),
  ));

test('Ctrl-C and Ctrl-D are keys of the container', () =>
  withTerminal((kept) =>
    withPty(kept.command(SH, INTERACTIVE), async (pty) => {
      await pty.shows('prompt> ');
      pty.type('sleep 60\n');
      await Bun.sleep(300);
      pty.type('\x03');
      await pty.shows(/\^C\n?.*prompt> /s);
      pty.type('echo $?\n');
      await pty.shows('130\n');
      pty.type('\x04');
      await pty.exitCode();
    }),
  ));

test('the detach keys let go; keys that only begin like them go to the container', () =>
  withTerminal((kept) =>
    withPty(
      kept.command(shell('stty raw -echo; head -c 3 | od -An -tx1; sleep 1; exit 5'), INTERACTIVE),
      async (pty) => {
        const before = pty.settings();
        await until('it reads', () => existsSync(join(kept.directory, 'started')));
        await Bun.sleep(300);
        pty.type('\x10a\x10');
        await Bun.sleep(50);
        pty.type('\x10');
        await pty.shows('10 61 10');
        pty.type('\x11');
        assert.is(await pty.exitCode(), 0);
        assert.is(pty.settings(), before);
        assert.not.ok(existsSync(join(kept.directory, 'exit')));
        await ended(kept);
        assert.is(codeOf(kept), 5);
      },
    ),
  ));

test('without detach keys, all keys go to the container', () =>
  withTerminal((kept) => {
    const attach = { ...ATTACHED, stdin: true, detachKeys: [] };
    const command = kept.command(shell('stty raw -echo; head -c 2 | od -An -tx1'), {
      ...INTERACTIVE,
      attach,
    });
    return withPty(command, async (pty) => {
      await until('it reads', () => existsSync(join(kept.directory, 'started')));
      await Bun.sleep(300);
      pty.type('\x10\x11');
      await pty.shows('10 11');
      assert.is(await pty.exitCode(), 0);
    });
  }));

test('kill -9 of the client: the monitor gives its terminal back, and the container goes on', () =>
  withTerminal((kept) =>
    withPty(kept.command(shell('echo ready; sleep 1; exit 3'), INTERACTIVE), async (pty) => {
      const before = pty.settings();
      await pty.shows('ready');
      process.kill(pty.pid(), 'SIGKILL');
      assert.is(await pty.exitCode(), 137);
      await until('the terminal is as it was', () => pty.settings() === before);
      await ended(kept);
      assert.is(codeOf(kept), 3);
    }),
  ));

test('detached with a terminal: its output is kept', () =>
  withTerminal(async (kept) => {
    assert.is(runCommand(kept.command(shell('tty; exit 4'), { attach: undefined })).code, 0);
    await ended(kept);
    assert.is(codeOf(kept), 4);
    assert.match(kept.read('log'), /\/dev\/pts\/0.*\r\n/s); // on a slow machine, in two records
  }));

test('with an init of ours, Ctrl-C reaches the program once', () =>
  withTerminal((kept) => {
    const script = 'n=0; trap "n=\\$((n+1))" INT; echo ready; sleep 1; echo $n times; exit 6';
    return withPty(kept.command(shell(script), INTERACTIVE, { init: true }), async (pty) => {
      await pty.shows('ready');
      pty.type('\x03');
      assert.is(await pty.exitCode(), 6);
      assert.match(pty.screen(), '1 times');
    });
  }));

test.run();
