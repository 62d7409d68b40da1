// npm start: a first container, with a directory of the host as its volume.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, top } from './native.ts';

const bundle = 'rootfs-examples/minimal';
const script = `
echo "  process $$ on $(hostname), user $(id -u); the processes it sees: $(ps -e -o comm= | wc -l)"
echo "  the volume holds: $(cat /data/greeting)"
echo "hello from the container" > /data/reply
echo "this stays in the container's own layer" > /lost
`;

run(['sh', `${bundle}/make-rootfs.sh`]);
const volume = mkdtempSync('/tmp/tinyrun-start-');
try {
  writeFileSync(join(volume, 'greeting'), 'hello from the host\n');
  const command = [
    'dist/tinyrun',
    'run',
    '--overlay',
    '-v',
    `${volume}:/data`,
    bundle,
    '--',
    'sh',
    '-c',
    script,
  ];
  console.log(`\nA container, as made by\n  ${command.slice(0, -1).join(' ')} '...'\n\nIt says:`);
  const { exitCode } = Bun.spawnSync(command, { cwd: top, stdio: ['ignore', 'inherit', 'inherit'] });
  if (exitCode !== 0) throw new Error(`the container ended with exit code ${exitCode}`);
  console.log(`\nAfterwards, on the host:
  the volume holds a reply: ${readFileSync(join(volume, 'reply'), 'utf8').trim()}
  the bundle is untouched: ${existsSync(join(top, bundle, 'rootfs/lost')) ? 'no' : 'yes'}

Next:
  dist/tinyrun explain ${bundle}     every system call of it, and why
  dist/tinyrun --help                     all commands
  rootfs-examples/*/README.md             more to try
`);
} finally {
  rmSync(volume, { recursive: true });
}
