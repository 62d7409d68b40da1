#!/busybox sh
# The first process of the machine, from its initramfs: the host's / read-only over 9p, below a tmpfs that takes the
# writes, becomes the root; a second share is the project's folder, wherever it is. Then the suite, or systemd, takes over.
/busybox mkdir -p /bin /proc /sys /dev /lower /upper /new
/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo 'tinyrun: up' >/dev/console # the host waits for this
while read -r module; do insmod "/modules/$module"; done </modules/order

share=trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose
mount -t 9p -o $share root /lower &&
  mount -t tmpfs -o mode=755 upper /upper && mkdir /upper/files /upper/work &&
  mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /new || reboot -f
cd /new || reboot -f
mkdir -p proc sys dev run tmp "lib/modules/$(uname -r)"
mount -t tmpfs -o mode=755,nosuid,nodev run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t 9p -o $share modules "lib/modules/$(uname -r)"
top=$(cat /top)
mkdir -p "./$top"
mount -t 9p -o $share top "./$top"
mkdir run/vm
cp /busybox /suite.sh /command.sh run/vm
for dir in proc sys dev; do mount --move /$dir $dir; done

init=/run/vm/suite.sh
if grep -qw flavour=systemd proc/cmdline; then
  init=/lib/systemd/systemd
  rm -f .dockerenv etc/machine-id # .dockerenv: systemd would take this for a container
  : >etc/fstab
  echo 0123456789abcdef0123456789abcdef >etc/machine-id
  # Needed by no test, and slow without hardware virtualisation.
  for unit in binfmt random-seed sysusers journal-flush timesyncd update-utmp tmpfiles-setup-dev modules-load sysctl \
    udev-trigger networkd resolved; do
    ln -sf /dev/null "etc/systemd/system/systemd-$unit.service"
  done
  ln -sf /dev/null etc/systemd/system/modprobe@.service
  cat >etc/systemd/system/suite.target <<'UNIT'
[Unit]
Requires=suite.service
AllowIsolate=yes
UNIT
  cat >etc/systemd/system/suite.service <<'UNIT'
[Unit]
Requires=dbus.socket
After=dbus.socket basic.target
[Service]
Type=exec
Delegate=yes
TasksMax=infinity
TimeoutStartSec=infinity
ExecStart=/run/vm/suite.sh
UNIT
fi
exec switch_root /new $init
