// Volumes of a plugin in containers: what the plugin is told, and when. In a mount namespace of the test's own, where the
// plugin's socket is in Docker's directory: at the end of a container nobody's environment would say another one.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inMountNamespace, output, runCommand } from '../support/container.ts';
import { type Store, withStore } from '../support/store.ts';

const PLUGIN = join(import.meta.dir, '../support/volume-plugin.ts');
const SOCKET = '/run/docker/plugins/fake.sock';

const CALLS = '[.](Create|Mount|Unmount|Remove) ';

/**
 * Runs lines of shell beside a plugin `fake`; `t` is tinyrun. Behind each it waits until the plugin was told as much as is expected.
 * @returns what the plugin was told at each line, containers by letters
 */
function toldBy(
  { top, command }: Store,
  lines: readonly (readonly [line: string, expected: string])[],
): string[] {
  const [directory, log] = [join(top, 'plugin'), join(top, 'plugin/calls')];
  const awaited = lines.map(
    ([line, expected]) => `${line}
      until [ "$(grep -Ec '${CALLS}' ${log})" = ${expected.split(',').length} ]; do sleep 0.02; done
      cat ${log} >>${log}.all; echo >>${log}.all; : >${log}`,
  );
  const script = `
    t() { ${command.join(' ')} "$@" >/dev/null; }
    mkdir -p /run/docker ${directory}
    mount -t tmpfs none /run/docker
    mkdir /run/docker/plugins
    ${process.execPath} ${PLUGIN} ${SOCKET} ${directory} &
    trap "kill $!" EXIT
    until test -S ${SOCKET}; do sleep 0.02; done
    ${awaited.join('\n')}`;
  output(runCommand([...inMountNamespace(), 'timeout', '25', 'sh', '-ec', script]));
  const ids: string[] = [];
  const letterOf = (id: string): string => {
    if (!ids.includes(id)) ids.push(id);
    return String.fromCharCode('a'.charCodeAt(0) + ids.indexOf(id));
  };
  return readFileSync(`${log}.all`, 'utf8')
    .trim()
    .split('\n\n')
    .map((calls) =>
      [...calls.matchAll(/^VolumeDriver[.](Create|Mount|Unmount|Remove) .*?(?:"ID":"(\w+)".*)?$/gm)]
        .map(([, call, id]) => (id === undefined ? call : `${call} ${letterOf(id)}`))
        .join(', '),
    );
}

test('a plugin mounts once for a start, and unmounts once for a stop, with the same id; to fill the volume once more', () =>
  withStore((store) => {
    const lines = [
      ['t volume create -d fake pv', 'Create'],
      ['t create --name a -v pv:/d bb sleep 600', 'Mount a, Unmount a'],
      ['t start a', 'Mount a'],
      ['t run -d --name b -v pv:/x -v pv:/y bb sleep 600', 'Mount b, Unmount b, Mount b'],
      ['t stop -t 0 a', 'Unmount a'],
      ['t restart -t 0 b', 'Unmount b, Mount b'],
      ['t rm -f b', 'Unmount b'],
      ['t start a; t kill a KILL; t wait a', 'Mount a, Unmount a'],
      ['! t run --rm -v pv:/d bb false', 'Mount c, Unmount c, Mount c, Unmount c'],
      ['t rm a; t volume rm pv', 'Remove'],
    ] as const;
    assert.equal(
      toldBy(store, lines),
      lines.map(([, expected]) => expected),
    );
  }));

test.run();
