#!/bin/sh
# Makes rootfs/: busybox, and the program.
set -eu
cd "$(dirname "$0")"
sh ../busybox/make-rootfs.sh
rm -rf rootfs
cp -a ../busybox/rootfs rootfs
mkdir rootfs/data
install -m 755 db rootfs/bin/db
