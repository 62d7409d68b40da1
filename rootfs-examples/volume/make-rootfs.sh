#!/bin/sh
# Makes rootfs/ from this machine's shell and a few programs, and data/ beside it, which config.json mounts at /data.
set -eu
cd "$(dirname "$0")"
mkdir -p data
exec sh ../make-rootfs.sh rootfs sh cat date echo grep ls mount tail
