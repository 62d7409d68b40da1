// Examples for the help of each command: what to type, and what that does. Loaded by yargs.ts only.

export const examples: Readonly<Record<string, readonly (readonly [typed: string, does: string])[]>> = {
  run: [
    ['tinyrun run ./bundle', 'what config.json says'],
    ['tinyrun run ./bundle -- /bin/ls -l /', 'another program'],
    [
      'tinyrun run --overlay -v /srv/data:/data:ro ./bundle',
      'a rootfs to write to, and a directory of the host',
    ],
    ['tinyrun run --name web ./bundle', 'kept when it has ended, for state and delete'],
    ['tinyrun run --detach ./bundle', 'without waiting for its end: prints the id'],
    ['tinyrun run --bundle ./bundle web', 'the same form as runc'],
    ['tinyrun run --rm -it busybox sh', 'a container of an image, gone when it ends'],
    ['tinyrun run -d --name db -v data:/var/lib/db db', 'all behind the image would be its command'],
  ],
  create: [
    ['tinyrun create --bundle ./bundle web', 'all is set up, and waits'],
    ['tinyrun create --pid-file web.pid web', 'of the bundle in this directory'],
    ['tinyrun create --name web nginx', 'of an image: prints its id'],
  ],
  start: [
    ['tinyrun start web', 'its program runs'],
    ['tinyrun start -a web', 'and its output is seen until it ends'],
  ],
  stop: [
    ['tinyrun stop web db', 'by their stop signals, and by force after 10 seconds'],
    ['tinyrun stop -t 0 web', 'at once'],
  ],
  restart: [['tinyrun restart web', 'stopped and started']],
  wait: [['tinyrun wait web', 'prints its exit code when it has ended']],
  rename: [['tinyrun rename web www', 'running or not']],
  rm: [
    ['tinyrun rm web', 'its own layer goes with it, its volumes stay'],
    ['tinyrun rm -f -v web', 'killed if it runs; its anonymous volumes go, too'],
  ],
  'container prune': [['tinyrun container prune -f', 'all that do not run, without a question']],
  kill: [
    ['tinyrun kill web', 'ask it to end: SIGTERM'],
    ['tinyrun kill web SIGKILL', 'by name or number'],
    ['tinyrun kill --all web 9', 'all of its processes'],
  ],
  exec: [
    ['tinyrun exec web ls -l /', 'all behind the id is the command'],
    ['tinyrun exec --tty --env TERM=xterm web sh', 'with a terminal'],
    ['tinyrun exec --process process.json --detach web', 'as engines call it'],
  ],
  spec: [
    ['tinyrun spec', 'config.json in this directory'],
    ['tinyrun spec --bundle ./bundle', 'in another'],
  ],
  list: [
    ['tinyrun list', 'a table'],
    ['tinyrun list --quiet', 'ids only'],
    ['tinyrun list --format json', 'for machines'],
  ],
  state: [['tinyrun state web', 'its status, pid and bundle as JSON']],
  delete: [
    ['tinyrun delete web', 'what is left of it when it has ended'],
    ['tinyrun delete --force web', 'the same, and it is killed first if it runs'],
  ],
  pause: [['tinyrun pause web', 'until resume']],
  resume: [['tinyrun resume web', 'after pause']],
  ps: [
    ['tinyrun ps -a', 'all containers'],
    ['tinyrun ps web', 'as ps -ef'],
    ['tinyrun ps web -o pid,rss,comm', 'with any options of ps(1)'],
    ['tinyrun ps --format json web', 'the pids on the host'],
  ],
  events: [
    ['tinyrun events --stats web', 'what it uses now, once'],
    ['tinyrun events --interval 1s web', 'a line each second, and one when it lacks memory'],
  ],
  update: [
    ['tinyrun update --memory 50M --pids-limit 100 web', 'new limits'],
    ['tinyrun update --resources new.json web', 'the same from a file, in the form of linux.resources'],
  ],
  checkpoint: [
    ['tinyrun checkpoint --image-path ./images web', 'it is in ./images, and nowhere else'],
    ['tinyrun checkpoint --image-path ./images --leave-running web', 'and it goes on'],
  ],
  restore: [
    ['tinyrun restore --bundle ./bundle --image-path ./images --detach web', 'it goes on where it was'],
  ],
  features: [['tinyrun features', 'for engines; OCI features.md']],
  explain: [
    ['tinyrun explain ./bundle', 'each system call and why; needs no root'],
    ['tinyrun explain --compact ./bundle', 'a line for each'],
    ['tinyrun explain --json --overlay ./bundle', 'for machines; with any option of run'],
  ],
  cp: [
    ['tinyrun cp index.html web:/srv/', 'into a container, and into its volumes'],
    ['tinyrun cp web:/var/log/. logs', 'what is in a directory of it'],
    ['tinyrun cp web:/etc - | tar t', 'as a stream of tar'],
  ],
  commit: [
    ['tinyrun commit web web:2', 'an image of what it has written'],
    [`tinyrun commit -c 'CMD ["httpd", "-f"]' web web:2`, 'and with another command'],
  ],
  diff: [['tinyrun diff web', 'what it has added, changed and deleted']],
  export: [
    ['tinyrun export -o web.tar web', 'without its volumes'],
    ['tinyrun export --include-volumes web | tinyrun image import - web:full', 'with them'],
  ],
  df: [['tinyrun df -v', 'each image, container and volume']],
  info: [["tinyrun info -f '{{.Root}}'", 'where everything is kept']],
  'image import': [
    ['tinyrun image import bb.tar bb', 'an image of a root file system, by a name'],
    ['tinyrun image import saved.tar', 'images of docker save, or an OCI layout, by their own names'],
    ['xz -dc saved.tar.xz | tinyrun image import -', 'from a pipe'],
  ],
  'image ls': [
    ['tinyrun image ls', 'a table'],
    ["tinyrun image ls --filter reference='bb*' --format '{{.ID}}'", 'some of them'],
  ],
  'image inspect': [["tinyrun image inspect -f '{{json .RootFS.Layers}}' bb", 'one field']],
  'image history': [['tinyrun image history --sizes bb', 'who shares its layers']],
  'image tag': [['tinyrun image tag bb bb:1', 'one more name']],
  'image rm': [['tinyrun image rm bb:1', 'the name, and with the last one the image']],
  'system prune': [['tinyrun system prune -af --volumes', 'all that no container uses']],
  'image prune': [['tinyrun image prune -af', 'all that no container uses']],
  'image save': [
    ['tinyrun image save -o bb.tar bb', 'for image import, docker load, podman load'],
    [
      'tinyrun image save --format oci --compress zstd -o bb.tar bb',
      'for skopeo copy oci-archive:bb.tar ...',
    ],
  ],
  'volume create': [
    ['tinyrun volume create data', 'and then run -v data:/data'],
    ['tinyrun volume create --label env=test -o size=1g data', 'of limited size'],
    ['tinyrun volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch', 'in memory'],
  ],
  'volume ls': [
    ['tinyrun volume ls', 'a table'],
    ['tinyrun volume ls -q -f dangling=true', 'the names of those that no container uses'],
    ['tinyrun volume ls --size', 'and how much is in them'],
  ],
  'volume inspect': [
    ['tinyrun volume inspect data', 'as JSON'],
    ["tinyrun volume inspect -f '{{.Mountpoint}}' data", 'its directory on the host'],
  ],
  'volume rm': [['tinyrun volume rm data logs', 'with all that is in them']],
  'volume prune': [
    ['tinyrun volume prune', 'those that nobody named'],
    ['tinyrun volume prune -a --filter label!=keep', 'all that are unused, but for those with this label'],
  ],
  'volume attach': [
    ['tinyrun volume attach web data:/data', 'as -v of run'],
    ['tinyrun volume attach web type=bind,source=/srv,target=/srv,readonly', 'as --mount'],
    ['tinyrun volume attach web type=tmpfs,target=/cache,tmpfs-size=64m', 'memory'],
  ],
  'volume detach': [['tinyrun volume detach web /data', 'the volume stays']],
  'volume rename': [['tinyrun volume rename data data-2025', 'no container may use it']],
  'volume clone': [['tinyrun volume clone data data-test', 'to try something on it']],
  'volume snapshot': [
    ['tinyrun volume snapshot data', 'prints its name: data-20260314T150926Z'],
    ['tinyrun volume ls -f label=io.tinyrun.snapshot.of=data', 'the snapshots of a volume'],
  ],
  'volume export': [
    ['tinyrun volume export data -o data.tar', 'to a file'],
    ['tinyrun volume export data | ssh host tinyrun volume import data -', 'to another host'],
  ],
  'volume import': [['tinyrun volume import data data.tar.gz', 'made, if it is not there; else added to']],
  'volume du': [
    ['tinyrun volume du', 'all'],
    ['tinyrun volume du data', 'one'],
  ],
  'volume mount': [['tinyrun volume mount data', 'a volume of a driver that mounts it when it is used']],
  'volume unmount': [['tinyrun volume unmount data', 'after volume mount']],
  'volume exists': [['tinyrun volume exists data || tinyrun volume create data', 'in a script']],
  logs: [
    ['tinyrun logs web', 'all that it has printed'],
    ['tinyrun logs -f -n 10 web', 'the last lines, and what comes, until it ends'],
    ['tinyrun logs -t --since 10m --until 2026-11-26T03:00:00Z web', 'lines of a time, with their times'],
  ],
  attach: [
    ['tinyrun attach web', 'its output from now on, our input; ctrl-p ctrl-q lets go'],
    ['tinyrun attach --no-stdin --sig-proxy=false web', 'look on only'],
  ],
  mounts: [
    ['tinyrun mounts web', 'the tree, and what the host sees'],
    ['tinyrun mounts --json web', 'for programs'],
  ],
  where: [
    ['tinyrun where web /etc/hosts', 'who made it, what it hides, who may write it'],
    ['tinyrun where --no-follow web /bin/sh', 'the symlink itself'],
  ],
  'container ls': [
    ['tinyrun container ls -a', 'those that do not run, too'],
    ["tinyrun container ls --filter volume=data --format '{{.Names}}'", 'who mounts a volume'],
  ],
  inspect: [
    ['tinyrun inspect web', 'all that is known of it, as JSON'],
    ["tinyrun inspect -f '{{.State.Pid}}' web", 'one field'],
    ['tinyrun inspect --type volume data', 'not the container or image of this name'],
  ],
  'container inspect': [["tinyrun container inspect -f '{{json .Mounts}}' web", 'its mounts']],
  top: [
    ['tinyrun top web', 'as ps -ef shows them'],
    ['tinyrun top web -o pid,comm', 'with options of ps(1)'],
  ],
  'explain mounts': [['tinyrun explain mounts web', 'and those that it has']],
  'explain pagecache': [
    ['tinyrun explain pagecache web db /bin/sh', 'of two containers from one image: yes'],
  ],
};
