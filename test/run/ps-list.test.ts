// `tinyrun ps` without an argument: containers with a record and such that were made of a bundle.

import { writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, withBundle, writeConfig } from '../support/bundle.ts';
import { output } from '../support/container.ts';
import { end, whileDetached } from '../support/detached.ts';
import { idOf, makeUp } from '../support/records.ts';
import { assertRefusal } from '../support/refusal.ts';

const ps = (bundle: Bundle, ...args: string[]): string => output(runTinyrun(bundle, ['ps', ...args]));
const names = (bundle: Bundle, ...args: string[]): string[] =>
  ps(bundle, '-a', '--format', '{{.Names}}', ...args)
    .split('\n')
    .filter(Boolean);

/** Three with a record: one never started, two that have ended. */
function makeThree({ dataRoot }: Bundle): void {
  makeUp(dataRoot, {
    digits: 'a1',
    name: 'first',
    created: 7200,
    labels: { app: 'web' },
    started: 7100,
    exit: { code: 0, ago: 7000 },
  });
  makeUp(dataRoot, {
    digits: 'b2',
    name: 'second',
    created: 300,
    labels: { app: 'db' },
    started: 299,
    exit: { code: 137, ago: 240 },
  });
  makeUp(dataRoot, {
    digits: 'c3',
    name: 'third',
    created: 5,
    command: ['sh', '-c', 'echo "a very long command"'],
  });
}

test("K8: ps -a has Docker's columns, and the newest first", () =>
  withBundle((bundle) => {
    makeThree(bundle);
    const [head, ...lines] = ps(bundle, '-a').trimEnd().split('\n');
    assert.match(head!, /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/);
    assert.match(
      lines[0]!,
      /^c3c3c3c3c3c3 +e{12} +"sh -c echo \\"a very …" +\d+ seconds ago +Created +third$/,
    );
    assert.match(
      lines[1]!,
      /^b2b2b2b2b2b2 +e{12} +"sleep 60" +5 minutes ago +Exited \(137\) 4 minutes ago +second$/,
    );
    assert.match(lines[2]!, /Exited \(0\) 2 hours ago +first$/);
    assert.is(lines.length, 3);
    assert.match(
      ps(bundle, '-a', '--no-trunc'),
      new RegExp(`^${idOf('c3')} .*"sh -c echo \\\\"a very long command\\\\""`, 'm'),
    );
  }));

test('ps lists what runs: containers of bundles as well, whose image is the bundle', () =>
  withBundle(async (bundle) => {
    makeThree(bundle);
    assert.is(ps(bundle).trimEnd().split('\n').length, 1);
    await whileDetached(bundle, ['--overlay', '-v', 'data:/data'], () => {
      assert.match(
        ps(bundle),
        new RegExp(` ${bundle.dir} +"/payload trap" .* Up .*second.* +${bundle.id}\n`),
      );
      assert.equal(names(bundle), [bundle.id, 'third', 'second', 'first']);
      output(runTinyrun(bundle, ['pause', bundle.id]));
      assert.match(ps(bundle), / \(Paused\) /);
      assert.equal(names(bundle, '-f', 'status=paused'), [bundle.id]);
      output(runTinyrun(bundle, ['resume', bundle.id]));
      assert.equal(names(bundle, '-f', 'volume=data'), [bundle.id]);
      assert.equal(names(bundle, '-f', 'volume=/data'), [bundle.id]);
      assert.match(ps(bundle, '--format', '{{.Mounts}} {{.LocalVolumes}}'), /^data 1\n$/);
      assert.match(ps(bundle, '-s'), /0B \(virtual 0B\)\n$/);
      assert.match(ps(bundle, '--format', '{{.Size}}'), /^0B \(virtual 0B\)\n$/);
      assert.is(JSON.parse(ps(bundle, '--format', 'json')).Size, '');
    });
  }));

test('ps -a tells how a container of a bundle has ended, if somebody has waited for it, and with which command it was run', () =>
  withBundle(async (bundle) => {
    writeConfig(bundle);
    const run = (name: string, ...flags: string[]): number =>
      runTinyrun(bundle, ['run', '--name', name, ...flags, bundle.dir, '--', '/payload', 'exit', '3']).code;
    assert.is(run('waited'), 3);
    const row = (name: string): string =>
      ps(bundle, '-a', '-f', `name=${name}`, '--format', '{{.Command}} {{.Status}}');
    try {
      assert.match(row('waited'), /^"\/payload exit 3" Exited \(3\) (Less than a|\d+) seconds? ago\n$/);
      assert.equal(names(bundle, '-f', 'exited=3'), ['waited']);
      const { State, Args } = JSON.parse(output(runTinyrun(bundle, ['inspect', 'waited'])))[0];
      assert.equal([State.ExitCode, Args], [3, ['exit', '3']]);
      assert.ok(Math.abs(Date.parse(State.FinishedAt) - Date.now()) < 60_000, State.FinishedAt);
    } finally {
      output(runTinyrun(bundle, ['delete', 'waited']));
    }
    await whileDetached(bundle, [], async () => {
      await end(bundle);
      assert.is(row(bundle.id), '"/payload trap" Exited (unknown)\n');
      assert.is(
        output(runTinyrun(bundle, ['inspect', '-f', '{{.State.ExitCode}}', bundle.id])),
        '<no value>\n',
      );
    });
  }));

test('ps -f leaves what its filters name', () =>
  withBundle((bundle) => {
    makeThree(bundle);
    const filters: Record<string, string[]> = {
      'name=ir': ['third', 'first'],
      'name=^/first$': ['first'],
      'id=b2b2': ['second'],
      'label=app': ['second', 'first'],
      'label=app=web': ['first'],
      'status=created': ['third'],
      'status=running': [],
      'exited=137': ['second'],
      'before=second': ['first'],
      'since=second': ['third'],
      'ancestor=bb': ['third', 'second', 'first'],
      'ancestor=other': [],
      'network=none': ['third', 'second', 'first'],
      'network=host': [],
      'health=none': ['third', 'second', 'first'],
      'health=healthy': [],
      'volume=nobody': [],
    };
    for (const [filter, found] of Object.entries(filters))
      assert.equal(names(bundle, '-f', filter), found, filter);
    assert.equal(names(bundle, '-f', 'status=created', '-f', 'status=exited', '-f', 'label=app=db'), [
      'second',
    ]);
    assertRefusal(
      runTinyrun(bundle, ['ps', '-f', 'status=odd']),
      /invalid filter 'status=odd'; there are created/,
    );
    assertRefusal(runTinyrun(bundle, ['ps', '-f', 'odd=1']), /invalid filter 'odd'/);
    assertRefusal(runTinyrun(bundle, ['ps', '-f', 'before=nobody']), /No such container: nobody/);
  }));

test('ps: -q, -n, -l, json, tables of templates, and its other names', () =>
  withBundle((bundle) => {
    makeThree(bundle);
    assert.is(ps(bundle, '-aq'), 'c3c3c3c3c3c3\nb2b2b2b2b2b2\na1a1a1a1a1a1\n');
    assert.is(ps(bundle, '-aq', '--no-trunc').split('\n')[0], idOf('c3'));
    assert.is(ps(bundle, '-q', '-n', '2'), 'c3c3c3c3c3c3\nb2b2b2b2b2b2\n');
    assert.is(ps(bundle, '-lq'), 'c3c3c3c3c3c3\n');
    const row = JSON.parse(ps(bundle, '-l', '--format', 'json'));
    assert.equal(Object.keys(row), [
      ...['Command', 'CreatedAt', 'ID', 'Image', 'Labels', 'LocalVolumes', 'Mounts', 'Names', 'Networks'],
      ...['Ports', 'RunningFor', 'Size', 'State', 'Status'],
    ]);
    assert.is(
      ps(bundle, '-a', '--format', 'table {{.Names}}\\t{{.Label "app"}}'),
      'NAMES     app\nthird     \nsecond    db\nfirst     web\n',
    );
    for (const words of [
      ['container', 'ls'],
      ['container', 'ps'],
      ['container', 'list'],
    ])
      assert.is(output(runTinyrun(bundle, [...words, '-aq'])), ps(bundle, '-aq'));
    assertRefusal(
      runTinyrun(bundle, ['ps', '--format', '{{.Nope}}', '-a']),
      /map has no entry for key "Nope"/,
    );
    assertRefusal(runTinyrun(bundle, ['ps', '-n', 'x']), /--last is a number/);
  }));

test('ps warns about a record that is damaged, and lists the others', () =>
  withBundle((bundle) => {
    makeThree(bundle);
    writeFileSync(`${bundle.dataRoot}/containers/${idOf('b2')}/container.json`, '{"id":');
    const { stdout, stderr, code } = runTinyrun(bundle, ['ps', '-aq']);
    assert.equal([stdout, code], ['c3c3c3c3c3c3\na1a1a1a1a1a1\n', 0]);
    assert.match(stderr, /list container b2b2.*container\.json is damaged/);
  }));

test('ps of a thousand containers takes moments', () =>
  withBundle((bundle) => {
    for (let i = 0; i < 1000; i++)
      makeUp(bundle.dataRoot, { digits: `${i.toString(16).padStart(4, '0')}`, name: `many${i}`, created: i });
    const began = performance.now();
    assert.is(ps(bundle, '-aq').split('\n').length, 1001);
    const took = performance.now() - began;
    assert.ok(took < 5000, `${took} ms`);
  }));

test.run();
