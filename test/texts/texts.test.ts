// What tinyrun says of mistakes, word by word: each page beside this file is a list of calls with their exit codes and messages
// (support/texts.ts). The words are Docker's where Docker has some, and what stands behind them says what to do.

import { join } from 'node:path';
import { test } from 'uvu';
import { runCommand } from '../support/container.ts';
import { type Store, withStore } from '../support/store.ts';
import { checkTexts, readTexts } from '../support/texts.ts';

const FILES = 'mkdir -p $T/d $T/empty; echo x >$T/f; echo y >$T/d/file';

/** What is there before a page's calls: a script, in which `t` is tinyrun. */
const PAGES: Readonly<Record<string, string>> = {
  'volume-flag': `${FILES}
    t volume create full
    t create --name other -v $T/d:/b bb true`,
  'mount-flag': `${FILES}
    t volume create full; D=$(t volume inspect -f '{{.Mountpoint}}' full)
    mkdir $D/a; echo deep >$D/a/file; ln -s /etc $D/out; ln -s ../../.. $D/up
    t volume create -o type=none -o device=$T/none -o o=bind gone`,
  volume: `
    for name in here other used; do t volume create $name; done
    t create --name db -v used:/data bb
    mkdir -p $T/data/volumes/damaged/_data; echo '{' >$T/data/volumes/damaged/volume.json
    t volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,password=secret,nosuch=1 bad
    t volume create -o type=none -o device=$T/none -o o=bind gone
    echo x >$T/notar
    tar -cPf $T/dotdot.tar -C $T/data ../notar 2>/dev/null
    tar -cf $T/whole.tar -C $T notar; head -c 512 $T/whole.tar >$T/cut.tar; gzip -c $T/whole.tar | head -c 60 >$T/cut.tar.gz`,
  cp: `${FILES}
    mknod $T/dev c 1 3; mkfifo $T/pipe; ln -s loop $T/loop
    t create --name off -v vol:/v -v vol:/ro:ro bb
    t create --name ro --read-only -v vol:/v bb
    t create --name h -v $T/d:/d bb
    t run -d --name on bb sh -c 'mkfifo /pipe; mknod /null c 1 3; mkdir /to; touch /file; exec sleep 600'
    until t exec on test -e /file; do sleep 0.1; done`,
  container: `${FILES}
    echo '{' >$T/cut.json; echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": 1}' >$T/rules.json
    t create --name off bb; t create --name missing bb nosuch; t create --name denied bb /etc/passwd
    t run -d --name on bb sleep 600`,
};

function prepare({ top, command }: Store, script: string): void {
  const { code, stderr } = runCommand([
    ...['bash', '-ec', `T='${top}'; t() { '${command.join("' '")}' "$@"; }; ${script}`],
  ]);
  if (code !== 0) throw new Error(stderr);
}

for (const [page, script] of Object.entries(PAGES))
  test(`${page}: every call is answered as its page says`, async () => {
    await withStore((store) => {
      prepare(store, script);
      for (const table of readTexts(join(import.meta.dir, `${page}.txt`)))
        checkTexts(table, store.top, (words) => store.t(...words));
    });
  });

test.run();
