#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) The Tiffin authors
# Containers on volumes and images, by the real programs: logical volumes classic and thin, images on loop devices, images
# of virtual machines. Made, run, copied, snapshot, restored, grown while they run, and destroyed.
. "$top_srcdir/tests/harness/lib.sh"
needs hostroot inst tools busybox cgroup
sandbox "$0"
n=$tag
printf 'lxc.net.0.type = empty\n' >"$scratch/plain.conf"
printf 'lxc.net.0.type = empty\nlxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >"$scratch/mapped.conf"
chmod 0755 "$lxcpath"

# VOLUMES="zfs nbd" chooses.
wants() {
	case " ${VOLUMES-lvm zfs loop nbd} " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}
inside() { lxc-attach -n "$1" -- sh -c "$2"; }
# Of the root, as the container sees it, in MiB.
room() { inside "$1" "df -kP / | awk 'NR == 2 { print int(\$2 / 1024) }'"; }
runs_once() {
	succeeds "$what: $1 starts" lxc-start -n "$1"
	is "$(inside "$1" 'cat /root/mark')" "$2" "$what: $1 has its own data"
	succeeds "$what: $1 stops" lxc-stop -n "$1" -k
}

# grows SIZE: while it runs. The file system has a little less.
grows() {
	succeeds "$what: it starts" lxc-start -n "$n"
	before=$(room "$n")
	succeeds "$what: it is grown to $1M while it runs" lxc-resize -n "$n" "$1M"
	ok "$what: which is seen inside at once" test "$(room "$n")" -gt "$before" -a "$(room "$n")" -gt $(($1 * 3 / 4))
	is "$(lxc-resize -n "$n" --no-humanize | sed -n 's/^Disk limit: *//p')" $(($1 << 20)) "$what: and is what is shown"
	ok "$what: the new room takes data" lxc-attach -n "$n" -- dd if=/dev/zero of=/root/large bs=1M count=$((before - 8))
	fails 1 "$what: a smaller one" lxc-resize -n "$n" 16M
	like "$err" "shr|smaller" "$what: is refused"
	is "$(inside "$n" 'rm /root/large; cat /root/mark')" "$2" "$what: and the data is what it was"
	succeeds "$what: it stops" lxc-stop -n "$n" -k
}

marked() {
	succeeds "$what: start" lxc-start -n "$n"
	inside "$n" "echo $1 >/root/mark"
	is "$(inside "$n" 'stat -c %u /root/mark')" 0 "$what: root's files are root's inside"
	succeeds "$what: stop" lxc-stop -n "$n" -k
}

# copies OPTIONS... -- a whole one, one that shares, and snapshots.
copies() {
	succeeds "$what: a copy of the same type" lxc-copy -n "$n" -N "$n-w" "$@"
	runs_once "$n-w" one
	succeeds "$what: a copy into a directory" lxc-copy -n "$n" -N "$n-d" -B dir
	like "$(grep rootfs.path "$lxcpath/$n-d/config")" "dir:$lxcpath/$n-d/rootfs" "$what: is one"
	runs_once "$n-d" one
	succeeds "$what: they go" sh -c "lxc-destroy -n $n-w && lxc-destroy -n $n-d"
}
snapshots() {
	if [ "${1-}" = none ]; then
		fails 1 "$what: a snapshot" lxc-snapshot -n "$n"
		like "$err" "has no snapshots of this kind
.*lxc-copy" "$what: is refused, with a way to have one"
		return
	fi
	succeeds "$what: a snapshot" lxc-snapshot -n "$n"
	succeeds "$what: start" lxc-start -n "$n"
	inside "$n" 'echo two >/root/mark'
	succeeds "$what: stop" lxc-stop -n "$n" -k
	succeeds "$what: restored under a new name" lxc-snapshot -n "$n" -r snap0 -N "$n-r"
	runs_once "$n-r" one
	succeeds "$what: which goes" lxc-destroy -n "$n-r"
	runs_once "$n" two
	succeeds "$what: restored in place" lxc-snapshot -n "$n" -r snap0
	runs_once "$n" one
	succeeds "$what: the snapshot goes" lxc-snapshot -n "$n" -d snap0
	is "$(lxc-snapshot -n "$n" -L)" "No snapshots" "$what: and there is none"
}

ephemeral() {
	succeeds "$what: ephemeral" lxc-copy -n "$n" -e -N "$n-e"
	is "$(inside "$n-e" 'cat /root/mark')" one "$what: it has the data"
	succeeds "$what: it stops" lxc-stop -n "$n-e" -k
	eventually 10 test ! -e "$lxcpath/$n-e"
	ok "$what: and is gone" test ! -e "$lxcpath/$n-e"
}

# cut_off WHAT-LISTS-THE-VOLUMES COMMAND...: killed after longer and longer times; what it leaves is removed by a destroy,
# the next attempt is not in its way, and the original is what it was.
cut_off() {
	list=$1 bad='' partial=0
	shift
	before=$($list)
	for delay in 0.02 0.05 0.1 0.15 0.2 0.3 0.4 0.6 0.8 1 1.3 1.6 2 2.5 3; do
		timeout -s KILL "$delay" "$@" >/dev/null 2>&1
		[ ! -e "$lxcpath/$n-k/partial" ] || partial=$((partial + 1))
		if [ -e "$lxcpath/$n-k" ] || [ -e "$lxcpath/.$n-k.new" ]; then
			lxc-destroy -n "$n-k" 2>"$scratch/k.err" || bad="$bad $delay: not removed: $(cat "$scratch/k.err");"
		fi
		[ ! -e "$lxcpath/$n-k" ] || bad="$bad $delay: something is left;"
		# A program that was at work ends by itself.
		eventually 10 sh -c "[ \"\$($list_command)\" = \"$before\" ]" 2>/dev/null
		[ "$($list)" = "$before" ] || bad="$bad $delay: a volume is left: $($list);"
	done
	is "$bad" "" "$what: whenever $1 is killed, all that it leaves can be removed ($partial were partial)"
	succeeds "$what: and a whole one is made" "$@"
	succeeds "$what: which goes" lxc-destroy -n "$n-k"
	runs_once "$n" one
}

# ---- logical volumes
cleanup_lvm() {
	vgremove -ff -y "$vg" >/dev/null 2>&1
	umount /etc/lvm
	losetup -d "$pv" 2>/dev/null
}
volumes() { lvs --noheadings -o lv_name "$vg" | tr -d ' ' | sort | tr '\n' ' '; }
if ! wants lvm; then
	skip "logical volumes" "not chosen by VOLUMES"
elif ! [ -e /dev/mapper/control ]; then
	skip "logical volumes" "needs the kernel's device mapper"
elif ! command -v thin_check >/dev/null || ! command -v pvcreate >/dev/null; then
	skip "logical volumes" "needs lvm2 and thin-provisioning-tools"
elif ! [ -w /dev/loop-control ]; then
	skip "logical volumes" "needs loop devices"
else
	# Nobody answers the cookies of another IPC namespace: the programs make the nodes themselves.
	mkdir /tmp/lvm
	printf 'activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }\nbackup { backup = 0 archive = 0 }\nglobal { locking_dir = "/run/lock" }\n' >/tmp/lvm/lvm.conf
	mount --bind /tmp/lvm /etc/lvm
	LVM_SUPPRESS_FD_WARNINGS=1
	export LVM_SUPPRESS_FD_WARNINGS
	mkdir -p /run/lock
	vg=tiffin-$(cut -c 1-8 /proc/sys/kernel/random/uuid)
	truncate -s 1500M /tmp/pv.img
	pv=$(losetup -f --show /tmp/pv.img)
	trap cleanup_lvm EXIT
	vgcreate -q "$vg" "$pv" >/dev/null || comment "vgcreate failed"
	lvcreate -q -L 400M --thinpool pool "$vg" >/dev/null 2>&1 || comment "no thin pool"
	is "$(volumes)" "pool " "there is a volume group with a pool"
	for kind in classic thin; do
		for conf in plain mapped; do
			what="lvm $kind, $conf"
			case $kind in
			classic) set -- --vgname "$vg" ;;
			thin) set -- --vgname "$vg" --thinpool pool ;;
			esac
			succeeds "$what: create" lxc-create -n "$n" -t busybox -B lvm -f "$scratch/$conf.conf" --fssize 64M "$@"
			like "$(grep rootfs.path "$lxcpath/$n/config")" "lvm:/dev/$vg/$n" "$what: the configuration names it"
			is "$(lvs --noheadings -o lv_attr "$vg/$n" | tr -d ' ' | cut -c 1)" "$([ $kind = thin ] && echo V || echo -)" "$what: and it is one"
			marked one
			copies -B lvm
			list_command="lvs --noheadings -o lv_name $vg | tr -d ' ' | sort | tr '\n' ' '"
			cut_off volumes lxc-copy -n "$n" -N "$n-k" -B lvm
			cut_off volumes lxc-copy -n "$n" -N "$n-k" -s
			succeeds "$what: a copy that shares" lxc-copy -n "$n" -N "$n-s" -s
			runs_once "$n-s" one
			case $kind in
			classic)
				fails 1 "$what: the original" lxc-destroy -n "$n"
				like "$err" "$n-s" "$what: is kept, and who stands on it is named"
				runs_once "$n" one
				succeeds "$what: the copy goes" lxc-destroy -n "$n-s"
				;;
			thin)
				succeeds "$what: the original goes first" lxc-destroy -n "$n"
				runs_once "$n-s" one
				succeeds "$what: and comes back" lxc-copy -n "$n-s" -N "$n" -R
				;;
			esac
			snapshots "$([ $kind = thin ] || echo none)"
			grows 128 one
			ephemeral
			succeeds "$what: destroy" lxc-destroy -n "$n"
			is "$(volumes)" "pool " "$what: nothing is left"
		done
	done
	fails 1 "a volume group that is not there" lxc-create -n "$n" -t busybox -B lvm --vgname "$vg-none"
	like "$err" "$vg-none" "is named"
	ok "and nothing is left" test ! -e "$lxcpath/$n"
	lvcreate -q -y -L 16M -n precious "$vg" >/dev/null 2>&1
	fails 1 "a volume that is there already" lxc-create -n "$n" -t busybox -B lvm --vgname "$vg" --lvname precious
	ok "is left alone" test -e "/dev/$vg/precious"
	ok "and nothing is made" test ! -e "$lxcpath/$n"
	cleanup_lvm
	trap - EXIT
	ok "the volume group goes" test ! -e "/dev/$vg"
fi

# ---- data sets
cleanup_zfs() {
	zpool destroy -f "$pool" >/dev/null 2>&1
	losetup -d "$disk" 2>/dev/null
}
datasets() { zfs list -H -o name -r "$pool/lxc" | tr '\n' ' '; }
if ! wants zfs; then
	skip "data sets" "not chosen by VOLUMES"
elif ! [ -e /dev/zfs ]; then
	skip "data sets" "needs the kernel's zfs"
elif ! command -v zpool >/dev/null; then
	skip "data sets" "needs zfsutils-linux"
else
	pool=tiffin$(cut -c 1-8 /proc/sys/kernel/random/uuid)
	truncate -s 512M /tmp/z.img
	trap cleanup_zfs EXIT
	# A file would be opened by the kernel, which does not see this /tmp.
	disk=$(losetup -f --show /tmp/z.img)
	zpool create -o cachefile=none -m none "$pool" "$disk" || comment "zpool create failed"
	zfs create "$pool/lxc"
	is "$(datasets)" "$pool/lxc " "there is a pool"
	for conf in plain mapped; do
		what="zfs, $conf"
		succeeds "$what: create" lxc-create -n "$n" -t busybox -B zfs -f "$scratch/$conf.conf" --zfsroot "$pool/lxc"
		like "$(grep rootfs.path "$lxcpath/$n/config")" "zfs:$pool/lxc/$n" "$what: the configuration names it"
		marked one
		copies -B zfs
		list_command="zfs list -H -o name -r $pool/lxc | tr '\n' ' '"
		cut_off datasets lxc-copy -n "$n" -N "$n-k" -B zfs
		cut_off datasets lxc-copy -n "$n" -N "$n-k" -s
		succeeds "$what: start" lxc-start -n "$n"
		succeeds "$what: a whole copy while it runs" lxc-copy -a -n "$n" -N "$n-d" -B dir
		succeeds "$what: a shared one too" lxc-copy -a -s -n "$n" -N "$n-s"
		succeeds "$what: stop" lxc-stop -k -n "$n"
		runs_once "$n-d" one
		runs_once "$n-s" one
		succeeds "$what: the whole one goes" lxc-destroy -n "$n-d"
		succeeds "$what: a copy of the shared one" lxc-copy -s -n "$n-s" -N "$n-t"
		succeeds "$what: the original goes first" lxc-destroy -n "$n"
		runs_once "$n-s" one
		succeeds "$what: then the copy" lxc-destroy -n "$n-s"
		runs_once "$n-t" one
		succeeds "$what: and the last comes back" lxc-copy -R -n "$n-t" -N "$n"
		snapshots
		succeeds "$what: start" lxc-start -n "$n"
		succeeds "$what: a limit while it runs" lxc-resize -n "$n" 24M
		fails 1 "$what: holds inside" lxc-attach -n "$n" -- sh -c 'dd if=/dev/urandom of=/root/large bs=1M count=40 && sync'
		succeeds "$what: a larger one" lxc-resize -n "$n" 64M
		ok "$what: gives room" lxc-attach -n "$n" -- sh -c 'dd if=/dev/urandom of=/root/large bs=1M count=40 && sync && rm /root/large'
		succeeds "$what: stop" lxc-stop -k -n "$n"
		ephemeral
		succeeds "$what: destroy" lxc-destroy -n "$n"
		is "$(datasets)" "$pool/lxc " "$what: nothing is left"
		is "$(zfs list -H -t snapshot -o name -r "$pool")" "" "$what: no snapshot either"
	done
	fails 1 "a root that is not there" lxc-create -n "$n" -t busybox -B zfs --zfsroot "$pool-none/lxc"
	like "$err" "$pool-none" "is named"
	ok "and nothing is left" test ! -e "$lxcpath/$n"
	cleanup_zfs
	trap - EXIT
fi

# ---- images on loop devices
grown() {
	what="loop, $1"
	succeeds "$what: create" lxc-create -n "$n" -t busybox -B loop -f "$scratch/plain.conf" --fssize "$2M" --fstype "$1"
	marked one
	copies -B loop
	snapshots
	grows $(($2 + 100)) one
	succeeds "$what: destroy" lxc-destroy -n "$n"
	ok "$what: nothing is left" test ! -e "$lxcpath/$n"
}
if ! wants loop; then
	skip "images" "not chosen by VOLUMES"
elif ! [ -w /dev/loop-control ]; then
	skip "images" "needs loop devices"
else
	mount -t tmpfs -o mode=0711,size=3G tmpfs "$lxcpath"
	chmod 0755 "$lxcpath"
	for fs in ext4:96 xfs:320 btrfs:256; do
		if ! command -v "mkfs.${fs%:*}" >/dev/null; then
			skip "loop, ${fs%:*}" "needs mkfs.${fs%:*}"
		elif [ "${fs%:*}" = ext4 ] && ! setpriv --inh-caps +sys_resource true 2>/dev/null; then
			skip "loop, ext4" "needs CAP_SYS_RESOURCE, to grow ext4 in use"
		else
			grown "${fs%:*}" "${fs#*:}"
		fi
	done
	umount "$lxcpath"
fi

# ---- images of virtual machines
attached() { cat /sys/block/nbd*/pid 2>/dev/null | wc -l; }
if ! wants nbd; then
	skip "nbd" "not chosen by VOLUMES"
elif ! [ -e /sys/block/nbd0 ]; then
	skip "nbd" "needs the kernel's network block devices"
elif ! command -v qemu-nbd >/dev/null || ! command -v qemu-img >/dev/null; then
	skip "nbd" "needs qemu-utils"
else
	lxc-create -n "$n-b" -t busybox -f "$scratch/plain.conf" >/dev/null 2>&1
	echo one >"$lxcpath/$n-b/rootfs/root/mark"
	truncate -s 64M /tmp/whole.img
	mkfs.ext4 -q -d "$lxcpath/$n-b/rootfs" /tmp/whole.img
	truncate -s 66M /tmp/disk.img
	# A table with one partition: from sector 2048 on, 131072 sectors.
	printf '\000\000\000\000\203\000\000\000\000\010\000\000\000\000\002\000' |
		dd of=/tmp/disk.img bs=1 seek=446 conv=notrunc 2>/dev/null
	printf '\125\252' | dd of=/tmp/disk.img bs=1 seek=510 conv=notrunc 2>/dev/null
	dd if=/tmp/whole.img of=/tmp/disk.img bs=1M seek=1 conv=notrunc 2>/dev/null
	for image in whole: disk::1; do
		file=/tmp/${image%%:*}.qcow2
		what="nbd, ${image%%:*}"
		qemu-img convert -O qcow2 "/tmp/${image%%:*}.img" "$file"
		mkdir "$lxcpath/$n"
		cp "$lxcpath/$n-b/config" "$lxcpath/$n/config"
		sed -i "s|^lxc.rootfs.path.*|lxc.rootfs.path = nbd:$file${image#*:}|; s|$n-b|$n|" "$lxcpath/$n/config"
		runs_once "$n" one
		succeeds "$what: start" lxc-start -n "$n"
		is "$(attached)" 1 "$what: the image is attached"
		inside "$n" 'echo two >/root/mark'
		succeeds "$what: stop" lxc-stop -n "$n" -k
		eventually 5 sh -c '[ "$(cat /sys/block/nbd*/pid 2>/dev/null | wc -l)" = 0 ]'
		is "$(attached)" 0 "$what: and no more"
		runs_once "$n" two
		succeeds "$what: a copy into a directory" lxc-copy -n "$n" -N "$n-d" -B dir
		is "$(attached)" 0 "$what: leaves it unattached"
		runs_once "$n-d" two
		succeeds "$what: it goes" lxc-destroy -n "$n-d"
		succeeds "$what: destroy" lxc-destroy -n "$n"
		ok "$what: the image, which was made by others, stays" test -s "$file"
	done
	succeeds "the base goes" lxc-destroy -n "$n-b"
fi
finish
