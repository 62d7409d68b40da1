// Launch files: what is put into a kept program is all that differs between two containers of one plan.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hostArch } from '../../scripts/native.ts';
import { linkProgram } from '../../src/engine/native.ts';
import { planExecProgram } from '../../src/plan/exec.ts';
import { encodeLaunchFile, fillIn } from '../../src/runtime/launch-file.ts';
import { execInput } from '../support/exec-input.ts';
import { INPUTS, plan } from '../support/plan-input.ts';

const ONE = { id: '0123456789ab', now: Date.UTC(2030, 0, 2, 3, 4, 5, 6) };
const TWO = { id: 'ba9876543210', now: Date.UTC(2041, 10, 12, 13, 14, 15, 167) };
const time = (now: number): string => new Date(now).toISOString();

const image = (change: (typeof INPUTS)[string], { id, now }: typeof ONE): Uint8Array =>
  linkProgram(plan({ ...change, id, host: { ...change.host, now } }), hostArch);

for (const [name, change] of Object.entries(INPUTS))
  test(`the programs of two containers differ by their ids and times only: ${name}`, () => {
    const one = image(change, ONE);
    fillIn(one, ONE.id, TWO.id);
    fillIn(one, time(ONE.now), time(TWO.now));
    assert.equal(Buffer.compare(one, image(change, TWO)), 0);
  });

test('the programs of two execs differ by the id only', () => {
  const exec = ({ id }: typeof ONE): Uint8Array =>
    linkProgram(
      planExecProgram(
        execInput({
          id,
          init: { stateRoot: '/run/tinyrun' },
          cgroups: [
            { controllers: 'memory', path: `/sys/fs/cgroup/memory/${id}` },
            { controllers: '', path: `/sys/fs/cgroup/unified/${id}` },
          ],
        }),
      ),
      hostArch,
    );
  const one = exec(ONE);
  fillIn(one, ONE.id, TWO.id);
  assert.equal(Buffer.compare(one, exec(TWO)), 0);
});

test('every text in a launch file ends, and the image is at its end', () => {
  const file = encodeLaunchFile({
    invocation: new Uint8Array([1, 2, 3]),
    checks: [
      { want: 'missing', root: '/r', path: 'p' },
      { want: 'contents', path: '/f', contents: new Uint8Array([4]) },
    ],
    placeholders: [{ kind: 'new id', text: 'p' }],
    image: new Uint8Array([7, 8, 9]),
  });
  const view = new DataView(file.buffer);
  const text = (at: number): string =>
    new TextDecoder().decode(
      file.subarray(view.getUint32(at, true), file.indexOf(0, view.getUint32(at, true))),
    );
  assert.is(view.getUint32(8, true), file.length);
  const checks = view.getUint32(24, true);
  assert.is(view.getUint32(28, true), 2);
  assert.is(text(checks + 4), '/r');
  assert.is(text(checks + 8), 'p');
  assert.is(view.getUint32(checks + 20 + 4, true), 0, 'no root');
  assert.is(text(checks + 20 + 8), '/f');
  assert.is(view.getUint32(40, true) + 3, file.length);
  const patches = view.getUint32(32, true);
  assert.is(view.getUint32(36, true), 1);
  assert.equal(
    [
      view.getUint32(patches, true),
      file[view.getUint32(patches + 4, true)],
      view.getUint32(patches + 8, true),
    ],
    [5, 112, 1],
  );
  assert.is(file.at(-4), 0);
  assert.equal([...file.subarray(-3)], [7, 8, 9]);
});

test.run();
