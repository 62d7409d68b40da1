// `-c`: Dockerfile instructions on the config of an image.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyChanges } from '../../src/image/changes.ts';
import type { ImageDefaults } from '../../src/image/config.ts';

const START: ImageDefaults = { Cmd: ['old'], Env: ['PATH=/bin', 'a=1'], WorkingDir: '/srv' };

const VALID: [changes: string[], expected: Partial<Record<keyof ImageDefaults, unknown>>][] = [
  [['CMD ["pwd"]'], { Cmd: ['pwd'] }],
  [['cmd echo  $HOME'], { Cmd: ['/bin/sh', '-c', 'echo  $HOME'] }],
  [['CMD [ -e /x ]'], { Cmd: ['/bin/sh', '-c', '[ -e /x ]'] }],
  [['ENTRYPOINT ["e"]'], { Entrypoint: ['e'], Cmd: undefined }],
  [['CMD ["c"]', 'ENTRYPOINT ["e"]'], { Entrypoint: ['e'], Cmd: ['c'] }],
  [
    ['ENV b=2 c="x y" d=\'$a\' e=$a/' + '$' + '{a}'],
    { Env: ['PATH=/bin', 'a=1', 'b=2', 'c=x y', 'd=$a', 'e=1/1'] },
  ],
  [['ENV a=2'], { Env: ['PATH=/bin', 'a=2'] }],
  [['ENV f one two'], { Env: ['PATH=/bin', 'a=1', 'f=one two'] }],
  [['ENV g=a\\ b h="say \\"hi\\""'], { Env: ['PATH=/bin', 'a=1', 'g=a b', 'h=say "hi"'] }],
  [
    ['EXPOSE 80 53/udp 8000-8001'],
    { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} } },
  ],
  [['LABEL a=b "c d"=e'], { Labels: { a: 'b', 'c d': 'e' } }],
  [['VOLUME /usr/share/nginx/html'], { Volumes: { '/usr/share/nginx/html': {} } }],
  [['VOLUME ["/a b", "/c"]'], { Volumes: { '/a b': {}, '/c': {} } }],
  [['WORKDIR /opt'], { WorkingDir: '/opt' }],
  [['WORKDIR ../b', 'WORKDIR c'], { WorkingDir: '/b/c' }],
  [['USER 1000:1000'], { User: '1000:1000' }],
  [['STOPSIGNAL SIGINT'], { StopSignal: 'SIGINT' }],
  [['ONBUILD RUN true'], { OnBuild: ['RUN true'] }],
];

const INVALID: Record<string, RegExp> = {
  'FROM x': /^"FROM" is not a valid change command$/,
  'RUN true': /^"RUN" is not a valid change command$/,
  'constructor x': /^"constructor" is not a valid change command$/,
  '': /^"" is not a valid change command$/,
  ENV: /^ENV requires at least one argument$/,
  'ENV a': /^ENV must have two arguments$/,
  'ENV a=1 b': /can't find = in "b"/,
  'ENV =1': /^ENV names can not be blank$/,
  'USER a b': /^USER requires exactly one argument$/,
  'EXPOSE http': /^invalid containerPort: http$/,
  'EXPOSE 0': /^invalid containerPort: 0$/,
  'EXPOSE 9-8': /^invalid containerPort: 9-8$/,
  'VOLUME [""]': /^VOLUME specified can not be an empty string$/,
  'ONBUILD FROM x': /^FROM isn't allowed as an ONBUILD trigger$/,
  'ONBUILD onbuild RUN x': /^Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed$/,
  WORKDIR: /^WORKDIR requires exactly one argument$/,
  'USER a\0b': /^USER contains a NUL byte$/,
};

for (const [changes, expected] of VALID)
  test(`applyChanges: ${changes.join('; ')}`, () => {
    const changed = applyChanges(START, changes);
    assert.equal(
      Object.fromEntries(Object.keys(expected).map((key) => [key, changed[key as keyof ImageDefaults]])),
      expected,
    );
    assert.equal(START.Env, ['PATH=/bin', 'a=1'], 'the old config stays as it was');
  });

for (const [change, message] of Object.entries(INVALID))
  test(`applyChanges: refuses ${JSON.stringify(change)}`, () => {
    assert.throws(
      () => applyChanges(START, [change]),
      (error: Error) => message.test(error.message),
    );
  });

test.run();
