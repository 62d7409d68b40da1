#!/bin/sh
# Makes rootfs/ from this machine's shell and a few programs to look around with.
set -eu
cd "$(dirname "$0")"
exec sh ../make-rootfs.sh rootfs sh cat echo env head hostname id ip ls mkdir mount ps rm sleep stat touch true wc
