# Runs as root in mount, PID, UTS, IPC and control group namespaces of its own: makes $1, a mount, the root, and becomes
# systemd.
set -eu
mount --make-rprivate /
cd "$1"
mount -t proc proc proc
# What it says of the kernel goes for the whole machine.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 dev dev
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=0755 run run
echo gateway > etc/hostname
mkdir -p old
pivot_root . old
umount -l /old
rmdir /old
# So that it leaves the clock, the console and the kernel's modules alone.
export container=sbc
exec /lib/systemd/systemd --log-target=console --show-status=no
