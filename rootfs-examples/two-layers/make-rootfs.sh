#!/bin/sh
# Makes layers/base (the programs) and layers/app (one script, and a changed /etc/motd), and the empty rootfs/ that the
# overlay of both is mounted on.
set -eu
cd "$(dirname "$0")"
mkdir -p layers rootfs
sh ../make-rootfs.sh layers/base sh cat echo ls mount rm
echo 'from the base layer' >layers/base/etc/motd

rm -rf layers/app
mkdir -p layers/app/etc layers/app/bin
echo 'from the app layer' >layers/app/etc/motd
printf '#!/bin/sh\ncat /etc/motd\n' >layers/app/bin/hello
chmod 755 layers/app/bin/hello
