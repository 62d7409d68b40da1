#!/run/vm/busybox sh
# In the machine's final root: mounts what systemd would, where that is not process 1, runs the command with its output
# to the host, and ends the machine.
busybox=/run/vm/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
if [ $$ = 1 ]; then
  $busybox mkdir -p /dev/pts /dev/shm /dev/mqueue
  $busybox mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
  $busybox mount -t tmpfs -o mode=1777 shm /dev/shm
  $busybox mount -t mqueue mqueue /dev/mqueue
  $busybox mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
  $busybox ln -sf /proc/self/fd /dev/fd
  for fd in 0:stdin 1:stdout 2:stderr; do $busybox ln -sf "/proc/self/fd/${fd%:*}" "/dev/${fd#*:}"; done
  $busybox ip link set lo up
  $busybox hostname vm
  $busybox mount --make-rshared /
fi
modprobe -q tun # criu wants it
port=$(cd /dev && echo vport*p1)
# Through a pipe: a test must not find the port itself as its stdout.
$busybox mkfifo /run/vm/output
$busybox cat /run/vm/output >"/dev/$port" &
cat=$!
$busybox sh /run/vm/command.sh </dev/null >/run/vm/output 2>&1
code=$?
# What a test has left behind may hold the pipe.
(
  $busybox sleep 3
  kill $cat
) 2>/dev/null &
wait $cat
echo "machine: exit code $code" >"/dev/$port"
$busybox sync
$busybox reboot -f
