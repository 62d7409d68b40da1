// What older articles say of containers and is no longer so, or never was: what is so instead. In the order of the table in
// spec/volumes.md.

import { type Row, row } from '../support/checklist.ts';

export const articles: readonly Row[] = [
  row(
    'D1',
    'a bind hides what is at its destination, and overwrites nothing',
    `mkdir $H/e; t run --name d1 web sh -c 'echo mine >/opt/f'; t commit d1 d1
eq "$(t run --rm -v $H/e:/opt d1 ls /opt)" ''; eq "$(t run --rm d1 cat /opt/f)" mine; eq "$(ls $H/e)" ''`,
  ),
  row(
    'D2',
    './data is a path of the host; data is the name of a volume, data/x is neither',
    `mkdir data; t run --rm -v ./data:/d bb touch /d/f; test -e data/f
t run --rm -v data:/d bb test ! -e /d/f; test -d $V/data
has "If you intended to pass a host directory, use absolute path" t run --rm -v data/x:/d bb true; code 125 t run --rm -v data/x:/d bb true`,
  ),
  row(
    'D3',
    'the default propagation is rprivate: also what is mounted below later does not come in',
    `mkdir -p $H/p/below; mount --bind $H/p $H/p; mount --make-shared $H/p; trap 'umount -R $H/p' EXIT
t run -d --name d3 -v $H/p:/d bb sleep 600; mount -t tmpfs none $H/p/below; touch $H/p/below/f
t exec d3 test ! -e /d/below/f; eq "$(t inspect -f '{{(index .Mounts 0).Propagation}}' d3)" rprivate`,
  ),
  row(
    'D4',
    ':ro is read-only all the way down',
    `mkdir -p $H/r/below; mount -t tmpfs none $H/r/below; trap 'umount $H/r/below' EXIT
has 'Read-only file system' t run --rm -v $H/r:/d:ro bb touch /d/below/f; test ! -e $H/r/below/f`,
  ),
  row(
    'D5',
    'data in the own layer outlive a stop, and go with rm',
    `id=$(t run -d --name d5 bb sh -c 'test -e /f || echo kept >/f; sleep 600')
until t exec d5 test -s /f; do sleep 0.05; done
t stop -t 0 d5; t start d5; eq "$(t exec d5 cat /f)" kept; t rm -f d5; test ! -e $D/overlay2/$id`,
  ),
  row(
    'D6',
    'a managed volume may be read-only in one container, and is not in another',
    `t run --rm -v m:/d bb touch /d/f; has 'Read-only file system' t run --rm -v m:/d:ro bb rm /d/f; t run --rm -v m:/d bb rm /d/f`,
  ),
  row(
    'D7',
    'rm -v and --rm take volumes without a name that nobody else uses, and no others',
    `t create --name d7 -v /anonymous -v named:/named bb; n=$(t volume ls -q -f anonymous=true)
t create --name d7b --volumes-from d7 bb
t rm -v d7; t volume inspect $n named
t rm -v d7b; no t volume inspect $n; t volume inspect named
t run --rm -v /x -v named2:/y bb true; eq "$(t volume ls -q -f anonymous=true)" ''; t volume inspect named2`,
  ),
  row(
    'D8',
    '--volumes-from of a container that was never started',
    `t create --name d8 -v shared:/s bb true; t run --rm --volumes-from d8 bb touch /s/f; test -e $(vp shared)/f
eq "$(t inspect -f '{{.State.Status}}' d8)" created`,
  ),
  row(
    'D9',
    'a commit has at a mount point what the image has there; nothing where the runtime has made it',
    `t run --name d9 -v m:/usr/share/nginx/html -v m:/made/here web touch /made/here/f; t commit d9 d9
eq "$(t run --rm d9 ls /usr/share/nginx/html)" index.html; eq "$(t run --rm d9 ls -A /made/here)" ''`,
  ),
  row(
    'D10',
    'as many lower directories as the image has layers, and the init layer on top',
    `for i in 1 2 3; do t run --name d10-$i $(test $i = 1 && echo bb || echo l$((i - 1))) touch /$i; t commit d10-$i l$i; done
eq $(t image inspect -f '{{len .RootFS.Layers}}' l3) 4; t create --name d10 l3
lower=$(t inspect -f '{{.GraphDriver.Data.LowerDir}}' d10); eq $(echo $lower | tr : '\\n' | wc -l) 5
has -init/diff: echo $lower`,
  ),
  row(
    'D11',
    'a name in upper case is no reference',
    "has 'invalid reference format: repository name (library/Ubuntu) must be lowercase' t run Ubuntu:14.04; code 125 t run Ubuntu:14.04",
  ),
  row(
    'D12',
    'two containers of an image share its layers; each writes to its own',
    `t run --name d12a bb sh -c 'echo a >/f'; t run --name d12b bb sh -c 'test ! -e /f; echo b >/f'
lower() { t inspect -f '{{.GraphDriver.Data.LowerDir}}' $1 | sed 's/^[^:]*://'; }; eq $(lower d12a) $(lower d12b)
upper() { t inspect -f '{{.GraphDriver.Data.UpperDir}}' $1; }; eq "$(cat $(upper d12a)/f $(upper d12b)/f | tr -d '\\n')" ab`,
  ),
  row(
    'D13',
    '-v makes a missing source, --mount refuses it',
    'code 125 t run --rm --mount type=bind,src=$H/no,dst=/d bb true; test ! -e $H/no; t run --rm -v $H/no:/d bb true; test -d $H/no',
  ),
  row(
    'D14',
    'the mounts of a container are not seen on the host',
    `t run -d --name d14 -v m:/mine -v $H/e:/bound --tmpfs /memory bb sleep 600
eq "$(t exec d14 grep -cE ' (/mine|/bound|/memory) ' /proc/self/mountinfo)" 3; no grep $D /proc/self/mountinfo`,
  ),
  row(
    'D15',
    'VOLUME of an image can be undone: --image-volume ignore, and a commit',
    `t commit -c 'VOLUME /v' d1 d15; n=$(t volume ls -q | wc -l); t run --name d15 --image-volume ignore d15 true
t commit d15 d15b; t run --rm d15b true; eq "$(t image inspect -f '{{.Config.Volumes}}' d15b)" 'map[]'; eq "$(t volume ls -q | wc -l)" $n`,
  ),
];
