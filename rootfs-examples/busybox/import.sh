#!/bin/sh
# Makes rootfs/, and of it the image `busybox`, by the tinyrun that is in PATH.
set -eu
cd "$(dirname "$0")"
sh make-rootfs.sh
tar -C rootfs -cf - . | tinyrun image import - busybox
