#!/bin/sh
# Makes a root filesystem from this machine's own programs: make-rootfs.sh ROOTFS PROGRAM...
# Each program is copied to /bin, with the shared libraries that ldd(1) names at the paths that the loader will look for.
# Programs that this machine lacks are left out.
set -eu
rootfs=$1
shift
rm -rf "$rootfs.new"
for dir in bin dev etc proc root sys tmp; do mkdir -p "$rootfs.new/$dir"; done
chmod 1777 "$rootfs.new/tmp"
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$rootfs.new/etc/passwd"
printf 'root:x:0:\n' >"$rootfs.new/etc/group"

for program; do
  path=$(command -v "$program") || continue
  case $path in /*) ;; *) continue ;; esac # built into the shell only
  cp -L "$path" "$rootfs.new/bin/$program"
  # Lines like `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`; static programs have none.
  { ldd "$path" 2>/dev/null || true; } | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$rootfs.new$(dirname "$library")"
    cp -L "$library" "$rootfs.new$library"
  done
done
rm -rf "$rootfs"
mv "$rootfs.new" "$rootfs"
