// What users of container engines have asked for and complained of for years, and what tinyrun has for it: what it says, or does.

import { type Row, row } from '../support/checklist.ts';

export const mistakes: readonly Row[] = [
  row(
    'U1',
    'which mount failed: its flag, source and destination, the type of both, and what to do',
    `echo v >$H/f
code 125 t run --rm -v $H/f:/etc bb true
has "--volume $H/f:/etc: cannot mount file $H/f on /etc: in the container that is a directory" t run --rm -v $H/f:/etc bb true
has 'name the file in the container: /etc/f' t run --rm -v $H/f:/etc bb true
has "bind source path does not exist: $H/none2; make it first" t run --rm -v ok:/ok --mount type=bind,src=$H/none2,dst=/d bb true`,
  ),
  row(
    'U2',
    'a directory onto a file: that the directory is missing and would be made is said, and it is not made',
    `has "$H/f.conf does not exist on the host, and would be made as a directory; but /etc/passwd in the container is a file" \\
  t run --rm -v $H/f.conf:/etc/passwd bb true
test ! -e $H/f.conf
mkdir $H/d.conf
has "cannot mount directory $H/d.conf on /etc/passwd: in the container that is a file" t run --rm -v $H/d.conf:/etc/passwd bb true
has "$H/d.conf is empty: made by an earlier -v, perhaps, when the file was missing; rmdir it and make the file" t run --rm -v $H/d.conf:/etc/passwd bb true`,
  ),
  row(
    'U3',
    'a missing source is refused where that is asked for, by create and start alike; nothing is left of it',
    `code 125 t run --rm -v $H/s:/d:nocreate bb true
code 125 t run --rm --mount type=bind,src=$H/s,dst=/d bb true
code 1 t create --name u3 --mount type=bind,src=$H/s,dst=/d bb
no t inspect u3
test ! -e $H/s
mkdir $H/s; t create --name u3 --mount type=bind,src=$H/s,dst=/d bb true; rmdir $H/s
code 1 t start u3
test ! -e $H/s
t run --rm --mount type=bind,src=$H/s,dst=/d,bind-create-src bb true; test -d $H/s`,
  ),
  row(
    'U4',
    'a file that an editor has replaced: where says that the container has the old one; a bound directory follows',
    `mkdir $H/conf; echo old >$H/conf/f
t run -d --name u4 -v $H/conf/f:/f -v $H/conf:/conf bb sleep 600
no has 'another one by now' t where u4 /f
echo new >$H/conf/f.new; mv $H/conf/f.new $H/conf/f
eq "$(t exec u4 cat /f /conf/f | tr '\\n' ' ')" 'old new '
has 'which is another one by now, or gone' t where u4 /f
has 'bind the directory instead' t where u4 /f
eq "$(t where --json u4 /f | tr -d ' \\n' | grep -o '"replaced":[a-z]*')" '"replaced":true'
no has 'another one by now' t where u4 /conf/f
t restart -t 0 u4; eq "$(t exec u4 cat /f)" new; no has 'another one by now' t where u4 /f`,
  ),
  row(
    'U5',
    '/etc/hosts can be written, but not replaced: a mount point is busy, as in Docker; where says what it is',
    `t exec u4 sh -c 'echo 10.0.0.9 db >>/etc/hosts'
has 'resource busy' t exec u4 sh -c 'cp /etc/hosts /etc/h; mv /etc/h /etc/hosts'
t exec u4 grep -q '10.0.0.9 db' /etc/hosts
has "the container's own file, which is in no layer" t where u4 /etc/hosts`,
  ),
  row(
    'U6',
    'a volume in use: by whom, where, and what to do',
    `t create --name u6 -v used:/var/lib/db bb
has "remove used: volume is in use - [$(t inspect -f '{{.Id}}' u6)]; used by u6 ($(t inspect -f '{{.Id}}' u6 | head -c 12)) at /var/lib/db: remove what uses it first" \\
  t volume rm used
has u6 t volume du used
eq "$(t ps -aq -f volume=used)" "$(t inspect -f '{{.Id}}' u6 | head -c 12)"`,
  ),
  row(
    'U7',
    'the size of volumes, for those who ask',
    `t run --rm -v sized:/d bb sh -c 'head -c 2000 /dev/zero >/d/f'
has 2kB t volume ls --size; no has 2kB t volume ls
eq "$(t volume du --format '{{.Size}} {{.Files}}' sized)" '2kB 1'`,
  ),
];

export const volumes: readonly Row[] = [
  row(
    'U8',
    'rename; a volume in use is not renamed',
    't volume rename sized renamed; eq "$(wc -c <$(vp renamed)/f)" 2000; no t volume inspect sized; code 1 t volume rename used x',
  ),
  row(
    'U9',
    'clone, snapshot, export and import, while a container uses the volume',
    `t run -d --name u9 -v live:/d bb sh -c 'echo 1 >/d/f; sleep 600'
until test -s $(vp live)/f; do sleep 0.05; done
t volume clone live cloned; eq "$(cat $(vp cloned)/f)" 1
t volume snapshot live snapped; eq "$(cat $(vp snapped)/f)" 1
t volume export live >live.tar; t volume create loaded; t volume import loaded live.tar; eq "$(cat $(vp loaded)/f)" 1
t exec u9 sh -c 'echo 2 >/d/f'; eq "$(cat $(vp cloned)/f $(vp snapped)/f $(vp loaded)/f | tr -d '\\n')" 111`,
  ),
  row(
    'U10',
    'VOLUME of an image can be undone: --image-volume ignore, also in an image made of such a container',
    `t run --name u10 bb true; t commit -c 'VOLUME /vol' u10 with-volume; n=$(t volume ls -q | wc -l)
t run --name u10b --image-volume ignore with-volume sh -c 'mkdir /vol; touch /vol/f'
eq "$(t volume ls -q | wc -l)" $n
t commit u10b without-volume; eq "$(t image inspect -f '{{.Config.Volumes}}' without-volume)" 'map[]'
t run --rm without-volume test -e /vol/f
t run --rm --image-volume tmpfs with-volume grep -q '^tmpfs /vol ' /proc/mounts
t run --rm -v mine:/vol --image-volume tmpfs with-volume touch /vol/g; test -e $(vp mine)/g
eq "$(t volume ls -q | wc -l)" $((n + 1))
t run --name u10c with-volume true; eq "$(t volume ls -q | wc -l)" $((n + 2))`,
  ),
  row(
    'U11',
    'anonymous volumes do not pile up: whose they are is shown, --rm and rm -v take them along, prune the rest',
    `anonymous=$(t inspect -f '{{(index .Mounts 0).Name}}' u10c)
has u10c t volume du $anonymous
t run --rm -v /a with-volume true; eq "$(t volume ls -q -f anonymous=true)" $anonymous
t rm u10c; t volume ls -q -f dangling=true | grep -q $anonymous
t volume prune -f; no t volume inspect $anonymous; t volume inspect mine`,
  ),
  row(
    'U12',
    'commit and export leave volumes out, and say so to a person; they are taken along where that is asked for',
    `t run --name u12 -v taken:/d bb sh -c 'echo data >/d/f'
has 'Volumes are no part of the image: taken at /d' script -qec "tinyrun --root $ROOT --data-root $D commit u12 c12" /dev/null
eq "$(t commit u12 c12 2>&1 | wc -l)" 1
no t run --rm c12 test -e /d/f
t export u12 | tar t | no grep -q '^d/f$'
t export --include-volumes u12 | t image import - full; eq "$(t run --rm full cat /d/f)" data`,
  ),
  row(
    'U13',
    'owners: a new volume has that of the path in the image; :U and :idmap give a volume to whom the container runs as',
    `t run --name u13 web sh -c 'mkdir /own; chown 33:34 /own; chmod 750 /own'; t commit u13 own
t run --rm --user 33 -v owned:/own own touch /own/f; eq "$(stat -c %u:%g:%a $(vp owned))" 33:34:750
t volume create roots; t run --rm --user 44:45 -v roots:/d:U bb touch /d/f; eq "$(stat -c %u:%g $(vp roots))" 44:45
mkdir $H/mapped; chown 0:0 $H/mapped
t run --rm --user 44 -v "$H/mapped:/d:idmap=uids=0-44-1;gids=0-0-1" bb touch /d/f; eq "$(stat -c %u $H/mapped/f)" 0`,
  ),
];

export const mounts: readonly Row[] = [
  row(
    'U14',
    'mounts come and go while a container runs',
    `t volume attach u9 late:/late; t exec u9 touch /late/f; test -e $(vp late)/f; code 1 t volume rm late
t volume detach u9 /late; t exec u9 test ! -e /late/f; t volume rm late`,
  ),
  row(
    'U15',
    'a mount inside a read-only one: nothing is written to the source for it',
    `mkdir $H/ro; t run --rm -v $H/ro:/ro:ro -v inner:/ro/a/b bb sh -c 'touch /ro/a/b/f; ! touch /ro/f 2>/dev/null'
test -e $(vp inner)/f; eq "$(ls $H/ro)" ''`,
  ),
  row(
    'U16',
    'what is mounted below a read-only bind is read-only, too; the contrary has to be asked for',
    `mkdir -p $H/outer/in; mount -t tmpfs none $H/outer/in; trap 'umount $H/outer/in' EXIT
code 1 t run --rm -v $H/outer:/d:ro bb touch /d/in/f
t run --rm --mount type=bind,src=$H/outer,dst=/d,readonly,bind-recursive=writable bb touch /d/in/f
code 1 t run --rm --mount type=bind,src=$H/outer,dst=/d,readonly,bind-recursive=writable bb touch /d/f`,
  ),
  row(
    'U17',
    'propagation that cannot be: the command that makes it so is told, for the uppermost of several mounts on a place',
    `mkdir $H/p; for i in 1 2; do mount -t tmpfs none $H/p; done; mount --make-private $H/p; trap 'umount $H/p; umount $H/p' EXIT
has "mount --make-shared $H/p" t run --rm -v $H/p:/d:rshared bb true
mount --make-shared $H/p; t run --rm -v $H/p:/d:rshared bb true`,
  ),
  row(
    'U18',
    'the size of a volume can be limited on any filesystem',
    `t volume create -o size=4m small; has 'No space left on device' t run --rm -v small:/d bb dd if=/dev/zero of=/d/f bs=1M count=8
test "$(t run --rm -v small:/d bb wc -c /d/f | cut -d ' ' -f 1)" -lt 4194304`,
  ),
];

export const running: readonly Row[] = [
  row(
    'U19',
    "start-up reads the host's table of mounts once, however many are mounted",
    `strace -f -o st -e trace=execve,open,openat,openat2 tinyrun --root $ROOT --data-root $D run --rm -v many:/m -v $H:/d -v $H:/e --tmpfs /s bb true
grep -q execve st; eq "$(grep -c mountinfo st)" 1`,
    { needs: 'strace' },
  ),
  row(
    'U20',
    'after kill -9 of all its processes nothing of a container hinders anybody; rm -f and delete -f can be repeated',
    `id=$(t run -d --name u20 -v v20:/d bb sleep 600); pid=$(t inspect -f '{{.State.Pid}}' u20)
kill -9 $(grep PPid: /proc/$pid/status | cut -f 2) $pid
until eq "$(t inspect -f '{{.State.Running}}' u20)" false 2>/dev/null; do sleep 0.05; done
t rm -f u20; t rm -f u20; t delete -f u20; t volume rm v20
no grep $D /proc/self/mountinfo; eq "$(find /sys/fs/cgroup -name "*$id*")" ''`,
  ),
  row(
    'U21',
    'programs that end at once: their exit code is known, exec and kill come too late and say so, start starts them again',
    `for i in 1 2 3 4 5; do code $i t run --rm bb sh -c "exit $i"; done
t run -d --name u21 bb true; eq "$(t wait u21)" 0
code 1 t exec u21 true; code 1 t kill u21; has 'is not running' t exec u21 true; has 'is not running' t kill u21
t create --name u21b -v u21:/d bb sh -c 'echo x >>/d/f'; for i in 1 2 3 4 5 6; do t start u21b; t wait u21b; done; eq "$(wc -l <$(vp u21)/f)" 6`,
  ),
];
