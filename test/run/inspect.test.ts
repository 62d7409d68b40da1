// `tinyrun inspect` and `top`: containers with a record, such that were made of a bundle, and volumes.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, runTinyrun, withBundle } from '../support/bundle.ts';
import { output } from '../support/container.ts';
import { end, whileDetached } from '../support/detached.ts';
import { idOf, makeUp } from '../support/records.ts';
import { assertRefusal } from '../support/refusal.ts';

const inspect = (bundle: Bundle, ...args: string[]): string =>
  output(runTinyrun(bundle, ['inspect', ...args]));

test("K7: inspect has Docker's fields, by name, id and beginning of the id", () =>
  withBundle((bundle) => {
    const id = makeUp(bundle.dataRoot, {
      ...{ digits: 'a1', name: 'web', created: 60, labels: { Upper: 'x' }, started: 50 },
      exit: { code: 3, ago: 40 },
    });
    for (const called of ['web', '/web', id, 'a1a1']) {
      const [one, ...rest] = JSON.parse(inspect(bundle, called));
      assert.equal(rest, []);
      assert.equal([one.Id, one.Name, one.Path, one.Args], [id, '/web', 'sleep', ['60']]);
    }
    const [one] = JSON.parse(inspect(bundle, 'web'));
    for (const field of [
      ...['Id', 'Created', 'Path', 'Args', 'State', 'Image', 'ResolvConfPath', 'HostnamePath', 'HostsPath'],
      ...['LogPath', 'Name', 'RestartCount', 'Driver', 'MountLabel', 'HostConfig', 'GraphDriver', 'Mounts'],
      ...['Config', 'NetworkSettings'],
    ])
      assert.ok(field in one, field);
    const { StartedAt, FinishedAt, ...state } = one.State;
    assert.equal(state, {
      ...{
        Status: 'exited',
        Running: false,
        Paused: false,
        Restarting: false,
        OOMKilled: false,
        Dead: false,
      },
      ...{ Pid: 0, ExitCode: 3, Error: '' },
    });
    assert.ok(Date.parse(StartedAt) < Date.parse(FinishedAt));
    assert.is(
      inspect(bundle, '-f', '{{.Config.Labels}} {{.ID}} {{.Config.Volumes}}', 'web'),
      `map[Upper:x] ${id} map[/v:map[]]\n`,
    );
    assert.is(one.GraphDriver.Data.UpperDir, `${bundle.dataRoot}/overlay2/${id}/diff`);
    assert.is(inspect(bundle, '--size', '-f', '{{.SizeRw}} {{.SizeRootFs}}', 'web'), '0 0\n');
    assert.is(output(runTinyrun(bundle, ['container', 'inspect', '-f', '{{.Name}}', 'web'])), '/web\n');
  }));

test('a name is what is meant, whatever ids begin so; several ids that do are refused', () =>
  withBundle((bundle) => {
    for (const digits of ['a1', 'a2']) makeUp(bundle.dataRoot, { digits, name: `of-${digits}`, created: 60 });
    const { code, stderr } = runTinyrun(bundle, ['inspect', 'a']);
    assert.match(
      stderr,
      /^tinyrun: multiple IDs found with provided prefix: a; write more of it: a1a1a, a2a2a$/m,
    );
    assert.is(code, 1);
    output(runTinyrun(bundle, ['volume', 'create', 'a']));
    assert.is(inspect(bundle, '-f', '{{.Driver}}', 'a'), 'local\n');
    assert.is(inspect(bundle, '-f', '{{.Name}}', 'a2'), '/of-a2\n');
  }));

test('K6, B9: Mounts print as those of a Go program do', () =>
  withBundle((bundle) =>
    whileDetached(bundle, ['-v', `${bundle.dir}:/d`, '-v', 'data:/v'], async () => {
      const source = `${bundle.dataRoot}/volumes/data/_data`;
      const printed = `[{bind  ${bundle.dir} /d   true rprivate} {volume data ${source} /v local  true }]\n`;
      assert.is(inspect(bundle, '-f', '{{.Mounts}}', bundle.id), printed);
      const [bind, volume] = JSON.parse(inspect(bundle, '-f', '{{json .Mounts}}', bundle.id));
      assert.equal(Object.keys(bind), ['Type', 'Source', 'Destination', 'Mode', 'RW', 'Propagation']);
      assert.equal(Object.keys(volume), [
        'Type',
        'Name',
        'Source',
        'Destination',
        'Driver',
        'Mode',
        'RW',
        'Propagation',
      ]);
      assert.is(inspect(bundle, '-f', '{{(index .Mounts 0).Propagation}}', bundle.id), 'rprivate\n');
      assert.is(inspect(bundle, '-f', '{{.State.Status}} {{.Path}}', bundle.id), 'running /payload\n');
      await end(bundle);
      assert.is(inspect(bundle, '-f', '{{.State.Status}} {{.State.Pid}}', bundle.id), 'exited 0\n');
      assert.is(inspect(bundle, '-f', '{{.Mounts}}', bundle.id), printed);
    }),
  ));

test('inspect finds volumes as well, and --type looks among one kind only', () =>
  withBundle((bundle) => {
    output(runTinyrun(bundle, ['volume', 'create', 'both']));
    assert.is(JSON.parse(inspect(bundle, 'both'))[0].Driver, 'local');
    makeUp(bundle.dataRoot, { digits: 'd4', name: 'both', created: 1 });
    assert.is(JSON.parse(inspect(bundle, 'both'))[0].Id, idOf('d4'));
    assert.is(JSON.parse(inspect(bundle, '--type', 'volume', 'both'))[0].Name, 'both');
    assert.match(runTinyrun(bundle, ['inspect', '--type', 'image', 'both']).stderr, /No such image: both/);
    assertRefusal(
      runTinyrun(bundle, ['inspect', '--type', 'odd', 'both']),
      /--type is container or image or volume/,
    );
  }));

test('inspect of several goes on behind one that is not there', () =>
  withBundle((bundle) => {
    makeUp(bundle.dataRoot, { digits: 'd4', name: 'here', created: 1 });
    const { stdout, stderr, code } = runTinyrun(bundle, ['inspect', '-f', '{{.Name}}', 'gone', 'here']);
    assert.equal([stdout, code], ['/here\n', 1]);
    assert.match(stderr, /No such object: gone/);
    assert.is(runTinyrun(bundle, ['inspect', 'gone']).stdout, '[]\n');
    assert.is(runTinyrun(bundle, ['inspect', '-f', '{{.Name', 'here']).code, 64);
  }));

test('top shows the processes of a container, with options of ps(1)', () =>
  withBundle((bundle) =>
    whileDetached(bundle, [], async () => {
      assert.match(output(runTinyrun(bundle, ['top', bundle.id])), /^UID +PID .*\n.* \/payload trap\n$/);
      assert.match(
        output(runTinyrun(bundle, ['top', bundle.id, '-o', 'pid,comm'])),
        /^ *PID COMMAND\n *\d+ payload\n$/,
      );
      await end(bundle);
      assertRefusal(runTinyrun(bundle, ['top', bundle.id]), /is not running/);
      assertRefusal(runTinyrun(bundle, ['top', 'nobody']), /No such container: nobody/);
    }),
  ));

test('B14: explain mounts compares the kinds of mounts, and names those of a container', () =>
  withBundle((bundle) =>
    whileDetached(bundle, ['-v', `${bundle.dir}:/etc`, '--tmpfs', '/s'], () => {
      const text = output(runTinyrun(bundle, ['explain', 'mounts', bundle.id]));
      assert.match(text, 'hides image content');
      assert.match(
        text,
        new RegExp(`^/etc +bind +${bundle.dir} +rw +nothing +--volume ${bundle.dir}:/etc$`, 'm'),
      );
      assert.match(text, /^\/s +tmpfs +memory +rw +nothing +--tmpfs \/s$/m);
    }),
  ));

test('L14: explain pagecache shows that two containers share a file in memory', () =>
  withBundle((bundle) =>
    whileDetached(bundle, ['--overlay'], async () => {
      const other = { ...bundle, id: `${bundle.id}-2` };
      await whileDetached(other, ['--overlay'], () => {
        const explain = () =>
          output(runTinyrun(bundle, ['explain', 'pagecache', bundle.id, other.id, '/payload']));
        const pages = Math.ceil(readFileSync(`${bundle.rootfs}/payload`).length / 4096);
        assert.match(explain(), 'one inode');
        assert.match(
          explain(),
          new RegExp(`after reading it through the first container +${pages} +${pages}\n$`),
        );
        output(runTinyrun(bundle, ['exec', other.id, '/payload', 'write', '/etc/x', 'y']));
        const refused = runTinyrun(bundle, ['explain', 'pagecache', bundle.id, other.id, '/etc/x']);
        assertRefusal(refused, /is no file on a disk of the host/);
        assert.is(runTinyrun(bundle, ['delete', '-f', other.id]).code, 0);
      });
    }),
  ));

test.run();
