import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIds, formatJson, formatTable, listContainers, readUsers } from '../../src/runtime/list.ts';
import type { Log } from '../../src/runtime/log.ts';
import { stateText } from '../../src/runtime/state.ts';
import { ENDED, withStateRoot } from './state-root.ts';

const users = new Map([[process.geteuid!(), 'me']]);

function collect(): Log & { lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    error: (text) => lines.push(`error ${text}`),
    warn: (text) => lines.push(`warn ${text}`),
    debug: (text) => lines.push(`debug ${text}`),
  };
}

test('list: nothing is a head, no lines, and null', () => {
  assert.is(formatTable([], users), 'ID          PID         STATUS      BUNDLE      CREATED     OWNER\n');
  assert.is(formatJson([], users), 'null\n');
  assert.is(formatIds([]), '');
});

test("list: the table has runc's columns", async () => {
  await withStateRoot(async (roots) => {
    roots.add('stopped-container', { ...ENDED, bundle: '/b' });
    roots.add('a', { pid: process.pid, bundle: '/some/bundle' });
    const pid = String(process.pid).padEnd(12);
    assert.is(
      formatTable(await listContainers(roots, collect()), users),
      'ID                  PID         STATUS      BUNDLE         CREATED                    OWNER\n' +
        `a                   ${pid}running     /some/bundle   2026-01-02T03:04:05.678Z   me\n` +
        'stopped-container   0           stopped     /b             2026-01-02T03:04:05.678Z   me\n',
    );
  });
});

test('list: control characters do not reach the terminal', async () => {
  await withStateRoot(async (roots) => {
    roots.add('a', { ...ENDED, bundle: '/a\u001b[2J\n\u009bb' });
    const [, line = ''] = formatTable(await listContainers(roots, collect()), users).split('\n');
    assert.match(line, '/a?[2J??b ');
  });
});

test('list: JSON on one line, with the owner', async () => {
  await withStateRoot(async (roots) => {
    roots.add('a', { ...ENDED, annotations: { k: 'v' } });
    roots.add('b', ENDED);
    const text = formatJson(await listContainers(roots, collect()), users);
    const common = { bundle: '/bundle', rootfs: '/bundle/rootfs', created: '2026-01-02T03:04:05.678Z' };
    const [a, b] = ['a', 'b'].map((id) => ({
      ociVersion: '1.3.0',
      id,
      pid: 0,
      status: 'stopped',
      ...common,
    }));
    assert.is(
      text,
      `${JSON.stringify([
        { ...a, annotations: { k: 'v' }, owner: 'me' },
        { ...b, owner: 'me' },
      ])}\n`,
    );
    assert.is(formatIds(await listContainers(roots, collect())), 'a\nb\n');
  });
});

test('list: an owner without a name is a number', async () => {
  await withStateRoot(async (roots) => {
    roots.add('a', ENDED);
    assert.match(
      formatJson(await listContainers(roots, collect()), new Map()),
      `"owner":"#${process.geteuid!()}"`,
    );
  });
});

test('list: what killed tinyruns left is removed on the way', async () => {
  await withStateRoot(async (roots) => {
    roots.add('kept', ENDED);
    roots.add('killed', { ...ENDED, transient: true });
    mkdirSync(join(roots.root, 'half'), 0o711);
    const log = collect();
    assert.is(formatIds(await listContainers(roots, log)), 'kept\n');
    assert.equal(readdirSync(roots.root), ['kept']);
    assert.equal(log.lines, [
      'debug removed container half, left by a tinyrun that was killed',
      'debug removed container killed, left by a tinyrun that was killed',
    ]);
  });
});

test('list: a directory that is no container stays, with all that is in it', async () => {
  await withStateRoot(async (roots) => {
    mkdirSync(join(roots.root, 'home/letters'), { recursive: true });
    mkdirSync(join(roots.root, 'mnt'), 0o755);
    const log = collect();
    assert.is(formatIds(await listContainers(roots, log)), '');
    assert.equal(log.lines, [
      `warn list container home: ${roots.root}/home is no container: "letters" is in it`,
      `warn list container mnt: ${roots.root}/mnt is no container: it may be listed by all`,
    ]);
    assert.equal(readdirSync(join(roots.root, 'home')), ['letters']);
    assert.equal(readdirSync(roots.root).sort(), ['home', 'mnt']);
  });
});

test('list: a damaged container is warned about, and the others are listed', async () => {
  await withStateRoot(async (roots) => {
    writeFileSync(join(roots.add('a'), 'state.json'), '{');
    roots.add('b');
    writeFileSync(join(roots.root, 'file'), '');
    const log = collect();
    assert.is(formatIds(await listContainers(roots, log)), 'b\n');
    const why = `read state of container a: ${roots.root}/a/state.json is damaged`;
    assert.equal(log.lines, [`warn list container a: ${why}`]);
  });
});

test("stateText: JSON with runc's order and indentation", async () => {
  await withStateRoot(async (roots) => {
    roots.add('c1', { ...ENDED, annotations: { a: 'b' } });
    const lines = [
      '{',
      '  "ociVersion": "1.3.0",',
      '  "id": "c1",',
      '  "pid": 0,',
      '  "status": "stopped",',
      '  "bundle": "/bundle",',
      '  "rootfs": "/bundle/rootfs",',
      '  "created": "2026-01-02T03:04:05.678Z",',
      '  "annotations": {',
      '    "a": "b"',
      '  },',
      '  "owner": ""',
      '}',
      '',
    ];
    assert.is(stateText(roots.root, 'c1'), lines.join('\n'));
  });
});

test('readUsers: the first name of a uid counts', async () => {
  await withStateRoot(({ root }) => {
    const file = join(root, 'passwd');
    writeFileSync(file, 'root:x:0:0::/root:/bin/sh\ntoor:x:0:0:::\n\n# no user\na:x:7:7:::\n');
    assert.equal(
      [...readUsers(file)],
      [
        [0, 'root'],
        [7, 'a'],
      ],
    );
    assert.is(readUsers(join(root, 'missing')).size, 0);
  });
});

test.run();
