#!/bin/sh
# The first process of the guest: runs the tests, and tells how they went on the second serial line, which
# the kernel does not write to. `report.rs` reads it.
export PATH=/bin:/sbin
busybox mount -t proc none /proc
busybox mount -t sysfs none /sys
busybox mount -t devtmpfs none /dev
busybox mount -t cgroup2 none /sys/fs/cgroup
echo "guest: $(busybox uname -r)"

suite() {
    echo "guest: running $*"
    "/tests/$1" --show-output $2
    echo "guest: $1 ended with $?"
} > /dev/ttyS1 2>&1

# One at a time: busybox's modprobe takes a module for loaded that another one is loading.
suite ipsec --test-threads=1
suite datapath

echo "guest: done" > /dev/ttyS1
busybox reboot -f
