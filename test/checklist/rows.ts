// What people know of container storage, a line of shell each (support/checklist.ts), in the order they run in: later rows use the
// containers and volumes of earlier ones.

import { type Row, row } from '../support/checklist.ts';

export const volumes: readonly Row[] = [
  row(
    'V1',
    "data in the container's own layer dies when the container is removed",
    't run --name c bb touch /x; t rm c; t run --rm bb test ! -e /x',
  ),
  row(
    'V2',
    'a volume is a directory that bypasses the union filesystem',
    `t run --rm -v d:/d bb sh -c 'grep -q " /d " /proc/mounts && ! grep " /d overlay" /proc/mounts'`,
  ),
  row(
    'V3',
    'volume create prints the name and makes volumes/NAME/_data',
    'eq "$(t volume create volume-data)" volume-data && eq "$(stat -c %a $V/volume-data/_data)" 755',
  ),
  row(
    'V4',
    'what a container writes to a volume is at once in _data',
    't run --rm --mount source=volume-data,target=/data bb touch /data/data.log && test -e $V/volume-data/_data/data.log',
  ),
  row(
    'V5',
    'what the host writes is at once in the container',
    't run -d --name w -v h:/d bb sleep 600; echo hi >$(vp h)/f; eq "$(t exec w cat /d/f)" hi',
  ),
  row(
    'V6',
    'a volume without a name gets one of 64 hexadecimal digits',
    "t run --name a -v /d bb true; t inspect -f '{{(index .Mounts 0).Name}}' a | grep -Eq '^[0-9a-f]{64}$'",
  ),
  row(
    'V7',
    'a named volume that is not there is made by run',
    't run --rm -v newv:/d bb true && t volume inspect newv',
  ),
  row(
    'V8',
    'volume ls prints DRIVER and VOLUME NAME',
    "eq \"$(t volume ls | head -n 1 | tr -s ' ')\" 'DRIVER VOLUME NAME'; eq \"$(t volume ls -f name=volume-data | tail -n 1 | tr -s ' ')\" 'local volume-data'",
  ),
  row(
    'V9',
    'removing the container keeps its volumes, and a new one sees the data',
    't run --rm -v k:/d bb touch /d/x; t run --rm -v k:/d bb test -e /d/x',
  ),
  row(
    'V10',
    'volume rm deletes the volume and its data',
    't volume create z; t volume rm z; test ! -e $V/z && no t volume inspect z',
  ),
  row(
    'V11',
    'a volume in use, also by a container that never ran, cannot be removed',
    "t create --name u -v inuse:/d bb; no t volume rm inuse; has 'volume is in use' t volume rm inuse; t rm u; t volume rm inuse",
  ),
  row('V12', 'several -v in one run', "t run --rm -v a1:/a -v b1:/b bb sh -c 'touch /a/x /b/y'"),
  row(
    'V13',
    'copy-up: what the image has at the mount point comes into a new volume',
    't run --rm -v cu:/usr/share/nginx/html web true; eq "$(cat $(vp cu)/index.html)" hi',
  ),
  row(
    'V14',
    'a volume is filled when the container is created, before it starts',
    't create --name i -v ini:/usr/share/nginx/html web; test -e $(vp ini)/index.html',
  ),
  row('V15', 'managed volumes are directories only', 'test -d $(vp cu)'),
  row(
    'V16',
    'the place of managed volumes can be configured',
    'tinyrun --data-root $H/t volume create q && test -d $H/t/volumes/q/_data',
  ),
  row(
    'V17',
    'changing a volume never changes the image',
    't run --rm -v cu:/usr/share/nginx/html web rm /usr/share/nginx/html/index.html; eq "$(t run --rm web cat /usr/share/nginx/html/index.html)" hi',
  ),
  row(
    'V18',
    'a restart keeps what is in a volume',
    `t run --name r -v rs:/d bb sh -c 'echo x >>/d/n'; t start -a r; eq "$(wc -l <$(vp rs)/n)" 2`,
  ),
  row(
    'V19',
    'the local driver is for this host only',
    `eq "$(t volume inspect -f '{{.Driver}}/{{.Scope}}' cu)" local/local`,
  ),
  row(
    'V20',
    "rm -v deletes the container's anonymous volumes",
    "t create --name g -v /d bb; n=$(t inspect -f '{{(index .Mounts 0).Name}}' g); t rm -v g; no t volume inspect $n",
  ),
  row(
    'V21',
    '--rm removes the container at exit, and its anonymous volumes',
    'b=$(t volume ls -q); t run --rm -v /d bb true; eq "$b" "$(t volume ls -q)"',
  ),
  row(
    'V22',
    'a write to a path that is no volume stays in the union filesystem',
    "t run --name p bb touch /plain; has 'A /plain' t diff p",
  ),
  row(
    'V23',
    'a writer and a reader of logs share one volume',
    "t run --rm -v log-vol:/tmp/log bb sh -c 'echo l >/tmp/log/a'; t run --rm -v log-vol:/in:ro bb grep -q l /in/a",
  ),
];

export const binds: readonly Row[] = [
  row(
    'B1',
    "-v /host:/ctr binds: both sides see each other's writes at once",
    'mkdir -p $H/h; t run --rm -v $H/h:/usr/local/data bb touch /usr/local/data/x && test -e $H/h/x',
  ),
  row(
    'B2',
    'a missing directory of the host is made (-v)',
    't run --rm -v $H/h2:/d bb true && test -d $H/h2',
  ),
  row('B3', 'the path of the host must be absolute', "has 'absolute path' t run --rm -v rel/x:/d bb true"),
  row(
    'B4',
    'a bind hides what the container has there',
    't run --rm -v $H/h:/usr/share/nginx/html web test ! -e /usr/share/nginx/html/index.html && t run --rm web test -e /usr/share/nginx/html/index.html',
  ),
  row(
    'B5',
    ':ro is read-only; the default is not',
    'code 1 t run --rm -v $H/h:/d:ro bb touch /d/y; t run --rm -v $H/h:/d bb touch /d/y',
  ),
  row(
    'F1',
    'a single file can be bound',
    'echo v>$H/h/f; eq "$(t run --rm -v $H/h/f:/etc/f bb cat /etc/f)" v',
  ),
  row(
    'F2',
    'a bind of a missing file makes a directory of it (-v), or is refused (--mount)',
    't run --rm -v $H/h/none:/m bb test -d /m && code 125 t run --rm --mount type=bind,src=$H/h/none2,dst=/m bb true',
  ),
  row(
    'B6',
    'data outlive --rm, and a new container on the same directory sees them',
    `t run --rm -v $H/h:/d bb sh -c 'echo 1 >/d/k'; eq "$(t run --rm -v $H/h:/d bb cat /d/k)" 1`,
  ),
  row(
    'B7',
    "two running containers append to the same file and read each other's lines",
    "t run -d --name b7 -v $H/h:/d bb sleep 600; t run --rm -v $H/h:/d bb sh -c 'echo l2 >>/d/s'; has l2 t exec b7 cat /d/s",
  ),
  row(
    'B9',
    'the default propagation is shown as rprivate',
    `eq "$(t inspect -f '{{(index .Mounts 0).Propagation}}' b7)" rprivate`,
  ),
  row(
    'B10',
    "the host's own mount table never shows a bind",
    't run -d --name n1 -v $H/h:/d bb sleep 600; no grep -q " $D.*/d " /proc/self/mountinfo && no grep -q " $H" /proc/self/mountinfo',
  ),
  row(
    'B11',
    'a bind leads to the inode of its source',
    'eq "$(t run --rm -v $H/h:/d bb stat -c %i /d)" "$(stat -c %i $H/h)"',
  ),
  row(
    'B12',
    'without pivot_root a process in a new mount namespace still sees the whole host',
    'unshare -m test -e $D; code 1 t run --rm bb test -e $D',
  ),
  row(
    'B14',
    'bind and managed volume compared: place, hide or copy, single file, control, portability',
    "has 'hides image content' t explain mounts b7",
  ),
];

export const tmpfs: readonly Row[] = [
  row(
    'T1',
    'tmpfs is the third kind beside volumes and binds',
    "has tmpfs t run --rm --tmpfs /s bb grep ' /s ' /proc/mounts",
  ),
  row(
    'T2',
    'what is in a tmpfs lives in memory only',
    't run --name m --tmpfs /s bb touch /s/x; t diff m; no has /s/x t diff m',
  ),
];

export const joined: readonly Row[] = [
  row(
    'J1',
    '--volumes-from mounts all volumes of another container at the same paths',
    't run -d --name lp --mount source=lv,target=/tmp/log bb sleep 600; t run --rm --volumes-from lp bb touch /tmp/log/x && test -e $(vp lv)/x',
  ),
  row(
    'J2',
    'its source may be merely created; create prints the id of 64 digits',
    "t create -v /dbdata --name dbdata bb | grep -Eq '^[0-9a-f]{64}$'; t run --rm --volumes-from dbdata bb test -d /dbdata",
  ),
  row(
    'J3',
    "three containers see each other's files",
    't run -d --name db1 --volumes-from dbdata bb sleep 600; t run --rm --volumes-from dbdata bb touch /dbdata/f; t exec db1 mv /dbdata/f /dbdata/g; t run --rm --volumes-from dbdata bb test -e /dbdata/g',
  ),
  row(
    'J4',
    '--volumes-from several times, and from a container that itself used it',
    "t create --name o -v /other bb; t run --rm --volumes-from db1 --volumes-from o bb sh -c 'test -d /dbdata && test -d /other'",
  ),
  row(
    'J5',
    'the same for binds, with the same Mounts in both containers',
    `t create --name init -v $H/h:/data/www bb; t create --name httpd --volumes-from init bb; eq "$(t inspect -f '{{json .Mounts}}' init)" "$(t inspect -f '{{json .Mounts}}' httpd)"`,
  ),
  row(
    'J6',
    'deleting all of them keeps the volume',
    "n=$(t inspect -f '{{(index .Mounts 0).Name}}' dbdata); t rm -f db1 dbdata; t volume inspect $n",
  ),
  row(
    'J7',
    'a joined container has the same network',
    't run -d --name base bb sleep 600; eq "$(t exec base readlink /proc/self/ns/net)" "$(t run --rm --network container:base bb readlink /proc/self/ns/net)"',
  ),
  row(
    'J10',
    'a data-packed image: others use its volume',
    `t commit -c 'VOLUME /usr/share/nginx/html' $(t create web) packed; t create --name tp packed; eq "$(t run --rm --volumes-from tp bb cat /usr/share/nginx/html/index.html)" hi`,
  ),
  row(
    'B8',
    'an image cannot name a directory of the host',
    `eq "$(t inspect -f '{{json .Config.Volumes}}' packed)" '{"/usr/share/nginx/html":{}}'`,
  ),
];

export const backup: readonly Row[] = [
  row(
    'K1',
    'backup: a helper container packs the volumes of another',
    't create --name dk -v /dbdata bb; t run --rm --volumes-from dk bb touch /dbdata/r; t run --rm --volumes-from dk -v $PWD:/backup bb tar cf /backup/b.tar /dbdata; has dbdata/r tar tf b.tar',
  ),
  row(
    'K2',
    "restore into a second container's volume",
    't create --name dk2 -v /dbdata bb; t run --rm --volumes-from dk2 -v $PWD:/backup bb tar xf /backup/b.tar -C /; t run --rm --volumes-from dk2 bb test -e /dbdata/r',
  ),
  row(
    'K3',
    'cp into a container, and so into its volume',
    't create --name cp1 -v cpv:/opt/html bb; echo z>i.html; t cp ./i.html cp1:/opt/html/; eq "$(cat $(vp cpv)/i.html)" z',
  ),
  row(
    'K4',
    'commit takes the read-write layer only: no volume, no init layer',
    "t run --name cm -v cmv:/d bb sh -c 'touch /d/no /yes; echo 1.2.3.4 x >>/etc/hosts'; t commit cm im; t run --rm im sh -c 'test -e /yes && ! test -e /d/no && ! grep -q 1.2.3.4 /etc/hosts'; L=$(t image inspect -f '{{.GraphDriver.Data.UpperDir}}' im); eq \"$(cd $L; find . -type f)\" ./yes",
  ),
  row(
    'K5',
    "a volume's mount point is an empty directory in the committed image",
    `t run --rm im sh -c 'test -d /d && test -z "$(ls -A /d)"'`,
  ),
  row(
    'K6',
    'inspect -f {{.Mounts}} prints as Go does',
    'has "[{bind  $H/h /d   true rprivate}]" t inspect -f \'{{.Mounts}}\' b7; has "[{volume cpv $V/cpv/_data /opt/html local  true }]" t inspect -f \'{{.Mounts}}\' cp1',
  ),
  row(
    'K7',
    'the fields of Mounts',
    'for k in Type Name Source Destination Driver Mode RW Propagation; do has "\\"$k\\"" t inspect lp || exit 1; done',
  ),
  row(
    'K8',
    'the columns of ps -a',
    "eq \"$(t ps -a | head -n 1 | sed 's/  */ /g')\" 'CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES'; t run -d bb true | grep -Eq '^[0-9a-f]{64}$'",
  ),
  row(
    'K9',
    '-it gives a terminal, and exit ends it',
    "printf 'tty\\nexit\\n' | script -qec 'tinyrun --root '$ROOT' --data-root '$D' run -it --rm bb sh' /dev/null | grep -q /dev/pts",
  ),
  row(
    'K10',
    'an image that is not here is not looked for elsewhere',
    "has 'Unable to find image' t run --pull never nosuch true",
  ),
];

export const layers: readonly Row[] = [
  row(
    'L1',
    'an image is read-only layers, a container one read-write layer on top',
    "t run -d --name ov bb sleep 600; has 'type overlay' t mounts ov; has \":$(t image inspect -f '{{.GraphDriver.Data.UpperDir}}' bb)\" t inspect -f '{{.GraphDriver.Data.LowerDir}}' ov",
  ),
  row(
    'L2',
    'a change copies the whole file up first',
    "U=$(t inspect -f '{{.GraphDriver.Data.UpperDir}}' ov); t exec ov sh -c 'echo x >>/etc/passwd'; eq \"$(head -n 1 $U/etc/passwd)\" root:x:0:0:root:/root:/bin/sh",
  ),
  row('L3', 'the lower copy stays as it was', 'code 1 t run --rm bb grep -qx x /etc/passwd'),
  row(
    'L4',
    'deleting or renaming a file of the image makes a whiteout',
    `U=$(t inspect -f '{{.GraphDriver.Data.UpperDir}}' ov); t exec ov rm /etc/group; t exec ov mv /etc/passwd /etc/moved; for f in group passwd; do eq "$(stat -c %F:%t:%T $U/etc/$f)" 'character special file:0:0'; done; test -s $U/etc/moved`,
  ),
  row(
    'L5',
    'a file that is whited out in a middle layer is unseen above, and seen again where it is made anew',
    `eq "$(t exec ov sh -c 'echo n >/etc/group; cat /etc/group')" n
     t run --name l5 bb rm /etc/group; t commit l5 l5a; code 1 t run --rm l5a test -e /etc/group
     t run --name l5b l5a sh -c 'echo m >/etc/group'; t commit l5b l5c; eq "$(t run --rm l5c cat /etc/group)" m`,
  ),
  row(
    'L6',
    'new files land in the top layer',
    "U=$(t inspect -f '{{.GraphDriver.Data.UpperDir}}' ov); t exec ov touch /nn; test -e $U/nn",
  ),
  row(
    'L7',
    'the layout of overlay2: the base layer has only diff and link',
    `ls $D/overlay2/*/link; case "$(stat -c %a $D/overlay2)" in 700 | 710) ;; *) exit 1 ;; esac
     b=$D/overlay2/$(cat $D/image/overlay2/layerdb/sha256/$(t image inspect -f '{{index .RootFS.Layers 0}}' bb | cut -d: -f2)/cache-id)
     eq "$(ls $b | tr '\\n' ' ')" 'diff link '`,
  ),
  row(
    'L8',
    'short links of 26 characters',
    "for l in $D/overlay2/l/*; do basename $l | grep -Eq '^[A-Z2-7]{26}$' && readlink $l | grep -q '^\\.\\./' || exit 1; done",
  ),
  row(
    'L9',
    'link has 26 bytes, lower names the layers below, topmost first',
    'eq "$(wc -c <$(ls -d $D/overlay2/*/link | head -1))" 26 ; I=$D/overlay2/$(t inspect -f {{.Id}} ov); eq "$(wc -c <$I-init/lower)" 28; eq "$(cat $I/lower)" "l/$(cat $I-init/link):$(cat $I-init/lower)"',
  ),
  row(
    'L10',
    'a container has one lower more than its image: the init layer',
    `lower=$(t inspect -f '{{.GraphDriver.Data.LowerDir}}' ov); eq $(echo $lower | tr : '\\n' | wc -l) $(( $(t inspect -f '{{len .RootFS.Layers}}' bb) + 1 ))
     eq $(echo $lower | cut -d : -f 1) $D/overlay2/$(t inspect -f '{{.Id}}' ov)-init/diff`,
  ),
  row(
    'L11',
    "an image's JSON names its layers by diff_ids, bottom to top",
    'C=$D/image/overlay2/imagedb/content/sha256; for f in $C/*; do grep -Eq \'"rootfs": *[{] *"type": *"layers", *"diff_ids": *\\[ *"sha256:\' $f; done; ids() { t image inspect -f "{{index .RootFS.Layers 0}} {{len .RootFS.Layers}}" $1; }; eq "$(ids im)" "$(ids bb | cut -d " " -f 1) 2"',
  ),
  row(
    'L12',
    'the chain id: sha256 of the chain below and the layer',
    'eq "$(t debug chainid sha256:6cebf3abed5fac58d2e792ce8461454e92c245d5312c42118f02e231a73b317f sha256:f7eae43028b334123c3a1d778f7bdf9783bbe651c8b15371df0120fd13ec35c5)" sha256:8f06e3a624319de717230f0d766dd8922d048441adb9e0387860a8047d000409',
  ),
  row(
    'L13',
    'cache-id names the directory of overlay2',
    'for f in $D/image/overlay2/layerdb/sha256/*/cache-id; do test -d $D/overlay2/$(cat $f)/diff || exit 1; done',
  ),
  row(
    'L14',
    'containers share the files of lower layers',
    'eq $(t exec ov stat -c %i /bin/busybox) $(t exec b7 stat -c %i /bin/busybox)',
  ),
  row(
    'L15',
    'the first write to a big lower file copies it, the second does not',
    `t run --name l15 bb sh -c 'dd if=/dev/zero of=/big bs=1M count=8'; t commit l15 l15
     t run -d --name l15b l15 sleep 600; U=$(t inspect -f '{{.GraphDriver.Data.UpperDir}}' l15b)
     test ! -e $U/big || exit 1
     t exec l15b sh -c 'echo >>/big'; i=$(stat -c %i $U/big); test $(stat -c %s $U/big) = 8388609 || exit 1
     t exec l15b sh -c 'echo >>/big'; eq "$(stat -c %i:%s $U/big)" $i:8388610`,
  ),
  row(
    'L16',
    'the leftmost layer wins, and a write to the merged view changes the upper one only',
    `t run --name l16 bb sh -c 'mkdir /u; echo b >/u/2; echo b >/u/3'; t commit l16 l16
     t run --name l16b l16 sh -c 'echo a >/u/1; echo a >/u/2'; t commit l16b l16c
     eq "$(t run --rm l16c sh -c 'cat /u/1 /u/2 /u/3' | tr -d '\\n')" aab || exit 1
     t run --name l16d l16c sh -c 'echo w >/u/2'; eq "$(t run --rm l16c cat /u/2)" a && eq "$(t run --rm l16 cat /u/2)" b`,
  ),
  row('L17', 'the storage driver is overlay2', `eq "$(t info -f '{{.Driver}}')" overlay2`),
  row(
    'L18',
    'the init layer: hosts, resolv.conf, hostname, for each container',
    `eq "$(t run --rm --hostname zz bb hostname)" zz && has zz t run --rm --hostname zz bb cat /etc/hosts
     t run --rm bb sh -c 'test -s /etc/resolv.conf && test -f /.dockerenv && ! grep zz /etc/hosts && readlink /etc/mtab | grep -q /proc/mounts'`,
  ),
  row(
    'L19',
    'the words of a Dockerfile, by commit -c',
    `t create --name c9 bb; t commit -c 'WORKDIR /opt' -c 'CMD ["pwd"]' c9 wd; eq "$(t run --rm wd)" /opt`,
  ),
  row('L20', 'one program and its children a container', `eq "$(t run --rm bb sh -c 'echo $$')" 1`),
];

export const shared: readonly Row[] = [
  row(
    'S1',
    'storage drivers and volumes are two separate things',
    "has overlay2 t info && has local t info -f '{{.Plugins.Volume}}'",
  ),
  row(
    'S2',
    'an NFS volume, or an error that says what the kernel lacks',
    't volume create -o type=nfs -o o=addr=127.0.0.1,rw -o device=:/exp nfsv; t run --rm -v nfsv:/d bb true || has nfs t run --rm -v nfsv:/d bb true',
  ),
];
