#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Containers whose root is no plain directory: made, started (mapped too), looked into and destroyed.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag
printf 'lxc.net.0.type = empty\n' >"$scratch/plain.conf"
printf 'lxc.net.0.type = empty\nlxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >"$scratch/mapped.conf"
chmod 0755 "$lxcpath"

loops() {
	# Of this sandbox's images only: others use loop devices too.
	cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c "/$n"
}

# life TYPE CONF PATTERN OPTIONS...
life() {
	type=$1 conf=$2 pattern=$3
	shift 3
	what="$type, $conf"
	succeeds "$what: create" lxc-create -n "$n" -t busybox -B "$type" -f "$scratch/$conf.conf" "$@"
	like "$(grep rootfs.path "$lxcpath/$n/config")" "$pattern" "$what: the configuration names it"
	round=0
	while [ "$round" -lt 2 ]; do
		round=$((round + 1))
		succeeds "$what: start $round" lxc-start -n "$n"
		[ "$status" -eq 0 ] || break
		succeeds "$what: writes $round" lxc-attach -n "$n" -- sh -c "echo $round >>/root/kept; cat /etc/hostname"
		is "$(lxc-attach -n "$n" -- cat /root/kept | wc -l)" "$round" "$what: finds what it wrote"
		is "$(lxc-attach -n "$n" -- stat -c %u /root/kept)" 0 "$what: it is root's"
		succeeds "$what: stop $round" lxc-stop -n "$n" -k
	done
	succeeds "$what: destroy" lxc-destroy -n "$n"
	ok "$what: nothing is left" test ! -e "$lxcpath/$n"
	eventually 5 sh -c "! cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -q '/$n'"
	is "$(loops)" 0 "$what: no loop device is left"
}

life overlay plain "overlay:$lxcpath/$n/rootfs:$lxcpath/$n/overlay/delta"
life overlay mapped "overlay:"
if [ -w /dev/loop-control ] && command -v mkfs.ext4 >/dev/null; then
	life loop plain "loop:$lxcpath/$n/rootdev" --fssize 100M
	life loop mapped "loop:" --fssize 100M --fstype ext4
	fails 1 "a file system that nobody makes" lxc-create -n "$n" -t busybox -B loop --fstype nosuchfs
	like "$err" "mkfs.nosuchfs" "is named"
	ok "and nothing is left" test ! -e "$lxcpath/$n"
	fails 1 "an image that is too small" lxc-create -n "$n" -t busybox -B loop --fssize 1k
	ok "leaves nothing" test ! -e "$lxcpath/$n"
else
	skip "loop" "needs loop devices and mkfs.ext4"
fi
if [ -w /dev/loop-control ] && command -v mkfs.btrfs >/dev/null; then
	truncate -s 400M /tmp/btrfs.img
	mkfs.btrfs -q /tmp/btrfs.img
	mkdir /tmp/btrfs
	mount -o loop /tmp/btrfs.img /tmp/btrfs
	chmod 0755 /tmp/btrfs
	home=$lxcpath
	mount --bind /tmp/btrfs "$lxcpath"
	for conf in plain mapped; do
		life btrfs "$conf" "btrfs:$lxcpath/$n/rootfs"
	done
	succeeds "best takes btrfs where that is" lxc-create -n "$n" -t busybox -B best -f "$scratch/plain.conf"
	like "$(grep rootfs.path "$home/$n/config")" "btrfs:" "and says so"
	succeeds "and it is removed" lxc-destroy -n "$n"
	umount "$lxcpath"
	umount /tmp/btrfs
else
	skip "btrfs" "needs loop devices and mkfs.btrfs"
fi
for type in lvm zfs rbd nbd; do
	fails 1 "$type without its programs" env PATH="$TIFFIN_INST/bin" "$TIFFIN_INST/bin/lxc-create" -n "$n" -t busybox -B "$type"
	ok "$type: nothing is left" test ! -e "$lxcpath/$n"
	case $type in
	lvm) like "$err" "lvm2" "lvm: the package is named" ;;
	zfs) like "$err" "zfsutils-linux" "zfs: the package is named" ;;
	rbd) like "$err" "ceph-common" "rbd: the package is named" ;;
	nbd) like "$err" "qemu-img" "nbd: the way is told" ;;
	esac
done
finish
