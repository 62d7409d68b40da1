#!/bin/sh
# Makes rootfs/ with busybox alone: one static program under many names. It is this machine's, if that is static, or the
# one of Debian's package, which is unpacked but not installed.
set -eu
cd "$(dirname "$0")"

is_static() { ! ldd "$1" 2>/dev/null | grep -q /; }
busybox=$(command -v busybox || true)
if [ -z "$busybox" ] || ! is_static "$busybox"; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  { (cd "$folder" && apt-get download busybox-static && dpkg -x busybox-static*.deb .) >/dev/null 2>&1; } || {
    echo "busybox example: no static busybox; try: apt-get install busybox-static" >&2
    exit 1
  }
  for busybox in "$folder/bin/busybox" "$folder/usr/bin/busybox"; do [ ! -x "$busybox" ] || break; done
fi

rm -rf rootfs
for dir in bin dev etc proc root sys tmp; do mkdir -p "rootfs/$dir"; done
chmod 1777 rootfs/tmp
printf 'root:x:0:0:root:/root:/bin/sh\n' >rootfs/etc/passwd
printf 'root:x:0:\n' >rootfs/etc/group
cp "$busybox" rootfs/bin/busybox
"$busybox" --list | while read -r name; do [ "$name" = busybox ] || ln -s busybox "rootfs/bin/$name"; done
